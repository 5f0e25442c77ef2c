//! A row that may not disturb the person now goes back, with the moment and the reason.
//!
//! Whoever ends the quiet hours makes everything due that waits for their end, once ([`haste`](super::haste)). A row put
//! off after that by what the person wished before would lie until the morning. So the transaction that puts it off,
//! which has the lock of the log, compares the wishes with those the moment was judged by: as long as nobody wished for
//! anything else, whoever does so later finds the row; otherwise nothing is put off, and the moment is judged again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{DeliveryId, Sequence, StreamId};
use uuid::Uuid;

use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_tx;

/// Where a stream is.
pub(super) const SEQUENCE: &str = "SELECT max(sequence) FROM events WHERE stream_id = $1";

/// The next channel's turn moves with the row. Other messages to the person are judged by themselves: some may pass.
pub(super) const PUT_OFF: &str = "
UPDATE outbox SET due_at = $3, fallback_at = $4, held_for = $5,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry')";

/// Puts a leased row off; no event belongs to that, because nothing happened to the notice.
#[derive(Debug)]
pub struct PutOffRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Token of the lease.
    pub token: Uuid,
    /// Due then.
    pub until: DateTime<Utc>,
    /// When the next channel speaks.
    pub fallback_at: Option<DateTime<Utc>>,
    /// What it waits for.
    pub why: &'static str,
    /// The streams of what the person wishes, and where they were when the moment was judged.
    pub judged_by: Vec<(StreamId, Sequence)>,
    /// Says that one of them has moved since.
    pub moved: Arc<AtomicBool>,
}

/// Whether one of the streams that a row was judged by is not where it was then; `moved` says so to whoever judged.
pub(super) async fn has_moved(
    tx: &mut Tx<'_>,
    judged_by: &[(StreamId, Sequence)],
    moved: &AtomicBool,
) -> Result<bool, DbError> {
    for (stream, judged_at) in judged_by {
        let now: Option<Sequence> = with_tx!(&mut *tx, conn => sqlx::query_scalar(SEQUENCE)
            .bind(stream.as_str())
            .fetch_one(conn)
            .await)?;
        if now.unwrap_or_default() != *judged_at {
            moved.store(true, Ordering::Release);
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl Attachment for PutOffRow {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        if has_moved(tx, &self.judged_by, &self.moved).await? {
            return Ok(Verdict::Fenced);
        }
        let rows = with_tx!(tx, conn => sqlx::query(PUT_OFF)
            .bind(self.delivery.0)
            .bind(self.token)
            .bind(self.until)
            .bind(self.fallback_at)
            .bind(self.why)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(if rows == 1 { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}
