//! A read model's table described once: its DDL, its set-wise upsert and its dump all come from the description.
//!
//! The physical name is a parameter, because a rebuild fills a shadow of the same shape (`<table>__v<N>`) beside
//! the live table. Index names carry the generation for the same reason.

mod cell;
mod dump;
mod write;

pub(crate) use cell::Cell;
pub(crate) use dump::{Digest, digest, for_each, rows_as_json};
pub(crate) use write::{fetch_in, ids_as_json, upsert};

use infrastructure::db::{Db, Tx};

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Embedded.
    Sqlite,
    /// A server.
    Postgres,
}

impl Dialect {
    /// Of a database.
    pub(crate) fn of(db: &Db) -> Self {
        match db {
            Db::Sqlite(_) => Self::Sqlite,
            Db::Postgres(_) => Self::Postgres,
        }
    }

    /// Of a transaction.
    pub(crate) fn of_tx(tx: &Tx<'_>) -> Self {
        match tx {
            Tx::Sqlite(_) => Self::Sqlite,
            Tx::Postgres(_) => Self::Postgres,
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An id.
    Uuid,
    /// Text, compared and ordered by code point on both databases.
    Text,
    /// A whole number.
    Int,
    /// An instant.
    Time,
    /// Yes or no.
    Bool,
}

impl Kind {
    fn declared(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Uuid, _) => "UUID",
            // The server's default collation depends on the machine it was set up on; a list must not.
            (Self::Text, Dialect::Postgres) => "TEXT COLLATE \"C\"",
            (Self::Text, Dialect::Sqlite) => "TEXT",
            (Self::Int, _) => "BIGINT",
            (Self::Time, _) => "TIMESTAMPTZ",
            (Self::Bool, _) => "BOOLEAN",
        }
    }
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    nullable: bool,
}

/// A column that always has a value.
pub(crate) const fn must(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false }
}

/// A column that may be empty.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true }
}

/// One index beside the key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    /// Last part of its name.
    pub(crate) name: &'static str,
    /// What stands in the parentheses.
    pub(crate) on: &'static str,
    /// What stands behind `WHERE`.
    pub(crate) only: Option<&'static str>,
    /// Whether folding a page reads through it; a rebuild makes the others after it has read the log.
    pub(crate) folding: bool,
}

/// An index over all rows.
pub(crate) const fn index(name: &'static str, on: &'static str) -> Index {
    Index { name, on, only: None, folding: false }
}

/// Which indexes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// All of them.
    All,
    /// Those that folding reads through.
    Folding,
}

/// One table of a read model. Every table has a column `position`: that of the last event folded into the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    /// The columns of the primary key; the table is dumped and compared in their order.
    pub(crate) key: &'static [&'static str],
    pub(crate) indexes: &'static [Index],
}

/// Which set of physical tables is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The tables that are read.
    Live,
    /// The tables a rebuild to this version fills.
    Shadow(i64),
    /// The tables that were live until this version was replaced.
    Old(i64),
}

impl Target {
    /// The physical name of a table.
    pub(crate) fn name(self, table: &Table) -> String {
        match self {
            Self::Live => table.name.to_owned(),
            Self::Shadow(version) => format!("{}__v{version}", table.name),
            Self::Old(version) => format!("{}__old_v{version}", table.name),
        }
    }
}

impl Table {
    /// The names of its columns, as they stand in a `SELECT`.
    pub(crate) fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// Creates the table under a physical name, without its indexes.
    pub(crate) fn create(&self, dialect: Dialect, target: Target) -> String {
        let mut columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let null = if column.nullable { "" } else { " NOT NULL" };
                format!("{} {}{null}", column.name, column.kind.declared(dialect))
            })
            .collect();
        columns.push(format!("PRIMARY KEY ({})", self.key.join(", ")));
        format!("CREATE TABLE IF NOT EXISTS {} ({})", target.name(self), columns.join(", "))
    }

    /// Creates its indexes, named after the generation they were built for.
    pub(crate) fn create_indexes(&self, target: Target, version: i64, which: Indexes) -> Vec<String> {
        let physical = target.name(self);
        self.indexes
            .iter()
            .filter(|index| which == Indexes::All || index.folding)
            .map(|index| {
                let only = index.only.map(|only| format!(" WHERE {only}")).unwrap_or_default();
                format!(
                    "CREATE INDEX IF NOT EXISTS {}_{}__v{version} ON {physical} ({}){only}",
                    self.name, index.name, index.on
                )
            })
            .collect()
    }

    /// Drops the table under a physical name.
    pub(crate) fn drop(&self, target: Target) -> String {
        format!("DROP TABLE IF EXISTS {}", target.name(self))
    }

    /// Gives the table another physical name.
    pub(crate) fn rename(&self, from: Target, to: Target) -> String {
        format!("ALTER TABLE {} RENAME TO {}", from.name(self), to.name(self))
    }

    /// Reads rows whose column is one of the ids given as `$1`.
    pub(crate) fn select_where_in(
        &self,
        dialect: Dialect,
        target: Target,
        columns: &str,
        of: &str,
    ) -> String {
        let among = among(dialect);
        format!("SELECT {columns} FROM {} WHERE {of} {among}", target.name(self))
    }
}

/// "is one of the ids given as `$1`".
pub(crate) fn among(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "= ANY($1::uuid[])",
        Dialect::Sqlite => "IN (SELECT unhex(value) FROM json_each($1))",
    }
}
