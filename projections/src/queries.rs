//! What can be asked of the read models. Typed rows, no HTTP: shapes and masks are the front door's.
//!
//! Every list has a largest page and a stable order with the id as the last tie-break.

pub mod assignments;
pub mod customers;
pub mod deliveries;
pub mod follow_ups;
pub mod imports;
pub mod inbox;
pub mod member_cards;
pub mod members;
pub mod pool;
pub mod recycling;
mod roster;
pub mod staff;
mod statement;
pub mod statistics;
pub mod transfers;
pub mod work;

use infrastructure::db::DbError;
use serde::Serialize;

pub use roster::Roster;

use customers::Place;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows the filter matches, on all pages.
    pub total: i64,
    /// Number of the page, from 1.
    pub page: u32,
    /// Most rows of one page.
    pub limit: u32,
    /// Where the next page begins, for lists that can be read on from a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// How many pages there are.
    pub fn total_pages(&self) -> i64 {
        (self.total + i64::from(self.limit) - 1) / i64::from(self.limit.max(1))
    }

    /// Whether a later page has more.
    pub fn has_more(&self) -> bool {
        i64::from(self.page) < self.total_pages()
    }

    fn continued(self, next_cursor: Option<String>) -> Self {
        Self { next_cursor, ..self }
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    page: u32,
    limit: u32,
}

impl PageRequest {
    /// Page `page` (from 1) of `limit` rows, held within 1 and `limit_max`.
    pub fn new(page: u32, limit: u32, limit_max: u32) -> Self {
        Self { page: page.max(1), limit: limit.clamp(1, limit_max) }
    }

    fn offset(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.limit)
    }

    fn holds<T>(self, items: Vec<T>, total: i64) -> Page<T> {
        Page { items, total, page: self.page, limit: self.limit, next_cursor: None }
    }

    fn place(self) -> Place<'static> {
        Place { offset: self.offset(), limit: self.limit, behind: None }
    }
}

#[cfg(test)]
pub(crate) use roster::STATEMENTS as ROSTER_STATEMENTS;

/// A row of a read model holds something this program does not write.
fn corrupt(table: &'static str, at: impl std::fmt::Display, reason: &str) -> DbError {
    DbError::Corrupt { table, at: at.to_string(), reason: reason.to_owned() }
}
