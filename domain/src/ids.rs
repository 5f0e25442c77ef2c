//! Identities. Each is a type of its own, so that a staff id can never be passed for a customer id.
//!
//! Random ids (`UUIDv7`) come from the outside as arguments; derived ids (`UUIDv5`) are computed here,
//! because "the same cause yields the same id" is a rule of the domain (product.md G6).

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::member::SourceKey;

/// Namespace of every derived id. It never changes: changing it would make every notice new again.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c65_6164_7769_7265_8000_0000_0000_0001);

/// Global, contiguous, commit-ordered number of an event, from 1.
pub type Position = i64;

/// Number of an event within its stream, from 1; 0 is the stream that has no event yet.
pub type Sequence = i64;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id!(
    /// A customer 客户 (lead 线索); `_id` in system A's JSON.
    CustomerId
);
id!(
    /// A member of staff 员工.
    StaffId
);
id!(
    /// A notification 通知: what one person should learn, once.
    NotificationId
);
id!(
    /// One delivery of a notification through one channel.
    DeliveryId
);
id!(
    /// One event in the log.
    EventId
);
id!(
    /// One command; derived from the caller and its idempotency key when there is one.
    CommandId
);
id!(
    /// One batch: an assignment, a release or an import of many leads.
    BatchId
);
id!(
    /// One order for a notice; the id of its command.
    NoticeOrderId
);
id!(
    /// One follow-up on a customer.
    FollowUpId
);
id!(
    /// A member 会员 of system S.
    MemberId
);
id!(
    /// A rule 流转规则 that hands idle leads on.
    TransferRuleId
);
id!(
    /// One run of a transfer rule.
    TransferRunId
);
id!(
    /// A rule 回收规则 that puts idle leads into the public pool.
    RecycleRuleId
);
id!(
    /// One run of the recycle rules.
    RecycleRunId
);

fn derive(parts: &[&str]) -> Uuid {
    // The unit separator keeps ("a", "bc") and ("ab", "c") apart.
    Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}

/// What makes an undo token one reader's own: it fits no other reader and no other event.
pub(crate) fn undo_check(reader: StaffId, sequence: Sequence) -> Uuid {
    derive(&["undo", &reader.to_string(), &sequence.to_string()])
}

impl CommandId {
    /// The command that `caller` names with `key`: two callers may use the same key.
    pub fn from_key(caller: &str, key: &str) -> Self {
        Self(derive(&["command", caller, key]))
    }
}

impl EventId {
    /// The `n`-th event (from 0) of a command: a repeated command meets its own events.
    pub fn of_command(command: CommandId, n: usize) -> Self {
        Self(derive(&["event", &command.to_string(), &n.to_string()]))
    }
}

impl NotificationId {
    /// One notice per (causing event, recipient, scene), for ever (product.md G6).
    pub fn of(cause: EventId, recipient: StaffId, scene: &str) -> Self {
        Self(derive(&["notification", &cause.to_string(), &recipient.to_string(), scene]))
    }
}

impl StaffId {
    /// Stands for several people, or somebody without an account, who are told with one message: notices, decisions and
    /// rows know a recipient by an id.
    pub fn of_audience(name: &str) -> Self {
        Self(derive(&["audience", name]))
    }
}

impl DeliveryId {
    /// One delivery per channel of a notice (product.md G6).
    pub fn of(notification: NotificationId, channel: &str) -> Self {
        Self(derive(&["delivery", &notification.to_string(), channel]))
    }
}

impl MemberId {
    /// The member that a row of somebody else's table is: every look at the row means the same member
    /// (domain.md section 4).
    pub fn of_row(row: &SourceKey) -> Self {
        Self(derive(&["member", &row.source, &row.table, &row.key]))
    }
}

impl TransferRunId {
    /// The run of a rule in one period: every process that starts it, and the one that resumes it, means the same
    /// run (transfer-and-recycle.md section 2). A run by hand has a random id instead.
    pub fn of_period(rule: TransferRuleId, period: DateTime<Utc>) -> Self {
        Self(derive(&["transfer_run", &rule.to_string(), &period.timestamp_micros().to_string()]))
    }
}

impl RecycleRunId {
    /// The run of one period: every process that starts it, and the one that resumes it, means the same run.
    pub fn of_period(period: DateTime<Utc>) -> Self {
        Self(derive(&["recycle_run", &period.timestamp_micros().to_string()]))
    }
}

impl CommandId {
    /// What one captured change of a row asks for: however often it is read, it has one effect (member-intake.md
    /// section 2).
    pub fn of_capture(row: &SourceKey, capture: &str) -> Self {
        Self(derive(&["member_capture", &row.source, &row.table, &row.key, capture]))
    }

    /// The fall of one lead in one run: however often a run is resumed, what becomes of a lead in it is decided once.
    pub fn of_fall(run: RecycleRunId, customer: CustomerId) -> Self {
        Self(derive(&["recycle_fall", &run.to_string(), &customer.to_string()]))
    }

    /// The move of one lead in one run: however often a run is resumed, a lead moves once in it.
    pub fn of_move(run: TransferRunId, customer: CustomerId) -> Self {
        Self(derive(&["transfer_move", &run.to_string(), &customer.to_string()]))
    }
}

