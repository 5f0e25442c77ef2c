//! Orders over the roster, and the first rows of each without sorting the rest.

use std::cmp::Ordering;

use application::access::RowScope;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Entry;
use crate::queries::customers::{SortBy, SortOrder, sees_contact};

/// Bytes of a text that are compared as one number.
const HEAD_BYTES: usize = 16;

/// The beginning of a text, so that numbers compare as the texts do. No text of a table holds NUL, so a text that
/// ends within the head comes before every longer one.
pub(super) fn head(text: &str) -> u128 {
    let mut bytes = [0; HEAD_BYTES];
    let length = text.len().min(HEAD_BYTES);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(bytes)
}

fn tail(text: &str) -> &[u8] {
    text.as_bytes().get(HEAD_BYTES..).unwrap_or_default()
}

/// Instants as numbers that compare as they do.
fn instant(at: DateTime<Utc>) -> u128 {
    u128::from(at.timestamp_micros().cast_unsigned() ^ (1 << 63))
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queries) enum Column {
    /// What callers may ask for.
    Of(SortBy),
    /// When it went into the public pool.
    PooledAt,
}

/// An order of all rows: no two are equal, because the id decides last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queries) struct RowOrder {
    pub(in crate::queries) column: Column,
    pub(in crate::queries) direction: SortOrder,
    /// What its reader sees: a phone that stays hidden gives its row no place.
    pub(in crate::queries) reader: RowScope,
}

/// The place of one row in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queries) struct Key<'e> {
    /// Rows without a value come last in both directions.
    missing: bool,
    head: u128,
    tail: &'e [u8],
    id: Uuid,
}

impl<'e> Key<'e> {
    pub(in crate::queries) fn of_text(text: Option<&'e str>, id: Uuid) -> Self {
        let missing = text.is_none();
        let text = text.unwrap_or_default();
        Self { missing, head: head(text), tail: tail(text), id }
    }

    pub(in crate::queries) fn of_time(at: Option<DateTime<Utc>>, id: Uuid) -> Self {
        Self { missing: at.is_none(), head: at.map_or(0, instant), tail: &[], id }
    }
}

impl RowOrder {
    /// The same order for whoever has a scope.
    pub(in crate::queries) fn read_by(self, reader: RowScope) -> Self {
        Self { reader, ..self }
    }

    /// The phone as far as the reader sees it.
    pub(in crate::queries) fn phone(self, entry: &Entry) -> Option<&str> {
        Some(entry.phone()).filter(|phone| !phone.is_empty() && sees_contact(self.reader, entry))
    }

    pub(in crate::queries) fn key(self, entry: &Entry) -> Key<'_> {
        let id = entry.id;
        match self.column {
            Column::Of(SortBy::CreatedAt) => Key::of_time(Some(entry.created_at), id),
            Column::Of(SortBy::UpdatedAt) => Key::of_time(Some(entry.updated_at), id),
            Column::PooledAt => Key::of_time(entry.pooled_at, id),
            Column::Of(SortBy::Name) => {
                Key { missing: false, head: entry.name_head, tail: tail(&entry.name), id }
            }
            Column::Of(SortBy::Phone) if !sees_contact(self.reader, entry) => Key::of_text(None, id),
            Column::Of(SortBy::Phone) => {
                Key { missing: entry.phone_head == 0, head: entry.phone_head, tail: &[], id }
            }
        }
    }

    pub(in crate::queries) fn compare(self, a: &Key<'_>, b: &Key<'_>) -> Ordering {
        let values = (a.head, a.tail, a.id).cmp(&(b.head, b.tail, b.id));
        let directed = match self.direction {
            SortOrder::Ascending => values,
            SortOrder::Descending => values.reverse(),
        };
        a.missing.cmp(&b.missing).then(directed)
    }
}

/// The first rows of an order, found in one pass: rows behind the last one kept are passed over at once, and the
/// buffer is cut whenever it holds twice what is wanted.
pub(in crate::queries) struct First<'e> {
    order: RowOrder,
    wanted: usize,
    kept: Vec<(Key<'e>, &'e Entry)>,
    /// Nothing behind this row is among the first.
    last: Option<Key<'e>>,
}

impl<'e> First<'e> {
    pub(in crate::queries) fn new(order: RowOrder, wanted: usize) -> Self {
        Self { order, wanted, kept: Vec::new(), last: None }
    }

    pub(in crate::queries) fn offer(&mut self, entry: &'e Entry) {
        let key = self.order.key(entry);
        if self.last.is_some_and(|last| self.order.compare(&key, &last).is_gt()) {
            return;
        }
        self.kept.push((key, entry));
        if self.kept.len() >= self.wanted.saturating_mul(2).max(1) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.wanted == 0 {
            self.kept.clear();
        } else if self.kept.len() > self.wanted {
            let order = self.order;
            self.kept.select_nth_unstable_by(self.wanted - 1, |a, b| order.compare(&a.0, &b.0));
            self.kept.truncate(self.wanted);
            self.last = self.kept.last().map(|(key, _)| *key);
        }
    }

    /// In order.
    pub(in crate::queries) fn sorted(mut self) -> Vec<&'e Entry> {
        self.cut();
        let order = self.order;
        self.kept.sort_unstable_by(|a, b| order.compare(&a.0, &b.0));
        self.kept.into_iter().map(|(_, entry)| entry).collect()
    }
}
