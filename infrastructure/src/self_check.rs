//! What the nightly check found, night by night. What is checked is `projections`' business, who checks is
//! [`crate::scheduler`]'s.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::FromRow;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// A night that was begun again overwrites what its first check found.
const RECORD: &str = "
INSERT INTO self_checks (day, claimed_at, ended_at, clean, result) VALUES ($1, $2, $2, $3, $4)
ON CONFLICT (day) DO UPDATE
   SET claimed_at = excluded.claimed_at, ended_at = excluded.ended_at, clean = excluded.clean, result = excluded.result";

const LAST: &str = "
SELECT day, ended_at, clean, result FROM self_checks WHERE ended_at IS NOT NULL ORDER BY day DESC LIMIT 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[RECORD, LAST];

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

/// Writes down what the check of `day` found.
pub async fn record(
    db: &Db,
    day: NaiveDate,
    clean: bool,
    result: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(RECORD)
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
