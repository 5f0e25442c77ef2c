//! Who should learn what: a pure answer to every event (notifications.md sections 1 and 2).
//!
//! [`ROWS`] is the decision table. It names every event type there is, also those that concern nobody, so that a new
//! event cannot be forgotten: a test compares it with the events the aggregates declare. [`react`] answers one event
//! with one [`Reaction`] per person, and each of them carries a decision for every channel (product.md G9).

mod about;
mod batches;
mod customers;
mod directory;
mod imports;
mod members;
mod orders;
mod outgoing;
mod recall;
mod routing;
mod rules;
mod staff;
mod table;
#[cfg(test)]
mod tests;
mod wishes;

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use domain::batch::BatchEvent;
use domain::customer::{Customer, CustomerEvent, is_system_note};
use domain::member::{Member, MemberEvent};
use domain::member_notices::{MemberNotices, MemberNoticesEvent};
use domain::notice_order::NoticeOrderEvent;
use domain::notification::{Channel, Decision, Message, NotificationRequested, PlannedDelivery, Priority};
use domain::preferences::{Language, PreferencesEvent};
use domain::recycle_rule::run::RecycleRunEvent;
use domain::staff::StaffEvent;
use domain::template::TemplateEvent;
use domain::transfer_rule::run::TransferRunEvent;
use domain::{
    BatchId, CustomerId, DeliveryId, EventId, MemberId, NotificationId, RecycleRunId, StaffId, StoredEvent,
    TransferRunId,
};

use sha2::{Digest as _, Sha256};

use crate::channels::ChannelSettings;
use crate::texts::{MissingVariable, TemplateBook};

pub use directory::StaffDirectory;
pub use outgoing::{Outgoing, Wait};
pub use recall::{Loss, Untrue, loss, recall_reasons};
pub(crate) use routing::reach;
pub use routing::reasons;
pub use table::{Handler, ROWS, Who, row};
pub use wishes::{Hasten, PreferenceBook, Recent, Wishes, changes_wishes, hastened};

/// Name of the policy: its consumer, and the actor of the notices it asks for.
pub const POLICY: &str = "policy";

/// An event that may concern somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyEvent {
    /// The event; notices are derived from it.
    pub id: EventId,
    /// What happened.
    pub fact: Fact,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// What happened, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// To a customer.
    Customer(CustomerId, Box<CustomerEvent>),
    /// In a batch.
    Batch(BatchId, BatchEvent),
    /// In a run of a transfer rule.
    TransferRun(TransferRunId, Box<TransferRunEvent>),
    /// In a run of the recycle rules.
    RecycleRun(RecycleRunId, Box<RecycleRunEvent>),
    /// To a member.
    Member(MemberId, Box<MemberEvent>),
    /// To how the staff hears of members.
    MemberNotices(Box<MemberNoticesEvent>),
    /// To a member of staff's account.
    Staff(StaffId, Box<StaffEvent>),
    /// To somebody's preferences.
    Preferences(Box<PreferencesEvent>),
    /// To the words of a kind of notice.
    Template(Box<TemplateEvent>),
    /// Another system wants somebody told.
    Order(Box<NoticeOrderEvent>),
}

impl Fact {
    /// Name of the event.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Customer(_, event) => event.name(),
            Self::Batch(_, event) => event.name(),
            Self::TransferRun(_, event) => event.name(),
            Self::RecycleRun(_, event) => event.name(),
            Self::Member(_, event) => event.name(),
            Self::MemberNotices(event) => event.name(),
            Self::Staff(_, event) => event.name(),
            Self::Preferences(event) => event.name(),
            Self::Template(event) => event.name(),
            Self::Order(event) => event.name(),
        }
    }

    /// Whether its answer needs the customer: reading one costs, and a lead of a batch is told in the summary.
    pub fn needs_customer(&self) -> bool {
        match self {
            Self::Customer(_, event) => match &**event {
                CustomerEvent::StatusChanged(_)
                | CustomerEvent::RecycleWarned(_)
                | CustomerEvent::FollowUpDue(_)
                | CustomerEvent::Frozen(_) => true, // tells nobody, and takes its owner's warning back
                CustomerEvent::Created(created) => created.import.is_none(),
                CustomerEvent::Recycled(recycled) => recycled.run.is_none(),
                CustomerEvent::Assigned(assigned) => assigned.source.told_by().is_none(),
                CustomerEvent::Transferred(transferred) => transferred.source.told_by().is_none(),
                CustomerEvent::Released(released) => released.batch.is_none(),
                CustomerEvent::FollowedUp(followed) => !is_system_note(followed.kind, &followed.content),
                CustomerEvent::Updated(_)
                | CustomerEvent::LevelChanged(_)
                | CustomerEvent::Claimed(_)
                | CustomerEvent::Unfrozen(_)
                | CustomerEvent::AutoTransferEnabled(_)
                | CustomerEvent::AutoTransferDisabled(_)
                | CustomerEvent::Deleted(_) => false,
            },
            Self::TransferRun(..)
            | Self::RecycleRun(..)
            | Self::Batch(..)
            | Self::Member(..)
            | Self::MemberNotices(_)
            | Self::Staff(..)
            | Self::Preferences(_)
            | Self::Template(_)
            | Self::Order(_) => false,
        }
    }
}

