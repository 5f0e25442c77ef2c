//! Work that one process does for all of them, once in a while: whoever comes first takes it on.
//!
//! There is no lease: a chore is an idempotent function, and one whose process died waits for its next turn.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::{Db, DbError};
use crate::with_tx;

const CLAIM: &str = "
INSERT INTO chores (name, done_at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at WHERE chores.done_at <= $3";

/// Every statement about chores, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[CLAIM];

/// Whether the chore `name` is this caller's now: nobody took it on within the last `every`.
pub async fn claim(db: &Db, name: &str, now: DateTime<Utc>, every: Duration) -> Result<bool, DbError> {
    let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
    let before = now.checked_sub_signed(every).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let mut tx = db.begin_write().await?;
    let taken = with_tx!(&mut tx, conn => sqlx::query(CLAIM)
        .bind(name)
        .bind(now)
        .bind(before)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(taken == 1)
}
