//! Imports that nobody carries on.

use chrono::{DateTime, Utc};
use domain::BatchId;
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use uuid::Uuid;

/// Most imports of one answer: the oldest; whoever ends them asks again.
pub const ABANDONED_MAX: i64 = 100;

const ABANDONED: &str =
    "SELECT id FROM open_imports WHERE open AND touched_at < $1 ORDER BY touched_at, id LIMIT $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ABANDONED];

/// The imports that are not over and stored nothing since `since`, oldest first, at most [`ABANDONED_MAX`].
pub async fn abandoned(db: &Db, since: DateTime<Utc>) -> Result<Vec<BatchId>, DbError> {
    let ids: Vec<Uuid> = with_pool!(db, pool => sqlx::query_scalar(ABANDONED)
        .bind(since)
        .bind(ABANDONED_MAX)
        .fetch_all(pool)
        .await)?;
    Ok(ids.into_iter().map(BatchId).collect())
}