impl Fact {
    /// Whether its answer needs the member as the event left it; a registration says all of it itself.
    pub fn needs_member(&self) -> bool {
        match self {
            Self::Member(_, event) => matches!(
                **event,
                MemberEvent::Activated(_)
                    | MemberEvent::Updated(_)
                    | MemberEvent::Upgraded(_)
                    | MemberEvent::Revoked(_)
            ),
            _ => false,
        }
    }

    /// The leads that its summaries call by name, though the event is not theirs: those of people who lost just one.
    pub fn named(&self) -> Vec<CustomerId> {
        match self {
            Self::RecycleRun(_, event) => rules::named(event),
            _ => Vec::new(),
        }
    }
}

/// The owner that a creation's command went on to name, and the event that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstOwner {
    /// Who.
    pub owner: StaffId,
    /// The assignment; its notice tells the owner of the lead.
    pub event: EventId,
}

/// What was true when the event happened.
#[derive(Debug, Clone, Copy)]
pub struct View<'v> {
    /// The event's customer right after it; `None` for events of other aggregates.
    pub customer: Option<&'v Customer>,
    /// The event's member right after it; `None` for events of others, and when nobody is told of members.
    pub member: Option<&'v Member>,
    /// Who hears of members.
    pub member_notices: &'v MemberNotices,
    /// The leads of [`Fact::named`] right after it. One that could not be read is counted, as those of others are.
    pub named: &'v HashMap<CustomerId, Customer>,
    /// The customer's owner once the whole command was through: a lead created with an owner has none right after
    /// its creation, and yet its owner is told of the assignment only.
    pub owner_after_command: Option<FirstOwner>,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// The staff as of the event.
    pub staff: &'v StaffDirectory,
    /// What everybody wished for as of the event.
    pub preferences: &'v PreferenceBook,
    /// The words people read as of the event.
    pub templates: &'v TemplateBook,
    /// What left for whom before the event.
    pub recent: &'v Recent,
    /// The channels of this installation, and through which of them people learn what.
    pub channels: &'v ChannelSettings,
}

/// What one person learns of an event, and why through which channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction {
    /// Who.
    pub recipient: StaffId,
    /// The notification type; see [`crate::texts::kinds`].
    pub scene: &'static str,
    /// The customers it is about.
    pub customers: Vec<CustomerId>,
    /// One decision for every channel.
    pub decisions: Vec<(Channel, Decision)>,
    /// What the person reads; `None` when no channel tells it.
    pub notice: Option<Notice>,
}

/// A rendered notice.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// How urgent.
    pub priority: Priority,
    /// What the person reads.
    pub message: Message,
    /// The template, and its version.
    pub template: String,
    /// Version of the template.
    pub template_version: i64,
    /// The language it is written in.
    pub language: Language,
}

impl Reaction {
    /// Its notice's id: the same for the same event, person and scene, for ever (product.md G6).
    pub fn notification(&self, cause: EventId) -> NotificationId {
        NotificationId::of(cause, self.recipient, self.scene)
    }

    /// The request for the notice, when the person is told.
    pub fn request(&self, cause: &PolicyEvent) -> Option<NotificationRequested> {
        let notice = self.notice.as_ref()?;
        let notification = self.notification(cause.id);
        let planned = |(channel, decision): &(Channel, Decision)| PlannedDelivery {
            delivery: DeliveryId::of(notification, channel.as_str()),
            channel: *channel,
            decision: decision.clone(),
        };
        Some(NotificationRequested {
            notification,
            cause: cause.id,
            recipient: self.recipient,
            scene: self.scene.to_owned(),
            priority: notice.priority,
            message: notice.message.clone(),
            customers: self.customers.clone(),
            deliveries: self.decisions.iter().map(planned).collect(),
            template_version: notice.template_version,
            template: notice.template.clone(),
            rendered_hash: hash(&notice.message),
            digest_of: vec![],
            at: cause.at,
        })
    }
}

/// What a person was shown, in 64 hexadecimal digits: a proof can be compared with it.
pub(crate) fn hash(message: &Message) -> String {
    let shown = serde_json::to_vec(message).unwrap_or_default(); // texts and JSON values always serialise
    Sha256::digest(shown).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    })
}

/// Why an event cannot be answered. The runner parks such an event instead of guessing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReactError {
    /// The event has no row in the table.
    #[error("no row of the decision table names {0}")]
    NoRow(&'static str),
    /// The row's handler does not know this event.
    #[error("the row of {0} leads to the handler of another event")]
    WrongRow(&'static str),
    /// The view lacks the customer.
    #[error("the customer of a {0} is not in the view")]
    NoCustomer(&'static str),
    /// The view lacks the member.
    #[error("the member of a {0} is not in the view")]
    NoMember(&'static str),
    /// Nobody knows how such a notice looks; a newer version ordered it.
    #[error("no notice of the type {0} is registered with a text")]
    UnknownKind(String),
    /// A text cannot be filled.
    #[error(transparent)]
    Text(#[from] MissingVariable),
    /// A channel was decided to tell it and has no words for it.
    #[error("{0} was decided to tell it and cannot")]
    NoBody(Channel),
}

/// Who learns what of this event. Pure: the same event and view give the same answer, for ever.
pub fn react(event: &PolicyEvent, view: &View<'_>) -> Result<Vec<Reaction>, ReactError> {
    let event_type = event.fact.event_type();
    match row(event_type) {
        None => Err(ReactError::NoRow(event_type)),
        Some(Who::Nobody(_)) => Ok(Vec::new()),
        Some(Who::Told(handler)) => handler(event, view),
    }
}
