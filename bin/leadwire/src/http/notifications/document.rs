//! A notification on the wire: system A's record (existing-systems.md section 4.1), and what the reader did with it.

use domain::{CustomerId, EventId, NotificationId, StaffId};
use projections::queries::inbox::Notice;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::time::Millis;

/// A notification as system A's clients know it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: NotificationId,
    /// The reader.
    #[schema(value_type = uuid::Uuid)]
    user_id: StaffId,
    /// Number in the reader's log: the cursor of the live socket and the bound of `mark-all-read`.
    seq: i64,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    #[serde(rename = "type")]
    kind: String,
    /// First line.
    title: String,
    /// The text.
    content: String,
    /// `HIGH`, `MEDIUM` or `LOW`.
    priority: &'static str,
    /// `SENT` or `READ`.
    status: &'static str,
    /// What programs compute with.
    data: Value,
    /// Name of the icon.
    icon: String,
    /// Colour of the icon.
    color: String,
    /// Path it leads to.
    action_url: String,
    /// Words on the button.
    action_text: String,
    /// When it was sent.
    #[schema(value_type = DateTime<Utc>)]
    sent_at: Millis,
    /// Always 0: writing to the inbox succeeds or happens later, it is not tried again.
    retry_count: u32,
    /// Always `null`, for the same reason.
    error_message: Option<String>,
    /// Who did what caused it; `null` when that was no person.
    #[schema(value_type = Option<uuid::Uuid>)]
    created_by: Option<StaffId>,
    /// Where it comes from.
    metadata: Origin,
    /// When it was first read.
    #[schema(value_type = Option<DateTime<Utc>>)]
    read_at: Option<Millis>,
    /// Since when it is put aside.
    #[schema(value_type = Option<DateTime<Utc>>)]
    archived_at: Option<Millis>,
    /// Until when it is put off; an instant that has passed means that it is back.
    #[schema(value_type = Option<DateTime<Utc>>)]
    snoozed_until: Option<Millis>,
    /// When its cause happened.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
    /// When the reader last did something with it.
    #[schema(value_type = DateTime<Utc>)]
    updated_at: Millis,
}

/// Where a notification comes from.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NotificationOrigin)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The event that caused it.
    #[schema(value_type = uuid::Uuid)]
    cause: EventId,
    /// The customers it is about.
    #[schema(value_type = Vec<uuid::Uuid>)]
    customer_ids: Vec<CustomerId>,
}

impl From<Notice> for Notification {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id,
            user_id: notice.recipient,
            seq: notice.seq,
            kind: notice.scene,
            title: notice.title,
            content: notice.content,
            priority: notice.priority.as_str(),
            status: notice.status.as_str(),
            data: notice.data,
            icon: notice.icon,
            color: notice.color,
            action_url: notice.action_url,
            action_text: notice.action_text,
            sent_at: Millis(notice.created_at),
            retry_count: 0,
            error_message: None,
            created_by: notice.created_by,
            metadata: Origin { cause: notice.cause, customer_ids: notice.customers },
            read_at: notice.read_at.map(Millis),
            archived_at: notice.archived_at.map(Millis),
            snoozed_until: notice.snoozed_until.map(Millis),
            created_at: Millis(notice.created_at),
            updated_at: Millis(notice.updated_at),
        }
    }
}
