//! Taking back what was done a moment ago: what can be, how long, and the token that names it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Inbox, InboxError, Reading};
use crate::ids::{Sequence, StaffId, undo_check};

/// How long something can be taken back (http-api.md section 4).
pub const UNDO_SECONDS: i64 = 10;

/// Most things remembered as undoable: more than a person does in [`UNDO_SECONDS`], and a bound for programs.
pub const UNDOABLE_MAX: usize = 64;

/// Something done a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoable {
    /// Number of its event in the stream.
    pub sequence: Sequence,
    /// What it was.
    pub reading: Reading,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it was taken back.
    pub undone: bool,
}

/// Names one thing that one reader did. Nothing of it is to be read by clients, and another reader's is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoToken {
    sequence: Sequence,
    check: Uuid,
}

/// What is no token at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an undo token")]
pub struct InvalidUndoToken;

impl UndoToken {
    /// The token of a reader's event.
    pub fn of(reader: StaffId, sequence: Sequence) -> Self {
        Self { sequence, check: undo_check(reader, sequence) }
    }
}

impl fmt::Display for UndoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.sequence, self.check.simple())
    }
}

impl FromStr for UndoToken {
    type Err = InvalidUndoToken;

    fn from_str(text: &str) -> Result<Self, InvalidUndoToken> {
        let (sequence, check) = text.split_once('-').ok_or(InvalidUndoToken)?;
        let sequence = Sequence::from_str_radix(sequence, 16).map_err(|_| InvalidUndoToken)?;
        let check = Uuid::try_parse(check).map_err(|_| InvalidUndoToken)?;
        Ok(Self { sequence, check })
    }
}

impl Inbox {
    /// What the token names, when it can be taken back now.
    pub(super) fn undoable(
        &self,
        reader: StaffId,
        token: UndoToken,
        at: DateTime<Utc>,
    ) -> Result<&Undoable, InboxError> {
        if token != UndoToken::of(reader, token.sequence) || !(1..=self.sequence).contains(&token.sequence) {
            return Err(InboxError::UnknownToken);
        }
        let done = self.undoable.iter().find(|done| done.sequence == token.sequence);
        match done {
            Some(done) if done.undone => Err(InboxError::AlreadyUndone),
            Some(done) if is_recent(done, at) => Ok(done),
            _ => Err(InboxError::TooLate),
        }
    }

    /// Remembers what the last event did, and forgets what is too old to be taken back.
    pub(super) fn done(&mut self, reading: Reading, at: DateTime<Utc>) {
        self.undoable.retain(|done| is_recent(done, at));
        if self.undoable.len() == UNDOABLE_MAX {
            self.undoable.remove(0);
        }
        self.undoable.push(Undoable { sequence: self.sequence, reading, at, undone: false });
    }

    /// It was taken back.
    pub(super) fn take_back(&mut self, sequence: Sequence) {
        for done in self.undoable.iter_mut().filter(|done| done.sequence == sequence) {
            done.undone = true;
        }
    }
}

fn is_recent(done: &Undoable, at: DateTime<Utc>) -> bool {
    at - done.at <= TimeDelta::seconds(UNDO_SECONDS)
}
