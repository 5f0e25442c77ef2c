//! A reader's inbox 收件箱: what a reader does with many notices at once is one event on the reader's stream, not one
//! per notice (domain.md section 1).
//!
//! Which notices an event really turned is the read model's to know; the aggregate knows what may be taken back:
//! each event for [`UNDO_SECONDS`], once.

#[cfg(test)]
mod tests;
mod undo;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use undo::{UNDO_SECONDS, UNDOABLE_MAX, UndoToken, Undoable};

use crate::Aggregate;
use crate::ids::{NotificationId, Sequence, StaffId, StreamId};
use crate::stored_events;

/// Most notices marked by one request.
pub const MARK_READ_MAX: usize = 1000;

/// Longest time a notice may be put off.
pub const SNOOZE_DAYS_MAX: i64 = 30;

stored_events! {
    /// A fact about one reader.
    InboxEvent {
        /// Some notices were read.
        Read(NotificationsRead) = 1,
        /// All up to one were read.
        AllRead(AllNotificationsRead) = 1,
        /// Some were put aside.
        Archived(NotificationsArchived) = 1,
        /// Some were taken out again.
        Unarchived(NotificationsUnarchived) = 1,
        /// One was put off.
        Snoozed(NotificationSnoozed) = 1,
        /// One of the above was taken back.
        Undone(ReadingUndone) = 1,
    }
}

crate::code_table! {
    /// What can be taken back, by the last part of its route.
    Reading {
        /// Some were read.
        MarkRead = "mark-read",
        /// All up to one were read.
        MarkAllRead = "mark-all-read",
        /// Some were put aside.
        Archive = "archive",
        /// One was put off.
        Snooze = "snooze",
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

/// All notices up to one were read 全部已读. What arrives meanwhile stays unread, and so does what is put aside or off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllNotificationsRead {
    /// The reader.
    pub reader: StaffId,
    /// Number of the last one in the reader's own log.
    pub up_to: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// Some notices were put aside 归档: they left the list and the count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationsArchived {
    /// The reader.
    pub reader: StaffId,
    /// Which.
    pub notifications: Vec<NotificationId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Some notices came back to the list 取消归档.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationsUnarchived {
    /// The reader.
    pub reader: StaffId,
    /// Which.
    pub notifications: Vec<NotificationId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A notice was put off 稍后提醒. That it comes back is no event: the clock brings it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationSnoozed {
    /// The reader.
    pub reader: StaffId,
    /// Which.
    pub notification: NotificationId,
    /// Until when it is neither listed nor counted.
    pub until: DateTime<Utc>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a reader did was taken back 撤销.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadingUndone {
    /// The reader.
    pub reader: StaffId,
    /// Which event of the stream, by its number.
    pub undone: Sequence,
    /// What that was.
    pub reading: Reading,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a reader did and can still take back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    /// Number of the last event.
    pub sequence: Sequence,
    /// The last things done, oldest first.
    pub undoable: Vec<Undoable>,
}

/// What a reader may do.
#[derive(Debug, Clone, PartialEq)]
pub enum InboxCommand {
    /// Read some.
    MarkRead {
        /// The reader.
        reader: StaffId,
        /// Those of them for which that is news.
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
        /// How many of them are unread.
        unread: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// Put some aside.
    Archive {
        /// The reader.
        reader: StaffId,
        /// Those of them that are not put aside.
        notifications: Vec<NotificationId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take some out again.
    Unarchive {
        /// The reader.
        reader: StaffId,
        /// Those of them that are put aside.
        notifications: Vec<NotificationId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Put one off.
    Snooze {
        /// The reader.
        reader: StaffId,
        /// Which.
        notification: NotificationId,
        /// Until when.
        until: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take something back.
    Undo {
        /// The reader.
        reader: StaffId,
        /// What.
        token: UndoToken,
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
    /// The time to come back is not to come.
    #[error("稍后提醒的时间必须晚于当前时间")]
    NotInFuture,
    /// The time to come back is too far away.
    #[error("稍后提醒最多{SNOOZE_DAYS_MAX}天")]
    TooFarAway,
    /// The token is not one of this reader's.
    #[error("撤销凭证无效")]
    UnknownToken,
    /// It can no longer be taken back.
    #[error("只能在{UNDO_SECONDS}秒内撤销")]
    TooLate,
    /// It was taken back before.
    #[error("该操作已撤销")]
    AlreadyUndone,
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
        use InboxCommand::{Archive, MarkAllRead, MarkRead, Snooze, Unarchive, Undo};
        match command {
            MarkRead { notifications: some, .. }
            | Archive { notifications: some, .. }
            | Unarchive { notifications: some, .. }
                if some.len() > MARK_READ_MAX =>
            {
                Err(InboxError::TooMany)
            }
            MarkRead { notifications: none, .. }
            | Archive { notifications: none, .. }
            | Unarchive { notifications: none, .. }
                if none.is_empty() =>
            {
                Ok(vec![])
            }
            MarkAllRead { unread: 0, .. } => Ok(vec![]),
            MarkRead { reader, notifications, at } => {
                Ok(vec![NotificationsRead { reader, notifications, at }.into()])
            }
            MarkAllRead { reader, up_to, at, .. } => {
                Ok(vec![AllNotificationsRead { reader, up_to, at }.into()])
            }
            Archive { reader, notifications, at } => {
                Ok(vec![NotificationsArchived { reader, notifications, at }.into()])
            }
            Unarchive { reader, notifications, at } => {
                Ok(vec![NotificationsUnarchived { reader, notifications, at }.into()])
            }
            Snooze { until, at, .. } if until <= at => Err(InboxError::NotInFuture),
            Snooze { until, at, .. } if until - at > TimeDelta::days(SNOOZE_DAYS_MAX) => {
                Err(InboxError::TooFarAway)
            }
            Snooze { reader, notification, until, at } => {
                Ok(vec![NotificationSnoozed { reader, notification, until, at }.into()])
            }
            Undo { reader, token, at } => {
                let Undoable { sequence: undone, reading, .. } = *self.undoable(reader, token, at)?;
                Ok(vec![ReadingUndone { reader, undone, reading, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &InboxEvent) {
        self.sequence += 1;
        match event {
            InboxEvent::Read(e) => self.done(Reading::MarkRead, e.at),
            InboxEvent::AllRead(e) => self.done(Reading::MarkAllRead, e.at),
            InboxEvent::Archived(e) => self.done(Reading::Archive, e.at),
            InboxEvent::Snoozed(e) => self.done(Reading::Snooze, e.at),
            InboxEvent::Unarchived(_) => {} // archiving again takes it back
            InboxEvent::Undone(e) => self.take_back(e.undone),
        }
    }
}

crate::adapt_to_cqrs_es!(Inbox);
