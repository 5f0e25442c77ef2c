//! The table of callbacks: stored once, claimed by one process at a time, kept for a while.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use uuid::Uuid;

use super::sql;
use crate::db::{Db, DbError, Tx};
use crate::{with_pool, with_tx};

/// Days after which a callback that was worked on is deleted; until then it explains what followed from it.
pub const CALLBACK_RETENTION_DAYS: i64 = 30;

/// How long a claimed callback stays one's own; one takes milliseconds.
const LEASE_SECONDS: i64 = 60;

/// Who sends callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A mini program or an official account.
    Wechat,
    /// A WeCom application.
    Wecom,
}

impl Source {
    /// The name in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Wecom => "wecom",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Wechat, Self::Wecom].into_iter().find(|source| source.as_str() == text)
    }
}

/// A callback whose signature is right.
#[derive(Debug)]
pub struct NewCallback<'c> {
    /// Its id here.
    pub id: Uuid,
    /// Who sent it.
    pub source: Source,
    /// To which app.
    pub app: &'c str,
    /// The signature it came with.
    pub signature: &'c str,
    /// Until when that signature is good.
    pub signature_until: DateTime<Utc>,
    /// The decrypted body.
    pub body: &'c SecretString,
}

/// What became of a callback that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is stored.
    New,
    /// It was here before: nothing new follows from it.
    Again,
    /// The signature was used for another body: somebody heard it and says something else.
    Replayed,
}

/// A callback to be worked on.
pub struct Claimed {
    /// Its id.
    pub id: Uuid,
    /// Who sent it.
    pub source: Source,
    /// To which app.
    pub app: String,
    /// The hash of its body; names the commands that follow from it.
    pub body_hash: String,
    body: SecretString,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How often it was worked on, this time included.
    pub attempts: i64,
    token: Uuid,
}

impl Claimed {
    /// Its body; it holds openids and goes into no log.
    pub fn body(&self) -> &str {
        self.body.expose_secret()
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

/// How many callbacks of an app are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackCounts {
    /// Who sent them: `wechat` or `wecom`.
    pub source: String,
    /// To which app.
    pub app: String,
    /// `waiting`, `done` or `parked`.
    pub state: String,
    /// Different ones.
    pub callbacks: i64,
    /// How often they came.
    pub times: i64,
}

/// The callbacks of a database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallbackStore {
    db: Db,
    stored: Arc<Notify>,
}

type Columns = (Uuid, String, String, String, String, DateTime<Utc>, i64);

impl CallbackStore {
    /// The callbacks of this database.
    pub fn new(db: Db) -> Self {
        Self { db, stored: Arc::default() }
    }

    /// Waits until this process stores one that was not here before.
    pub async fn stored(&self) {
        self.stored.notified().await;
    }

    /// Stores a callback, once. Answer the provider when this has returned: then it cannot get lost any more.
    pub async fn receive(&self, new: NewCallback<'_>, at: DateTime<Utc>) -> Result<Received, DbError> {
        let (source, hash) = (new.source.as_str(), body_hash(new.body));
        let mut tx = self.db.begin_write().await?;
        if self.is_other_body(&mut tx, &new, &hash).await? {
            tx.rollback().await?;
            return Ok(Received::Replayed);
        }
        let times: i64 = with_tx!(&mut tx, conn => sqlx::query_scalar(sql::STORE)
            .bind(new.id)
            .bind(source)
            .bind(new.app)
            .bind(&hash)
            .bind(new.body.expose_secret())
            .bind(at)
            .fetch_one(conn)
            .await)?;
        tx.commit().await?;
        if times > 1 {
            return Ok(Received::Again);
        }
        self.stored.notify_one();
        Ok(Received::New)
    }

