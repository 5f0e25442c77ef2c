//! The statements on the capture table, for MySQL and MariaDB. They lock rows only: the connection reads committed rows,
//! so no gap is locked that a member's insert would need.
//!
//! A statement that walks an index waits for every row in its way that somebody's open transaction wrote, also for those
//! that are none of its own. Walking the table itself it passes them by, so changes of many rows are made to walk that, and
//! rows to take away are found by a question first and then named one by one.

use crate::intake::database::Statements;
use crate::intake::sql::{MAY_DELETE, MAY_UPDATE};

macro_rules! candidates {
    ($order:literal) => {
        concat!(
            "SELECT CAST(c.id AS CHAR) FROM leadwire_capture c ",
            "WHERE c.table_name = ? AND c.state = 'W' ",
            "AND (c.leased_until IS NULL OR c.leased_until <= UTC_TIMESTAMP(6)) ",
            "AND (c.not_before IS NULL OR c.not_before <= UTC_TIMESTAMP(6)) ",
            "AND NOT EXISTS (SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name ",
            "AND e.row_key = c.row_key AND e.state = 'W' AND e.id <> c.id ",
            "AND (e.id < c.id OR e.leased_until > UTC_TIMESTAMP(6))) ORDER BY c.id",
            $order,
            " LIMIT ?"
        )
    };
}

/// The columns of a captured row.
macro_rules! captured {
    ($rest:literal) => {
        concat!(
            "SELECT CAST(id AS CHAR), row_key, operation, changed, ",
            "DATE_FORMAT(captured_at, '%Y-%m-%dT%H:%i:%s.%fZ'), CAST(attempts AS CHAR), reason ",
            "FROM leadwire_capture WHERE table_name = ? ",
            $rest
        )
    };
}

const OLDEST: &str = candidates!("");
const NEWEST: &str = candidates!(" DESC");
const LEASE: &str = "
UPDATE leadwire_capture FORCE INDEX (PRIMARY)
SET lease = ?, leased_until = DATE_ADD(UTC_TIMESTAMP(6), INTERVAL ? SECOND), attempts = attempts + 1
WHERE table_name = ? AND id BETWEEN ? AND ? AND FIND_IN_SET(CAST(id AS CHAR), ?) > 0 AND state = 'W'
  AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6))";
const CLAIMED: &str = captured!("AND id BETWEEN ? AND ? AND lease = ? ORDER BY id");
const DONE: &str = "
UPDATE leadwire_capture FORCE INDEX (PRIMARY)
SET state = 'D', ended_at = UTC_TIMESTAMP(6), leased_until = NULL
WHERE table_name = ? AND id BETWEEN ? AND ? AND FIND_IN_SET(CAST(id AS CHAR), ?) > 0 AND lease = ? AND state = 'W'";
const PARK: &str = "
UPDATE leadwire_capture SET state = 'P', reason = ?, ended_at = UTC_TIMESTAMP(6), leased_until = NULL
WHERE table_name = ? AND id = ? AND lease = ? AND state = 'W'";
const RELEASE: &str = "
UPDATE leadwire_capture
SET not_before = DATE_ADD(UTC_TIMESTAMP(6), INTERVAL ? SECOND), reason = ?, leased_until = NULL, lease = NULL
WHERE table_name = ? AND id = ? AND lease = ? AND state = 'W'";
const GIVE_BACK: &str = "
UPDATE leadwire_capture SET attempts = attempts - 1, reason = ?, leased_until = NULL, lease = NULL
WHERE table_name = ? AND id = ? AND lease = ? AND state = 'W'";
const PARKED: &str = captured!("AND state = 'P' AND id > ? ORDER BY id LIMIT ?");
/// What was put aside may be worked on from now on: nobody waited for it before.
macro_rules! retry {
    ($which:literal) => {
        concat!(
            "UPDATE leadwire_capture FORCE INDEX (PRIMARY) SET state = 'W', attempts = 0, lease = NULL, ",
            "not_before = UTC_TIMESTAMP(6), ended_at = NULL WHERE table_name = ? AND state = 'P'",
            $which
        )
    };
}

const RETRY_ALL: &str = retry!("");
const RETRY_SOME: &str = retry!(" AND FIND_IN_SET(CAST(id AS CHAR), ?) > 0");
/// Walks rows that nobody finished only. A row that waits for its next attempt, and one behind it, is not late.
const BACKLOG: &str = "
SELECT CAST(COUNT(CASE WHEN c.state = 'W' THEN 1 END) AS CHAR),
       CAST(COUNT(CASE WHEN c.state = 'P' THEN 1 END) AS CHAR),
       CAST(TIMESTAMPDIFF(SECOND, MIN(
         CASE WHEN c.state = 'W' AND (c.not_before IS NULL OR c.not_before <= UTC_TIMESTAMP(6)) AND NOT EXISTS (
           SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name AND e.row_key = c.row_key
              AND e.state = 'W' AND e.id < c.id AND e.not_before > UTC_TIMESTAMP(6))
         THEN COALESCE(c.not_before, c.captured_at) END), UTC_TIMESTAMP(6)) AS CHAR)
