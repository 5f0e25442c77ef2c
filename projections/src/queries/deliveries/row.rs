//! A delivery and its attempts as they are shown.

use chrono::{DateTime, Utc};
use domain::notification::{Channel, DeliveryState, FailureClass, Settlement};
use domain::{DeliveryId, EventId, NotificationId, Position, StaffId};
use infrastructure::db::DbError;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::queries::corrupt;

pub(super) const COLUMNS: [&str; 25] = [
    "id",
    "notification",
    "cause",
    "recipient",
    "scene",
    "channel",
    "state",
    "reason",
    "after_channel",
    "possibly_repeated",
    "merged_into",
    "settlement",
    "attempts",
    "counted",
    "failure_class",
    "failure_code",
    "failure_detail",
    "due_at",
    "created_at",
    "updated_at",
    "called_at",
    "accepted_at",
    "delivered_at",
    "provider_message_id",
    "requested_position",
];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, notification, cause, recipient, scene, channel, state, reason, after_channel, ",
            "possibly_repeated, merged_into, settlement, attempts, counted, failure_class, failure_code, ",
            "failure_detail, due_at, created_at, updated_at, called_at, accepted_at, delivered_at, ",
            "provider_message_id, requested_position FROM deliveries ",
            $rest
        )
    };
}
pub(super) use select;

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRow {
    /// The delivery.
    pub id: DeliveryId,
    /// The notice.
    pub notification: NotificationId,
    /// The event that caused it.
    pub cause: EventId,
    /// Who should learn it.
    pub recipient: StaffId,
    /// Type of the notice.
    pub scene: String,
    /// The way.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it is where it is, if not by an attempt: suppressed, held, released, cancelled, discarded, settled.
    pub reason: Option<String>,
    /// The channel before it in the route, when it stood or stands by.
    pub after: Option<Channel>,
    /// Whether the channel before it may have told the same.
    pub possibly_repeated: bool,
    /// The digest that told it.
    pub merged_into: Option<NotificationId>,
    /// What its unknown arrival counts as.
    pub settlement: Option<Settlement>,
    /// Attempts so far.
    pub attempts: i64,
    /// Attempts that count against the schedule.
    pub counted: i64,
    /// The last failure.
    pub failure: Option<LastFailure>,
    /// When the next attempt is due, or until when it is held.
    pub due_at: Option<DateTime<Utc>>,
    /// When the notice's cause was recorded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the first attempt began.
    pub called_at: Option<DateTime<Utc>>,
    /// When the provider, or the inbox, took it.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it arrived, as far as there is proof.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// Position of the request.
    pub requested_position: Position,
}

/// Why the last attempt that failed did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastFailure {
    /// Who must act.
    pub class: FailureClass,
    /// The provider's code.
    pub code: Option<i64>,
    /// What to know about it.
    pub detail: String,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRow {
    /// Its number, from 1.
    pub number: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while bytes may be under way.
    pub ended_at: Option<DateTime<Utc>>,
    /// The state it led to.
    pub outcome: Option<String>,
    /// The provider's code.
    pub code: Option<i64>,
    /// What kind of failure it was.
    pub class: Option<String>,
    /// What to know about it.
    pub detail: Option<String>,
}

impl AttemptRow {
    /// How long it took; `None` while it is under way.
    pub fn latency_ms(&self) -> Option<i64> {
        self.ended_at.map(|ended| (ended - self.started_at).num_milliseconds().max(0))
    }
}

/// A delivery with everything that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// Its attempts, in order.
    pub tries: Vec<AttemptRow>,
}

#[derive(FromRow)]
pub(super) struct Row {
    id: Uuid,
    notification: Uuid,
    cause: Uuid,
    recipient: Uuid,
    scene: String,
    channel: String,
    state: String,
    reason: Option<String>,
    after_channel: Option<String>,
    possibly_repeated: bool,
    merged_into: Option<Uuid>,
    settlement: Option<String>,
    attempts: i64,
    counted: i64,
    failure_class: Option<String>,
    failure_code: Option<i64>,
    failure_detail: Option<String>,
    due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    called_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    provider_message_id: Option<String>,
    requested_position: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<DeliveryRow, DbError> {
        let unknown = |_| corrupt("deliveries", self.id, "unknown code");
        let channel = self.channel.parse().map_err(unknown)?;
        let state = self.state.parse().map_err(unknown)?;
        let after = self.after_channel.as_deref().map(str::parse).transpose().map_err(unknown)?;
        let settlement = self.settlement.as_deref().map(str::parse).transpose().map_err(unknown)?;
        let class: Option<FailureClass> =
            self.failure_class.as_deref().map(str::parse).transpose().map_err(unknown)?;
        let failure = class.map(|class| LastFailure {
            class,
            code: self.failure_code,
            detail: self.failure_detail.unwrap_or_default(),
        });
        Ok(DeliveryRow {
            id: DeliveryId(self.id),
            notification: NotificationId(self.notification),
            cause: EventId(self.cause),
            recipient: StaffId(self.recipient),
            scene: self.scene,
            channel,
            state,
            reason: self.reason,
            after,
            possibly_repeated: self.possibly_repeated,
            merged_into: self.merged_into.map(NotificationId),
            settlement,
            attempts: self.attempts,
            counted: self.counted,
            failure,
            due_at: self.due_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            called_at: self.called_at,
            accepted_at: self.accepted_at,
            delivered_at: self.delivered_at,
            provider_message_id: self.provider_message_id,
            requested_position: self.requested_position,
        })
    }
}
