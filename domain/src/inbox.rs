//! A reader's inbox 收件箱: reading many notices at once is one event on the reader's stream, not one per notice
//! (domain.md section 1).

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::ids::{NotificationId, StaffId, StreamId};
use crate::stored_events;

/// Most notices marked by one request.
pub const MARK_READ_MAX: usize = 1000;

stored_events! {
    /// A fact about one reader.
    InboxEvent {
        /// Some notices were read.
        Read(NotificationsRead) = 1,
        /// All up to one were read.
        AllRead(AllNotificationsRead) = 1,
    }
}

/// Some notices were read 已读.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationsRead {
    /// The reader.
    pub reader: StaffId,
    /// Which.
    pub notifications: Vec<NotificationId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// All notices up to one were read 全部已读. What arrives meanwhile stays unread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllNotificationsRead {
    /// The reader.
    pub reader: StaffId,
    /// Number of the last one in the reader's own log.
    pub up_to: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a reader did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    /// Everything up to this number was read.
    pub read_up_to: i64,
}

/// What a reader may do.
#[derive(Debug, Clone, PartialEq)]
pub enum InboxCommand {
    /// Read some.
    MarkRead {
        /// The reader.
        reader: StaffId,
        /// Those of them that are unread.
        notifications: Vec<NotificationId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Read all up to one.
    MarkAllRead {
        /// The reader.
        reader: StaffId,
        /// Number of the last one.
        up_to: i64,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why an inbox refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// Too many at once.
    #[error("一次最多标记{MARK_READ_MAX}条通知")]
    TooMany,
}

impl Inbox {
    /// The stream of one reader.
    pub fn stream(reader: StaffId) -> StreamId {
        StreamId::new(Self::TYPE, reader.0)
    }
}

impl Aggregate for Inbox {
    const TYPE: &'static str = "inbox";
    type Command = InboxCommand;
    type Event = InboxEvent;
    type Error = InboxError;

    fn decide(&self, command: InboxCommand) -> Result<Vec<InboxEvent>, InboxError> {
        match command {
            InboxCommand::MarkRead { notifications, .. } if notifications.len() > MARK_READ_MAX => {
                Err(InboxError::TooMany)
            }
            InboxCommand::MarkRead { notifications, .. } if notifications.is_empty() => Ok(vec![]),
            InboxCommand::MarkRead { reader, notifications, at } => {
                Ok(vec![NotificationsRead { reader, notifications, at }.into()])
            }
            InboxCommand::MarkAllRead { up_to, .. } if up_to <= self.read_up_to => Ok(vec![]),
            InboxCommand::MarkAllRead { reader, up_to, at } => {
                Ok(vec![AllNotificationsRead { reader, up_to, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &InboxEvent) {
        match event {
            InboxEvent::Read(_) => {} // which notices are read is the inbox read model's to know
            InboxEvent::AllRead(e) => self.read_up_to = self.read_up_to.max(e.up_to),
        }
    }
}

crate::adapt_to_cqrs_es!(Inbox);
