//! One decision about one delivery that is not an attempt: an operator's, the channel policy's, or a provider's later
//! word. The notice's event, the rows that follow it and the credit it frees or spends commit together.

use application::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, CommandContext, Draft, LoadError, StreamAppend,
};
use chrono::{DateTime, Utc};
use domain::notification::{
    Notification, NotificationCommand, NotificationError, NotificationEvent, Settlement,
};
use domain::subscription::{SubscriptionCommand, SubscriptionLedger};
use domain::{Aggregate, DeliveryId, Metadata, NotificationId, Position, StreamId};
use uuid::Uuid;

use super::fences::ReopenRow;
use super::follow::Follow;
use crate::bus::Bus;
use crate::db::{Db, DbError};
use crate::event_log::Attachment;
use crate::with_pool;

pub(super) const NOTIFICATION_OF: &str = "SELECT notification_id FROM outbox WHERE delivery_id = $1";

pub(super) const LEDGER_OF: &str =
    "SELECT ledger, maybe_arrived FROM outbox WHERE delivery_id = $1 AND ledger IS NOT NULL";

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

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// Position of what was recorded; `None` when nothing needed to be.
    pub position: Option<Position>,
    /// Whether this is the first answer to the same key again.
    pub replayed: bool,
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
    let context = CommandContext { metadata, at, fingerprint: None };
    Ok(ask(bus, delivery, command, &context).await?.position)
}

/// The same for somebody who may have sent a key: the same request under the same key is decided once.
pub async fn ask(
    bus: &Bus,
    delivery: DeliveryId,
    command: NotificationCommand,
    context: &CommandContext,
) -> Result<Decided, DecideError> {
    if let Some(first) = first_answer(bus, context).await? {
        return Ok(first);
    }
    let notification = notification_of(bus.log().db(), delivery).await?.ok_or(DecideError::NotFound)?;
    let stream = StreamId::from(notification);
    for _ in 0..CONFLICT_RETRIES_MAX {
        let notice = bus.load::<Notification>(&stream).await?;
        let events = match notice.state.decide(command.clone()) {
            Ok(events) => events,
            // The twin of this request may have made its own repetition impossible.
            Err(refused) => return first_answer(bus, context).await?.ok_or(refused.into()),
        };
        if events.is_empty() && context.fingerprint.is_none() {
            return Ok(Decided { position: None, replayed: false });
        }
        let mut streams = match events.as_slice() {
            [] => vec![],
            events => vec![StreamAppend::of(stream.clone(), notice.sequence, events)?],
        };
        streams.extend(credit(bus, delivery, &events, context.at).await?);
        let draft = Draft {
            metadata: context.metadata.clone(),
            recorded_at: context.at,
            streams,
            guards: vec![],
            receipt: context.fingerprint.clone().map(|fingerprint| (fingerprint, serde_json::Value::Null)),
        };
        match bus.append_with(draft, attachments(&events)).await {
            Ok(Appended::Committed { last }) => {
                let position = (!events.is_empty()).then_some(last);
                return Ok(Decided { position, replayed: false });
            }
            Ok(Appended::Replayed(receipt)) => {
                return Ok(Decided { position: Some(receipt.position), replayed: true });
            }
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Fenced) => return Err(DecideError::BodyGone),
            Err(error) => return Err(DecideError::Append(error)),
        }
    }
    Err(DecideError::Append(AppendError::Busy))
}

async fn first_answer(bus: &Bus, context: &CommandContext) -> Result<Option<Decided>, DecideError> {
    let Some(fingerprint) = &context.fingerprint else { return Ok(None) };
    let Some(receipt) = bus.receipt(context.metadata.command).await? else { return Ok(None) };
    if receipt.fingerprint != *fingerprint {
        return Err(DecideError::Append(AppendError::KeyReused));
    }
    Ok(Some(Decided { position: Some(receipt.position), replayed: true }))
}

/// What the decision says of the credit that an attempt reserved: whoever says that it arrived says that the credit is
/// spent, and what is given up before it can have arrived spent none. Otherwise nobody knows, and it stays reserved.
async fn credit(
    bus: &Bus,
    delivery: DeliveryId,
    events: &[NotificationEvent],
    at: DateTime<Utc>,
) -> Result<Option<StreamAppend>, DecideError> {
    let arrived = events.iter().find_map(|event| match event {
        NotificationEvent::Settled(e) if e.settlement == Settlement::Sent => Some(true),
        NotificationEvent::Discarded(_) => Some(false),
        _ => None,
    });
    let Some(arrived) = arrived else { return Ok(None) };
    let found = ledger_of(bus.log().db(), delivery).await?;
    let command = match found {
        Some(_) if arrived => SubscriptionCommand::Consume { delivery, at },
        Some((_, false)) => SubscriptionCommand::Return { delivery, at },
        Some((_, true)) | None => return Ok(None),
    };
    let Some(stream) = found.and_then(|(ledger, _)| StreamId::parse(&ledger)) else { return Ok(None) };
    let ledger = bus.load::<SubscriptionLedger>(&stream).await?;
    // Neither is ever refused; without a reservation of this delivery there is nothing to do.
    let events = ledger.state.decide(command).unwrap_or_default();
    Ok(if events.is_empty() { None } else { Some(StreamAppend::of(stream, ledger.sequence, &events)?) })
}

/// The ledger of a delivery that costs a credit, and whether it may have arrived.
async fn ledger_of(db: &Db, delivery: DeliveryId) -> Result<Option<(String, bool)>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(LEDGER_OF).bind(delivery.0).fetch_optional(pool).await)?)
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
