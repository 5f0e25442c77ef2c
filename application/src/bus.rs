//! The command bus port: load aggregates, append events, remember answers.
//!
//! A use case loads what it needs, lets the aggregates decide and hands the store one [`Draft`]. The store
//! commits the draft's events, guards and receipt in one transaction or not at all (product.md G1). Use cases
//! reach it through [`execute`], which knows replays, retries and refusals.

mod execute;

use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Aggregate, CommandId, EventId, Metadata, Position, Sequence, StoredEvent, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use execute::{CONFLICT_RETRIES_MAX, CommandContext, ExecuteError, Executed, Plan, execute};

/// Most events one command may append: a batch of 1000 leads with its summary fact, with room to spare.
pub const EVENTS_PER_COMMAND_MAX: usize = 4096;

/// An aggregate's state and the sequence of the last event folded into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<A> {
    /// The state.
    pub state: A,
    /// Sequence of the last event; 0 when the stream is empty.
    pub sequence: Sequence,
}

impl<A> Versioned<A> {
    /// Whether the stream has any event.
    pub fn exists(&self) -> bool {
        self.sequence > 0
    }
}

/// An event that is not in the log yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Name of the event.
    pub event_type: &'static str,
    /// Version of the payload's schema.
    pub schema_version: i32,
    /// The payload as it will be stored, byte for byte.
    pub payload: Box<RawValue>,
}

impl NewEvent {
    /// Writes down a decided event.
    pub fn of<E: StoredEvent>(event: &E) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_type: event.name(),
            schema_version: event.schema_version(),
            payload: event.encode()?,
        })
    }
}

/// Events for one stream.
#[derive(Debug, Clone)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// Sequence of the last event the decision was based on.
    pub expected: Sequence,
    /// What happened, in order.
    pub events: Vec<NewEvent>,
    /// Their own cause, when the draft answers several at once; `None`: the draft's metadata says it.
    pub because: Option<Because>,
}

/// The event that some events of a draft answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The causing event.
    pub event: EventId,
    /// Its correlation, which its consequences carry on.
    pub correlation: String,
}

impl StreamAppend {
    /// The decided events of one aggregate.
    pub fn of<E: StoredEvent>(
        stream: impl Into<StreamId>,
        expected: Sequence,
        events: &[E],
    ) -> Result<Self, serde_json::Error> {
        let events = events.iter().map(NewEvent::of).collect::<Result<_, _>>()?;
        Ok(Self { stream: stream.into(), expected, events, because: None })
    }

    /// The same events with a cause of their own.
    #[must_use]
    pub fn because(self, event: EventId, correlation: String) -> Self {
        Self { because: Some(Because { event, correlation }), ..self }
    }
}

/// A kind of value that only one stream may hold at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardKind {
    /// A customer's normalised phone.
    CustomerPhone,
    /// A customer's trimmed WeChat id.
    CustomerWechat,
    /// A customer's number, `CUS` + 11 digits.
    CustomerNumber,
    /// A staff user name, lower case.
    StaffUsername,
    /// A WeChat openid within one app: `app:openid`.
    StaffOpenid,
    /// A WeCom userid within one corporation, lower case: `corp:userid`.
    StaffWecom,
    /// A member's number, as people type it.
    MemberNumber,
    /// A member's phone.
    MemberPhone,
    /// A member's WeChat id.
    MemberWechat,
}

impl GuardKind {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomerPhone => "customer_phone",
            Self::CustomerWechat => "customer_wechat",
            Self::CustomerNumber => "customer_number",
            Self::StaffUsername => "staff_username",
            Self::StaffOpenid => "staff_openid",
            Self::StaffWecom => "staff_wecom",
            Self::MemberNumber => "member_number",
            Self::MemberPhone => "member_phone",
            Self::MemberWechat => "member_wechat",
        }
    }
}

/// A change to what must hold over many streams at once, checked inside the append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardChange {
    /// `holder` takes `key`; refused when another stream holds it.
    Claim {
        /// Which set.
        kind: GuardKind,
        /// The value.
        key: String,
        /// Who takes it.
        holder: StreamId,
    },
    /// `holder` gives `key` back; nothing happens when it does not hold it.
    Release {
        /// Which set.
        kind: GuardKind,
        /// The value.
        key: String,
        /// Who gives it back.
        holder: StreamId,
    },
    /// A count goes up or down; refused when it goes up beyond `max`.
    Count {
        /// What is counted.
        kind: CountKind,
        /// For whom.
        key: String,
        /// By how much, in the whole draft.
        by: i64,
        /// Most there may be afterwards; `None`: counted, not limited. Going down is never refused.
        max: Option<i64>,
    },
    /// Something is done again; refused when the last time is less than `gap` ago.
    Pace {
        /// Whose pace: the staff member's id.
        key: String,
        /// When it is done.
        at: DateTime<Utc>,
        /// Least time since the last one; `None`: remembered, not limited.
        gap: Option<TimeDelta>,
    },
}

