//! What may be asked of a notice, and why it refuses.

use chrono::{DateTime, Utc};

use super::codes::{DeliveryState, Settlement};
use super::events::{Failure, NotificationRequested};
use crate::envelope::Actor;
use crate::ids::{DeliveryId, NotificationId};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// The provider took it.
    Accepted {
        /// The provider's id of the message.
        provider_message_id: Option<String>,
    },
    /// Refused for good.
    Rejected(Failure),
    /// Try again.
    Retry {
        /// Why.
        failure: Failure,
        /// When.
        due_at: DateTime<Utc>,
        /// Whether it used up an attempt.
        counted: bool,
    },
    /// Nobody knows.
    Uncertain(Failure),
    /// The attempts are used up.
    Died(Failure),
}

/// What may be asked of a notice.
#[derive(Debug, Clone, PartialEq)]
pub enum NotificationCommand {
    /// Bring it into being.
    Request(Box<NotificationRequested>),
    /// Begin the next attempt.
    Start {
        /// The delivery.
        delivery: DeliveryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// End an attempt, or a waiting delivery that cannot even start (then `attempt` is the last one made).
    Conclude {
        /// The delivery.
        delivery: DeliveryId,
        /// The attempt it is about.
        attempt: i64,
        /// How it ended.
        conclusion: Conclusion,
        /// When.
        at: DateTime<Utc>,
    },
    /// Send it again by an operator's decision.
    Requeue {
        /// The delivery.
        delivery: DeliveryId,
        /// Who decided.
        by: Actor,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take a delivery back that has not left, or that was dismissed and could still be called. One that waits for
    /// another attempt and may have arrived with an earlier one stays unknown, and is closed.
    Cancel {
        /// The delivery.
        delivery: DeliveryId,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let go what was held for a time.
    Release {
        /// The delivery.
        delivery: DeliveryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// Tell what was held for a time in a digest instead.
    Merge {
        /// The delivery.
        delivery: DeliveryId,
        /// The digest.
        into: NotificationId,
        /// When.
        at: DateTime<Utc>,
    },
    /// Decide what an unknown arrival counts as. [`Settlement::Escalated`] needs a channel that stands by.
    Settle {
        /// The delivery.
        delivery: DeliveryId,
        /// As what.
        settlement: Settlement,
        /// Who decided.
        by: Actor,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Give it up.
    Discard {
        /// The delivery.
        delivery: DeliveryId,
        /// Who decided.
        by: Actor,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The provider proved that it arrived.
    Confirm {
        /// The delivery.
        delivery: DeliveryId,
        /// What the provider sent.
        proof: String,
        /// The provider's id of the message.
        provider_message_id: Option<String>,
        /// When.
        at: DateTime<Utc>,
    },
    /// The provider took it and failed to bring it: it says so later.
    Refute {
        /// The delivery.
        delivery: DeliveryId,
        /// Why.
        failure: Failure,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a notice refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// The notice has no such delivery.
    #[error("投递不存在")]
    NotFound,
    /// The delivery is not waiting to be sent.
    #[error("投递当前状态为 {0}，不能开始")]
    NotWaiting(DeliveryState),
    /// Another attempt is under way, or this one was concluded already.
    #[error("该次投递已失效")]
    StaleAttempt,
    /// Only a delivery that ended without arriving can be sent again.
    #[error("投递当前状态为 {0}，不能重新投递")]
    NotRequeueable(DeliveryState),
    /// Bytes may have left, or nothing more will happen by itself.
    #[error("投递当前状态为 {0}，不能撤回")]
    NotCancellable(DeliveryState),
    /// It is not held for a time.
    #[error("投递当前状态为 {0}，不是等待放行")]
    NotHeld(DeliveryState),
    /// Only an unknown arrival can be settled.
    #[error("投递当前状态为 {0}，不能认定结果")]
    NotSettleable(DeliveryState),
    /// It was decided already; only that it arrived can still be said.
    #[error("该投递的结果已认定为 {0}，只能再认定为已送达")]
    AlreadySettled(Settlement),
    /// No channel stands by behind it.
    #[error("没有可切换的备用渠道")]
    NoStandby,
    /// It left already, arrived, or ended for good.
    #[error("投递当前状态为 {0}，不能放弃")]
    NotDiscardable(DeliveryState),
    /// An attempt is under way: whatever the provider says belongs to it, and it is not concluded yet.
    #[error("投递正在进行，尚不能确认")]
    UnderWay,
}
