//! Members that somebody else writes: what a foreign table is called ([`Mapping`]), what one of its rows says
//! ([`SourceRow`]), and the port to the database it stands in ([`Source`]).
//!
//! A source captures its own changes (member-intake.md section 1): triggers write one plain row each, and whoever
//! drains them claims rows with a lease, reads the member as it is now, and says how it ended. Where no trigger may be
//! made, [`Sweep`] walks the table by (`updated_at`, key). Everything here is data; `infrastructure::intake` speaks to
//! the databases.

mod capture;
mod check;
mod file;
mod import;
mod mapping;
mod row;
mod source;
mod sweep;
pub mod worker;

pub use capture::{
    Backlog, CAPTURE_BATCH_MAX, CaptureStatus, Captured, Claim, ClaimOrder, Operation, PAGE_ROWS_MAX, Parked,
    REASON_CHARS_MAX,
};
pub use check::{CheckReport, Finding, Verdict};
pub use file::{MAPPING_BYTES_MAX, parse};
pub use import::{CheckedFile, FileFault, FileImported, FileRow, NobodyToFind, check_file, import_file};
pub use mapping::{ColumnMapping, FIELDS, Mapping, MappingError, StatusMapping, TABLE_CHARS_MAX};
pub use row::{ACTIVE, MalformedRow, SourceRow, read_row};
pub use source::{Engine, Mode, Source, SourceError, Unfinished};
pub use sweep::{PollPosition, Polled, Sweep};
