//! The statements on the capture table, for SQLite.

use crate::intake::database::Statements;
use crate::intake::sql::{ALL_UNFINISHED, ARRIVED, MAY_DELETE, MAY_UPDATE, UNFINISHED};

/// Now, as the capture table writes moments: text whose order is the order of time.
macro_rules! now {
    () => {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    };
}

macro_rules! candidates {
    ($order:literal) => {
        concat!(
            "SELECT CAST(c.id AS TEXT) FROM leadwire_capture c WHERE c.table_name = ?1 AND c.state = 'W' ",
            "AND (c.leased_until IS NULL OR c.leased_until <= ",
            now!(),
            ") AND (c.not_before IS NULL OR c.not_before <= ",
            now!(),
            ") AND NOT EXISTS (SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name ",
            "AND e.row_key = c.row_key AND e.state = 'W' AND e.id <> c.id AND (e.id < c.id OR e.leased_until > ",
            now!(),
            ")) ORDER BY c.id",
            $order,
            " LIMIT ?2"
        )
    };
}

/// The columns of a captured row.
macro_rules! captured {
    ($rest:literal) => {
        concat!(
            "SELECT CAST(id AS TEXT), row_key, operation, changed, captured_at, CAST(attempts AS TEXT), reason ",
            "FROM leadwire_capture WHERE table_name = ?1 ",
            $rest
        )
    };
}

const OLDEST: &str = candidates!("");
const NEWEST: &str = candidates!(" DESC");
const LEASE: &str = concat!(
    "UPDATE leadwire_capture SET lease = ?1, ",
    "leased_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?2 || ' seconds'), attempts = attempts + 1 ",
    "WHERE table_name = ?3 AND id BETWEEN ?4 AND ?5 AND instr(',' || ?6 || ',', ',' || id || ',') > 0 ",
    "AND state = 'W' AND (leased_until IS NULL OR leased_until <= ",
    now!(),
    ")"
);
const CLAIMED: &str = captured!("AND id BETWEEN ?2 AND ?3 AND lease = ?4 ORDER BY id");
const DONE: &str = concat!(
    "UPDATE leadwire_capture SET state = 'D', leased_until = NULL, ended_at = ",
    now!(),
    " WHERE table_name = ?1 AND id BETWEEN ?2 AND ?3 AND instr(',' || ?4 || ',', ',' || id || ',') > 0 ",
    "AND lease = ?5 AND state = 'W'"
);
const PARK: &str = concat!(
    "UPDATE leadwire_capture SET state = 'P', reason = ?1, leased_until = NULL, ended_at = ",
    now!(),
    " WHERE table_name = ?2 AND id = ?3 AND lease = ?4 AND state = 'W'"
);
const RELEASE: &str = "
UPDATE leadwire_capture
SET not_before = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1 || ' seconds'), reason = ?2, leased_until = NULL, lease = NULL
WHERE table_name = ?3 AND id = ?4 AND lease = ?5 AND state = 'W'";
const GIVE_BACK: &str = "
UPDATE leadwire_capture SET attempts = attempts - 1, reason = ?1, leased_until = NULL, lease = NULL
WHERE table_name = ?2 AND id = ?3 AND lease = ?4 AND state = 'W'";
const PARKED: &str = captured!("AND state = 'P' AND id > ?2 ORDER BY id LIMIT ?3");
/// What was put aside may be worked on from now on: nobody waited for it before.
macro_rules! retry {
    ($which:literal) => {
        concat!(
            "UPDATE leadwire_capture SET state = 'W', attempts = 0, lease = NULL, ended_at = NULL, not_before = ",
            now!(),
            " WHERE table_name = ?1 AND state = 'P'",
            $which
        )
    };
}

const RETRY_ALL: &str = retry!("");
const RETRY_SOME: &str = retry!(" AND instr(',' || ?2 || ',', ',' || id || ',') > 0");
/// Walks rows that nobody finished only. A row that waits for its next attempt, and one behind it, is not late.
const BACKLOG: &str = concat!(
    "SELECT CAST(COUNT(*) FILTER (WHERE c.state = 'W') AS TEXT), CAST(COUNT(*) FILTER (WHERE c.state = 'P') AS TEXT), ",
    "CAST(unixepoch('now') - unixepoch(MIN(COALESCE(c.not_before, c.captured_at)) FILTER (",
    "WHERE c.state = 'W' AND (c.not_before IS NULL OR c.not_before <= ",
    now!(),
    ") AND NOT EXISTS (SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name ",
    "AND e.row_key = c.row_key AND e.state = 'W' AND e.id < c.id AND e.not_before > ",
    now!(),
    "))) AS TEXT) FROM leadwire_capture c WHERE c.table_name = ?1 AND c.state IN ('W', 'P')"
);
const HISTORY: &str = concat!(
    "SELECT CAST(COUNT(*) FILTER (WHERE state = 'W' AND leased_until > ",
    now!(),
    ") AS TEXT), CAST(COUNT(*) FILTER (WHERE state = 'D') AS TEXT) FROM leadwire_capture WHERE table_name = ?1"
);
/// The newest row stays: SQLite would give its number to the next one.
const PURGE: &str = "
DELETE FROM leadwire_capture WHERE id IN (
  SELECT id FROM leadwire_capture
  WHERE table_name = ?1 AND state = 'D' AND ended_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ?2 || ' seconds')
    AND id < (SELECT MAX(id) FROM leadwire_capture)
  ORDER BY id LIMIT ?3)";
pub(in crate::intake) const COLUMNS: &str = "
SELECT x.name, x.type, CAST(x.\"notnull\" AS TEXT), CAST(x.dflt_value IS NOT NULL AS TEXT), CAST(x.pk AS TEXT),
       CAST(x.hidden AS TEXT)
FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x
WHERE m.type = 'table' AND m.name = ?1 AND x.hidden <> 1 ORDER BY x.cid";
pub(in crate::intake) const UNIQUE: &str = "
SELECT MAX(i.name) FROM pragma_index_list(?1) l JOIN pragma_index_xinfo(l.name) i
WHERE l.\"unique\" = 1 AND l.partial = 0 AND i.key = 1
GROUP BY l.name HAVING COUNT(*) = 1 AND MAX(i.cid) >= 0";
pub(in crate::intake) const TRIGGERS: &str = "
SELECT name, tbl_name, sql, 'true', '' FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'leadwire!_%' ESCAPE '!'";

/// Triggers of a table that are somebody else's.
const BESIDE: &str = "
SELECT name FROM sqlite_master
WHERE type = 'trigger' AND tbl_name = ?1 AND name NOT LIKE 'leadwire!_%' ESCAPE '!' ORDER BY 1";

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
    [ALL.every(), vec![UNIQUE]].concat()
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

    use super::*;
    use crate::intake::sqlite::triggers::create_capture;

    /// What is asked after every run does not grow with what was finished long ago.
    #[tokio::test]
    async fn the_backlog_is_found_without_a_look_at_finished_rows() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for statement in create_capture() {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        let plan = format!("EXPLAIN QUERY PLAN {BACKLOG}");
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(plan)).bind("members").fetch_all(&mut connection).await.unwrap();
        let walked = steps.iter().find(|(.., step)| step.contains(" c ")).map(|(.., step)| step.clone());
        let walked = walked.unwrap_or_default();
        assert!(walked.starts_with("SEARCH") && walked.contains("table_name=? AND state=?"), "{steps:?}");
    }
}
