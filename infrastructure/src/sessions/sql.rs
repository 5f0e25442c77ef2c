//! The tables of ended sessions.

use chrono::{DateTime, Utc};
use domain::StaffId;
use uuid::Uuid;

use super::SessionMark;
use super::memory::{Changes, Ended};
use crate::db::{Db, DbError, Tx};
use crate::{with_pool, with_tx};

const NEXT_VERSION: &str = "UPDATE session_changes SET version = version + 1 WHERE id = 1 RETURNING version";
const LAST_VERSION: &str = "SELECT version FROM session_changes WHERE id = 1";
/// Whoever ends a session again cannot make it end later.
const END: &str = "
INSERT INTO ended_sessions (id, effective_at, expires_at, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET
  effective_at = CASE WHEN excluded.effective_at < ended_sessions.effective_at
                      THEN excluded.effective_at ELSE ended_sessions.effective_at END,
  expires_at = CASE WHEN excluded.expires_at > ended_sessions.expires_at
                    THEN excluded.expires_at ELSE ended_sessions.expires_at END,
  version = excluded.version";
const FORGET: &str = "DELETE FROM ended_sessions WHERE expires_at <= $1";
const END_ALL: &str = "
INSERT INTO session_generations (staff_id, generation, version) VALUES ($1, 1, $2)
ON CONFLICT (staff_id) DO UPDATE SET generation = session_generations.generation + 1, version = excluded.version";
const GENERATION: &str = "SELECT generation FROM session_generations WHERE staff_id = $1";
const ENDED_SINCE: &str = "
SELECT id, effective_at, expires_at FROM ended_sessions WHERE version > $1 AND expires_at > $2";
const GENERATIONS_SINCE: &str = "SELECT staff_id, generation FROM session_generations WHERE version > $1";
const IS_ENDED: &str = "
SELECT count(*) FROM ended_sessions WHERE id IN ($1, $2) AND effective_at <= $3";

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 9] =
    [NEXT_VERSION, LAST_VERSION, END, FORGET, END_ALL, GENERATION, ENDED_SINCE, GENERATIONS_SINCE, IS_ENDED];

async fn next_version(tx: &mut Tx<'_>) -> Result<i64, DbError> {
    Ok(with_tx!(tx, conn => sqlx::query_scalar(NEXT_VERSION).fetch_one(conn).await)?)
}

pub(super) async fn end(
    tx: &mut Tx<'_>,
    id: Uuid,
    effective_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let version = next_version(tx).await?;
    with_tx!(tx, conn => sqlx::query(END)
        .bind(id)
        .bind(effective_at)
        .bind(expires_at)
        .bind(version)
        .execute(conn)
        .await
        .map(drop))?;
    with_tx!(tx, conn => sqlx::query(FORGET).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub(super) async fn end_all(tx: &mut Tx<'_>, staff: StaffId) -> Result<(), DbError> {
    let version = next_version(tx).await?;
    with_tx!(tx, conn => sqlx::query(END_ALL).bind(staff.0).bind(version).execute(conn).await.map(drop))?;
    Ok(())
}

pub(super) async fn generation(db: &Db, staff: StaffId) -> Result<i64, DbError> {
    let generation: Option<i64> = with_pool!(db, pool => sqlx::query_scalar(GENERATION)
        .bind(staff.0)
        .fetch_optional(pool)
        .await)?;
    Ok(generation.unwrap_or(0))
}

/// What changed after `from`; `None` when nothing did. The last number is read first: what is committed while the rest
/// is read comes again with the next reading.
pub(super) async fn changes(db: &Db, from: i64, now: DateTime<Utc>) -> Result<Option<Changes>, DbError> {
    let version: i64 = with_pool!(db, pool => sqlx::query_scalar(LAST_VERSION).fetch_one(pool).await)?;
    if version <= from {
        return Ok(None);
    }
    let ended: Vec<(Uuid, DateTime<Utc>, DateTime<Utc>)> = with_pool!(db, pool => {
        sqlx::query_as(ENDED_SINCE).bind(from).bind(now).fetch_all(pool).await
    })?;
    let generations = with_pool!(db, pool => {
        sqlx::query_as(GENERATIONS_SINCE).bind(from).fetch_all(pool).await
    })?;
    let ended = ended
        .into_iter()
        .map(|(id, effective_at, expires_at)| (id, Ended { effective_at, expires_at }))
        .collect();
    Ok(Some(Changes { version, ended, generations }))
}

pub(super) async fn is_ended(db: &Db, mark: &SessionMark, now: DateTime<Utc>) -> Result<bool, DbError> {
    let count: i64 = with_pool!(db, pool => sqlx::query_scalar(IS_ENDED)
        .bind(mark.session)
        .bind(mark.token)
        .bind(now)
        .fetch_one(pool)
        .await)?;
    Ok(count > 0)
}
