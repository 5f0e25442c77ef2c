//! The code tables of notices and deliveries.

use crate::code_table;

code_table! {
    /// A way to reach a person (notifications.md section 3).
    Channel {
        /// The inbox, then the open sockets.
        InApp = "in_app",
        /// A one-time subscribe message of the mini program.
        WechatSubscribe = "wechat_subscribe",
        /// A cloud function of the mini program, which tells the person by its own means.
        WechatCloud = "wechat_cloud",
        /// A template or subscribe message of the service account.
        WechatOfficial = "wechat_official",
        /// A message of a WeCom application.
        WecomApp = "wecom_app",
        /// A message of a WeCom group robot.
        WecomRobot = "wecom_robot",
    }
}

impl Channel {
    /// Every channel that needs a provider.
    pub const EXTERNAL: [Self; 5] =
        [Self::WechatSubscribe, Self::WechatCloud, Self::WechatOfficial, Self::WecomApp, Self::WecomRobot];
}

code_table! {
    /// What was decided about a delivery whose arrival nobody knows (notifications.md section 4).
    Settlement {
        /// It counts as sent.
        Sent = "sent",
        /// The next channel tells it too, marked as possibly repeated.
        Escalated = "escalated",
        /// Nothing more is done.
        Closed = "closed",
    }
}

code_table! {
    /// How urgent a notice is.
    Priority {
        /// At once.
        High = "HIGH",
        /// Today.
        Medium = "MEDIUM",
        /// Some day.
        Low = "LOW",
    }
}

code_table! {
    /// Where a delivery stands (notifications.md section 4).
    DeliveryState {
        /// Waiting for its first attempt.
        Pending = "pending",
        /// An attempt is under way: bytes may have left.
        InFlight = "in_flight",
        /// The provider took it.
        Accepted = "accepted",
        /// The provider definitely refused, for good.
        Rejected = "rejected",
        /// Waiting for its next attempt.
        Retry = "retry",
        /// It may or may not have arrived; never resent without a decision.
        Unknown = "unknown",
        /// There is proof that it arrived.
        Delivered = "delivered",
        /// All attempts are used up; a dead letter.
        Dead = "dead",
        /// Waiting for a time or a setting.
        Held = "held",
        /// Told as part of another notice.
        Merged = "merged",
        /// Not sent, with the reason.
        Suppressed = "suppressed",
        /// Taken back before it left.
        Cancelled = "cancelled",
    }
}

impl DeliveryState {
    /// Whether nothing more happens by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::InFlight | Self::Retry | Self::Held)
    }
}

code_table! {
    /// What kind of failure it was, by who must act (wechat-apis.md section 8).
    FailureClass {
        /// The access token was not accepted.
        Token = "token",
        /// Our settings are wrong: an administrator must act.
        Config = "config",
        /// The recipient cannot be reached under this id.
        Recipient = "recipient",
        /// The recipient has not consented, or no credit is left.
        Consent = "consent",
        /// The message breaks the provider's rules.
        Content = "content",
        /// A quota is used up until its window ends.
        Quota = "quota",
        /// The provider is busy.
        Busy = "busy",
        /// The request never left.
        Unreachable = "unreachable",
        /// The request left and no definite answer came back.
        Uncertain = "uncertain",
    }
}
