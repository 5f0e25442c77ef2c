//! A draft made ready for the appender, in the caller's task: ids derived, metadata written, limits checked.
//!
//! The appender is the one place where commands queue up, so everything that needs no lock is done before.

use application::bus::{AppendError, Because, Draft, EVENTS_PER_COMMAND_MAX, GuardChange, GuardKind};
use chrono::{DateTime, Utc};
use domain::{CommandId, EventId, Metadata, Position, Recorded, Sequence, StreamId};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Answer, Attachment, RecordedRaw};

/// Most bytes of payload and metadata one command may append.
pub const DRAFT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most unique values and counts one command may change.
pub const GUARDS_PER_COMMAND_MAX: usize = 8192;

/// Bytes a row needs beside its payload, roughly; only caps use it.
const ROW_BYTES: usize = 200;

/// How the caller is told.
pub(super) type Reply = oneshot::Sender<Result<Answer, AppendError>>;

/// One command on its way into the log.
pub(super) struct Request {
    pub(super) metadata: Metadata,
    metadata_text: String,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) streams: Vec<Expected>,
    pub(super) events: Vec<Event>,
    pub(super) guards: Vec<GuardChange>,
    pub(super) receipt: Option<NewReceipt>,
    pub(super) attachments: Vec<Box<dyn Attachment>>,
    pub(super) bytes: usize,
    pub(super) reply: Reply,
}

/// A stream and where the command believes it to be.
pub(super) struct Expected {
    pub(super) stream: StreamId,
    pub(super) sequence: Sequence,
    /// How many events the command adds to it.
    pub(super) events: usize,
    /// The metadata of these events and its text, where it is not the command's.
    own: Option<(Metadata, String)>,
}

/// An event that only lacks its position.
pub(super) struct Event {
    pub(super) id: EventId,
    /// Index into the request's streams.
    pub(super) stream: usize,
    pub(super) sequence: Sequence,
    pub(super) event_type: &'static str,
    pub(super) schema_version: i32,
    pub(super) payload: Box<RawValue>,
}

/// What will be remembered of the command.
pub(super) struct NewReceipt {
    pub(super) fingerprint: String,
    pub(super) result: String,
}

impl Request {
    /// Checks the limits and prepares the rows.
    pub(super) fn new(
        draft: Draft,
        attachments: Vec<Box<dyn Attachment>>,
        reply: Reply,
    ) -> Result<Self, AppendError> {
        let metadata_text = serde_json::to_string(&draft.metadata).map_err(|error| unwritable(&error))?;
        let mut streams = Vec::with_capacity(draft.streams.len());
        let mut events = Vec::new();
        let mut bytes = 0;
        for append in draft.streams {
            let stream = streams.len();
            let own = append.because.map(|because| caused(&draft.metadata, because)).transpose()?;
            let metadata_bytes = own.as_ref().map_or(metadata_text.len(), |(_, text)| text.len());
            streams.push(Expected {
                stream: append.stream,
                sequence: append.expected,
                events: append.events.len(),
                own,
            });
            for (sequence, event) in (append.expected + 1..).zip(append.events) {
                bytes += event.payload.get().len() + metadata_bytes + ROW_BYTES;
                events.push(Event {
                    id: EventId::of_command(draft.metadata.command, events.len()),
                    stream,
                    sequence,
                    event_type: event.event_type,
                    schema_version: event.schema_version,
                    payload: event.payload,
                });
            }
        }
        let receipt = draft.receipt.map(|(fingerprint, result)| NewReceipt::new(fingerprint, &result));
        bytes += receipt.as_ref().map_or(0, |receipt| receipt.result.len() + ROW_BYTES);
        let request = Self {
            metadata: draft.metadata,
            metadata_text,
            recorded_at: draft.recorded_at,
            streams,
            events,
            guards: draft.guards,
            receipt,
            attachments,
            bytes,
            reply,
        };
        request.within_limits()
    }

    fn within_limits(self) -> Result<Self, AppendError> {
        if self.events.len() > EVENTS_PER_COMMAND_MAX {
            return Err(AppendError::TooLarge("one command may append at most 4096 events"));
        }
        if self.guards.len() > GUARDS_PER_COMMAND_MAX {
            return Err(AppendError::TooLarge(
                "one command may change at most 8192 unique values and counts",
            ));
        }
        if self.bytes > DRAFT_BYTES_MAX {
            return Err(AppendError::TooLarge("one command may append at most 8 MiB"));
        }
        // PostgreSQL cannot store it, and one such key would fail the neighbours' batch.
        if self.guards.iter().any(|change| key_of(change).contains('\0')) {
            return Err(AppendError::TooLarge(
                "a unique value or the key of a count may not contain the character NUL",
            ));
        }
        Ok(self)
    }

    pub(super) fn command(&self) -> CommandId {
        self.metadata.command
    }

    fn metadata_of(&self, event: &Event) -> &Metadata {
        self.streams[event.stream].own.as_ref().map_or(&self.metadata, |(metadata, _)| metadata)
    }

    /// The metadata of one event as it is stored.
    pub(super) fn metadata_text_of(&self, event: &Event) -> &str {
        self.streams[event.stream].own.as_ref().map_or(&self.metadata_text, |(_, text)| text)
    }

    /// The events as they will stand in the log when the first one gets `first`.
    pub(super) fn recorded(&self, first: Position) -> Vec<RecordedRaw> {
        let numbered = (first..).zip(&self.events);
        numbered
            .map(|(position, event)| Recorded {
                position,
                event_id: event.id,
                stream: self.streams[event.stream].stream.clone(),
                sequence: event.sequence,
                event_type: event.event_type.to_owned(),
                schema_version: event.schema_version,
                payload: event.payload.clone(),
                metadata: self.metadata_of(event).clone(),
                recorded_at: self.recorded_at,
            })
            .collect()
    }
}

impl NewReceipt {
    fn new(fingerprint: String, result: &Value) -> Self {
        Self { fingerprint, result: result.to_string() }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("command", &self.metadata.command).finish_non_exhaustive()
    }
}

/// Kind and key of the unique value that a change is about, if it is about one.
pub(super) fn unique_key(change: &GuardChange) -> Option<(GuardKind, &str)> {
    match change {
        GuardChange::Claim { kind, key, .. } | GuardChange::Release { kind, key, .. } => Some((*kind, key)),
        GuardChange::Count { .. } | GuardChange::Pace { .. } => None,
    }
}

fn key_of(change: &GuardChange) -> &str {
    match change {
        GuardChange::Claim { key, .. }
        | GuardChange::Release { key, .. }
        | GuardChange::Count { key, .. }
        | GuardChange::Pace { key, .. } => key,
    }
}

fn caused(metadata: &Metadata, because: Because) -> Result<(Metadata, String), AppendError> {
    let Because { event, correlation } = because;
    let own = Metadata { causation: Some(event), correlation, ..metadata.clone() };
    let text = serde_json::to_string(&own).map_err(|error| unwritable(&error))?;
    Ok((own, text))
}

fn unwritable(error: &serde_json::Error) -> AppendError {
    AppendError::Unavailable(format!("the metadata cannot be written: {error}"))
}
