//! What triggers wrote, and how far it got.

use std::str::FromStr;

use chrono::{DateTime, Utc};

/// Most rows of one claim.
pub const CAPTURE_BATCH_MAX: u32 = 2000;

/// Most rows of one page of a table.
pub const PAGE_ROWS_MAX: u32 = 2000;

/// Longest reason that is kept beside a row.
pub const REASON_CHARS_MAX: usize = 500;

/// What somebody did to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is new.
    Insert,
    /// At least one watched column changed.
    Update,
    /// It is gone from the table.
    Delete,
}

impl Operation {
    /// As the capture table writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "I",
            Self::Update => "U",
            Self::Delete => "D",
        }
    }
}

/// No operation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation is I, U or D")]
pub struct UnknownOperation;

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "I" => Ok(Self::Insert),
            "U" => Ok(Self::Update),
            "D" => Ok(Self::Delete),
            _ => Err(UnknownOperation),
        }
    }
}

/// One row of the capture table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its number, in the order of capture for one member. It may need all 63 bits, which JavaScript's numbers do not
    /// have, and begins anew where the capture table is made again.
    pub number: i64,
    /// The table, as [`Mapping::source_table`](super::Mapping::source_table) calls it.
    pub table: String,
    /// The member's key.
    pub key: String,
    /// What happened.
    pub operation: Operation,
    /// The columns that changed, by their own names; none for an insert.
    pub changed: Vec<String>,
    /// When, by the source's clock.
    pub at: DateTime<Utc>,
}

impl Captured {
    /// What tells this row from every other of its member: the capture that
    /// [`observation_context`](crate::members::observation_context) makes a command of, the same for whoever reads the
    /// row, however often. The moment is part of it because numbers begin anew when the capture table is made again.
    pub fn id(&self) -> String {
        format!("{} {}", self.number, self.at.timestamp_micros())
    }
}

/// A captured row that is ours until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The row.
    pub row: Captured,
    /// How often it was claimed, this time included.
    pub attempt: u32,
    /// What proves that it is still ours.
    pub lease: String,
}

/// From which end rows are taken. A member's own rows are always taken in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOrder {
    /// As they came.
    OldestFirst,
    /// The newest members first, so that a fresh one does not wait behind an import.
    NewestFirst,
}

/// A captured row that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The row.
    pub row: Captured,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was put aside.
    pub reason: String,
}

/// What is left to do in the capture table of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Rows that nobody finished, those leased included.
    pub waiting: u64,
    /// Rows put aside.
    pub parked: u64,
    /// For how long the oldest row could have been worked on, in seconds of the source's clock. A row that waits for its
    /// next attempt, and those of the same member behind it, are not late.
    pub oldest_seconds: Option<u64>,
}

/// How far the capture table of one table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaptureStatus {
    /// What is left to do.
    pub backlog: Backlog,
    /// Rows of those that wait that somebody works on.
    pub leased: u64,
    /// Rows finished and not taken away yet.
    pub done: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::member::SourceKey;

    #[test]
    fn a_row_is_the_same_command_for_whoever_reads_it_and_another_row_another_one() {
        let row = Captured {
            number: 1,
            table: "members".to_owned(),
            key: "7".to_owned(),
            operation: Operation::Insert,
            changed: Vec::new(),
            at: DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap(),
        };
        let made_again = Captured { at: DateTime::from_timestamp(1_900_000_000, 0).unwrap(), ..row.clone() };
        let command = |source: &str, row: &Captured| {
            let (source, table, key) = (source.to_owned(), row.table.clone(), row.key.clone());
            domain::CommandId::of_capture(&SourceKey { source, table, key }, &row.id())
        };
        let others = [
            command("other", &row),
            command("s", &Captured { number: 2, ..row.clone() }),
            command("s", &Captured { key: "8".to_owned(), ..row.clone() }),
            command("s", &Captured { table: "m".to_owned(), ..row.clone() }),
            command("s", &made_again),
        ];
        assert_eq!(command("s", &row), command("s", &row.clone()));
        assert!(!others.contains(&command("s", &row)));
    }

    #[test]
    fn operations_are_read_as_they_are_written() {
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            assert_eq!(operation.as_str().parse(), Ok(operation));
        }
        assert_eq!("X".parse::<Operation>(), Err(UnknownOperation));
    }
}
