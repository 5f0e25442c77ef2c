//! What previews of transfer rules were made of, for as long as somebody may want exactly that plan
//! (transfer-and-recycle.md section 2).

use std::sync::Arc;

use application::bus::LoadError;
use application::ports::Clock;
use application::transfers::Previews;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::transfer_rule::plan::PlanInputs;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// How long a preview is kept after it was last made. Leads are touched all day, so an older one would hardly run.
pub const KEPT: TimeDelta = TimeDelta::hours(2);

/// Most previews that are kept: one of a whole run is about a megabyte. The oldest go first.
pub const PREVIEWS_MAX: i64 = 100;

const KEEP: &str = "
INSERT INTO transfer_previews (hash, inputs, kept_at, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (hash) DO UPDATE SET kept_at = excluded.kept_at, expires_at = excluded.expires_at";
const FIND: &str = "SELECT inputs FROM transfer_previews WHERE hash = $1 AND expires_at > $2";
const FORGET: &str = "
DELETE FROM transfer_previews
 WHERE expires_at <= $1
    OR hash NOT IN (SELECT hash FROM transfer_previews ORDER BY kept_at DESC, hash LIMIT $2)";

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 3] = [KEEP, FIND, FORGET];

/// The previews of a database. Cheap to clone.
#[derive(Clone)]
pub struct StoredPreviews {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for StoredPreviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredPreviews").finish_non_exhaustive()
    }
}

impl StoredPreviews {
    /// Of this database.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    async fn store(&self, hash: &str, inputs: &str, now: DateTime<Utc>) -> Result<(), DbError> {
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(KEEP)
            .bind(hash).bind(inputs).bind(now).bind(now + KEPT)
            .execute(conn).await.map(drop))?;
        with_tx!(&mut tx, conn => sqlx::query(FORGET)
            .bind(now).bind(PREVIEWS_MAX)
            .execute(conn).await.map(drop))?;
        tx.commit().await
    }

    async fn read(&self, hash: &str) -> Result<Option<String>, DbError> {
        let now = self.clock.now();
        Ok(with_pool!(&self.db, pool => sqlx::query_scalar(FIND)
            .bind(hash).bind(now)
            .fetch_optional(pool).await)?)
    }
}

#[async_trait]
impl Previews for StoredPreviews {
    async fn keep(&self, hash: &str, inputs: &PlanInputs) -> Result<(), LoadError> {
        let text =
            serde_json::to_string(inputs).map_err(|error| LoadError::Unavailable(error.to_string()))?;
        self.store(hash, &text, self.clock.now()).await.map_err(unavailable)
    }

    async fn find(&self, hash: &str) -> Result<Option<PlanInputs>, LoadError> {
        let found = self.read(hash).await.map_err(unavailable)?;
        // Another program may have written it in words this one does not know: then it is made again.
        Ok(found.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an adapter for map_err")]
fn unavailable(error: DbError) -> LoadError {
    LoadError::Unavailable(error.to_string())
}
