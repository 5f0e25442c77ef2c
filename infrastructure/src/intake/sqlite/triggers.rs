//! What is made in a SQLite file.
//!
//! A trigger of SQLite cannot catch an error. While the capture table is missing, members' own statements fail, which `check`
//! warns of: whoever removes Leadwire removes it with `uninstall`. A lock cannot be met there: the file has one for all.

use application::intake::{Mapping, Operation};

use crate::intake::names::{self, CAPTURE, MARK, literal, quoted};
use crate::intake::plan::Trigger;
use crate::intake::table::operations;

/// Without AUTOINCREMENT, which would leave a table of SQLite's own behind.
pub(super) fn create_capture() -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE {CAPTURE} ( /* {MARK} */
  id INTEGER PRIMARY KEY,
  table_name TEXT NOT NULL,
  row_key TEXT NOT NULL,
  operation TEXT NOT NULL,
  changed TEXT NOT NULL,
  captured_at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'W',
  attempts INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  leased_until TEXT,
  not_before TEXT,
  reason TEXT,
  ended_at TEXT
)"
        ),
        format!("CREATE INDEX leadwire_capture_state ON {CAPTURE} (table_name, state, id)"),
        format!("CREATE INDEX leadwire_capture_key ON {CAPTURE} (table_name, row_key) WHERE state = 'W'"),
    ]
}

pub(super) fn triggers(mapping: &Mapping) -> Vec<Trigger> {
    operations(mapping).into_iter().map(|operation| trigger(mapping, operation)).collect()
}

fn trigger(mapping: &Mapping, operation: Operation) -> Trigger {
    let name = names::trigger(&mapping.table, operation);
    let mark = names::mark(&definition(mapping, operation, &name, ""));
    let create = vec![definition(mapping, operation, &name, &mark)];
    Trigger { name, mark, create }
}

fn definition(mapping: &Mapping, operation: Operation, name: &str, mark: &str) -> String {
    let (word, side) = match operation {
        Operation::Insert => ("INSERT", "NEW"),
        Operation::Update => ("UPDATE", "NEW"),
        Operation::Delete => ("DELETE", "OLD"),
    };
    let key = quoted(&mapping.key, '"');
    let mut condition = format!("{side}.{key} IS NOT NULL");
    let mut changed = "'[]'".to_owned();
    if operation == Operation::Update {
        let watched = mapping.watched();
        let any: Vec<String> = watched.iter().map(|column| differs(column)).collect();
        condition = format!("{condition} AND ({})", any.join(" OR "));
        let each: Vec<String> = watched
            .iter()
            .map(|column| {
                format!("CASE WHEN {} THEN {} ELSE '' END", differs(column), literal(&names::listed(column)))
            })
            .collect();
        changed = format!("'[' || rtrim({}, ',') || ']'", each.join(" || "));
    }
    format!(
        "CREATE TRIGGER {} AFTER {word} ON {} FOR EACH ROW WHEN {condition}
BEGIN {mark}
  INSERT INTO {CAPTURE} (table_name, row_key, operation, changed, captured_at)
  VALUES ({}, CAST({side}.{key} AS TEXT), '{}', {changed}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
END",
        quoted(name, '"'),
        quoted(&mapping.table, '"'),
        literal(&mapping.table),
        operation.as_str(),
    )
}

/// `IS NOT` knows NULL (fault S-09); texts are compared byte by byte, whatever the column's collation is.
fn differs(column: &str) -> String {
    let name = quoted(column, '"');
    format!("OLD.{name} IS NOT NEW.{name} COLLATE BINARY")
}
