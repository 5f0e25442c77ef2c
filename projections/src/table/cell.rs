//! One value of a row on its way into a table, or out of it for a dump.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// A value of one of the kinds a column may have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Time(Option<DateTime<Utc>>),
    Bool(Option<bool>),
}

impl Cell {
    /// Text as both databases can keep it: PostgreSQL refuses NUL, and one such name must not stop a projector.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Some(text.replace('\0', "\u{fffd}")))
    }

    /// Text that may be absent.
    pub(crate) fn text_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::text)
    }

    /// The value as JSON: an id as 32 hex digits (what SQLite's `unhex` reads), an instant as sqlx binds it there.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Uuid(id) => json!(id.map(|id| id.simple().to_string())),
            Self::Text(text) => json!(text),
            Self::Int(number) => json!(number),
            Self::Time(at) => json!(at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, false))),
            Self::Bool(flag) => json!(flag),
        }
    }
}

impl From<Uuid> for Cell {
    fn from(id: Uuid) -> Self {
        Self::Uuid(Some(id))
    }
}

impl From<Option<Uuid>> for Cell {
    fn from(id: Option<Uuid>) -> Self {
        Self::Uuid(id)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<DateTime<Utc>> for Cell {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Time(Some(at))
    }
}

impl From<Option<DateTime<Utc>>> for Cell {
    fn from(at: Option<DateTime<Utc>>) -> Self {
        Self::Time(at)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Bool(Some(flag))
    }
}
