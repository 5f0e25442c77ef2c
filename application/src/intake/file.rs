//! The mapping file: TOML that describes somebody else's table.
//!
//! ```toml
//! table = "clients"
//! key = "uid"
//! updated_at = "modified_at"        # needed for polling only
//! deleted = "is_deleted"
//! zone = "Asia/Shanghai"           # of moments without an offset
//!
//! [status]
//! column = "state"
//! active = ["live"]
//!
//! [columns]                         # column = member field
//! name = "nickname"
//! mobile = "phone"
//! sex = "gender"
//!
//! [values.gender]                   # the table's code = ours
//! M = "male"
//! F = "female"
//! ```

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Deserialize;

use super::mapping::{ColumnMapping, FIELDS, Mapping, MappingError, StatusMapping, TABLE_CHARS_MAX};

/// Longest mapping file that is read.
pub const MAPPING_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    table: String,
    schema: Option<String>,
    key: String,
    updated_at: Option<String>,
    deleted: Option<String>,
    zone: Option<String>,
    status: Option<Status>,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    column: String,
    active: Vec<String>,
}

/// Reads a mapping file. `file` is its name, for errors.
pub fn parse(file: &str, text: &str) -> Result<Mapping, MappingError> {
    let refused = |key: &str, rule: String| MappingError { file: file.to_owned(), key: key.to_owned(), rule };
    if text.len() > MAPPING_BYTES_MAX {
        return Err(refused("file", format!("is longer than {MAPPING_BYTES_MAX} bytes")));
    }
    let read: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        refused(&format!("line {line}"), error.message().to_owned())
    })?;
    let mapping = mapping(&read).map_err(|(key, rule)| refused(&key, rule))?;
    judge(&mapping, &read).map_err(|(key, rule)| refused(&key, rule))?;
    Ok(mapping)
}

type Broken = (String, String);

fn mapping(read: &File) -> Result<Mapping, Broken> {
    let columns = read.columns.iter().map(|(column, field)| {
        if !FIELDS.contains(&field.as_str()) {
            return Err((
                format!("columns.{column}"),
                format!("names no field of a member; there are: {}", FIELDS.join(", ")),
            ));
        }
        let values = read.values.get(field).cloned().unwrap_or_default();
        Ok(ColumnMapping { column: column.clone(), field: field.clone(), values })
    });
    let zone = read.zone.as_deref().map(str::parse::<Tz>).transpose().map_err(|_| {
        let rule = "must be a zone of the IANA database, such as Asia/Shanghai or UTC";
        ("zone".to_owned(), rule.to_owned())
    })?;
    Ok(Mapping {
        table: read.table.clone(),
        schema: read.schema.clone(),
        key: read.key.clone(),
        updated_at: read.updated_at.clone(),
        deleted: read.deleted.clone(),
        status: read
            .status
            .as_ref()
            .map(|status| StatusMapping { column: status.column.clone(), active: status.active.clone() }),
        columns: columns.collect::<Result<_, _>>()?,
        zone,
        lenient: false,
    })
}

fn judge(mapping: &Mapping, read: &File) -> Result<(), Broken> {
    let broken = |key: &str, rule: &str| Err((key.to_owned(), rule.to_owned()));
    let status = mapping.status.as_ref();
    let names = [
        ("table", Some(&mapping.table)),
        ("schema", mapping.schema.as_ref()),
        ("key", Some(&mapping.key)),
        ("updated_at", mapping.updated_at.as_ref()),
        ("deleted", mapping.deleted.as_ref()),
        ("status.column", status.map(|status| &status.column)),
    ];
    let columns = mapping.columns.iter().map(|column| ("columns", Some(&column.column)));
    for (key, name) in names.into_iter().chain(columns) {
        let Some(name) = name else { continue };
        if name.is_empty() || name.chars().count() > TABLE_CHARS_MAX {
            return Err((key.to_owned(), format!("must be a name of 1 to {TABLE_CHARS_MAX} characters")));
        }
        if name.contains('\0') {
            return broken(key, "must not hold a NUL character");
        }
    }
    if mapping.columns.is_empty() {
        return broken("columns", "must name at least one column");
    }
    if status.is_some_and(|status| status.active.is_empty()) {
        return broken("status.active", "must name at least one value");
    }
    if mapping.updated_at.as_ref() == Some(&mapping.key) {
        return broken("updated_at", "must be another column than the key");
    }
    for (place, column) in mapping.columns.iter().enumerate() {
        if mapping.columns[..place].iter().any(|earlier| earlier.field == column.field) {
            return Err((
                format!("columns.{}", column.column),
                format!("fills `{}`, which another column fills", column.field),
            ));
        }
        if column.field == "status" && status.is_some() {
            return Err((
                format!("columns.{}", column.column),
                "fills `status`, which [status] fills".to_owned(),
            ));
        }
    }
    match read.values.keys().find(|field| mapping.columns.iter().all(|column| column.field != **field)) {
        Some(field) => Err((format!("values.{field}"), "is for a field that no column fills".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
table = "clients"
key = "uid"
deleted = "gone_at"

[status]
column = "state"
active = ["live", "1"]

[columns]
"full name" = "nickname"
sex = "gender"

[values.gender]
M = "male"
"#;

    #[test]
    fn a_good_file_says_everything() {
        let mapping = parse("clients.toml", GOOD).unwrap();
        assert_eq!(mapping.watched(), ["full name", "sex", "state", "gone_at"]);
        assert_eq!(mapping.columns[1].values.get("M").map(String::as_str), Some("male"));
        assert!(!mapping.lenient);
    }

    #[test]
    fn an_error_names_file_key_and_rule() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let said = parse("clients.toml", &text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        };
        check("key = \"uid\"", "", "clients.toml: `line 1` missing field `key`");
        check("key = ", "kee = ", "clients.toml: `line 3` unknown field `kee`");
        check("key = \"uid\"", "key = 7", "clients.toml: `line 3` invalid type: integer `7`");
        check(
            "\"nickname\"",
            "\"nick\"",
            "clients.toml: `columns.full name` names no field of a member; there are:",
        );
        check(
            "\"gender\"",
            "\"nickname\"",
            "clients.toml: `columns.sex` fills `nickname`, which another column fills",
        );
        check("\"gender\"", "\"status\"", "clients.toml: `columns.sex` fills `status`, which [status] fills");
        check("[\"live\", \"1\"]", "[]", "clients.toml: `status.active` must name at least one value");
        check(
            "values.gender",
            "values.city",
            "clients.toml: `values.city` is for a field that no column fills",
        );
        check("\"clients\"", "\"\"", "clients.toml: `table` must be a name of 1 to 64 characters");
        check("\"uid\"", "\"u\\u0000id\"", "clients.toml: `key` must not hold a NUL character");
        check(
            "deleted =",
            "updated_at = \"uid\"\ndeleted =",
            "clients.toml: `updated_at` must be another column than the key",
        );
        check("[columns]", "[columns", "clients.toml: `line ");
        check(
            "deleted =",
            "zone = \"Shanghai\"\ndeleted =",
            "clients.toml: `zone` must be a zone of the IANA database",
        );
    }

    #[test]
    fn a_file_without_columns_or_too_long_is_refused() {
        let said = parse("m.toml", "table = \"t\"\nkey = \"id\"").unwrap_err().to_string();
        assert_eq!(said, "m.toml: `columns` must name at least one column");
        let long = "#".repeat(MAPPING_BYTES_MAX + 1);
        assert_eq!(
            parse("m.toml", &long).unwrap_err().to_string(),
            "m.toml: `file` is longer than 65536 bytes"
        );
    }
}
