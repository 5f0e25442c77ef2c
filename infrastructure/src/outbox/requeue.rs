//! An operator's decision to send a delivery once more.

use application::bus::{AppendError, CONFLICT_RETRIES_MAX, CommandBus, Draft, LoadError, StreamAppend};
use application::ports::{Clock, Ids};
use domain::notification::{Notification, NotificationCommand, NotificationError};
use domain::{Actor, Aggregate, CommandId, DeliveryId, Metadata, NotificationId, Position, StreamId};
use uuid::Uuid;

use super::fences::ReopenRow;
use crate::bus::Bus;
use crate::db::DbError;
use crate::with_pool;

pub(super) const NOTIFICATION_OF: &str = "SELECT notification_id FROM outbox WHERE delivery_id = $1";

/// Why a delivery is not sent again.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
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

/// Puts a delivery that ended without arriving (dead, unknown, rejected) back to the first attempt, due at once.
/// Answers with the position of the recorded decision.
pub async fn requeue(
    bus: &Bus,
    (clock, ids): (&dyn Clock, &dyn Ids),
    delivery: DeliveryId,
    by: Actor,
    reason: &str,
) -> Result<Position, RequeueError> {
    let notification: Option<Uuid> = with_pool!(bus.log().db(), pool =>
        sqlx::query_scalar(NOTIFICATION_OF).bind(delivery.0).fetch_optional(pool).await)
    .map_err(DbError::from)?;
    let stream = StreamId::from(NotificationId(notification.ok_or(RequeueError::NotFound)?));
    let at = clock.now();
    let metadata = Metadata {
        command: CommandId(ids.next()),
        correlation: format!("requeue-{delivery}"),
        causation: None,
        actor: by.clone(),
    };
    for _ in 0..CONFLICT_RETRIES_MAX {
        let notice = bus.load::<Notification>(&stream).await?;
        let command =
            NotificationCommand::Requeue { delivery, by: by.clone(), reason: reason.to_owned(), at };
        let events = notice.state.decide(command)?;
        let draft = Draft {
            metadata: metadata.clone(),
            recorded_at: at,
            streams: vec![StreamAppend::of(stream.clone(), notice.sequence, &events)?],
            guards: vec![],
            receipt: None,
        };
        match bus.append_with(draft, vec![Box::new(ReopenRow { delivery, due_at: at })]).await {
            Ok(application::bus::Appended::Committed { last }) => return Ok(last),
            Ok(application::bus::Appended::Replayed(receipt)) => return Ok(receipt.position),
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Fenced) => return Err(RequeueError::BodyGone),
            Err(error) => return Err(RequeueError::Append(error)),
        }
    }
    Err(RequeueError::Append(AppendError::Busy))
}
