//! The nightly check: which process does it, and what it found. What is checked is `projections`' business.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::FromRow;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// A process that has not ended its check after so long has died: another one may do it.
const CLAIM_LIFE: TimeDelta = TimeDelta::hours(2);

const CLAIM: &str = "
INSERT INTO self_checks (day, claimed_at) VALUES ($1, $2)
ON CONFLICT (day) DO UPDATE SET claimed_at = excluded.claimed_at
  WHERE self_checks.ended_at IS NULL AND self_checks.claimed_at <= $3";

const END: &str = "UPDATE self_checks SET ended_at = $2, clean = $3, result = $4 WHERE day = $1";

const LAST: &str = "
SELECT day, ended_at, clean, result FROM self_checks WHERE ended_at IS NOT NULL ORDER BY day DESC LIMIT 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[CLAIM, END, LAST];

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SelfCheck {
    /// The day it belongs to.
    pub day: String,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Whether nothing was missing and nothing doubled.
    pub clean: bool,
    /// What was found, as JSON.
    pub result: String,
}

/// Whether this process is to do the check of `day`: nobody else did or does.
pub async fn claim(db: &Db, day: NaiveDate, now: DateTime<Utc>) -> Result<bool, DbError> {
    let mut tx = db.begin_write().await?;
    let claimed = with_tx!(&mut tx, conn => sqlx::query(CLAIM)
        .bind(day.to_string())
        .bind(now)
        .bind(now - CLAIM_LIFE)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(claimed > 0)
}

/// Writes down what the check of `day` found.
pub async fn end(
    db: &Db,
    day: NaiveDate,
    clean: bool,
    result: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(END)
        .bind(day.to_string())
        .bind(now)
        .bind(clean)
        .bind(result)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// The last check that ended.
pub async fn last(db: &Db) -> Result<Option<SelfCheck>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(LAST).fetch_optional(pool).await)?)
}
