//! Polling by (`updated_at`, key), for tables on which no trigger may be made. There is no look-back limit: the cursor is
//! where the last sweep stood, however long ago.
//!
//! A clock of whole seconds and transactions that commit late both put rows behind a cursor that has already passed.
//! So every sweep begins where the one *before* the last one ended, and what it meets twice has the same fingerprint and
//! means nothing. A transaction that stays open for longer than two sweeps is found by reconciliation.
//!
//! A row that says it was changed later than now is read with every sweep and is no place to go on from: whatever
//! changes before that moment comes would stand behind it.

use serde::{Deserialize, Serialize};

use super::row::{MalformedRow, SourceRow};

/// A place in the order (`updated_at`, key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollPosition {
    /// The value of the column, as the source writes it.
    pub updated_at: String,
    /// The last key read at that value; `None` reads the value from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// One page of a table, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// The rows; one that cannot be read holds up no other.
    pub rows: Vec<Result<SourceRow, MalformedRow>>,
    /// Where the next page begins; `None` when this was the last one.
    pub next: Option<PollPosition>,
    /// The place of the last row of this page that was not changed later than now, by the source's clock.
    pub last: Option<PollPosition>,
}

/// The cursor of one table, to be stored after every page. Empty, it begins with the oldest row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Where the running sweep stands; `None` between two sweeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<PollPosition>,
    /// The furthest value that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// Where the last sweep ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// Where the one before it ended: the next one begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begins: Option<String>,
}

impl Sweep {
    /// From where to read the next page; `None` from the beginning of the table.
    pub fn from(&self) -> Option<PollPosition> {
        let begin = || Some(PollPosition { updated_at: self.begins.clone()?, key: None });
        self.at.clone().or_else(begin)
    }

    /// Whether rows that were there at the first sweep lie behind: they come again only when they change, but for those
    /// of the very last moment.
    pub fn is_settled(&self) -> bool {
        self.begins.is_some()
    }

    /// The cursor after a page, whose rows have been worked on. Whether the sweep goes on.
    pub fn advance(&mut self, page: &Polled) -> bool {
        if let Some(last) = &page.last {
            self.seen = Some(last.updated_at.clone());
        }
        self.at.clone_from(&page.next);
        if self.at.is_some() {
            return true;
        }
        let ended = self.seen.clone().or_else(|| self.ended.clone());
        self.begins = std::mem::replace(&mut self.ended, ended);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(updated_at: &str, key: Option<&str>) -> PollPosition {
        PollPosition { updated_at: updated_at.to_owned(), key: key.map(ToOwned::to_owned) }
    }

    fn page(last: Option<PollPosition>, more: bool) -> Polled {
        Polled { rows: Vec::new(), next: last.clone().filter(|_| more), last }
    }

    #[test]
    fn a_sweep_reads_page_after_page_and_the_next_but_one_begins_at_its_end() {
        let mut sweep = Sweep::default();
        assert_eq!(sweep.from(), None);
        assert!(sweep.advance(&page(Some(place("10:00", Some("5"))), true)));
        assert_eq!(sweep.from(), Some(place("10:00", Some("5"))));
        assert!(!sweep.advance(&page(Some(place("10:05", Some("9"))), false)));
        // The second sweep reads all again: nothing proves yet that no transaction was open.
        assert_eq!(sweep.from(), None);
        assert!(!sweep.is_settled());
        assert!(!sweep.advance(&page(Some(place("10:10", Some("2"))), false)));
        assert_eq!(sweep.from(), Some(place("10:05", None)));
        assert!(sweep.is_settled());
        assert!(!sweep.advance(&page(Some(place("10:10", Some("2"))), false)));
        assert_eq!(sweep.from(), Some(place("10:10", None)));
    }

    #[test]
    fn an_empty_page_moves_nothing_back() {
        let mut sweep = Sweep::default();
        for _ in 0..3 {
            sweep.advance(&page(Some(place("10:00", Some("5"))), false));
        }
        sweep.advance(&page(None, false));
        sweep.advance(&page(None, false));
        assert_eq!(sweep.from(), Some(place("10:00", None)));
    }

    #[test]
    fn a_cursor_survives_being_stored_in_the_middle_of_a_sweep() {
        let mut sweep = Sweep::default();
        sweep.advance(&page(Some(place("10:00", Some("5"))), true));
        let stored = serde_json::to_string(&sweep).unwrap();
        assert_eq!(serde_json::from_str::<Sweep>(&stored).unwrap(), sweep);
    }
}
