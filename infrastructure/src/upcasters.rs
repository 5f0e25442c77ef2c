//! Old events in today's shape: one place that aggregates and consumers both read through.
//!
//! A payload is never rewritten in the log. When an event's schema changes, its version goes up and a step from
//! the old version to the next is registered here; reading applies the steps one after the other. A version this
//! program does not know, or a type nobody declared, is an error: skipping it would silently lose a fact.

use std::collections::HashMap;
use std::fmt;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use domain::aggregate::DecodeError;
use domain::{Recorded, StoredEvent};
use serde_json::Value;
use serde_json::value::RawValue;

/// An event as the log gives it: envelope parsed, payload still text.
pub type RecordedRaw = Recorded<Box<RawValue>>;

/// Changes a payload from one schema version to the next.
pub type Step = fn(Value) -> Value;

/// Every step from an old schema version to the next one.
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: HashMap<(&'static str, i32), Step>,
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.steps.keys()).finish()
    }
}

/// Why a stored event cannot be read. Carries no payload.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Unknown type, or a payload that is not what its type says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A newer program wrote it.
    #[error("{event_type} has schema version {found}, this program knows {known}")]
    Newer {
        /// Name of the event.
        event_type: String,
        /// What the log holds.
        found: i32,
        /// The newest this program reads.
        known: i32,
    },
    /// No step leads from the stored version to today's.
    #[error("no upcaster leads {event_type} from schema version {from} to {to}")]
    NoStep {
        /// Name of the event.
        event_type: String,
        /// Where the chain breaks.
        from: i32,
        /// Today's version.
        to: i32,
    },
}

impl Upcasters {
    /// No steps: every event is read in the version it was written in.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the step that turns version `from` of `event_type` into version `from + 1`.
    #[must_use]
    pub fn step(mut self, event_type: &'static str, from: i32, step: Step) -> Self {
        self.steps.insert((event_type, from), step);
        self
    }

    /// Reads an event of the log.
    pub fn decode<E: StoredEvent>(&self, recorded: RecordedRaw) -> Result<Recorded<E>, ReadError> {
        let event = self.payload(&recorded.event_type, recorded.schema_version, &recorded.payload)?;
        Ok(recorded.with(event))
    }

    /// Reads a payload without its envelope.
    pub fn payload<E: StoredEvent>(
        &self,
        event_type: &str,
        version: i32,
        payload: &RawValue,
    ) -> Result<E, ReadError> {
        let known = E::TYPES.iter().find(|(name, _)| *name == event_type).map(|(_, version)| *version);
        let Some(known) = known else { return Err(DecodeError::UnknownType(event_type.to_owned()).into()) };
        if version > known {
            return Err(ReadError::Newer { event_type: event_type.to_owned(), found: version, known });
        }
        if version == known {
            return Ok(E::decode(event_type, payload.get())?);
        }
        let mut value: Value = domain::aggregate::decode_payload(event_type, payload.get())?;
        for from in version..known {
            value = self.advance(event_type, from, value).ok_or_else(|| ReadError::NoStep {
                event_type: event_type.to_owned(),
                from,
                to: known,
            })?;
        }
        Ok(E::decode(event_type, &value.to_string())?)
    }

    fn find(&self, event_type: &str, from: i32) -> Option<Step> {
        // The key borrows a 'static name, so look the pair up by comparison; only old events come here.
        self.steps
            .iter()
            .find(|((name, version), _)| *name == event_type && *version == from)
            .map(|(_, step)| *step)
    }

    fn advance(&self, event_type: &str, from: i32, value: Value) -> Option<Value> {
        self.find(event_type, from).map(|step| step(value))
    }
}

/// The same steps in the vocabulary of cqrs-es: one `upcast` is one step.
impl EventUpcaster for Upcasters {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        event_version.parse().is_ok_and(|version| self.find(event_type, version).is_some())
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        let Ok(version) = event.event_version.parse::<i32>() else { return event };
        if let Some(step) = self.find(&event.event_type, version) {
            event.payload = step(event.payload);
            event.event_version = (version + 1).to_string();
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use domain::aggregate::decode_payload;
    use domain::{Actor, CommandId, EventId, Metadata, StreamId};
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// Version 2; version 0 had `name`, version 1 split it without a language.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Named {
        family: String,
        given: String,
        language: String,
    }

