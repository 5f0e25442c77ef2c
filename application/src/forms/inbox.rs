//! The form that marks notices as read.

use domain::NotificationId;
use domain::inbox::MARK_READ_MAX;
use serde_json::Value;

use super::FieldError;
use super::fields::{Fields, Null};
use super::scalars::id;

/// `PUT /api/notifications/mark-read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRead {
    /// Which, each once; none is allowed and marks none.
    pub notification_ids: Vec<NotificationId>,
}

impl MarkRead {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let notification_ids = fields.list("notificationIds", MARK_READ_MAX, id);
        fields.finish(notification_ids.map(|notification_ids| Self { notification_ids }))
    }
}
