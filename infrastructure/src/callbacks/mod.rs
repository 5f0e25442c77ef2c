//! Callbacks of WeChat and WeCom: their crypto, and the table that keeps them until they were worked on.

pub mod crypto;
mod sql;
mod store;

pub use sql::{POSTGRES_STATEMENTS, SQLITE_STATEMENTS, STATEMENTS};
pub use store::{
    CALLBACK_RETENTION_DAYS, CallbackCounts, CallbackStore, Claimed, NewCallback, Received, Source, body_hash,
};

/// Bytes as hex digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
