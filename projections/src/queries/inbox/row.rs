//! A notice as its row has it.

use chrono::{DateTime, Utc};
use domain::notification::Priority;
use domain::{CustomerId, EventId, NotificationId, StaffId};
use infrastructure::db::DbError;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::super::corrupt;

pub(super) const COLUMNS: [&str; 21] = [
    "id",
    "recipient",
    "seq",
    "scene",
    "title",
    "content",
    "priority",
    "data",
    "icon",
    "color",
    "action_url",
    "action_text",
    "customers",
    "cause",
    "created_by",
    "status",
    "created_at",
    "read_at",
    "archived_at",
    "snoozed_until",
    "updated_at",
];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, recipient, seq, scene, title, content, priority, data, icon, color, action_url, ",
            "action_text, customers, cause, created_by, status, created_at, read_at, archived_at, ",
            "snoozed_until, updated_at ",
            "FROM inbox ",
            $rest
        )
    };
}

pub(super) use select;

domain::code_table! {
    /// Whether a notice was read, in system A's words.
    NoticeStatus {
        /// Not yet.
        Sent = "SENT",
        /// Yes.
        Read = "READ",
    }
}

/// A notice in a reader's inbox.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The notice.
    pub id: NotificationId,
    /// The reader.
    pub recipient: StaffId,
    /// Its number in the reader's log: 1, 2, 3 … without a gap.
    pub seq: i64,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    pub scene: String,
    /// First line.
    pub title: String,
    /// The text.
    pub content: String,
    /// How urgent.
    pub priority: Priority,
    /// What clients compute with.
    pub data: serde_json::Value,
    /// Name of the icon.
    pub icon: String,
    /// Colour of the icon.
    pub color: String,
    /// Path it leads to.
    pub action_url: String,
    /// Words on the button.
    pub action_text: String,
    /// The customers it is about.
    pub customers: Vec<CustomerId>,
    /// The event that caused it.
    pub cause: EventId,
    /// Who did what caused it; `None` when that was no person.
    pub created_by: Option<StaffId>,
    /// Whether it was read.
    pub status: NoticeStatus,
    /// When its cause was recorded.
    pub created_at: DateTime<Utc>,
    /// When it was first read.
    pub read_at: Option<DateTime<Utc>>,
    /// Since when it is put aside.
    pub archived_at: Option<DateTime<Utc>>,
    /// Until when it is put off; the instant may have passed.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// When the reader last did something with it, or when it was created.
    pub updated_at: DateTime<Utc>,
}

#[derive(FromRow)]
pub(super) struct Row {
    id: Uuid,
    recipient: Uuid,
    seq: i64,
    scene: String,
    title: String,
    content: String,
    priority: String,
    data: String,
    icon: String,
    color: String,
    action_url: String,
    action_text: String,
    customers: String,
    cause: Uuid,
    created_by: Option<Uuid>,
    status: String,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    snoozed_until: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl Row {
    pub(super) fn read(self) -> Result<Notice, DbError> {
        let unreadable = |what: &str| corrupt("inbox", self.id, what);
        let priority = self.priority.parse().map_err(|_| unreadable("unknown priority"))?;
        let status = self.status.parse().map_err(|_| unreadable("unknown status"))?;
        let data = serde_json::from_str(&self.data).map_err(|_| unreadable("the data is not JSON"))?;
        let customers =
            serde_json::from_str(&self.customers).map_err(|_| unreadable("the customers are not ids"))?;
        Ok(Notice {
            id: NotificationId(self.id),
            recipient: StaffId(self.recipient),
            seq: self.seq,
            scene: self.scene,
            title: self.title,
            content: self.content,
            priority,
            data,
            icon: self.icon,
            color: self.color,
            action_url: self.action_url,
            action_text: self.action_text,
            customers,
            cause: EventId(self.cause),
            created_by: self.created_by.map(StaffId),
            status,
            created_at: self.created_at,
            read_at: self.read_at,
            archived_at: self.archived_at,
            snoozed_until: self.snoozed_until,
            updated_at: self.updated_at,
        })
    }
}
