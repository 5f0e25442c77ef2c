//! Passwords of staff: argon2id hashes in a table of their own, checked in the same time for everybody.
//!
//! A hash costs tens of milliseconds of processor and 19 MiB on purpose, so it runs beside the async threads and
//! only a few at once: a flood of log-ins must not starve everything else.

use std::sync::{Arc, OnceLock};

pub use application::forms::PASSWORD_CHARS_MIN;
use application::staff::openid_key;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use chrono::{DateTime, Utc};
use domain::contact::OpenId;
use domain::{StaffId, StreamId};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::sessions::end_all_in;
use crate::{with_pool, with_tx};

/// Hashes computed at the same time by one process.
const HASHES_AT_ONCE_MAX: usize = 4;

const UPSERT: &str = "INSERT INTO credentials (staff_id, password_hash, updated_at) VALUES ($1, $2, $3)
     ON CONFLICT (staff_id) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at";
const HAS_ONE: &str = "SELECT count(*) FROM credentials WHERE staff_id = $1";
const HASH_OF: &str = "SELECT password_hash FROM credentials WHERE staff_id = $1";
/// The appender's guard on user names answers at once, also for an account that no read model knows yet.
const HOLDER_OF_USERNAME: &str = "SELECT holder FROM guards WHERE kind = 'staff_username' AND key = $1";

/// The same of openids; the key is [`application::staff::openid_key`].
const HOLDER_OF_OPENID: &str = "SELECT holder FROM guards WHERE kind = 'staff_openid' AND key = $1";

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 5] = [UPSERT, HAS_ONE, HASH_OF, HOLDER_OF_USERNAME, HOLDER_OF_OPENID];

/// Sets and checks passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Credentials {
    db: Db,
    turns: Arc<Semaphore>,
    /// What a password is compared with when there is none to compare with.
    dummy: Arc<OnceLock<String>>,
}

/// Why a password could not be set or checked.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The password is too short to be one.
    #[error("密码至少{PASSWORD_CHARS_MIN}个字符")]
    TooShort,
    /// The hash could not be computed; says nothing about the password.
    #[error("the password could not be hashed: {0}")]
    Hash(&'static str),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Credentials {
    /// The credentials in this database.
    pub fn new(db: Db) -> Self {
        Self { db, turns: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)), dummy: Arc::default() }
    }

    /// Sets or replaces a person's password, and ends every session the person has with us: whoever knew the old one is
    /// out. [`Sessions::refresh`](crate::sessions::Sessions::refresh) makes that known in this process at once.
    pub async fn set_password(
        &self,
        staff: StaffId,
        password: &SecretString,
        at: DateTime<Utc>,
    ) -> Result<(), CredentialsError> {
        if password.expose_secret().chars().count() < PASSWORD_CHARS_MIN {
            return Err(CredentialsError::TooShort);
        }
        let password = password.clone();
        let hash = self.aside(move || hash(password.expose_secret())).await??;
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(UPSERT)
            .bind(staff.0)
            .bind(&hash)
            .bind(at)
            .execute(conn)
            .await
            .map(drop))
        .map_err(DbError::from)?;
        end_all_in(&mut tx, staff).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the person has a password at all.
    pub async fn has_password(&self, staff: StaffId) -> Result<bool, DbError> {
        let count: i64 = with_pool!(&self.db, pool => sqlx::query_scalar(HAS_ONE)
            .bind(staff.0)
            .fetch_one(pool)
            .await)?;
        Ok(count > 0)
    }

    /// Whether the password is this person's. Somebody unknown costs the same time as a wrong password, so that
    /// the answer's delay tells nobody who has an account.
    pub async fn verify(
        &self,
        staff: Option<StaffId>,
        password: &SecretString,
    ) -> Result<bool, CredentialsError> {
        let id = staff.map_or(Uuid::nil(), |staff| staff.0);
        let known: Option<String> = with_pool!(&self.db, pool => sqlx::query_scalar(HASH_OF)
            .bind(id)
            .fetch_optional(pool)
            .await)
        .map_err(DbError::from)?;
        let (password, dummy) = (password.clone(), Arc::clone(&self.dummy));
        self.aside(move || {
            let dummy = dummy.get_or_init(|| hash("nobody's password").unwrap_or_default());
            let fits = matches(known.as_deref().unwrap_or(dummy), password.expose_secret());
            fits && known.is_some()
        })
        .await
    }

    /// Who has this user name, in its normalised form.
    pub async fn staff_named(&self, username: &str) -> Result<Option<StaffId>, DbError> {
        self.holder(HOLDER_OF_USERNAME, username).await
    }

    /// Who has bound this person of a WeChat app to the own account.
    pub async fn staff_bound(&self, app: &str, openid: &OpenId) -> Result<Option<StaffId>, DbError> {
        self.holder(HOLDER_OF_OPENID, &openid_key(app, openid)).await
    }

    async fn holder(&self, statement: &'static str, key: &str) -> Result<Option<StaffId>, DbError> {
        let holder: Option<String> = with_pool!(&self.db, pool => sqlx::query_scalar(statement)
            .bind(key)
            .fetch_optional(pool)
            .await)?;
        Ok(holder.and_then(|holder| StreamId::parse(&holder)?.uuid()).map(StaffId))
    }

    /// Runs costly work on a thread that may block, when it is this one's turn.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| CredentialsError::Hash("the work was stopped"))
    }
}

fn hash(password: &str) -> Result<String, CredentialsError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|_| CredentialsError::Hash("argon2 refused"))?;
    Ok(hash.to_string())
}

fn matches(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_salted_and_fits_only_its_password() {
        let first = hash("correct horse").unwrap();
        let second = hash("correct horse").unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(matches(&first, "correct horse"));
        assert!(!matches(&first, "Correct horse"));
        assert!(!matches("", "correct horse"));
        assert!(!matches("$argon2id$nonsense", "correct horse"));
    }
}