FROM leadwire_capture c WHERE c.table_name = ? AND c.state IN ('W', 'P')";
const HISTORY: &str = "
SELECT CAST(COUNT(CASE WHEN state = 'W' AND leased_until > UTC_TIMESTAMP(6) THEN 1 END) AS CHAR),
       CAST(COUNT(CASE WHEN state = 'D' THEN 1 END) AS CHAR)
FROM leadwire_capture WHERE table_name = ?";
/// Which rows to take away; a question, unlike on the other engines.
pub(in crate::intake) const PURGE: &str = "
SELECT CAST(id AS CHAR) FROM leadwire_capture
WHERE table_name = ? AND state = 'D' AND ended_at <= DATE_SUB(UTC_TIMESTAMP(6), INTERVAL ? SECOND)
ORDER BY id LIMIT ?";
/// Rows of one statement that takes rows away: as many as it has places.
pub(in crate::intake) const PURGED_ROWS: usize = 50;
pub(in crate::intake) const PURGED: &str = "
DELETE c FROM leadwire_capture c FORCE INDEX (PRIMARY) WHERE c.state = 'D' AND c.id IN (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const ARRIVED: &str = "
SELECT CAST(COUNT(*) AS CHAR) FROM leadwire_capture WHERE table_name = ? AND row_key = ? AND operation = ? AND state = 'W'";
const UNFINISHED: &str = "
SELECT CAST(COUNT(*) AS CHAR) FROM leadwire_capture WHERE table_name = ? AND state IN ('W', 'P')";
const ALL_UNFINISHED: &str = "
SELECT CAST(COUNT(*) AS CHAR) FROM leadwire_capture WHERE state IN ('W', 'P')";

pub(in crate::intake) const COLUMNS: &str = "
SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE,
       CASE WHEN COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%auto_increment%' THEN '1' ELSE '0' END,
       CASE WHEN EXTRA LIKE '%GENERATED%' AND EXTRA NOT LIKE '%DEFAULT_GENERATED%' THEN '1' ELSE '0' END,
       CAST(CHARACTER_MAXIMUM_LENGTH AS CHAR)
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = ? ORDER BY ORDINAL_POSITION";
pub(in crate::intake) const UNIQUE: &str = "
SELECT MAX(COLUMN_NAME) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = ? AND NON_UNIQUE = 0
GROUP BY INDEX_NAME HAVING COUNT(*) = 1 AND MAX(SUB_PART) IS NULL";
pub(in crate::intake) const TABLE: &str = "
SELECT ENGINE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = ? AND TABLE_TYPE = 'BASE TABLE'";
pub(in crate::intake) const TRIGGERS: &str = "
SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT, 'true', DEFINER FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'leadwire!_%' ESCAPE '!'";

pub(in crate::intake) const CURRENT_USER: &str = "SELECT CAST(CURRENT_USER() AS CHAR)";
/// Answers only who may look at other accounts.
pub(in crate::intake) const MAY_SEE_ACCOUNTS: &str = "SELECT '1' FROM mysql.user LIMIT 1";
pub(in crate::intake) const HAS_ACCOUNT: &str = "
SELECT '1' FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ? LIMIT 1";
/// Whether an account has a right on everything, on the database, or on the table.
pub(in crate::intake) const HAS_RIGHT: &str = "
SELECT '1' FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ?
UNION SELECT '1' FROM information_schema.SCHEMA_PRIVILEGES
WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ? AND DATABASE() LIKE TABLE_SCHEMA
UNION SELECT '1' FROM information_schema.TABLE_PRIVILEGES
WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ? AND TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = ?";

/// Triggers of a table that are somebody else's.
const BESIDE: &str = "
SELECT TRIGGER_NAME FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = DATABASE() AND BINARY EVENT_OBJECT_TABLE = ? AND TRIGGER_NAME NOT LIKE 'leadwire!_%' ESCAPE '!'
ORDER BY 1";

pub(in crate::intake) const ALL: Statements = Statements {
    oldest: OLDEST,
    newest: NEWEST,
    lease: LEASE,
    claimed: CLAIMED,
    done: DONE,
    park: PARK,
    release: RELEASE,
    give_back: GIVE_BACK,
    parked: PARKED,
    retry_all: RETRY_ALL,
    retry_some: RETRY_SOME,
    backlog: BACKLOG,
    history: HISTORY,
    purge: PURGE,
    arrived: ARRIVED,
    unfinished: UNFINISHED,
    all_unfinished: ALL_UNFINISHED,
    allowed: &[MAY_UPDATE, MAY_DELETE],
    columns: COLUMNS,
    triggers: TRIGGERS,
    beside: BESIDE,
};

/// Every statement that runs on a source, for the test that prepares them where Leadwire is installed.
pub fn statements() -> Vec<&'static str> {
    [ALL.every(), vec![PURGED, UNIQUE, TABLE, CURRENT_USER, MAY_SEE_ACCOUNTS, HAS_ACCOUNT, HAS_RIGHT]]
        .concat()
}
