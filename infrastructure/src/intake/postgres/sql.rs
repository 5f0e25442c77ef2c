//! The statements on the capture table, for PostgreSQL. The connection's search path finds it.

use crate::intake::database::Statements;
use crate::intake::sql::{ALL_UNFINISHED, ARRIVED, MAY_DELETE, MAY_UPDATE, UNFINISHED};

macro_rules! candidates {
    ($order:literal) => {
        concat!(
            "SELECT CAST(c.id AS TEXT) FROM leadwire_capture c ",
            "WHERE c.table_name = $1 AND c.state = 'W' ",
            "AND (c.leased_until IS NULL OR c.leased_until <= now()) ",
            "AND (c.not_before IS NULL OR c.not_before <= now()) ",
            "AND NOT EXISTS (SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name ",
            "AND e.row_key = c.row_key AND e.state = 'W' AND e.id <> c.id ",
            "AND (e.id < c.id OR e.leased_until > now())) ORDER BY c.id",
            $order,
            " LIMIT $2"
        )
    };
}

/// The columns of a captured row.
macro_rules! captured {
    ($rest:literal) => {
        concat!(
            "SELECT CAST(id AS TEXT), row_key, operation, changed, ",
            "to_char(captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), CAST(attempts AS TEXT), reason ",
            "FROM leadwire_capture WHERE table_name = $1 ",
            $rest
        )
    };
}

const OLDEST: &str = candidates!("");
const NEWEST: &str = candidates!(" DESC");
const LEASE: &str = "
UPDATE leadwire_capture
SET lease = $1, leased_until = now() + make_interval(secs => $2), attempts = attempts + 1
WHERE table_name = $3 AND id BETWEEN $4 AND $5 AND CAST(id AS TEXT) = ANY(string_to_array($6, ',')) AND state = 'W'
  AND (leased_until IS NULL OR leased_until <= now())";
const CLAIMED: &str = captured!("AND id BETWEEN $2 AND $3 AND lease = $4 ORDER BY id");
const DONE: &str = "
UPDATE leadwire_capture
SET state = 'D', ended_at = now(), leased_until = NULL
WHERE table_name = $1 AND id BETWEEN $2 AND $3 AND CAST(id AS TEXT) = ANY(string_to_array($4, ',')) AND lease = $5
  AND state = 'W'";
const PARK: &str = "
UPDATE leadwire_capture SET state = 'P', reason = $1, ended_at = now(), leased_until = NULL
WHERE table_name = $2 AND id = $3 AND lease = $4 AND state = 'W'";
const RELEASE: &str = "
UPDATE leadwire_capture
SET not_before = now() + make_interval(secs => $1), reason = $2, leased_until = NULL, lease = NULL
WHERE table_name = $3 AND id = $4 AND lease = $5 AND state = 'W'";
const GIVE_BACK: &str = "
UPDATE leadwire_capture SET attempts = attempts - 1, reason = $1, leased_until = NULL, lease = NULL
WHERE table_name = $2 AND id = $3 AND lease = $4 AND state = 'W'";
const PARKED: &str = captured!("AND state = 'P' AND id > $2 ORDER BY id LIMIT $3");
/// What was put aside may be worked on from now on: nobody waited for it before.
macro_rules! retry {
    ($which:literal) => {
        concat!(
            "UPDATE leadwire_capture SET state = 'W', attempts = 0, lease = NULL, not_before = now(), ended_at = NULL ",
            "WHERE table_name = $1 AND state = 'P'",
            $which
        )
    };
}

const RETRY_ALL: &str = retry!("");
const RETRY_SOME: &str = retry!(" AND CAST(id AS TEXT) = ANY(string_to_array($2, ','))");
/// Walks rows that nobody finished only. A row that waits for its next attempt, and one behind it, is not late.
const BACKLOG: &str = "
SELECT CAST(COUNT(*) FILTER (WHERE c.state = 'W') AS TEXT), CAST(COUNT(*) FILTER (WHERE c.state = 'P') AS TEXT),
       CAST(CAST(floor(extract(epoch FROM now() - MIN(COALESCE(c.not_before, c.captured_at)) FILTER (
         WHERE c.state = 'W' AND (c.not_before IS NULL OR c.not_before <= now()) AND NOT EXISTS (
           SELECT 1 FROM leadwire_capture e WHERE e.table_name = c.table_name AND e.row_key = c.row_key
              AND e.state = 'W' AND e.id < c.id AND e.not_before > now())))) AS BIGINT) AS TEXT)
