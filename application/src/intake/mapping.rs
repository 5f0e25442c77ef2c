//! Which column of a foreign table says what about a member. System S's own table is [`Mapping::system_s`].

use std::collections::BTreeMap;

use chrono_tz::Tz;
use domain::member::REGISTERED_AT;

/// Longest name of a table or column: what MySQL allows; PostgreSQL's 63 bytes are less.
pub const TABLE_CHARS_MAX: usize = 64;

/// What a row may say about a member: the columns of existing-systems.md section 7.1, without `id` and `deleted`, which
/// are the key and a fact of its own, and with the moment of registration.
pub const FIELDS: [&str; 33] = [
    "member_no",
    "nickname",
    "wechat",
    "phone",
    "type",
    "status",
    "is_success",
    "gender",
    "birth_year",
    "height",
    "weight",
    "education",
    "occupation",
    "province",
    "city",
    "district",
    "target_area",
    "hukou_province",
    "hukou_city",
    "house_car",
    "children_plan",
    "marriage_cert",
    "marriage_history",
    "sexual_orientation",
    "self_description",
    "partner_requirement",
    "remaining_matches",
    "notes",
    "real_name",
    "id_card",
    "user_id",
    "wechat_qrcode",
    REGISTERED_AT,
];

/// The status of a member who counts.
const STATUS: &str = "status";

/// A table, its key, and what its columns mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The table's name.
    pub table: String,
    /// PostgreSQL: the schema it is in; else the connection's own.
    pub schema: Option<String>,
    /// The column that names a row for ever. Must be unique by itself.
    pub key: String,
    /// The column that is set anew with every change; needed to poll.
    pub updated_at: Option<String>,
    /// The column of a row that is kept although its member is gone: a flag, or the moment it was set.
    pub deleted: Option<String>,
    /// Which status there is, if the table has one. Without it every row is active.
    pub status: Option<StatusMapping>,
    /// The other columns.
    pub columns: Vec<ColumnMapping>,
    /// The zone of moments that are written without an offset. Without one they are read as everywhere in Leadwire: China's.
    pub zone: Option<Tz>,
    /// Whether a column that the table does not have is left out instead of refused. Only for the table we know by
    /// heart, whose real copies differ in age.
    pub lenient: bool,
}

/// The column that says whether a member counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusMapping {
    /// Its name.
    pub column: String,
    /// The values that mean `ACTIVE`; every other value is passed on as it is.
    pub active: Vec<String>,
}

/// One column and the member's field it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMapping {
    /// The column's name.
    pub column: String,
    /// One of [`FIELDS`].
    pub field: String,
    /// What the table's own codes are called here; a code that is not in it is passed on as it is.
    pub values: BTreeMap<String, String>,
}

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: `{key}` {rule}")]
pub struct MappingError {
    /// The file it stands in, as it was named.
    pub file: String,
    /// Where in it.
    pub key: String,
    /// The rule it breaks.
    pub rule: String,
}

impl Mapping {
    /// The table `members` of system S, as it is (existing-systems.md section 7.1).
    pub fn system_s() -> Self {
        let columns = FIELDS
            .iter()
            .filter(|field| **field != STATUS)
            .map(|field| ColumnMapping {
                column: (*field).to_owned(),
                field: (*field).to_owned(),
                values: BTreeMap::new(),
            })
            .collect();
        Self {
            table: "members".to_owned(),
            schema: None,
            key: "id".to_owned(),
            updated_at: Some("updated_at".to_owned()),
            deleted: Some("deleted".to_owned()),
            status: Some(StatusMapping {
                column: STATUS.to_owned(),
                active: vec![super::row::ACTIVE.to_owned()],
            }),
            columns,
            zone: None,
            lenient: true,
        }
    }

    /// The same, with moments without an offset in UTC unless the mapping says otherwise: what a database means by them
    /// that knows no other zone.
    #[must_use]
    pub fn in_utc_unless_said(self) -> Self {
        Self { zone: self.zone.or(Some(Tz::UTC)), ..self }
    }

