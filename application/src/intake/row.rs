//! One row of a source, in the words of a member.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use domain::member::REGISTERED_AT;
use sha2::{Digest as _, Sha256};

use super::mapping::Mapping;

/// The status of a member who counts (existing-systems.md section 7.1).
pub const ACTIVE: &str = "ACTIVE";

/// What a column of deletion holds when the row is not deleted; NULL, a blank, every way to write zero, and MySQL's zero
/// date are the same. Anything else, such as the moment of deletion, means that it is.
const NOT_DELETED: [&str; 5] = ["false", "f", "no", "n", "off"];

/// How MySQL writes a moment that there is not.
const ZERO_DATE: &str = "0000-00-00";

/// How databases write a moment without an offset.
const MOMENTS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];

/// A row as it stands in its table, every value as text. Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The key's value.
    pub key: String,
    /// The member's fields by name; a field without a column is absent, NULL is `None`. Codes are ours.
    pub columns: BTreeMap<String, Option<String>>,
    /// Whether the table says that the member is gone.
    pub deleted: bool,
    /// When the table says that the row was last changed, written like its other moments; it is no part of what the row
    /// says about the member. `None` where the mapping names no such column.
    pub changed_at: Option<String>,
    /// The same for two rows that say the same about a member: SHA-256 in hexadecimal digits.
    pub fingerprint: String,
}

impl SourceRow {
    /// Whether the member counts.
    pub fn is_active(&self) -> bool {
        !self.deleted && self.columns.get("status").is_some_and(|status| status.as_deref() == Some(ACTIVE))
    }
}

impl fmt::Debug for SourceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceRow")
            .field("key", &shown(&self.key))
            .field("columns", &self.columns.keys())
            .field("deleted", &self.deleted)
            .field("changed_at", &self.changed_at)
            .field("fingerprint", &self.fingerprint)
            .finish()
    }
}

/// Why a row cannot be read. Its text holds no value, and of a key that may be a phone or an id of WeChat the beginning
/// only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row with key {} cannot be read: column `{column}` {rule}", shown(key))]
pub struct MalformedRow {
    /// The row.
    pub key: String,
    /// The column.
    pub column: String,
    /// What is wrong with it.
    pub rule: String,
}

/// Makes a row of the values of the table's columns, given by the column's name.
pub fn read_row(mapping: &Mapping, key: &str, value: impl Fn(&str) -> Option<String>) -> SourceRow {
    let moment = |text: String| match mapping.zone {
        Some(zone) => in_zone(zone, text),
        None => text,
    };
    let mut columns = BTreeMap::new();
    for mapped in &mapping.columns {
        let text = value(&mapped.column);
        let text = text.map(|text| mapped.values.get(&text).cloned().unwrap_or(text));
        let text = if mapped.field == REGISTERED_AT { text.map(moment) } else { text };
        columns.insert(mapped.field.clone(), text);
    }
    match &mapping.status {
        Some(status) => {
            let text = value(&status.column);
            let text = text.map(|text| if status.active.contains(&text) { ACTIVE.to_owned() } else { text });
            columns.insert("status".to_owned(), text);
        }
        None => {
            columns.entry("status".to_owned()).or_insert_with(|| Some(ACTIVE.to_owned()));
        }
    }
    let deleted = mapping.deleted.as_ref().is_some_and(|column| means_deleted(value(column).as_deref()));
    let changed_at = mapping.updated_at.as_ref().and_then(|column| value(column)).map(moment);
    let fingerprint = fingerprint(&columns, deleted);
    SourceRow { key: key.to_owned(), columns, deleted, changed_at, fingerprint }
}

fn means_deleted(text: Option<&str>) -> bool {
    let text = text.unwrap_or_default().trim().to_ascii_lowercase();
    let is_zero = text.parse::<f64>() == Ok(0.0) || text.starts_with(ZERO_DATE) || are_zero_bytes(&text);
    !text.is_empty() && !is_zero && !NOT_DELETED.contains(&text.as_str())
}