/// What the store counts inside the append, so that a limit holds whatever the number of requests and processes
/// (product.md G12). A count nobody ever changed is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountKind {
    /// Leads a person owns, however they came. Key: the staff id.
    OwnedLeads,
    /// Those of them that are not signed. Key: the staff id.
    UnsignedLeads,
    /// Leads a person claimed on one day. Key: the staff id, a colon, the day as `2026-11-21`.
    ClaimsOfDay,
}

impl CountKind {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnedLeads => "owned_leads",
            Self::UnsignedLeads => "unsigned_leads",
            Self::ClaimsOfDay => "claims_of_day",
        }
    }
}

/// What is remembered of an accepted command. Holds ids and sequences only, never personal data: the answer is
/// computed again from the streams as they were at those sequences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The command.
    pub command: CommandId,
    /// SHA-256 of the request, hex.
    pub fingerprint: String,
    /// Position of the command's last event; the head of the log when nothing happened.
    pub position: Position,
    /// What the use case needs to give the first answer again.
    pub result: serde_json::Value,
}

/// Everything one command commits.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Command, correlation, causation, actor.
    pub metadata: Metadata,
    /// When the command was accepted.
    pub recorded_at: DateTime<Utc>,
    /// Events by stream; the n-th event over all streams gets `EventId::of_command(command, n)`.
    pub streams: Vec<StreamAppend>,
    /// Unique values taken and given back.
    pub guards: Vec<GuardChange>,
    /// Fingerprint of the request and the result to remember; `None` for the system's own commands, whose
    /// repetition is caught by their event ids.
    pub receipt: Option<(String, serde_json::Value)>,
}

/// How an append ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    /// Written now; `last` is the position of the command's last event.
    Committed {
        /// Position of the last event, or the head of the log when the draft had no event.
        last: Position,
    },
    /// The command was here before: this is what it led to.
    Replayed(Receipt),
}

/// Why the store did not append.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote to the stream since it was loaded.
    #[error("{stream} is at {actual}, not at {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What the command was based on.
        expected: Sequence,
        /// Where the stream is.
        actual: Sequence,
    },
    /// Another stream holds the unique value.
    #[error("the {} is taken by {holder}", kind.as_str())]
    Taken {
        /// Which set.
        kind: GuardKind,
        /// Who holds it.
        holder: StreamId,
    },
    /// A count would go beyond its limit.
    #[error("{} is at {current} of {max}", kind.as_str())]
    LimitReached {
        /// What is counted.
        kind: CountKind,
        /// For whom.
        key: String,
        /// Most there may be.
        max: i64,
        /// How many there are.
        current: i64,
    },
    /// The same was done too short a time ago.
    #[error("too soon: wait until {until}")]
    TooSoon {
        /// From when on it is allowed.
        until: DateTime<Utc>,
    },
    /// The command id was used before for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The caller lost its lease: another owner works on this now.
    #[error("the lease is lost")]
    Fenced,
    /// A named limit of the store was exceeded.
    #[error("{0}")]
    TooLarge(&'static str),
    /// The queue is full; try again later.
    #[error("the event log is busy")]
    Busy,
    /// The database failed; nothing was written.
    #[error("the event log is unavailable: {0}")]
    Unavailable(String),
}

/// Why loading failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A stored event cannot be read by this program.
    #[error("{stream} cannot be read at {sequence}: {reason}")]
    Undecodable {
        /// The stream.
        stream: StreamId,
        /// The event.
        sequence: Sequence,
        /// What is wrong, without the payload.
        reason: String,
    },
    /// The database failed.
    #[error("the event log is unavailable: {0}")]
    Unavailable(String),
}

/// Loads aggregates and appends drafts; implemented by `infrastructure::bus`.
pub trait CommandBus: Send + Sync {
    /// The current state of one stream.
    fn load<A: Aggregate>(
        &self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<Versioned<A>, LoadError>> + Send;

    /// The current states of many streams, read set-wise, in the order asked.
    fn load_many<A: Aggregate>(
        &self,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<Vec<Versioned<A>>, LoadError>> + Send;

    /// The state right after event `sequence`.
    fn load_at<A: Aggregate>(
        &self,
        stream: &StreamId,
        sequence: Sequence,
    ) -> impl Future<Output = Result<Versioned<A>, LoadError>> + Send;

    /// What became of a command that was accepted before.
    fn receipt(&self, command: CommandId) -> impl Future<Output = Result<Option<Receipt>, LoadError>> + Send;

    /// A count as it is now; it may be another one by the time of the append, which checks it again.
    fn count(&self, kind: CountKind, key: &str) -> impl Future<Output = Result<i64, LoadError>> + Send;

    /// The counts of many keys as they are now, in the order asked. A store reads them set-wise.
    fn counts(
        &self,
        kind: CountKind,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<i64>, LoadError>> + Send {
        async move {
            let mut counts = Vec::with_capacity(keys.len());
            for key in keys {
                counts.push(self.count(kind, key).await?);
            }
            Ok(counts)
        }
    }

    /// Commits a draft: all of it or nothing.
    fn append(&self, draft: Draft) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}