FROM leadwire_capture c WHERE c.table_name = $1 AND c.state IN ('W', 'P')";
const HISTORY: &str = "
SELECT CAST(COUNT(*) FILTER (WHERE state = 'W' AND leased_until > now()) AS TEXT),
       CAST(COUNT(*) FILTER (WHERE state = 'D') AS TEXT)
FROM leadwire_capture WHERE table_name = $1";
const PURGE: &str = "
DELETE FROM leadwire_capture WHERE id IN (
  SELECT id FROM leadwire_capture
  WHERE table_name = $1 AND state = 'D' AND ended_at <= now() - make_interval(secs => $2) ORDER BY id LIMIT $3)";
/// A column whose default takes a number from a sequence counts as one that must be given: a probe takes none.
pub(in crate::intake) const COLUMNS: &str = "
SELECT CAST(a.attname AS TEXT), CAST(t.typname AS TEXT), quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       CAST(t.typtype AS TEXT), CAST(NOT a.attnotnull AND NOT counts.counts AS TEXT),
       CAST(a.atthasdef AND NOT counts.counts AS TEXT), CAST(a.attgenerated <> '' AS TEXT),
       CAST(CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS TEXT),
       (SELECT CAST(e.enumlabel AS TEXT) FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder LIMIT 1)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL (SELECT a.attidentity <> '' OR EXISTS (
  SELECT 1 FROM pg_attrdef d
  WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%') AS counts
) counts
WHERE s.nspname = current_schema() AND c.relname = $1 AND c.relkind IN ('r', 'p')
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum";
pub(in crate::intake) const UNIQUE: &str = "
SELECT CAST(a.attname AS TEXT)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE s.nspname = current_schema() AND c.relname = $1
  AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL";
/// Triggers; functions whose trigger is gone; and functions of ours that another trigger uses, as if they were not ours.
pub(in crate::intake) const TRIGGERS: &str = "
SELECT CAST(t.tgname AS TEXT), CAST(c.relname AS TEXT), p.prosrc, CAST(t.tgenabled IN ('O', 'A') AS TEXT),
       CAST(pg_get_userbyid(p.proowner) AS TEXT)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE s.nspname = current_schema() AND NOT t.tgisinternal AND t.tgname LIKE 'leadwire!_%' ESCAPE '!'
  AND t.tgparentid = 0
UNION ALL
SELECT CAST(p.proname AS TEXT), '', p.prosrc, 'false', CAST(pg_get_userbyid(p.proowner) AS TEXT)
FROM pg_proc p
JOIN pg_namespace s ON s.oid = p.pronamespace
WHERE s.nspname = current_schema() AND p.proname LIKE 'leadwire!_%' ESCAPE '!'
  AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgfoid = p.oid)
UNION ALL
SELECT CAST(p.proname AS TEXT), CAST(c.relname AS TEXT), '', 'true', ''
FROM pg_proc p
JOIN pg_namespace s ON s.oid = p.pronamespace
JOIN pg_trigger t ON t.tgfoid = p.oid AND t.tgname <> p.proname
JOIN pg_class c ON c.oid = t.tgrelid
WHERE s.nspname = current_schema() AND p.proname LIKE 'leadwire!_%' ESCAPE '!'";
/// Whose rights the triggers of a table have, and which of those that they need are missing. `ON CONFLICT` reads.
pub(in crate::intake) const ACCOUNTS: &str = "
SELECT DISTINCT CAST(pg_get_userbyid(p.proowner) AS TEXT), concat_ws(' and ',
  CASE WHEN NOT has_schema_privilege(p.proowner, s.oid, 'USAGE') THEN 'USAGE on the schema' END,
  CASE WHEN NOT has_table_privilege(p.proowner, k.oid, 'INSERT') THEN 'INSERT on leadwire_capture' END,
  CASE WHEN NOT has_table_privilege(p.proowner, k.oid, 'SELECT') THEN 'SELECT on leadwire_capture' END)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN pg_class k ON k.relnamespace = s.oid AND k.relname = 'leadwire_capture'
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE s.nspname = current_schema() AND c.relname = $1 AND NOT t.tgisinternal
  AND t.tgname LIKE 'leadwire!_%' ESCAPE '!'";
pub(in crate::intake) const SCHEMA: &str = "SELECT CAST(current_schema() AS TEXT)";

/// Triggers of a table that are somebody else's.
const BESIDE: &str = "
SELECT CAST(t.tgname AS TEXT)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = current_schema() AND c.relname = $1 AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND t.tgname NOT LIKE 'leadwire!_%' ESCAPE '!'
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
    [ALL.every(), vec![UNIQUE, SCHEMA, ACCOUNTS]].concat()
}