/// Whether it is how databases show bytes, and all are zero or the digit 0.
fn are_zero_bytes(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("\\x")) else { return false };
    digits.as_bytes().chunks(2).all(|byte| matches!(byte, b"00" | b"30" | b"0"))
}

/// A moment without an offset as the zone's own, with its offset; any other text as it is.
fn in_zone(zone: Tz, text: String) -> String {
    let trimmed = text.trim();
    let day = || NaiveDate::parse_from_str(trimmed, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let naive = MOMENTS.iter().find_map(|format| NaiveDateTime::parse_from_str(trimmed, format).ok());
    let at = naive.or_else(day).and_then(|naive| naive.and_local_timezone(zone).earliest());
    at.map_or(text, |at| at.to_rfc3339())
}

/// A key as it may stand in a log: numbers, which are no phones, and UUIDs as they are, of others the beginning.
fn shown(key: &str) -> String {
    /// Digits of a mobile number; 10 and more may be a number of a landline.
    const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 10..=13;
    let is_number = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && !PHONE_DIGITS.contains(&key.len()) || uuid::Uuid::try_parse(key).is_ok() {
        key.to_owned()
    } else {
        domain::contact::mask(key)
    }
}

/// Lengths stand before the texts, so that no two rows run together to the same bytes.
fn fingerprint(columns: &BTreeMap<String, Option<String>>, deleted: bool) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update([u8::from(deleted)]);
    for (name, value) in columns {
        for text in [Some(name), value.as_ref()] {
            match text {
                None => hash.update([0]),
                Some(text) => {
                    hash.update([1]);
                    hash.update(text.len().to_le_bytes());
                    hash.update(text.as_bytes());
                }
            }
        }
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::parse;

    fn row(values: &[(&str, Option<&str>)]) -> SourceRow {
        let mapping = "table = 't'\nkey = 'id'\ndeleted = 'gone'\n[status]\ncolumn = 'state'\nactive = ['live']\n\
                       [columns]\nname = 'nickname'\nsex = 'gender'\n[values.gender]\nM = 'male'";
        let mapping = parse("t.toml", mapping).unwrap();
        let values: BTreeMap<&str, Option<&str>> = values.iter().copied().collect();
        read_row(&mapping, "7", |column| values.get(column).copied().flatten().map(ToOwned::to_owned))
    }

    #[test]
    fn codes_become_ours_and_unknown_ones_are_passed_on() {
        let read = row(&[("name", Some("小明😀")), ("sex", Some("M")), ("state", Some("live"))]);
        assert_eq!(read.columns["nickname"].as_deref(), Some("小明😀"));
        assert_eq!(read.columns["gender"].as_deref(), Some("male"));
        assert!(read.is_active());
        let read = row(&[("sex", Some("X")), ("state", Some("asleep"))]);
        assert_eq!(read.columns["gender"].as_deref(), Some("X"));
        assert_eq!(read.columns["status"].as_deref(), Some("asleep"));
        assert_eq!(read.columns["nickname"], None);
        assert!(!read.is_active());
    }

    #[test]
    fn a_flag_and_a_moment_both_say_that_a_row_is_deleted() {
        let deleted = |text| row(&[("gone", text), ("state", Some("live"))]).deleted;
        for text in [
            None,
            Some(""),
            Some("0"),
            Some("0.00"),
            Some("false"),
            Some(" F "),
            Some("0000-00-00"),
            Some("0000-00-00 00:00:00.000000"),
            Some("0x"),
            Some("0x00"),
            Some("0x30"),
            Some("\\x0000"),
        ] {
            assert!(!deleted(text), "{text:?}");
        }
        for text in
            [Some("1"), Some("t"), Some("true"), Some("2026-11-22 10:00:00"), Some("0x01"), Some("0x31")]
        {
            assert!(deleted(text), "{text:?}");
        }
        assert!(!row(&[("gone", Some("1")), ("state", Some("live"))]).is_active());
    }

    #[test]
    fn the_fingerprint_tells_nothing_from_a_blank_and_one_column_from_the_next() {
        let of = |name, sex| row(&[("name", name), ("sex", sex)]).fingerprint;
        let prints = [
            of(None, None),
            of(Some(""), None),
            of(None, Some("")),
            of(Some("ab"), Some("c")),
            of(Some("a"), Some("bc")),
            row(&[("gone", Some("1"))]).fingerprint,
        ];
        for (place, print) in prints.iter().enumerate() {
            assert_eq!(print.len(), 64);
            assert!(!prints[..place].contains(print), "row {place}");
        }
        assert_eq!(of(Some("ab"), None), of(Some("ab"), None));
    }

    #[test]
    fn a_table_without_a_status_holds_active_members() {
        let mapping = parse("t.toml", "table = 't'\nkey = 'id'\n[columns]\nname = 'nickname'").unwrap();
        assert!(read_row(&mapping, "7", |_| None).is_active());
    }

    #[test]
    fn a_moment_without_an_offset_is_one_of_the_tables_zone() {
        const NAIVE: &str = "2026-11-22 10:00:00";
        let created = |zone: &str, text: &str| {
            let mapping = format!("table = 't'\nkey = 'id'\n{zone}\n[columns]\nmade = 'created_at'");
            let mapping = parse("t.toml", &mapping).unwrap();
            read_row(&mapping, "7", |_| Some(text.to_owned())).columns["created_at"].clone().unwrap()
        };
        assert_eq!(created("", NAIVE), NAIVE, "whoever reads it knows");
        assert_eq!(created("zone = 'UTC'", NAIVE), "2026-11-22T10:00:00+00:00");
        assert_eq!(created("zone = 'Asia/Tokyo'", "2026-11-22T10:00:00.5"), "2026-11-22T10:00:00.500+09:00");
        assert_eq!(created("zone = 'Asia/Tokyo'", "2026-11-22"), "2026-11-22T00:00:00+09:00");
        for other in ["2026-11-22 10:00:00+08", "2026-11-22T10:00:00Z", "0000-00-00 00:00:00", "yesterday"] {
            assert_eq!(created("zone = 'UTC'", other), other);
        }
    }

    #[test]
    fn the_moment_of_a_change_is_read_like_every_other_and_says_nothing_about_the_member() {
        let mapping =
            "table = 't'\nkey = 'id'\nupdated_at = 'at'\nzone = 'UTC'\n[columns]\nname = 'nickname'";
        let mapping = parse("t.toml", mapping).unwrap();
        let read =
            |at: &'static str| read_row(&mapping, "7", |column| (column == "at").then(|| at.to_owned()));
        let (early, late) = (read("2026-11-22 10:00:00"), read("2026-11-22 11:00:00"));
        assert_eq!(early.changed_at.as_deref(), Some("2026-11-22T10:00:00+00:00"));
        assert_ne!(early.changed_at, late.changed_at);
        assert_eq!(early.fingerprint, late.fingerprint);
        assert_eq!(row(&[]).changed_at, None);
    }

    #[test]
    fn an_error_shows_no_key_that_may_be_a_phone() {
        let said = |key: &str| {
            let (column, rule) = ("c".to_owned(), "is not UTF-8 text".to_owned());
            MalformedRow { key: key.to_owned(), column, rule }.to_string()
        };
        for key in ["7", "900719925474099312", "0198f3a0-0000-7000-8000-000000000001"] {
            assert!(said(key).contains(&format!("key {key} ")), "{key}");
        }
        for key in ["13800138000", "8613800138000", "oAbCdEfGhIjKl"] {
            assert!(!said(key).contains(key), "{key}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", row(&[("name", Some("13800138000"))]));
        assert!(!shown.contains("138") || !shown.contains("13800138000"), "{shown}");
        assert!(shown.contains("nickname"));
    }
}
