//! What a foreign table looks like, and whether its members can be captured.

use application::intake::{Mapping, SourceError};

/// Longest key that the capture table of MySQL holds, in characters; with four bytes each it still fits an index.
pub(super) const KEY_CHARS_MAX: u32 = 255;

/// What matters about a column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer { unsigned: bool },
    Decimal,
    Float,
    Text,
    Uuid,
    Bool,
    Bit,
    Moment,
    Date,
    Json,
    Choice,
    Binary,
    Other,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The type as the database writes it.
    pub(super) type_name: String,
    pub(super) nullable: bool,
    /// Whether an insert may leave it out.
    pub(super) has_default: bool,
    pub(super) generated: bool,
    /// Most characters; `None` without a limit.
    pub(super) chars_max: Option<u32>,
    /// What its text leaves out: the offset of a moment that the database means in UTC.
    pub(super) offset: Option<&'static str>,
    /// A value of a [`Kind::Choice`].
    pub(super) choice: Option<String>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
    /// Columns that are unique by themselves.
    pub(super) unique: Vec<String>,
    /// Whether a change of it can be taken back.
    pub(super) transactional: bool,
}

/// A table and what we read of it, fitting each other.
#[derive(Debug, Clone)]
pub(super) struct Fitted {
    pub(super) shape: Shape,
    /// Without optional columns that the table lacks.
    pub(super) mapping: Mapping,
}

impl Shape {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Judges the table.
    pub(super) fn fit(self, mapping: &Mapping) -> Result<Fitted, SourceError> {
        let unsuitable = |rule: String| SourceError::Unsuitable { table: mapping.table.clone(), rule };
        if self.columns.is_empty() {
            return Err(unsuitable(
                "there is no such table, or this user may not see it; views cannot be captured".to_owned(),
            ));
        }
        let mapping = mapping
            .limited_to(|column| self.column(column).is_some())
            .map_err(|column| unsuitable(format!("has no column `{column}`")))?;
        let key = self
            .column(&mapping.key)
            .ok_or_else(|| unsuitable(format!("has no column `{}`", mapping.key)))?;
        let named = format!("the key column `{}`", key.name);
        let kinds = [Kind::Decimal, Kind::Text, Kind::Uuid, Kind::Date, Kind::Choice];
        if !matches!(key.kind, Kind::Integer { .. }) && !kinds.contains(&key.kind) {
            return Err(unsuitable(format!(
                "{named} is of type {}; a key is an integer, a text or a UUID",
                key.type_name
            )));
        }
        if key.chars_max.is_some_and(|most| most > KEY_CHARS_MAX) {
            return Err(unsuitable(format!("{named} may be longer than {KEY_CHARS_MAX} characters")));
        }
        if !self.unique.contains(&key.name) {
            return Err(unsuitable(format!(
                "{named} is not unique by itself; a table with a composite key needs one column with a unique index"
            )));
        }
        Ok(Fitted { mapping, shape: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: Kind) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            type_name: format!("{kind:?}"),
            nullable: true,
            has_default: false,
            generated: false,
            chars_max: None,
            offset: None,
            choice: None,
        }
    }

    fn shape(key: Column) -> Shape {
        let unique = vec![key.name.clone()];
        Shape { columns: vec![key, column("status", Kind::Text)], unique, transactional: true }
    }

    #[test]
    fn a_key_is_one_unique_column_of_a_plain_type() {
        let check = |shape: Shape, expected: Option<&str>| {
            let refused = shape.fit(&Mapping::system_s()).err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), expected.is_some(), "{refused:?}");
            assert!(refused.unwrap_or_default().contains(expected.unwrap_or_default()));
        };
        check(shape(column("id", Kind::Integer { unsigned: true })), None);
        check(shape(Column { chars_max: Some(255), ..column("id", Kind::Text) }), None);
        check(
            shape(Column { chars_max: Some(256), ..column("id", Kind::Text) }),
            Some("longer than 255 characters"),
        );
        check(shape(column("id", Kind::Binary)), Some("is of type Binary"));
        check(shape(column("no", Kind::Text)), Some("has no column `id`"));
        let composite = Shape { unique: Vec::new(), ..shape(column("id", Kind::Text)) };
        check(composite, Some("`members`: the key column `id` is not unique by itself"));
        let nothing = Shape { columns: Vec::new(), unique: Vec::new(), transactional: true };
        check(nothing, Some("there is no such table"));
    }
}