    async fn is_other_body(
        &self,
        tx: &mut Tx<'_>,
        new: &NewCallback<'_>,
        hash: &str,
    ) -> Result<bool, DbError> {
        let source = new.source.as_str();
        let remembered = with_tx!(&mut *tx, conn => sqlx::query(sql::REMEMBER)
            .bind(source)
            .bind(new.app)
            .bind(new.signature)
            .bind(hash)
            .bind(new.signature_until)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        if remembered == 1 {
            return Ok(false);
        }
        let known: Option<String> = with_tx!(tx, conn => sqlx::query_scalar(sql::REMEMBERED)
            .bind(source)
            .bind(new.app)
            .bind(new.signature)
            .fetch_optional(conn)
            .await)?;
        Ok(known.is_some_and(|known| known != hash))
    }

    /// Takes a signature that is good once, of whoever sends to `app` of `sender`: `false` when it was taken before, by
    /// whichever process. It is remembered until `until`, when nobody believes it any more.
    pub async fn take_signature(
        &self,
        sender: &str,
        app: &str,
        signature: &str,
        until: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let mut tx = self.db.begin_write().await?;
        let taken = with_tx!(&mut tx, conn => sqlx::query(sql::REMEMBER)
            .bind(sender)
            .bind(app)
            .bind(signature)
            .bind(signature)
            .bind(until)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(taken == 1)
    }

    /// Takes up to `most` due callbacks, for a minute. `token` must be new.
    pub async fn claim(&self, token: Uuid, most: i64, now: DateTime<Utc>) -> Result<Vec<Claimed>, DbError> {
        let until = now + TimeDelta::seconds(LEASE_SECONDS);
        let mut tx = self.db.begin_write().await?;
        let sql = match &tx {
            Tx::Sqlite(_) => sql::CLAIM_SQLITE,
            Tx::Postgres(_) => sql::CLAIM_POSTGRES,
        };
        let rows: Vec<Columns> = with_tx!(&mut tx, conn => sqlx::query_as(sql)
            .bind(token)
            .bind(until)
            .bind(now)
            .bind(most)
            .fetch_all(conn)
            .await)?;
        tx.commit().await?;
        let mut claimed = rows.into_iter().map(|row| claimed(row, token)).collect::<Result<Vec<_>, _>>()?;
        claimed.sort_by_key(|callback| (callback.received_at, callback.id));
        Ok(claimed)
    }

    /// It was worked on. `reason` says why nothing followed, where that is worth knowing.
    pub async fn done(
        &self,
        callback: &Claimed,
        reason: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), DbError> {
        self.finish(callback, "done", reason, at).await
    }

    /// It cannot be worked on; it stays for an operator, and the others go on. `reason` holds nothing of the body.
    pub async fn park(&self, callback: &Claimed, reason: &str, at: DateTime<Utc>) -> Result<(), DbError> {
        self.finish(callback, "parked", Some(reason), at).await
    }

    async fn finish(
        &self,
        callback: &Claimed,
        state: &str,
        reason: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(sql::FINISH)
            .bind(callback.id)
            .bind(callback.token)
            .bind(state)
            .bind(reason)
            .bind(at)
            .execute(conn)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// It is too early for it.
    pub async fn wait(&self, callback: &Claimed, until: DateTime<Utc>, reason: &str) -> Result<(), DbError> {
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(sql::WAIT)
            .bind(callback.id)
            .bind(callback.token)
            .bind(until)
            .bind(reason)
            .execute(conn)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Where there is one process only, gives what a dead one had claimed back.
    pub async fn end_leases(&self) -> Result<(), DbError> {
        if matches!(self.db, Db::Postgres(_)) {
            return Ok(());
        }
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(sql::END_LEASES).execute(conn).await.map(drop))?;
        tx.commit().await
    }

    /// Gives parked callbacks another chance; how many there were.
    pub async fn retry_parked(&self, now: DateTime<Utc>) -> Result<u64, DbError> {
        self.changed(sql::RETRY_PARKED, now).await
    }

    /// When there may be something to do.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, DbError> {
        Ok(with_pool!(&self.db, pool => sqlx::query_scalar(sql::NEXT_DUE).fetch_one(pool).await)?)
    }

    /// Callbacks that are due and not yet worked on.
    pub async fn due(&self, now: DateTime<Utc>) -> Result<i64, DbError> {
        Ok(with_pool!(&self.db, pool => sqlx::query_scalar(sql::COUNT_DUE).bind(now).fetch_one(pool).await)?)
    }

    /// How many callbacks there are, by app and state.
    pub async fn counts(&self) -> Result<Vec<CallbackCounts>, DbError> {
        type Row = (String, String, String, i64, i64);
        let rows: Vec<Row> = with_pool!(&self.db, pool => sqlx::query_as(sql::COUNTS).fetch_all(pool).await)?;
        let counts = rows.into_iter().map(|(source, app, state, callbacks, times)| CallbackCounts {
            source,
            app,
            state,
            callbacks,
            times,
        });
        Ok(counts.collect())
    }

    /// Deletes what was worked on long ago, and signatures that are not good any more. How many callbacks went.
    pub async fn purge(&self, now: DateTime<Utc>) -> Result<u64, DbError> {
        self.changed(sql::FORGET, now).await?;
        self.changed(sql::PURGE, now - TimeDelta::days(CALLBACK_RETENTION_DAYS)).await
    }

    async fn changed(&self, sql: &'static str, moment: DateTime<Utc>) -> Result<u64, DbError> {
        let mut tx = self.db.begin_write().await?;
        let rows = with_tx!(&mut tx, conn => sqlx::query(sql)
            .bind(moment)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// SHA-256 of a body, in hex.
pub fn body_hash(body: &SecretString) -> String {
    super::hex(&Sha256::digest(body.expose_secret()))
}

fn claimed(columns: Columns, token: Uuid) -> Result<Claimed, DbError> {
    let (id, source, app, body_hash, body, received_at, attempts) = columns;
    let source = Source::parse(&source).ok_or_else(|| DbError::Corrupt {
        table: "callbacks",
        at: id.to_string(),
        reason: "unknown provider".to_owned(),
    })?;
    Ok(Claimed { id, source, app, body_hash, body: SecretString::from(body), received_at, attempts, token })
}