    /// What the table is called among the tables of its source: its name, with the schema before it unless that is
    /// PostgreSQL's usual one. Two tables of one source never have the same.
    pub fn source_table(&self) -> String {
        /// Where PostgreSQL puts tables unasked.
        const USUAL: &str = "public";
        let named = |name: &str| {
            if name.contains(['.', '"']) {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name.to_owned()
            }
        };
        match self.schema.as_deref() {
            Some(schema) if schema != USUAL => format!("{}.{}", named(schema), named(&self.table)),
            _ => named(&self.table),
        }
    }

    /// Every column whose change says something new about the member, each once. The key is none of them: it never
    /// changes, and `updated_at` alone says nothing.
    pub fn watched(&self) -> Vec<&str> {
        let status = self.status.as_ref().map(|status| status.column.as_str());
        let named = self.columns.iter().map(|column| column.column.as_str());
        let mut watched: Vec<&str> = Vec::new();
        for column in named.chain(status).chain(self.deleted.as_deref()) {
            if column != self.key && !watched.contains(&column) {
                watched.push(column);
            }
        }
        watched
    }

    /// Whether a column says when a member registered.
    pub fn tells_registration(&self) -> bool {
        self.columns.iter().any(|column| column.field == REGISTERED_AT)
    }

    /// The same mapping without the optional columns that `has` does not know, or the first column that is missed.
    pub fn limited_to(&self, has: impl Fn(&str) -> bool) -> Result<Self, String> {
        let mut limited = self.clone();
        let missed = |column: &str| !has(column);
        if self.lenient {
            limited.columns.retain(|column| has(&column.column));
            limited.updated_at.take_if(|column| missed(column));
            limited.deleted.take_if(|column| missed(column));
        }
        let mut needed = limited.watched();
        needed.push(&limited.key);
        needed.extend(limited.updated_at.as_deref());
        match needed.into_iter().find(|column| missed(column)) {
            Some(column) => Err(column.to_owned()),
            None => Ok(limited),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_we_know_watches_everything_but_its_key_and_its_clock() {
        let mapping = Mapping::system_s();
        let watched = mapping.watched();
        assert_eq!(watched.len(), FIELDS.len() + 1);
        for column in ["wechat", "target_area", "sexual_orientation", "type", "status", "deleted"] {
            assert!(watched.contains(&column), "{column} was not watched by system S");
        }
        assert!(!watched.contains(&"id") && !watched.contains(&"updated_at"));
    }

    #[test]
    fn tables_of_two_schemas_are_two_tables() {
        let named = |schema: Option<&str>, table: &str| {
            let (schema, table) = (schema.map(ToOwned::to_owned), table.to_owned());
            Mapping { table, schema, ..Mapping::system_s() }.source_table()
        };
        assert_eq!(named(None, "members"), "members");
        assert_eq!(named(Some("public"), "members"), "members");
        let others =
            [named(Some("crm"), "members"), named(Some("shop"), "members"), named(None, "crm.members")];
        assert_eq!(others, ["crm.members", "shop.members", "\"crm.members\""]);
    }

    #[test]
    fn an_older_copy_may_lack_what_is_optional_but_not_its_key_or_status() {
        let mapping = Mapping::system_s();
        let few = ["id", "status", "phone"];
        let limited = mapping.limited_to(|column| few.contains(&column)).unwrap();
        assert_eq!(limited.watched(), ["phone", "status"]);
        assert_eq!((limited.updated_at, limited.deleted), (None, None));
        assert_eq!(mapping.limited_to(|column| column != "status"), Err("status".to_owned()));
        assert_eq!(mapping.limited_to(|column| column != "id"), Err("id".to_owned()));
    }

    #[test]
    fn a_table_that_somebody_described_must_have_every_column_named() {
        let mapping = Mapping { lenient: false, ..Mapping::system_s() };
        assert_eq!(mapping.limited_to(|column| column != "notes"), Err("notes".to_owned()));
        assert_eq!(mapping.limited_to(|column| column != "updated_at"), Err("updated_at".to_owned()));
    }
}
