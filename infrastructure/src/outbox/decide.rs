//! One decision about one delivery that is not an attempt: an operator's, the channel policy's, or a provider's later
//! word. The notice's event and the rows that follow it commit together.

use application::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, Draft, LoadError, StreamAppend,
};
use chrono::{DateTime, Utc};
use domain::notification::{Notification, NotificationCommand, NotificationError, NotificationEvent};
use domain::{Aggregate, DeliveryId, Metadata, NotificationId, Position, StreamId};
use uuid::Uuid;

use super::fences::ReopenRow;
use super::follow::Follow;
use crate::bus::Bus;
use crate::db::{Db, DbError};
use crate::event_log::Attachment;
use crate::with_pool;

pub(super) const NOTIFICATION_OF: &str = "SELECT notification_id FROM outbox WHERE delivery_id = $1";

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is no such delivery, or it never needed a provider.
    #[error("投递不存在")]
    NotFound,
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] NotificationError),
    /// Its text is gone, so there is nothing to send.
    #[error("投递内容已清除，不能重新投递")]
    BodyGone,
    /// The notice could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The log said no.
    #[error(transparent)]
    Append(AppendError),
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encode(#[from] serde_json::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The notice of a delivery that needed a provider.
pub async fn notification_of(db: &Db, delivery: DeliveryId) -> Result<Option<NotificationId>, DbError> {
    let found: Option<Uuid> = with_pool!(db, pool =>
        sqlx::query_scalar(NOTIFICATION_OF).bind(delivery.0).fetch_optional(pool).await)?;
    Ok(found.map(NotificationId))
}

/// Puts `command` to the notice of `delivery` and lets the rows follow. Answers with the position of what was recorded,
/// `None` when nothing needed to be.
pub async fn decide(
    bus: &Bus,
    delivery: DeliveryId,
    command: NotificationCommand,
    metadata: Metadata,
    at: DateTime<Utc>,
) -> Result<Option<Position>, DecideError> {
    let notification = notification_of(bus.log().db(), delivery).await?.ok_or(DecideError::NotFound)?;
    let stream = StreamId::from(notification);
    for _ in 0..CONFLICT_RETRIES_MAX {
        let notice = bus.load::<Notification>(&stream).await?;
        let events = notice.state.decide(command.clone())?;
        if events.is_empty() {
            return Ok(None);
        }
        let draft = Draft {
            metadata: metadata.clone(),
            recorded_at: at,
            streams: vec![StreamAppend::of(stream.clone(), notice.sequence, &events)?],
            guards: vec![],
            receipt: None,
        };
        match bus.append_with(draft, attachments(&events)).await {
            Ok(Appended::Committed { last }) => return Ok(Some(last)),
            Ok(Appended::Replayed(receipt)) => return Ok(Some(receipt.position)),
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Fenced) => return Err(DecideError::BodyGone),
            Err(error) => return Err(DecideError::Append(error)),
        }
    }
    Err(DecideError::Append(AppendError::Busy))
}

fn attachments(events: &[NotificationEvent]) -> Vec<Box<dyn Attachment>> {
    let reopened = events.iter().filter_map(|event| match event {
        NotificationEvent::Requeued(e) => {
            Some(Box::new(ReopenRow { delivery: e.delivery, due_at: e.at }) as Box<dyn Attachment>)
        }
        _ => None,
    });
    reopened.chain([Box::new(Follow::all(events)) as Box<dyn Attachment>]).collect()
}
