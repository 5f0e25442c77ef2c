//! What the routes of the inbox take and give.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The notification that the path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NoticeIdPath {
    /// `_id` of the notification.
    pub id: Uuid,
}

/// Until when a notification is put off.
#[derive(ToSchema)]
pub struct SnoozeBody {
    /// An instant to come, at most 30 days away.
    pub until: chrono::DateTime<chrono::Utc>,
}

/// What is taken back.
#[derive(ToSchema)]
pub struct UndoBody {
    /// `undoToken` of the answer that is taken back.
    pub token: String,
}

/// How many.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    /// The number.
    pub count: i64,
}

/// How many were turned, and how to take that back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationsTurned)]
#[serde(rename_all = "camelCase")]
pub struct Turned {
    /// The number.
    pub count: i64,
    /// For `undo`, good for 10 seconds and once; `null` when there is nothing to take back.
    pub undo_token: Option<String>,
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Undone {
    /// `mark-read`, `mark-all-read`, `archive` or `snooze`.
    pub undone: Option<&'static str>,
}
