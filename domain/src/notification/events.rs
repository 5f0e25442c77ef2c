//! What can have happened to a notice and to each of its deliveries.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::codes::{Channel, FailureClass, Priority, Settlement};
use crate::envelope::Actor;
use crate::ids::{CustomerId, DeliveryId, EventId, NotificationId, StaffId};
use crate::stored_events;

stored_events! {
    /// A fact about one notice.
    #[expect(clippy::large_enum_variant, reason = "an event is made once and moved a few times")]
    NotificationEvent {
        /// Somebody should learn something.
        Requested(NotificationRequested) = 1,
        /// Bytes are about to leave.
        Started(DeliveryStarted) = 1,
        /// The provider took it.
        Accepted(DeliveryAccepted) = 1,
        /// The provider refused for good.
        Rejected(DeliveryRejected) = 1,
        /// Another attempt is due.
        RetryScheduled(DeliveryRetryScheduled) = 1,
        /// Nobody knows whether it arrived.
        Uncertain(DeliveryUncertain) = 1,
        /// All attempts are used up.
        Died(DeliveryDied) = 1,
        /// An operator wants it sent again.
        Requeued(DeliveryRequeued) = 1,
        /// It was taken back before it left.
        Cancelled(DeliveryCancelled) = 1,
        /// What was held may leave.
        Released(DeliveryReleased) = 1,
        /// What was held became part of a digest.
        Merged(DeliveryMerged) = 1,
        /// Somebody decided what an unknown arrival counts as.
        Settled(DeliverySettled) = 1,
        /// An operator gave it up.
        Discarded(DeliveryDiscarded) = 1,
        /// The provider proved the arrival.
        Confirmed(DeliveryConfirmed) = 1,
    }
}

impl NotificationEvent {
    /// Which delivery it is about, and when it happened; `None` for the request, which is about all of them.
    pub fn subject(&self) -> Option<(DeliveryId, DateTime<Utc>)> {
        match self {
            Self::Requested(_) => None,
            Self::Started(e) => Some((e.delivery, e.at)),
            Self::Accepted(e) => Some((e.delivery, e.at)),
            Self::Rejected(e) => Some((e.delivery, e.at)),
            Self::RetryScheduled(e) => Some((e.delivery, e.at)),
            Self::Uncertain(e) => Some((e.delivery, e.at)),
            Self::Died(e) => Some((e.delivery, e.at)),
            Self::Requeued(e) => Some((e.delivery, e.at)),
            Self::Cancelled(e) => Some((e.delivery, e.at)),
            Self::Released(e) => Some((e.delivery, e.at)),
            Self::Merged(e) => Some((e.delivery, e.at)),
            Self::Settled(e) => Some((e.delivery, e.at)),
            Self::Discarded(e) => Some((e.delivery, e.at)),
            Self::Confirmed(e) => Some((e.delivery, e.at)),
        }
    }
}

/// Somebody should learn something, once 通知请求.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationRequested {
    /// The notice; derived from cause, recipient and scene.
    pub notification: NotificationId,
    /// The event that caused it.
    pub cause: EventId,
    /// Who should learn it.
    pub recipient: StaffId,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    pub scene: String,
    /// How urgent.
    pub priority: Priority,
    /// What the person reads, and where it leads.
    pub message: Message,
    /// The customers it is about.
    pub customers: Vec<CustomerId>,
    /// What was decided for each channel.
    pub deliveries: Vec<PlannedDelivery>,
    /// Version of the template it was rendered with.
    pub template_version: i64,
    /// The template it was rendered with; a type can have two. Empty in notices older than this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// SHA-256 of the rendered message, in hex. Empty in notices older than this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rendered_hash: String,
    /// The notices a digest tells of; empty for every other notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digest_of: Vec<NotificationId>,
    /// When the cause was recorded.
    pub at: DateTime<Utc>,
}

/// A rendered notice. Phones in it are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// First line.
    pub title: String,
    /// The text.
    pub content: String,
    /// Name of the icon.
    pub icon: String,
    /// Colour of the icon.
    pub color: String,
    /// Path it leads to.
    pub action_url: String,
    /// Words on the button.
    pub action_text: String,
    /// What clients may compute with, as system A's `data`.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// What was decided for one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedDelivery {
    /// The delivery; derived from notice and channel.
    pub delivery: DeliveryId,
    /// The channel.
    pub channel: Channel,
    /// The decision.
    pub decision: Decision,
}

/// A decision for one event, recipient and channel (product.md G9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// Send it.
    Deliver,
    /// Told as part of another notice.
    Merge {
        /// What it is part of, e.g. `batch`.
        into: String,
    },
    /// Send it later.
    Hold {
        /// When.
        until: DateTime<Utc>,
        /// Why, e.g. `quiet_hours`: the setting that caused it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Send it only if the channel before it in the route does not tell the person.
    Standby {
        /// The channel before it.
        after: Channel,
    },
    /// Do not send it.
    Suppress {
        /// Why, e.g. `channel_not_configured`.
        reason: String,
    },
}

/// An attempt is under way 投递开始. On disk before the first byte leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryStarted {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Number of the attempt, from 1.
    pub attempt: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// The provider took it 平台已接收.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryAccepted {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: i64,
    /// The provider's id of the message, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub class: FailureClass,
    /// The provider's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// What to know about it; never a token, an openid or a body.
    pub detail: String,
}

/// Refused for good 投递被拒.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRejected {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt; 0 when it was refused before any.
    pub attempt: i64,
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: DateTime<Utc>,
}

/// Another attempt is due 等待重试.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRetryScheduled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt that failed; 0 when none was made.
    pub attempt: i64,
    /// Why.
    pub failure: Failure,
    /// When the next one is due.
    pub due_at: DateTime<Utc>,
    /// Whether the failure used up one of the attempts; quota and token waits do not.
    pub counted: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// Nobody knows whether it arrived 结果未知.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryUncertain {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: i64,
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: DateTime<Utc>,
}

/// A dead letter 死信.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryDied {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The last attempt.
    pub attempt: i64,
    /// Why it failed.
    pub failure: Failure,
    /// When.
    pub at: DateTime<Utc>,
}

/// An operator wants it sent again 重新投递.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRequeued {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A delivery was taken back before it left 投递撤回: what it would have said is no longer true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryCancelled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its channel.
    pub channel: Channel,
    /// Why, e.g. `lead_transferred`.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What was held may leave now 放行.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryReleased {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its channel.
    pub channel: Channel,
    /// Why, e.g. `due`, or the channel that failed: `after_wecom_app`.
    pub reason: String,
    /// Whether the channel before may have told the same: the message says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possibly_repeated: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// What was held is told in a digest 合并.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryMerged {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The digest.
    pub into: NotificationId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody, or the channel's policy, decided what an unknown arrival counts as 结果认定.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliverySettled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// As what.
    pub settlement: Settlement,
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An operator gave a delivery up 放弃投递.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryDiscarded {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The provider proved that it arrived 送达回执.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryConfirmed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// What the provider sent, e.g. `subscribe_msg_sent_event`.
    pub proof: String,
    /// The provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message_id: Option<String>,
    /// When the provider says it arrived.
    pub at: DateTime<Utc>,
}
