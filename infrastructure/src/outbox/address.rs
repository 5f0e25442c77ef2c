//! A row whose message goes to others than when it was written: the audience of messages about members is as it is chosen
//! when they leave (docs/adr/0031).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use domain::{DeliveryId, Sequence, StreamId};
use uuid::Uuid;

use super::put_off::has_moved;
use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_tx;

/// Only while no attempt is under way.
pub(super) const ADDRESS: &str = "
UPDATE outbox SET request_body = $3
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry')";

/// Writes the request of a leased row anew; no event belongs to that, because nothing happened to the notice.
pub struct AddressRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Token of the lease.
    pub token: Uuid,
    /// The request as it leaves.
    pub body: String,
    /// The stream of who is chosen, and where it was when the message was judged.
    pub judged_by: Vec<(StreamId, Sequence)>,
    /// Says that it has moved since.
    pub moved: Arc<AtomicBool>,
}

impl std::fmt::Debug for AddressRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressRow").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

#[async_trait]
impl Attachment for AddressRow {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        if has_moved(tx, &self.judged_by, &self.moved).await? {
            return Ok(Verdict::Fenced);
        }
        let rows = with_tx!(tx, conn => sqlx::query(ADDRESS)
            .bind(self.delivery.0)
            .bind(self.token)
            .bind(&self.body)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(if rows == 1 { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}
