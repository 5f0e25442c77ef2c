//! What is made in a PostgreSQL database.
//!
//! The function's block catches every error of the insert, a missing capture table included, and waits 200 ms at most for a
//! lock on it: a trigger belongs to the member's own statement, which must not fail for our sake (fault S-22). It runs with
//! the rights of who installed it, so that whoever may write members need not know of the capture table, and with a
//! search path that nobody can put anything into.
//!
//! A row's number comes from no sequence: `nextval`, in whatever way it is called, changes what `lastval()` says in the
//! member's own session, and programs that ask it for their new row's key would read ours. The number is the clock in
//! microseconds and, below it, the process: two sessions never meet in one, a session that meets itself steps on, and
//! two changes of one member are in order because the second waits for the first one's commit.

use application::intake::{Mapping, Operation};

use crate::intake::names::{self, CAPTURE, MARK, literal, quoted};
use crate::intake::plan::Trigger;
use crate::intake::table::operations;

/// How long a member's statement waits for a lock on the capture table, each row of it.
const LOCK_TIMEOUT: &str = "200ms";

/// Where the clock in a row's number begins: 2020-01-01 UTC, in seconds. With it the numbers last until 2091.
const NUMBERS_BEGIN_SECONDS: i64 = 1_577_836_800;

/// Bits of a row's number below the clock. They hold the process, whose number is another one in every session.
const PROCESS_BITS: u32 = 12;

/// How many microseconds a row steps on to find a free number. More than one is needed where the clock is coarse, or was
/// set back.
const NUMBERS_TRIED_MAX: u32 = 1000;

pub(super) fn create_capture() -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE {CAPTURE} (
  id BIGINT PRIMARY KEY,
  table_name TEXT NOT NULL,
  row_key TEXT NOT NULL,
  operation TEXT NOT NULL,
  changed TEXT NOT NULL,
  captured_at TIMESTAMPTZ NOT NULL,
  state TEXT NOT NULL DEFAULT 'W',
  attempts INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  leased_until TIMESTAMPTZ,
  not_before TIMESTAMPTZ,
  reason TEXT,
  ended_at TIMESTAMPTZ
)"
        ),
        format!("CREATE INDEX leadwire_capture_state ON {CAPTURE} (table_name, state, id)"),
        format!("CREATE INDEX leadwire_capture_key ON {CAPTURE} (table_name, row_key) WHERE state = 'W'"),
        format!("COMMENT ON TABLE {CAPTURE} IS '{MARK}'"),
    ]
}

/// The triggers of a table in `schema`.
pub(super) fn triggers(mapping: &Mapping, schema: &str) -> Vec<Trigger> {
    operations(mapping).into_iter().map(|operation| trigger(mapping, schema, operation)).collect()
}

fn trigger(mapping: &Mapping, schema: &str, operation: Operation) -> Trigger {
    let name = names::trigger(&mapping.table, operation);
    let mark = names::mark(&definition(mapping, schema, operation, &name, "").join("\n"));
    let create = definition(mapping, schema, operation, &name, &mark);
    Trigger { name, mark, create }
}

fn definition(mapping: &Mapping, schema: &str, operation: Operation, name: &str, mark: &str) -> Vec<String> {
    let (word, side) = match operation {
        Operation::Insert => ("INSERT", "NEW"),
        Operation::Update => ("UPDATE", "NEW"),
        Operation::Delete => ("DELETE", "OLD"),
    };
    let watched = mapping.watched();
    let (changed, condition) = if operation == Operation::Update {
        let each: Vec<String> = watched
            .iter()
            .map(|column| {
                format!("CASE WHEN {} THEN {} ELSE '' END", differs(column), literal(&names::listed(column)))
            })
            .collect();
        let any: Vec<String> = watched.iter().map(|column| differs(column)).collect();
        (format!("'[' || rtrim({}, ',') || ']'", each.join(" || ")), format!(" WHEN ({})", any.join(" OR ")))
    } else {
        ("'[]'".to_owned(), String::new())
    };
    let (schema, quoted_name, table) = (quoted(schema, '"'), quoted(name, '"'), quoted(&mapping.table, '"'));
    // Names and literals may hold anything, the end of the body too; a mark of its own is in none of them.
    let end = body_mark(&changed, &mapping.table, &mapping.key);
    vec![
        format!(
            "CREATE FUNCTION {schema}.{quoted_name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '{LOCK_TIMEOUT}' SET standard_conforming_strings = on AS {end}
DECLARE
  moment CONSTANT TIMESTAMPTZ := clock_timestamp();
  clock CONSTANT BIGINT := CAST((extract(epoch FROM moment) - {NUMBERS_BEGIN_SECONDS}) * 1000000 AS BIGINT);
  process CONSTANT BIGINT := pg_backend_pid() & ((1 << {PROCESS_BITS}) - 1);
BEGIN {mark}
  FOR step IN 0..{NUMBERS_TRIED_MAX} LOOP
    INSERT INTO {schema}.{CAPTURE} (id, table_name, row_key, operation, changed, captured_at)
    VALUES (((clock + step) << {PROCESS_BITS}) | process, {}, CAST({side}.{} AS TEXT), '{}', {changed}, moment)
    ON CONFLICT (id) DO NOTHING;
    EXIT WHEN FOUND;
  END LOOP;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
{end}",
            literal(&mapping.table),
            quoted(&mapping.key, '"'),
            operation.as_str(),
        ),
        format!("REVOKE EXECUTE ON FUNCTION {schema}.{quoted_name}() FROM PUBLIC"),
        format!(
            "CREATE TRIGGER {quoted_name} AFTER {word} ON {schema}.{table} FOR EACH ROW{condition} \
             EXECUTE FUNCTION {schema}.{quoted_name}()"
        ),
    ]
}

/// Texts are compared, not values: every type has a text, and not every type has an `=`. NULL differs from every text
/// (fault S-09).
fn differs(column: &str) -> String {
    let name = quoted(column, '"');
    format!("CAST(OLD.{name} AS TEXT) IS DISTINCT FROM CAST(NEW.{name} AS TEXT)")
}

fn body_mark(changed: &str, table: &str, key: &str) -> String {
    let mut mark = "$leadwire$".to_owned();
    while [changed, table, key].iter().any(|text| text.contains(&mark)) {
        mark.insert(mark.len() - 1, '_');
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_the_body() {
        assert_eq!(body_mark("a", "b", "c"), "$leadwire$");
        assert_eq!(body_mark("x$leadwire$y", "$leadwire_$", "c"), "$leadwire__$");
    }
}
