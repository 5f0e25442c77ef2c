//! The envelope of a recorded event: who, why, when and where in the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{CommandId, EventId, Position, Sequence, StaffId, StreamId};

/// Who acted. An automatic act names the system's part that did it, never its beneficiary (fault A-28).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    /// A person who logged in.
    Staff(StaffId),
    /// A part of the system by its name, e.g. `policy`, `dispatcher`, `cli`.
    System(String),
}

impl Actor {
    /// The person, when it was one.
    pub fn staff(&self) -> Option<StaffId> {
        match self {
            Self::Staff(id) => Some(*id),
            Self::System(_) => None,
        }
    }
}

/// Why an event happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The command that produced the event.
    pub command: CommandId,
    /// Common to everything that follows from one request (`X-Request-Id`).
    pub correlation: String,
    /// The event that made the system issue the command; `None` for a person's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<EventId>,
    /// Who acted.
    pub actor: Actor,
}

/// An event as it stands in the log. `E` is the decoded payload, or the stored text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded<E> {
    /// Global position.
    pub position: Position,
    /// Id, derived from the command.
    pub event_id: EventId,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Its number within the stream.
    pub sequence: Sequence,
    /// Name of the event, e.g. `CustomerAssigned`.
    pub event_type: String,
    /// Version of the payload's schema.
    pub schema_version: i32,
    /// What happened.
    pub payload: E,
    /// Why it happened.
    pub metadata: Metadata,
    /// When the command was accepted, UTC, microseconds.
    pub recorded_at: DateTime<Utc>,
}

impl<E> Recorded<E> {
    /// The same envelope around another payload.
    pub fn with<T>(self, payload: T) -> Recorded<T> {
        Recorded {
            position: self.position,
            event_id: self.event_id,
            stream: self.stream,
            sequence: self.sequence,
            event_type: self.event_type,
            schema_version: self.schema_version,
            payload,
            metadata: self.metadata,
            recorded_at: self.recorded_at,
        }
    }
}
