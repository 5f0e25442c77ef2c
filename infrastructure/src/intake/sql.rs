//! Statements on the capture table whose words more than one engine understands.

/// How many rows of a table, key and operation there are. PostgreSQL and SQLite.
pub(super) const ARRIVED: &str = "
SELECT CAST(COUNT(*) AS TEXT) FROM leadwire_capture
WHERE table_name = $1 AND row_key = $2 AND operation = $3 AND state = 'W'";
/// How many rows of a table nobody finished. PostgreSQL and SQLite.
pub(super) const UNFINISHED: &str = "
SELECT CAST(COUNT(*) AS TEXT) FROM leadwire_capture WHERE table_name = $1 AND state IN ('W', 'P')";
/// How many rows of all tables nobody finished. PostgreSQL and SQLite.
pub(super) const ALL_UNFINISHED: &str = "
SELECT CAST(COUNT(*) AS TEXT) FROM leadwire_capture WHERE state IN ('W', 'P')";
/// Touches no row and fails when the worker may not do its work. All engines, like the next one.
pub(super) const MAY_UPDATE: &str = "UPDATE leadwire_capture SET attempts = attempts WHERE id < 0";
pub(super) const MAY_DELETE: &str = "DELETE FROM leadwire_capture WHERE id < 0";
