//! SQLite as a source.

pub mod sql;
mod triggers;

use std::str::FromStr as _;
use std::time::Duration;

use application::intake::{Engine, Mapping, SourceError, Verdict};
use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};

use super::database::{Database, Row, Statements, Value};
use super::error::from_sqlx;
use super::names::{CAPTURE, literal, quoted};
use super::plan::{Installed, Present, Trigger};
use super::probe::probe_text;
use super::shape::{Column, Kind, Shape};
use super::table::text;
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

fn query<'q>(sql: &str, values: &[Value<'_>]) -> Query<'q, sqlx::Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Text(text) => query.bind((*text).to_owned()),
            Value::Number(number) => query.bind(*number),
        };
    }
    query
}

fn cells(row: &SqliteRow) -> Result<Row, SourceError> {
    (0..row.len())
        .map(|place| row.try_get_unchecked::<Option<Vec<u8>>, _>(place).map_err(from_sqlx))
        .collect()
}

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
            "they FAIL while leadwire_capture is missing, for a trigger of SQLite cannot catch an error; remove Leadwire \
             with `leadwire intake uninstall` only",
        )
    }

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SourceError> {
        let rows = query(sql, values).fetch_all(&self.pool).await.map_err(from_sqlx)?;
        rows.iter().map(cells).collect()
    }

    async fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, SourceError> {
        Ok(query(sql, values).execute(&self.pool).await.map_err(from_sqlx)?.rows_affected())
    }

    async fn apply(&self, statements: &[String]) -> Result<(), SourceError> {
        let mut transaction = self.pool.begin_with(BEGIN).await.map_err(from_sqlx)?;
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement.clone()))
                .execute(&mut *transaction)
                .await
                .map_err(from_sqlx)?;
        }
        transaction.commit().await.map_err(from_sqlx)
    }

    async fn rehearse(
        &self,
        change: (&str, &[Value<'_>]),
        question: (&str, &[Value<'_>]),
    ) -> Result<Vec<Row>, SourceError> {
        let mut transaction = self.pool.begin_with(BEGIN).await.map_err(from_sqlx)?;
        let changed = query(change.0, change.1).execute(&mut *transaction).await;
        let rows = match changed {
            Ok(_) => query(question.0, question.1).fetch_all(&mut *transaction).await,
            Err(error) => Err(error),
        };
        transaction.rollback().await.map_err(from_sqlx)?;
        rows.map_err(from_sqlx)?.iter().map(cells).collect()
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

    async fn installed(&self) -> Result<Installed, SourceError> {
        let capture = self.rows(sql::COLUMNS, &[Value::Text(CAPTURE)]).await?;
        let present = |row: &Row| {
            Ok(Present { name: text(row, 0)?, table: text(row, 1)?, body: text(row, 2)?, enabled: true })
        };
        let triggers = self.rows(sql::TRIGGERS, &[]).await?;
        Ok(Installed {
            capture: capture.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?,
            triggers: triggers.iter().map(present).collect::<Result<_, SourceError>>()?,
        })
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
        choice: None,
        type_name: if type_name.is_empty() { "no declared type".to_owned() } else { type_name },
    })
}
