//! Instants as clients get them: ISO 8601, UTC, milliseconds (http-api.md section 1).

pub mod calendar;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// An instant in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis(pub DateTime<Utc>);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso(self.0))
    }
}

impl From<DateTime<Utc>> for Millis {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

/// `2026-01-02T03:04:05.678Z`.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_milliseconds_and_a_z() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        assert_eq!(serde_json::to_string(&Millis(at)).unwrap(), "\"2023-11-14T22:13:20.123Z\"");
        assert_eq!(iso(DateTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
