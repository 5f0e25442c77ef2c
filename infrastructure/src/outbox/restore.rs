//! Rows that somebody took away by hand come back: the notice knows where each delivery stands, and the row says the
//! same again. A row that is there stays as it is.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::DeliveryId;
use domain::notification::DeliveryState;
use serde_json::json;
use uuid::Uuid;

use super::{NewWork, OutboxInsert};
use crate::db::{Db, DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_tx;

pub(super) const PRESENT_POSTGRES: &str =
    "SELECT delivery_id FROM outbox WHERE delivery_id = ANY($1::uuid[])";
pub(super) const PRESENT_SQLITE: &str =
    "SELECT delivery_id FROM outbox WHERE delivery_id IN (SELECT unhex(value) FROM json_each($1))";

/// Only what was inserted a moment ago: nobody has leased or tried it.
pub(super) const RESTORE: &str = "
UPDATE outbox SET state = $2, attempt = $3, maybe_arrived = $4, first_attempt_at = $5, settle_at = $6, settled_at = $7
 WHERE delivery_id = $1 AND state IN ('pending', 'held') AND attempt = 0 AND lease_token IS NULL";

/// A row as its notice knows it.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What was to be done.
    pub work: NewWork,
    /// Where it stands.
    pub state: DeliveryState,
    /// The last attempt.
    pub attempt: i64,
    /// Whether an attempt may have arrived.
    pub maybe_arrived: bool,
    /// When the first attempt began.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// State `unknown`: when the channel's policy decides.
    pub settle_at: Option<DateTime<Utc>>,
    /// A final state: when it was reached.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Puts missing rows back, alone or with the events that make them true.
#[derive(Debug)]
pub struct RestoreRows {
    /// The rows.
    pub rows: Vec<Restored>,
    /// The requests of their notices, as the log has them.
    pub requests: Vec<RecordedRaw>,
}

impl RestoreRows {
    /// Does it in a transaction of the caller's.
    pub async fn restore(&self, tx: &mut Tx<'_>) -> Result<(), DbError> {
        let mut inserted = OutboxInsert(self.rows.iter().map(|row| row.work.clone()).collect());
        inserted.write(tx, &self.requests).await?;
        for row in &self.rows {
            with_tx!(&mut *tx, conn => sqlx::query(RESTORE)
                .bind(row.work.delivery.0)
                .bind(row.state.as_str())
                .bind(row.attempt)
                .bind(row.maybe_arrived)
                .bind(row.first_attempt_at)
                .bind(row.settle_at)
                .bind(row.settled_at)
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Attachment for RestoreRows {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        self.restore(tx).await
    }
}

/// Which of these deliveries have a row.
pub async fn present(db: &Db, deliveries: &[DeliveryId]) -> Result<HashSet<DeliveryId>, DbError> {
    if deliveries.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<Uuid> = match db {
        Db::Postgres(pool) => {
            let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.0).collect();
            sqlx::query_scalar(PRESENT_POSTGRES).bind(ids).fetch_all(pool).await?
        }
        Db::Sqlite(sqlite) => {
            let ids: Vec<String> = deliveries.iter().map(|id| id.0.simple().to_string()).collect();
            let query = sqlx::query_scalar(PRESENT_SQLITE).bind(json!(ids).to_string());
            query.fetch_all(sqlite.reader()).await?
        }
    };
    Ok(found.into_iter().map(DeliveryId).collect())
}
