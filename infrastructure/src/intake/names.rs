//! Names that we give to what we make in a foreign database, and how foreign names are written in its SQL.

use sha2::{Digest as _, Sha256};

use application::intake::Operation;

/// The capture table.
pub(super) const CAPTURE: &str = "leadwire_capture";

/// What every trigger of ours is called like.
pub(super) const PREFIX: &str = "leadwire_";

/// What stands in everything we make, with the version of its form.
pub(super) const MARK: &str = "leadwire capture v1";

/// Hexadecimal digits of the table in a trigger's name. The table's own name may be as long as a name may be.
const TABLE_DIGITS: usize = 8;

/// Hexadecimal digits that tell one version of a trigger from another.
const VERSION_DIGITS: usize = 16;

/// The trigger of one table and operation.
pub(super) fn trigger(table: &str, operation: Operation) -> String {
    let word = match operation {
        Operation::Insert => "insert",
        Operation::Update => "update",
        Operation::Delete => "delete",
    };
    format!("{PREFIX}{}_{word}", digits(table, TABLE_DIGITS))
}

/// The comment inside a trigger, by which a later run knows whether it is still the one it would make.
pub(super) fn mark(definition: &str) -> String {
    format!("/* {MARK} {} */", digits(definition, VERSION_DIGITS))
}

fn digits(text: &str, count: usize) -> String {
    use std::fmt::Write as _;
    let mut hex = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hex.truncate(count);
    hex
}

/// A name between marks, marks inside it doubled.
pub(super) fn quoted(name: &str, mark: char) -> String {
    let doubled = name.replace(mark, &format!("{mark}{mark}"));
    format!("{mark}{doubled}{mark}")
}

/// A text as a literal of standard SQL.
pub(super) fn literal(text: &str) -> String {
    quoted(text, '\'')
}

/// A column's name and a comma, as they stand in the list of changed columns.
pub(super) fn listed(column: &str) -> String {
    format!("{},", serde_json::Value::String(column.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_triggers_of_its_own_that_fit_into_any_name() {
        let one = trigger("members", Operation::Insert);
        assert_ne!(one, trigger("members", Operation::Update));
        assert_ne!(one, trigger("Members", Operation::Insert));
        assert!(trigger(&"名".repeat(64), Operation::Delete).len() <= 30);
    }

    #[test]
    fn quotes_in_names_do_not_end_them() {
        assert_eq!(quoted("a`b", '`'), "`a``b`");
        assert_eq!(quoted("a\"b", '"'), "\"a\"\"b\"");
        assert_eq!(literal("o'clock"), "'o''clock'");
        assert_eq!(listed("a\"b\\"), "\"a\\\"b\\\\\",");
    }
}
