//! The forms of the inbox: what was read, until when a notice is put off, what is taken back.

use chrono::{DateTime, Utc};
use domain::NotificationId;
use domain::inbox::{MARK_READ_MAX, UndoToken};
use serde_json::{Map, Value};

use super::fields::{Fields, Null};
use super::scalars::{date, id};
use super::{FieldError, Rule};

/// `PUT /api/notifications/mark-read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRead {
    /// Which, each once; none is allowed and marks none.
    pub notification_ids: Vec<NotificationId>,
}

/// `PUT /api/notifications/mark-all-read`; the body may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkAllRead {
    /// Number of the last one; the newest when missing.
    pub up_to: Option<i64>,
}

/// `PUT /api/notifications/:id/snooze`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snooze {
    /// Until when.
    pub until: DateTime<Utc>,
}

/// `POST /api/notifications/undo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo {
    /// What; `None` when the text is no token at all, which names nothing.
    pub token: Option<UndoToken>,
}

/// `PUT /api/notifications/:id/archive` and `unarchive`: there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty;

impl MarkRead {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let notification_ids = fields.list("notificationIds", MARK_READ_MAX, id);
        fields.finish(notification_ids.map(|notification_ids| Self { notification_ids }))
    }
}

impl MarkAllRead {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(present(body), Null::Absent)?;
        let up_to = fields.take("upTo").filter(|bound| !bound.is_null());
        let up_to = up_to.and_then(|bound| fields.read("upTo", bound, |bound| number(&bound)));
        fields.finish(Some(Self { up_to }))
    }
}

impl Snooze {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let until = fields.required("until", date);
        fields.finish(until.map(|until| Self { until }))
    }
}

impl Undo {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let token = fields.required("token", |value| match value {
            Value::String(text) => Ok(text.trim().parse().ok()),
            _ => Err(Rule::NotText),
        });
        fields.finish(token.map(|token| Self { token }))
    }
}

impl Empty {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        Fields::of(present(body), Null::Absent)?.finish(Some(Self))
    }
}

/// A body that may be missing altogether.
fn present(body: Value) -> Value {
    if body.is_null() { Value::Object(Map::new()) } else { body }
}

/// A number of the reader's log: not negative, and not text.
fn number(value: &Value) -> Result<i64, Rule> {
    value.as_i64().filter(|number| *number >= 0).ok_or(Rule::NotWhole)
}
