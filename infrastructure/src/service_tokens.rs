//! Tokens of machine callers: what they are good for, and until when. The token itself is known to its holder only.

use application::forms::{NewServiceToken, ServiceScope};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::Actor;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// What a service token begins with, so that people and secret scanners know one when they see it.
pub const SERVICE_TOKEN_PREFIX: &str = "lw_";

/// Random bytes of a token: nobody can guess it, so a fast hash keeps it as safely as a slow one.
const TOKEN_BYTES: usize = 32;

/// Longest text that is looked at as a token, in bytes.
const TOKEN_CHARS_MAX: usize = 128;

/// Most tokens of one answer.
pub const SERVICE_TOKENS_MAX: i64 = 1000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, scopes, created_by, created_at, expires_at, revoked_at FROM service_tokens ",
            $rest
        )
    };
}

const INSERT: &str = "
INSERT INTO service_tokens (id, name, scopes, token_hash, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ALL: &str = select!("ORDER BY created_at DESC, id DESC LIMIT $1");
const BY_HASH: &str = select!("WHERE token_hash = $1");
const BY_ID: &str = select!("WHERE id = $1");
const REVOKE: &str = "UPDATE service_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 5] = [INSERT, ALL, BY_HASH, BY_ID, REVOKE];

/// A service token without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id.
    pub id: Uuid,
    /// Who is to use it.
    pub name: String,
    /// What for.
    pub scopes: Vec<ServiceScope>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ends; never without it.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ServiceToken {
    /// Whether it is good at this moment.
    pub fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// Makes, finds and takes back service tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServiceTokens {
    db: Db,
}

type Columns = (Uuid, String, String, String, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl ServiceTokens {
    /// The tokens of this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Makes a token. What is returned beside it is shown once and cannot be found again.
    pub async fn create(
        &self,
        id: Uuid,
        new: NewServiceToken,
        by: &Actor,
        at: DateTime<Utc>,
    ) -> Result<(ServiceToken, SecretString), DbError> {
        let secret = rand::random::<[u8; TOKEN_BYTES]>();
        let text = format!("{SERVICE_TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let created_by = match by {
            Actor::Staff(staff) => staff.to_string(),
            Actor::System(name) => name.clone(),
        };
        let NewServiceToken { name, scopes, expires_at } = new;
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(INSERT)
            .bind(id)
            .bind(&name)
            .bind(written(&scopes))
            .bind(hash(&text))
            .bind(&created_by)
            .bind(at)
            .bind(expires_at)
            .execute(conn)
            .await
            .map(drop))?;
        tx.commit().await?;
        let token =
            ServiceToken { id, name, scopes, created_by, created_at: at, expires_at, revoked_at: None };
        Ok((token, SecretString::from(text)))
    }

    /// Every token, newest first, taken back or not; at most [`SERVICE_TOKENS_MAX`].
    pub async fn all(&self) -> Result<Vec<ServiceToken>, DbError> {
        let rows: Vec<Columns> = with_pool!(&self.db, pool => sqlx::query_as(ALL)
            .bind(SERVICE_TOKENS_MAX)
            .fetch_all(pool)
            .await)?;
        rows.into_iter().map(read).collect()
    }

    /// The token that this text is, good or not.
    pub async fn find(&self, text: &str) -> Result<Option<ServiceToken>, DbError> {
        if !text.starts_with(SERVICE_TOKEN_PREFIX) || text.len() > TOKEN_CHARS_MAX {
            return Ok(None);
        }
        let row: Option<Columns> = with_pool!(&self.db, pool => sqlx::query_as(BY_HASH)
            .bind(hash(text))
            .fetch_optional(pool)
            .await)?;
        row.map(read).transpose()
    }

    /// Takes a token back, now and for ever. `None` when there is none; taking it back again changes nothing.
    pub async fn revoke(&self, id: Uuid, at: DateTime<Utc>) -> Result<Option<ServiceToken>, DbError> {
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(REVOKE).bind(id).bind(at).execute(conn).await.map(drop))?;
        tx.commit().await?;
        let row: Option<Columns> =
            with_pool!(&self.db, pool => sqlx::query_as(BY_ID).bind(id).fetch_optional(pool).await)?;
        row.map(read).transpose()
    }
}

fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn written(scopes: &[ServiceScope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

fn read(columns: Columns) -> Result<ServiceToken, DbError> {
    let (id, name, scopes, created_by, created_at, expires_at, revoked_at) = columns;
    let scopes = scopes.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    let scopes = scopes.map_err(|_| DbError::Corrupt {
        table: "service_tokens",
        at: id.to_string(),
        reason: "a scope is unknown".to_owned(),
    })?;
    Ok(ServiceToken { id, name, scopes, created_by, created_at, expires_at, revoked_at })
}