    domain::stored_events! {
        /// An event that changed its shape twice.
        TestEvent { Named(Named) = 2 }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape of a step")]
    fn split_name(old: Value) -> Value {
        let name = old["name"].as_str().unwrap_or_default();
        let (family, given) = name.split_once(' ').unwrap_or((name, ""));
        json!({ "family": family, "given": given })
    }

    fn add_language(mut old: Value) -> Value {
        old["language"] = json!("zh");
        old
    }

    fn upcasters() -> Upcasters {
        Upcasters::none().step("Named", 0, split_name).step("Named", 1, add_language)
    }

    fn stored(event_type: &str, schema_version: i32, payload: &str) -> RecordedRaw {
        Recorded {
            position: 1,
            event_id: EventId(Uuid::nil()),
            stream: StreamId::new("test", Uuid::nil()),
            sequence: 1,
            event_type: event_type.to_owned(),
            schema_version,
            payload: RawValue::from_string(payload.to_owned()).unwrap(),
            metadata: Metadata {
                command: CommandId(Uuid::nil()),
                correlation: String::new(),
                causation: None,
                actor: Actor::System("test".to_owned()),
            },
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn wang() -> TestEvent {
        Named { family: "Wang".into(), given: "Li".into(), language: "zh".into() }.into()
    }

    #[test]
    fn every_version_reads_as_todays() {
        let samples = [
            (0, r#"{"name":"Wang Li"}"#),
            (1, r#"{"family":"Wang","given":"Li"}"#),
            (2, r#"{"family":"Wang","given":"Li","language":"zh"}"#),
        ];
        for (version, payload) in samples {
            let decoded = upcasters().decode::<TestEvent>(stored("Named", version, payload)).unwrap();
            assert_eq!(decoded.payload, wang(), "version {version}");
            assert_eq!(decoded.schema_version, version, "the envelope says what the log holds");
        }
    }

    #[test]
    fn what_is_not_known_is_an_error_without_the_payload() {
        let newer = upcasters().decode::<TestEvent>(stored("Named", 3, "{}")).unwrap_err();
        assert_eq!(newer.to_string(), "Named has schema version 3, this program knows 2");
        let unknown = upcasters().decode::<TestEvent>(stored("Renamed", 1, "{}")).unwrap_err();
        assert_eq!(unknown.to_string(), "unknown event type Renamed");
        let gap = Upcasters::none().step("Named", 0, split_name);
        let gap = gap.decode::<TestEvent>(stored("Named", 0, r#"{"name":"Wang"}"#)).unwrap_err();
        assert_eq!(gap.to_string(), "no upcaster leads Named from schema version 1 to 2");
        let broken = upcasters().decode::<TestEvent>(stored("Named", 2, r#"{"family":"13800138000"}"#));
        let broken = broken.unwrap_err().to_string();
        assert!(broken.starts_with("the payload of a Named cannot be read"), "{broken}");
        assert!(!broken.contains("138"), "{broken}");
    }

    #[test]
    fn cqrs_es_takes_the_same_steps() {
        let upcasters = upcasters();
        assert!(upcasters.can_upcast("Named", "0"));
        assert!(!upcasters.can_upcast("Named", "2"));
        assert!(!upcasters.can_upcast("Other", "0"));
        let old = SerializedEvent::new(
            "id".into(),
            1,
            "test".into(),
            "Named".into(),
            "0".into(),
            json!({"name": "Wang Li"}),
            json!({}),
        );
        let event = upcasters.upcast(upcasters.upcast(old));
        assert_eq!(event.event_version, "2");
        let payload: Named = decode_payload("Named", &event.payload.to_string()).unwrap();
        assert_eq!(TestEvent::from(payload), wang());
    }
}
