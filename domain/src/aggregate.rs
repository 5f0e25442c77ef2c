//! What an aggregate is, and how its events are written down.
//!
//! [`Aggregate`] is the pure form we think in: `decide` looks at the state and answers with events,
//! `evolve` folds one event into the state. `adapt_to_cqrs_es!` lends the same aggregate to cqrs-es, whose
//! vocabulary and test framework we use; its stores and framework we do not (architecture.md section 3).

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A consistency boundary: one stream, one state, one set of rules.
pub trait Aggregate: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// First part of its streams' names.
    const TYPE: &'static str;
    /// What may be asked of it.
    type Command;
    /// What may have happened to it.
    type Event: StoredEvent;
    /// Why it may refuse.
    type Error: std::error::Error;

    /// Decides on a command. Pure and total; a command that is already true yields no event.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Folds one event into the state. Never fails: what happened, happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// An event that can be written to the log and read back.
pub trait StoredEvent: cqrs_es::DomainEvent + 'static {
    /// Every event type this enum knows, with the schema version it writes.
    const TYPES: &'static [(&'static str, i32)];

    /// Name of the event, e.g. `CustomerAssigned`.
    fn name(&self) -> &'static str;

    /// Version of the payload's schema that [`encode`](Self::encode) writes.
    fn schema_version(&self) -> i32;

    /// The payload as JSON text.
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error>;

    /// Reads a payload of the current schema version; older ones pass the upcasters first.
    fn decode(event_type: &str, payload: &str) -> Result<Self, DecodeError>;
}

/// Why a stored event could not be read. Carries no payload: payloads hold personal data.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No such event in this program; a newer version wrote it, or the wrong stream was read.
    #[error("unknown event type {0}")]
    UnknownType(String),
    /// The payload is not what its type says.
    #[error("the payload of a {event_type} cannot be read at line {line}, column {column}")]
    Payload {
        /// Name of the event.
        event_type: String,
        /// Where reading stopped.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
}

/// Reads one payload, keeping only the place of an error, never its text.
pub fn decode_payload<T: DeserializeOwned>(event_type: &str, payload: &str) -> Result<T, DecodeError> {
    serde_json::from_str(payload).map_err(|error| DecodeError::Payload {
        event_type: event_type.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

/// Declares an event enum: `Variant(Payload) = schema version`; the payload struct's name is the event type.
#[macro_export]
macro_rules! stored_events {
    ($(#[$meta:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident($payload:ident) = $version:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $enum { $($(#[$doc])* $variant($payload)),+ }

        impl $crate::aggregate::StoredEvent for $enum {
            const TYPES: &'static [(&'static str, i32)] = &[$((stringify!($payload), $version)),+];

            fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($payload)),+ }
            }

            fn schema_version(&self) -> i32 {
                match self { $(Self::$variant(_) => $version),+ }
            }

            fn encode(&self) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
                match self { $(Self::$variant(payload) => serde_json::value::to_raw_value(payload)),+ }
            }

            fn decode(event_type: &str, payload: &str) -> Result<Self, $crate::aggregate::DecodeError> {
                match event_type {
                    $(stringify!($payload) => $crate::aggregate::decode_payload(event_type, payload).map(Self::$variant),)+
                    other => Err($crate::aggregate::DecodeError::UnknownType(other.to_owned())),
                }
            }
        }

        impl cqrs_es::DomainEvent for $enum {
            fn event_type(&self) -> String {
                $crate::aggregate::StoredEvent::name(self).to_owned()
            }

            fn event_version(&self) -> String {
                $crate::aggregate::StoredEvent::schema_version(self).to_string()
            }
        }

        $(impl From<$payload> for $enum {
            fn from(payload: $payload) -> Self { Self::$variant(payload) }
        })+
    };
}

/// Lends an aggregate to cqrs-es. `handle` decides on `self` and writes through a scratch clone, because the
/// sink applies what it is given and the framework applies it again.
#[macro_export]
macro_rules! adapt_to_cqrs_es {
    ($aggregate:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = <$aggregate as $crate::aggregate::Aggregate>::TYPE;
            type Command = <$aggregate as $crate::aggregate::Aggregate>::Command;
            type Event = <$aggregate as $crate::aggregate::Aggregate>::Event;
            type Error = <$aggregate as $crate::aggregate::Aggregate>::Error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                (): &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                let events = $crate::aggregate::Aggregate::decide(self, command)?;
                let mut scratch = self.clone();
                for event in events {
                    sink.write(event, &mut scratch).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::aggregate::Aggregate::evolve(self, &event);
            }
        }
    };
}
