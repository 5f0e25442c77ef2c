//! What a change of a row needs to be true: attachments that commit with the event they belong to.
//!
//! Each is one conditional `UPDATE`. When it meets no row, the lease is lost and the events are refused with it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound as _, Utc};
use domain::DeliveryId;
use domain::notification::DeliveryState;
use serde_json::json;
use uuid::Uuid;

use super::budget::{Budget, Exhausted, bucket};
use super::joint_sql::{CLOSE_JOINTLY, START_JOINTLY};
use super::lease::Leased;
use crate::db::{Db, DbError, Tx};
use crate::event_log::{Attachment, Fence, Joint, RecordedRaw, Verdict};
use crate::with_tx;

/// Digits of a second that PostgreSQL keeps.
const MICROS: u16 = 6;

pub(super) const START: &str = "
UPDATE outbox SET state = 'in_flight', attempt = $3, lease_expires_at = $4,
       first_attempt_at = coalesce(first_attempt_at, $5)
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry') AND attempt = $3 - 1";

pub(super) const CLOSE: &str = "
UPDATE outbox SET state = $4, due_at = $5, busy_answers = $6,
       request_body = CASE WHEN $7 THEN request_body END,
       maybe_arrived = (maybe_arrived OR $8), settle_at = $9, settled_at = $10,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND lease_token = $2 AND attempt = $3 AND state IN ('pending', 'retry', 'in_flight')";

pub(super) const REOPEN: &str = "
UPDATE outbox SET maybe_arrived = (maybe_arrived OR state = 'unknown'), state = 'pending', due_at = $2,
       busy_answers = 0, settle_at = NULL, settled_at = NULL, fallback_at = NULL
 WHERE delivery_id = $1 AND state IN ('unknown', 'dead', 'rejected') AND request_body IS NOT NULL";

/// A moment as a bound value would be stored: to the microsecond, not rounded.
fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(MICROS)
}

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
    /// The limits the send is held to.
    pub budget: Budget,
    /// Says which limit refused it.
    pub exhausted: Arc<OnceLock<Exhausted>>,
}

#[async_trait]
impl Attachment for StartRow {
    fn kind(&self) -> Fence {
        let row = json!({
            "id": self.delivery.0, "token": self.token, "attempt": self.attempt,
            "expires_at": stored(self.expires_at), "at": stored(self.at),
            "bucket": bucket(self.at), "limits": self.budget.rows(),
        });
        Fence::Joint(Joint { statement: START_JOINTLY, key: self.delivery.0, row })
    }

    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        // A lost lease below leaves a send counted that was not made: the limits err on the careful side.
        if let Some(exhausted) = self.budget.spend(tx, self.at).await? {
            let _ = self.exhausted.set(exhausted); // said before: the batch is tried again
            return Ok(Verdict::Fenced);
        }
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
    maybe_arrived: bool,
    settle_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
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
        Self {
            delivery: row.delivery,
            token: row.token,
            attempt,
            state,
            due_at,
            busy_answers,
            maybe_arrived: false,
            settle_at: None,
            settled_at: None,
        }
    }

    /// This attempt may have arrived.
    #[must_use]
    pub fn maybe_arrived(self, maybe_arrived: bool) -> Self {
        Self { maybe_arrived, ..self }
    }

    /// It ended now; with `settle_at`, nobody knows how, and from then on the channel's policy decides.
    #[must_use]
    pub fn ended(self, at: DateTime<Utc>, settle_at: Option<DateTime<Utc>>) -> Self {
        let settled_at = self.state.is_final().then_some(at);
        Self { settle_at, settled_at, ..self }
    }

    /// An accepted message is never sent again; of the others an operator may ask for one more attempt.
    fn keeps_body(&self) -> bool {
        use DeliveryState::{Dead, Rejected, Retry, Unknown};
        matches!(self.state, Retry | Unknown | Rejected | Dead)
    }
}

#[async_trait]
impl Attachment for CloseRow {
    fn kind(&self) -> Fence {
        let row = json!({
            "id": self.delivery.0, "token": self.token, "attempt": self.attempt, "state": self.state.as_str(),
            "due_at": stored(self.due_at), "busy_answers": self.busy_answers, "keeps_body": self.keeps_body(),
            "maybe_arrived": self.maybe_arrived, "settle_at": self.settle_at.map(stored),
            "settled_at": self.settled_at.map(stored),
        });
        Fence::Joint(Joint { statement: CLOSE_JOINTLY, key: self.delivery.0, row })
    }

    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let rows = with_tx!(tx, conn => sqlx::query(CLOSE)
            .bind(self.delivery.0)
            .bind(self.token)
            .bind(self.attempt)
            .bind(self.state.as_str())
            .bind(self.due_at)
            .bind(self.busy_answers)
            .bind(self.keeps_body())
            .bind(self.maybe_arrived)
            .bind(self.settle_at)
            .bind(self.settled_at)
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
