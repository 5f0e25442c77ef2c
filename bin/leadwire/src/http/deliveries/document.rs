//! A delivery as administrators see it. No openid, no body: who, what kind, through what, and how it went.

use domain::notification::{Channel, DeliveryState, FailureClass, Settlement};
use domain::{DeliveryId, EventId, NotificationId, StaffId};
use projections::queries::deliveries::waiting::Waits;
use projections::queries::deliveries::{AttemptRow, DeliveryDetail, DeliveryRow, LastFailure};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::people::{People, Person};
use crate::http::time::Millis;

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryDocument {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: DeliveryId,
    /// The notice.
    #[schema(value_type = uuid::Uuid)]
    notification_id: NotificationId,
    /// The event that caused it.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// Who should learn it.
    #[schema(value_type = uuid::Uuid)]
    recipient_id: StaffId,
    /// Their names.
    recipient: Option<Person>,
    /// Type of the notice.
    #[serde(rename = "type")]
    scene: String,
    /// The way.
    #[schema(value_type = String)]
    channel: Channel,
    /// Where it stands.
    #[schema(value_type = String)]
    state: DeliveryState,
    /// Why it is there, if not by an attempt.
    reason: Option<String>,
    /// The channel before it in the route.
    #[schema(value_type = Option<String>)]
    after: Option<Channel>,
    /// Whether the channel before it may have told the same.
    possibly_repeated: bool,
    /// The digest that told it.
    #[schema(value_type = Option<uuid::Uuid>)]
    merged_into: Option<NotificationId>,
    /// What its unknown arrival counts as.
    #[schema(value_type = Option<String>)]
    settlement: Option<Settlement>,
    /// Attempts so far.
    attempts: i64,
    /// Attempts that count against the schedule.
    counted_attempts: i64,
    /// The last failure.
    failure: Option<FailureDocument>,
    /// When the next attempt is due, or until when it is held.
    #[schema(value_type = Option<DateTime<Utc>>)]
    due_at: Option<Millis>,
    /// When its cause was recorded.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
    /// When it last changed.
    #[schema(value_type = DateTime<Utc>)]
    updated_at: Millis,
    /// When the first attempt began.
    #[schema(value_type = Option<DateTime<Utc>>)]
    called_at: Option<Millis>,
    /// When the provider, or the inbox, took it.
    #[schema(value_type = Option<DateTime<Utc>>)]
    accepted_at: Option<Millis>,
    /// When it arrived, as far as there is proof.
    #[schema(value_type = Option<DateTime<Utc>>)]
    delivered_at: Option<Millis>,
    /// The provider's id of the message.
    provider_message_id: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureDocument {
    /// Who must act.
    #[schema(value_type = String)]
    class: FailureClass,
    /// The provider's code.
    code: Option<i64>,
    /// What to know about it.
    detail: String,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptDocument {
    /// Its number, from 1.
    number: i64,
    /// When it began.
    #[schema(value_type = DateTime<Utc>)]
    started_at: Millis,
    /// When it ended; `null` while bytes may be under way.
    #[schema(value_type = Option<DateTime<Utc>>)]
    ended_at: Option<Millis>,
    /// How long it took.
    latency_ms: Option<i64>,
    /// The state it led to.
    outcome: Option<String>,
    /// The provider's code.
    code: Option<i64>,
    /// Who must act.
    class: Option<String>,
    /// What the provider said, shortened and made safe to show.
    excerpt: Option<String>,
}

/// A delivery with everything that is known about it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryDetailDocument {
    /// The delivery.
    #[serde(flatten)]
    delivery: DeliveryDocument,
    /// Every attempt, in order.
    tries: Vec<AttemptDocument>,
    /// Why it waits: paused, resting, held, standby, limited, retry, queued … with what to know; `null` when nothing
    /// more happens by itself.
    #[schema(value_type = Option<Object>)]
    waiting: Option<Value>,
    /// The other ways of the same notice.
    others: Vec<OtherWay>,
}

/// Another way that the same notice took.
#[derive(Debug, Serialize, ToSchema)]
pub struct OtherWay {
    /// The delivery.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: DeliveryId,
    /// The way.
    #[schema(value_type = String)]
    channel: Channel,
    /// Where it stands.
    #[schema(value_type = String)]
    state: DeliveryState,
    /// Why it is there, if not by an attempt.
    reason: Option<String>,
}

impl DeliveryDocument {
    /// With the recipient's name.
    pub(super) fn of(row: DeliveryRow, people: &People) -> Self {
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(Millis);
        Self {
            id: row.id,
            notification_id: row.notification,
            event_id: row.cause,
            recipient_id: row.recipient,
            recipient: people.person(Some(row.recipient)),
            scene: row.scene,
            channel: row.channel,
            state: row.state,
            reason: row.reason,
            after: row.after,
            possibly_repeated: row.possibly_repeated,
            merged_into: row.merged_into,
            settlement: row.settlement,
            attempts: row.attempts,
            counted_attempts: row.counted,
            failure: row.failure.map(FailureDocument::of),
            due_at: time(row.due_at),
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
            called_at: time(row.called_at),
            accepted_at: time(row.accepted_at),
            delivered_at: time(row.delivered_at),
            provider_message_id: row.provider_message_id,
        }
    }
}

impl FailureDocument {
    fn of(failure: LastFailure) -> Self {
        let LastFailure { class, code, detail } = failure;
        Self { class, code, detail }
    }
}

impl AttemptDocument {
    fn of(attempt: AttemptRow) -> Self {
        Self {
            number: attempt.number,
            latency_ms: attempt.latency_ms(),
            started_at: Millis(attempt.started_at),
            ended_at: attempt.ended_at.map(Millis),
            outcome: attempt.outcome,
            code: attempt.code,
            class: attempt.class,
            excerpt: attempt.detail,
        }
    }
}

impl DeliveryDetailDocument {
    /// With why it waits and the other ways of its notice.
    pub(super) fn of(
        detail: DeliveryDetail,
        waits: Option<&Waits>,
        ways: Vec<DeliveryRow>,
        people: &People,
    ) -> Self {
        let DeliveryDetail { delivery, tries } = detail;
        let others = ways.into_iter().filter(|way| way.id != delivery.id);
        let others = others.map(|way| OtherWay {
            id: way.id,
            channel: way.channel,
            state: way.state,
            reason: way.reason,
        });
        Self {
            others: others.collect(),
            waiting: waits.map(shown),
            tries: tries.into_iter().map(AttemptDocument::of).collect(),
            delivery: DeliveryDocument::of(delivery, people),
        }
    }
}

/// `{because, …, fallbackAt}`.
fn shown(waits: &Waits) -> Value {
    let mut shown = json!(waits.why);
    if let Some(members) = shown.as_object_mut() {
        members.insert("fallbackAt".to_owned(), json!(waits.fallback_at.map(Millis)));
    }
    shown
}
