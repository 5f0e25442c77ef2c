//! What a change of a row needs to be true: attachments that commit with the event they belong to.
//!
//! Each is one conditional `UPDATE`. When it meets no row, the lease is lost and the events are refused with it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::DeliveryId;
use domain::notification::DeliveryState;
use uuid::Uuid;

use super::lease::Leased;
use crate::db::{Db, DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_tx;

pub(super) const START: &str = "
UPDATE outbox SET state = 'in_flight', attempt = $3, lease_expires_at = $4,
       first_attempt_at = coalesce(first_attempt_at, $5)
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry') AND attempt = $3 - 1";

pub(super) const CLOSE: &str = "
UPDATE outbox SET state = $4, due_at = $5, busy_answers = $6,
       request_body = CASE WHEN $7 THEN request_body END,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND lease_token = $2 AND attempt = $3 AND state IN ('pending', 'retry', 'in_flight')";

pub(super) const REOPEN: &str = "
UPDATE outbox SET maybe_arrived = (maybe_arrived OR state = 'unknown'), state = 'pending', due_at = $2,
       busy_answers = 0
 WHERE delivery_id = $1 AND state IN ('unknown', 'dead', 'rejected') AND request_body IS NOT NULL";

fn verdict(rows: u64) -> Verdict {
    if rows == 1 { Verdict::Apply } else { Verdict::Fenced }
}

/// With `DeliveryStarted`: bytes may leave from now on.
#[derive(Debug)]
pub struct StartRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Token of the lease.
    pub token: Uuid,
    /// The attempt that begins.
    pub attempt: i64,
    /// New end of the lease.
    pub expires_at: DateTime<Utc>,
    /// When.
    pub at: DateTime<Utc>,
}

#[async_trait]
impl Attachment for StartRow {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let rows = with_tx!(tx, conn => sqlx::query(START)
            .bind(self.delivery.0)
            .bind(self.token)
            .bind(self.attempt)
            .bind(self.expires_at)
            .bind(self.at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(verdict(rows))
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}

/// With the conclusion of an attempt, or of a row that could not even start.
#[derive(Debug)]
pub struct CloseRow {
    delivery: DeliveryId,
    token: Uuid,
    attempt: i64,
    state: DeliveryState,
    due_at: DateTime<Utc>,
    busy_answers: i64,
}

impl CloseRow {
    /// The row `row`, whose last attempt is `attempt`, goes to `state`; `due_at` matters for a retry only.
    pub fn new(
        row: &Leased,
        attempt: i64,
        state: DeliveryState,
        due_at: DateTime<Utc>,
        busy_answers: i64,
    ) -> Self {
        Self { delivery: row.delivery, token: row.token, attempt, state, due_at, busy_answers }
    }

    /// An accepted message is never sent again; of the others an operator may ask for one more attempt.
    fn keeps_body(&self) -> bool {
        use DeliveryState::{Dead, Rejected, Retry, Unknown};
        matches!(self.state, Retry | Unknown | Rejected | Dead)
    }
}

#[async_trait]
impl Attachment for CloseRow {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let rows = with_tx!(tx, conn => sqlx::query(CLOSE)
            .bind(self.delivery.0)
            .bind(self.token)
            .bind(self.attempt)
            .bind(self.state.as_str())
            .bind(self.due_at)
            .bind(self.busy_answers)
            .bind(self.keeps_body())
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(verdict(rows))
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}

/// Closes a row whose notice was settled without it; no event belongs to that.
pub async fn close_alone(db: &Db, mut close: CloseRow) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    close.fence(&mut tx).await?;
    tx.commit().await
}

/// With `DeliveryRequeued`: an operator wants it sent again.
#[derive(Debug)]
pub struct ReopenRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When it is due.
    pub due_at: DateTime<Utc>,
}

#[async_trait]
impl Attachment for ReopenRow {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let rows = with_tx!(tx, conn => sqlx::query(REOPEN)
            .bind(self.delivery.0)
            .bind(self.due_at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(verdict(rows))
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}
