//! What is made in a MySQL or MariaDB database.
//!
//! The handler swallows every error of the insert, a missing capture table included: a trigger belongs to the member's own
//! statement, which must not fail for our sake (fault S-22). What no handler can catch is a lock: the one on the table is
//! taken before the trigger begins, and InnoDB ends the whole statement when the one on a row takes too long.

use application::intake::{Mapping, Operation};

use crate::intake::names::{self, CAPTURE, MARK, quoted};
use crate::intake::plan::Trigger;
use crate::intake::shape::{Column, Kind, Shape};
use crate::intake::table::operations;

pub(super) fn create_capture() -> Vec<String> {
    vec![format!(
        "CREATE TABLE `{CAPTURE}` (
  `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `table_name` VARCHAR(64) NOT NULL,
  `row_key` VARCHAR(255) NOT NULL,
  `operation` CHAR(1) NOT NULL,
  `changed` TEXT NOT NULL,
  `captured_at` DATETIME(6) NOT NULL,
  `state` CHAR(1) NOT NULL DEFAULT 'W',
  `attempts` INT NOT NULL DEFAULT 0,
  `lease` VARCHAR(128) NULL,
  `leased_until` DATETIME(6) NULL,
  `not_before` DATETIME(6) NULL,
  `reason` VARCHAR(500) NULL,
  `ended_at` DATETIME(6) NULL,
  KEY `leadwire_capture_state` (`table_name`, `state`, `id`),
  KEY `leadwire_capture_key` (`table_name`, `row_key`, `state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='{MARK}'"
    )]
}

pub(super) fn triggers(mapping: &Mapping, shape: &Shape) -> Vec<Trigger> {
    operations(mapping).into_iter().map(|operation| trigger(mapping, shape, operation)).collect()
}

fn trigger(mapping: &Mapping, shape: &Shape, operation: Operation) -> Trigger {
    let name = names::trigger(&mapping.table, operation);
    let definition = definition(mapping, shape, operation, &name, "");
    let mark = names::mark(&definition);
    let create = vec![self::definition(mapping, shape, operation, &name, &mark)];
    Trigger { name, mark, create }
}

fn definition(mapping: &Mapping, shape: &Shape, operation: Operation, name: &str, mark: &str) -> String {
    let (word, side) = match operation {
        Operation::Insert => ("INSERT", "NEW"),
        Operation::Update => ("UPDATE", "NEW"),
        Operation::Delete => ("DELETE", "OLD"),
    };
    let columns: Vec<&Column> = mapping.watched().into_iter().filter_map(|name| shape.column(name)).collect();
    let changed = match operation {
        Operation::Update => {
            let each: Vec<String> = columns
                .iter()
                .map(|column| format!("IF({}, '', {})", same(column), literal(&names::listed(&column.name))))
                .collect();
            format!("CONCAT('[', TRIM(TRAILING ',' FROM CONCAT({})), ']')", each.join(", "))
        }
        Operation::Insert | Operation::Delete => "'[]'".to_owned(),
    };
    let insert = format!(
        "INSERT INTO `{CAPTURE}` (`table_name`, `row_key`, `operation`, `changed`, `captured_at`)
    VALUES ({}, CAST({side}.{} AS CHAR), '{}', {changed}, UTC_TIMESTAMP(6));",
        literal(&mapping.table),
        quoted(&mapping.key, '`'),
        operation.as_str(),
    );
    let body = if operation == Operation::Update {
        let all: Vec<String> = columns.iter().map(|column| same(column)).collect();
        format!("IF NOT ({}) THEN\n    {insert}\n  END IF;", all.join(" AND "))
    } else {
        insert
    };
    format!(
        "CREATE TRIGGER {} AFTER {word} ON {} FOR EACH ROW
BEGIN {mark}
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
  {body}
END",
        quoted(name, '`'),
        quoted(&mapping.table, '`'),
    )
}

/// Whether a column is what it was; `<=>` knows NULL (fault S-09). Texts are compared byte by byte, for most collations
/// think that `a` and `A` are the same.
fn same(column: &Column) -> String {
    let name = quoted(&column.name, '`');
    match column.kind {
        Kind::Text | Kind::Choice | Kind::Json => {
            format!("CAST(OLD.{name} AS BINARY) <=> CAST(NEW.{name} AS BINARY)")
        }
        _ => format!("OLD.{name} <=> NEW.{name}"),
    }
}

/// A literal for a session whose backslashes escape, which ours are.
pub(super) fn literal(text: &str) -> String {
    names::literal(&text.replace('\\', "\\\\"))
}
