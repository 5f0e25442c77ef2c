//! Customers brought in a file 批量导入 (http-api.md section 2, existing-systems.md section 2.6).
//!
//! [`check`] judges the whole sheet before anything is written, every row by the rules of the create form. [`run`]
//! then stores the good rows chunk by chunk: each chunk is one append with the fact that says so, and the import ends
//! with one fact from which every owner learns once. A process that dies on the way leaves an import that
//! [`close`] ends, or that the same upload with the same key carries on.
//!
//! What a repeated upload must find again (which rows are good, which chunk a row is in) follows from the file alone;
//! what depends on the moment (who may own leads, which phones are taken) stands in the chunks' receipts.

mod cells;
mod chunk;
mod close;
mod columns;
mod owners;
mod refusal;
mod rows;
mod run;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::TimeDelta;

pub use cells::{Cell, Sheet, SheetRow};
pub use close::close;
pub use columns::{COLUMNS, Column, Header, Kind, MissingColumns};
pub use owners::Owners;
pub use refusal::{RowError, RowRefusal, StoreRefusal, Unique};
pub use rows::{Checked, GoodRow, check};
pub use run::{Import, ImportRefusal, Imported, PlacedRow, Stores, may_import, run};

use crate::bus::{GuardKind, LoadError};

/// Most rows with something in them, the header not counted.
pub const ROWS_MAX: usize = 20_000;

/// Most columns; system A knows 22.
pub const COLUMNS_MAX: usize = 64;

/// Most characters of one cell: what Excel itself allows.
pub const CELL_CHARS_MAX: usize = 32_767;

/// Rows stored by one append. With every text at its limit a row is 12 KB of events, so a chunk stays below the 8 MiB
/// of one command; and nobody else waits long for the append lock.
pub const CHUNK_ROWS: usize = 500;

/// How long after its upload an unfinished import counts as abandoned. One that lives takes seconds, the largest and
/// slowest a minute; an upload that carries on begins the time anew with its first chunk.
pub const ABANDONED_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Which unique values are held, asked for a whole chunk at once.
#[async_trait]
pub trait UniqueValues: Send + Sync {
    /// Those of `keys` that some stream holds now; another one may take a key before the append, which checks again.
    async fn held(&self, kind: GuardKind, keys: &[String]) -> Result<HashSet<String>, LoadError>;
}
