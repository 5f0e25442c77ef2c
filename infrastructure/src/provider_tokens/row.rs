//! The token's row: read it, take the right to refresh it, swap it.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// Whose token.
#[derive(Clone, Copy)]
pub(super) struct Key<'k> {
    pub(super) provider: &'k str,
    pub(super) app: &'k str,
}

const READ: &str = "
SELECT token, expires_at, refresh_at, refused_until, version FROM provider_tokens WHERE provider = $1 AND app = $2";

/// Makes sure that there is a row to take the lease of; its empty token is past its end.
const CREATE: &str = "
INSERT INTO provider_tokens (provider, app, token, expires_at, refresh_at, version)
VALUES ($1, $2, '', $3, $3, 0)
ON CONFLICT (provider, app) DO NOTHING";

const TAKE_LEASE: &str = "
UPDATE provider_tokens SET lease_owner = $3, lease_expires_at = $4
 WHERE provider = $1 AND app = $2 AND version = $5 AND (lease_expires_at IS NULL OR lease_expires_at <= $6)";

/// The compare-and-swap: only on top of the token that was read, only with the lease.
const SWAP: &str = "
UPDATE provider_tokens SET token = $5, expires_at = $6, refresh_at = $7, refused_until = $8, version = version + 1,
       lease_owner = NULL, lease_expires_at = NULL
 WHERE provider = $1 AND app = $2 AND version = $3 AND lease_owner = $4";

const DROP_LEASE: &str = "
UPDATE provider_tokens SET lease_owner = NULL, lease_expires_at = NULL
 WHERE provider = $1 AND app = $2 AND lease_owner = $3";

pub(super) const STATEMENTS: &[&str] = &[READ, CREATE, TAKE_LEASE, SWAP, DROP_LEASE];

/// The row as it stands. Version 0 has no token yet.
#[derive(Clone)]
pub(super) struct TokenRow {
    pub(super) token: SecretString,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) refresh_at: DateTime<Utc>,
    pub(super) refused_until: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

type Columns = (String, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>, i64);

/// Reads the row, making it first when there is none.
pub(super) async fn read(db: &Db, key: Key<'_>) -> Result<TokenRow, DbError> {
    if let Some(row) = find(db, key).await? {
        return Ok(row);
    }
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(CREATE)
        .bind(key.provider)
        .bind(key.app)
        .bind(DateTime::UNIX_EPOCH)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await?;
    find(db, key).await?.ok_or_else(|| DbError::Corrupt {
        table: "provider_tokens",
        at: key.app.to_owned(),
        reason: "the row just written is not there".to_owned(),
    })
}

async fn find(db: &Db, key: Key<'_>) -> Result<Option<TokenRow>, DbError> {
    let row: Option<Columns> = with_pool!(db, pool => sqlx::query_as(READ)
        .bind(key.provider)
        .bind(key.app)
        .fetch_optional(pool)
        .await)?;
    Ok(row.map(|(token, expires_at, refresh_at, refused_until, version)| TokenRow {
        token: token.into(),
        expires_at,
        refresh_at,
        refused_until,
        version,
    }))
}

/// Takes the right to refresh version `version`; `false` when somebody else has it or was faster.
pub(super) async fn take_lease(
    db: &Db,
    key: Key<'_>,
    version: i64,
    owner: Uuid,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, DbError> {
    let mut tx = db.begin_write().await?;
    let rows = with_tx!(&mut tx, conn => sqlx::query(TAKE_LEASE)
        .bind(key.provider)
        .bind(key.app)
        .bind(owner)
        .bind(until)
        .bind(version)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Puts `new` in place of version `new.version`; `false` when that is no longer the one stored.
pub(super) async fn swap(db: &Db, key: Key<'_>, owner: Uuid, new: &TokenRow) -> Result<bool, DbError> {
    let mut tx = db.begin_write().await?;
    let rows = with_tx!(&mut tx, conn => sqlx::query(SWAP)
        .bind(key.provider)
        .bind(key.app)
        .bind(new.version)
        .bind(owner)
        .bind(new.token.expose_secret())
        .bind(new.expires_at)
        .bind(new.refresh_at)
        .bind(new.refused_until)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Gives the right to refresh back.
pub(super) async fn drop_lease(db: &Db, key: Key<'_>, owner: Uuid) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(DROP_LEASE)
        .bind(key.provider)
        .bind(key.app)
        .bind(owner)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}
