//! SQLite as a source.

pub mod sql;
mod triggers;

use std::str::FromStr as _;
use std::time::Duration;

use application::intake::{Engine, Mapping, SourceError, Verdict};
use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::database::{Database, Doubt, Statements};
use super::error::from_sqlx;
use super::names::{CAPTURE, literal, quoted};
use super::plan::{Installed, Trigger};
use super::probe::probe_text;
use super::shape::{Column, Kind, Shape};
use super::table::text;
use super::talk::{Row, Talk as _, Value, talk};
use super::{ACQUIRE_SECONDS, CONNECTIONS_MAX};

/// How long we wait for whoever writes members.
const BUSY_SECONDS: u64 = 10;

/// Takes the write lock at once: a transaction that reads first could fail in the middle.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// A SQLite file. How it keeps its journal is its owner's affair and stays as it is.
pub(super) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    pub(super) fn open(url: &str) -> Result<Self, SourceError> {
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(SourceError::Address("a SQLite source is a file".to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(from_sqlx)?
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }
}

talk!(Sqlite, sqlx::Sqlite, begin_with(BEGIN));

#[async_trait]
impl Database for Sqlite {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn statements(&self) -> &'static Statements {
        &sql::ALL
    }

    fn guarantee(&self) -> (Verdict, &'static str) {
        (
            Verdict::Warning,
            "they FAIL while leadwire_capture is missing, for a trigger of SQLite cannot catch an error (remove Leadwire with \
             `leadwire intake uninstall` only), and where they have no busy timeout (PRAGMA busy_timeout) they FAIL in the \
             moments in which Leadwire writes; without a write-ahead log (PRAGMA journal_mode = WAL) also while it reads",
        )
    }

    async fn shape(&self, table: &str) -> Result<Shape, SourceError> {
        let by = [Value::Text(table)];
        let rows = self.rows(sql::COLUMNS, &by).await?;
        let unique = self.rows(sql::UNIQUE, &by).await?;
        let mut unique: Vec<String> = unique.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?;
        let mut primary = Vec::new();
        for row in &rows {
            if text(row, 4)? != "0" {
                primary.push(text(row, 0)?);
            }
        }
        if primary.len() == 1 {
            unique.append(&mut primary);
        }
        let columns = rows.iter().map(column).collect::<Result<_, _>>()?;
        Ok(Shape { columns, unique, transactional: true })
    }

    fn lock(&self, _: &str, _: &Column) -> Option<String> {
        None
    }

    fn quote(&self, name: &str) -> String {
        quoted(name, '"')
    }

    fn text_of(&self, column: &Column) -> String {
        format!("CAST({} AS TEXT)", self.quote(&column.name))
    }

    /// The column's affinity makes a number of a text that is one.
    fn bound(&self, place: usize, _: &Column) -> String {
        format!("?{place}")
    }

    /// By what a value is, not by what its column is called.
    fn is_ahead(&self, moment: &str, _: &Column) -> String {
        format!(
            "CASE WHEN typeof({moment}) = 'text' THEN {moment} > strftime('%Y-%m-%d %H:%M:%f', 'now') \
             ELSE {} END",
            super::select::epoch_ahead(moment, "unixepoch('now')")
        )
    }

    /// A trigger runs in whoever writes the file.
    async fn accounts(&self, _: &str, _: &Installed) -> Result<Vec<Doubt>, SourceError> {
        Ok(Vec::new())
    }

    fn sample(&self, column: &Column) -> Option<String> {
        Some(match column.kind {
            Kind::Text | Kind::Moment | Kind::Date | Kind::Other => literal(&probe_text(column)),
            _ => "0".to_owned(),
        })
    }

    fn create_capture(&self) -> Vec<String> {
        triggers::create_capture()
    }

    fn drop_capture(&self) -> Vec<String> {
        vec![format!("DROP TABLE {CAPTURE}")]
    }

    fn forget(&self, table: &str) -> String {
        format!("DELETE FROM {CAPTURE} WHERE table_name = {}", literal(table))
    }

    fn triggers(&self, mapping: &Mapping, _: &Shape) -> Vec<Trigger> {
        triggers::triggers(mapping)
    }

    fn drop_trigger(&self, name: &str, _: &str) -> Vec<String> {
        vec![format!("DROP TRIGGER {}", self.quote(name))]
    }
}

/// Columns of the statement: name, declared type, not null, has a default, place in the primary key, hidden.
fn column(row: &Row) -> Result<Column, SourceError> {
    let type_name = text(row, 1)?.to_ascii_uppercase();
    let has = |part: &str| type_name.contains(part);
    // The first five are SQLite's own rules of affinity, in their order.
    let kind = if has("INT") {
        Kind::Integer { unsigned: false }
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Kind::Text
    } else if has("BLOB") {
        Kind::Binary
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Kind::Float
    } else if type_name.is_empty() {
        Kind::Other
    } else if has("DATE") || has("TIME") {
        Kind::Moment
    } else if has("UUID") {
        Kind::Text
    } else {
        Kind::Decimal
    };
    let hidden = text(row, 5)?;
    Ok(Column {
        name: text(row, 0)?,
        kind,
        nullable: text(row, 2)? == "0",
        has_default: text(row, 3)? == "1",
        generated: hidden == "2" || hidden == "3",
        chars_max: None,
        offset: None,
        choice: None,
        type_name: if type_name.is_empty() { "no declared type".to_owned() } else { type_name },
    })
}
