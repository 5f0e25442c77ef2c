//! Rows follow the events of their notices: the attachment for everything that is not an attempt's own end. A standby
//! speaks or is dismissed, a held message is released or merged, an operator settles or gives up, a provider proves.
//!
//! The notice's sequence fences the commit, so the row needs no fence of its own: a row that is missing is found by the
//! reconciliation, not here.

use application::channels::mark_possibly_repeated;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState, NotificationEvent, Settlement};

use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, Fence, RecordedRaw, Verdict};
use crate::with_tx;

pub(super) const HELD: &str =
    "SELECT channel, request_body, fallback_seconds FROM outbox WHERE delivery_id = $1";

pub(super) const RELEASE_HELD: &str = "
UPDATE outbox SET state = 'pending', held_for = NULL, due_at = $2, request_body = $3, fallback_at = $4,
       settled_at = NULL
 WHERE delivery_id = $1 AND state IN ('held', 'cancelled')";

/// A dismissed standby keeps its body: the provider of the channel before it may take its word back.
pub(super) const DISMISS: &str = "
UPDATE outbox SET state = 'cancelled', settled_at = $2 WHERE delivery_id = $1 AND state = 'held'";

pub(super) const END: &str = "
UPDATE outbox SET state = $2, settled_at = $3, settle_at = NULL,
       request_body = CASE WHEN $4 THEN request_body END,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND state <> 'in_flight'";

pub(super) const SETTLED: &str =
    "UPDATE outbox SET settle_at = NULL, settled_at = $2 WHERE delivery_id = $1 AND state = 'unknown'";

/// Rows follow these events.
#[derive(Debug, Clone, Default)]
pub struct Follow(Vec<NotificationEvent>);

impl Follow {
    /// For all that `events` say.
    pub fn all(events: &[NotificationEvent]) -> Self {
        Self(events.to_vec())
    }

    /// For what they say of other deliveries than `own`, whose row another attachment changes.
    pub fn others(events: &[NotificationEvent], own: DeliveryId) -> Self {
        let others = events.iter().filter(|event| event.subject().is_some_and(|(id, _)| id != own));
        Self(others.cloned().collect())
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[async_trait]
impl Attachment for Follow {
    fn kind(&self) -> Fence {
        Fence::None
    }

    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        for event in &self.0 {
            follow(tx, event).await?;
        }
        Ok(())
    }
}

async fn follow(tx: &mut Tx<'_>, event: &NotificationEvent) -> Result<(), DbError> {
    let Some((delivery, at)) = event.subject() else { return Ok(()) };
    match event {
        NotificationEvent::Released(e) => release(tx, delivery, e.channel, e.possibly_repeated, at).await,
        NotificationEvent::Cancelled(_) => one(tx, DISMISS, delivery, at).await,
        NotificationEvent::Merged(_) => end(tx, delivery, DeliveryState::Merged, at).await,
        NotificationEvent::Discarded(_) => end(tx, delivery, DeliveryState::Cancelled, at).await,
        NotificationEvent::Confirmed(_) => end(tx, delivery, DeliveryState::Delivered, at).await,
        NotificationEvent::Rejected(_) => end(tx, delivery, DeliveryState::Rejected, at).await,
        NotificationEvent::Settled(e) if e.settlement == Settlement::Sent => {
            end(tx, delivery, DeliveryState::Accepted, at).await
        }
        NotificationEvent::Settled(_) => one(tx, SETTLED, delivery, at).await,
        NotificationEvent::Requested(_)
        | NotificationEvent::Started(_)
        | NotificationEvent::Accepted(_)
        | NotificationEvent::RetryScheduled(_)
        | NotificationEvent::Uncertain(_)
        | NotificationEvent::Died(_)
        | NotificationEvent::Requeued(_) => Ok(()), // an attempt's own, or `fences::ReopenRow`
    }
}

type Held = (String, Option<String>, Option<i64>);

async fn release(
    tx: &mut Tx<'_>,
    delivery: DeliveryId,
    channel: Channel,
    possibly_repeated: bool,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let held: Option<Held> =
        with_tx!(tx, conn => sqlx::query_as(HELD).bind(delivery.0).fetch_optional(conn).await)?;
    let Some((_, Some(body), fallback_seconds)) = held else { return Ok(()) };
    let body = if possibly_repeated { mark_possibly_repeated(channel, &body) } else { body };
    let fallback_at =
        fallback_seconds.and_then(TimeDelta::try_seconds).and_then(|d| at.checked_add_signed(d));
    with_tx!(tx, conn => sqlx::query(RELEASE_HELD)
        .bind(delivery.0)
        .bind(at)
        .bind(body)
        .bind(fallback_at)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

async fn one(
    tx: &mut Tx<'_>,
    sql: &'static str,
    delivery: DeliveryId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(sql).bind(delivery.0).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

/// A refused message may be sent once more by an operator; of the others nothing is needed any more.
async fn end(
    tx: &mut Tx<'_>,
    delivery: DeliveryId,
    state: DeliveryState,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(END)
        .bind(delivery.0)
        .bind(state.as_str())
        .bind(at)
        .bind(state == DeliveryState::Rejected)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}