/// Name of a stream: `<aggregate type>-<uuid>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(String);

impl StreamId {
    /// The stream of one aggregate.
    pub fn new(aggregate_type: &str, id: Uuid) -> Self {
        Self(format!("{aggregate_type}-{}", id.hyphenated()))
    }

    /// A stream name read from the log or typed by an operator; `None` when it is not `<type>-<uuid>`.
    pub fn parse(text: &str) -> Option<Self> {
        /// Length of a hyphenated UUID.
        const UUID_LENGTH: usize = 36;
        let split = text.len().checked_sub(UUID_LENGTH + 1)?;
        let (kind, rest) = text.split_at_checked(split)?;
        let valid = !kind.is_empty() && rest.starts_with('-') && Uuid::try_parse(&rest[1..]).is_ok();
        valid.then(|| Self(text.to_owned()))
    }

    /// The ledger stream of (app, openid, template): derived, so every process finds the same one.
    pub fn subscription(app: &str, openid: &str, template: &str) -> Self {
        Self::new("subscription", derive(&["subscription", app, openid, template]))
    }

    /// An operator's hold on a channel.
    pub fn channel(channel: &str) -> Self {
        Self::new("channel", derive(&["channel", channel]))
    }

    /// How one person wants to be told.
    pub fn preferences(staff: StaffId) -> Self {
        Self::new("preferences", staff.0)
    }

    /// How everybody of a role is told who has not said otherwise.
    pub fn role_preferences(role: &str) -> Self {
        Self::new("preferences", derive(&["preferences", "role", role]))
    }

    /// What people are held to around the public pool: one document for the installation.
    pub fn pool_rules() -> Self {
        Self::new("pool_rules", derive(&["pool_rules", "default"]))
    }

    /// How the staff hears of members: one document for the installation.
    pub fn member_notices() -> Self {
        Self::new("member_notices", derive(&["member_notices", "default"]))
    }

    /// The published texts of one template.
    pub fn template(key: &str) -> Self {
        Self::new("template", derive(&["template", key]))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The aggregate type in front of the id.
    pub fn kind(&self) -> &str {
        self.0.rfind_uuid().map_or(self.0.as_str(), |at| &self.0[..at])
    }

    /// The id behind the aggregate type.
    pub fn uuid(&self) -> Option<Uuid> {
        let at = self.0.rfind_uuid()?;
        Uuid::try_parse(&self.0[at + 1..]).ok()
    }
}

/// Where the hyphen between type and UUID stands.
trait UuidTail {
    fn rfind_uuid(&self) -> Option<usize>;
}

impl UuidTail for String {
    fn rfind_uuid(&self) -> Option<usize> {
        self.len().checked_sub(37).filter(|at| self.as_bytes()[*at] == b'-')
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CustomerId> for StreamId {
    fn from(id: CustomerId) -> Self {
        Self::new("customer", id.0)
    }
}

impl From<MemberId> for StreamId {
    fn from(id: MemberId) -> Self {
        Self::new("member", id.0)
    }
}

impl From<StaffId> for StreamId {
    fn from(id: StaffId) -> Self {
        Self::new("staff", id.0)
    }
}

impl From<NotificationId> for StreamId {
    fn from(id: NotificationId) -> Self {
        Self::new("notification", id.0)
    }
}

impl From<NoticeOrderId> for StreamId {
    fn from(id: NoticeOrderId) -> Self {
        Self::new("notice_order", id.0)
    }
}

impl From<TransferRuleId> for StreamId {
    fn from(id: TransferRuleId) -> Self {
        Self::new("transfer_rule", id.0)
    }
}

impl From<TransferRunId> for StreamId {
    fn from(id: TransferRunId) -> Self {
        Self::new("transfer_run", id.0)
    }
}

impl From<RecycleRuleId> for StreamId {
    fn from(id: RecycleRuleId) -> Self {
        Self::new("recycle_rule", id.0)
    }
}

impl From<RecycleRunId> for StreamId {
    fn from(id: RecycleRunId) -> Self {
        Self::new("recycle_run", id.0)
    }
}

impl From<BatchId> for StreamId {
    fn from(id: BatchId) -> Self {
        Self::new("batch", id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_parses_back_into_its_parts() {
        let id = CustomerId(Uuid::from_u128(7));
        let stream = StreamId::from(id);
        assert_eq!(stream.as_str(), "customer-00000000-0000-0000-0000-000000000007");
        assert_eq!(stream.kind(), "customer");
        assert_eq!(stream.uuid(), Some(id.0));
        assert_eq!(StreamId::parse(stream.as_str()), Some(stream));
    }

    #[test]
    fn names_that_are_not_streams_are_refused() {
        for text in [
            "",
            "customer",
            "customer-7",
            "-00000000-0000-0000-0000-000000000007",
            "客户-户户户户户户户户户户户户",
        ] {
            assert_eq!(StreamId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn derived_ids_tell_their_parts_apart() {
        assert_ne!(CommandId::from_key("a", "bc"), CommandId::from_key("ab", "c"));
        assert_eq!(CommandId::from_key("a", "b"), CommandId::from_key("a", "b"));
        let command = CommandId::from_key("a", "b");
        assert_ne!(EventId::of_command(command, 0), EventId::of_command(command, 1));
    }
}
