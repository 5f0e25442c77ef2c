//! PostgreSQL as a source.

pub mod sql;
mod triggers;

use std::str::FromStr as _;
use std::sync::OnceLock;
use std::time::Duration;

use application::intake::{Engine, Mapping, SourceError, Verdict};
use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use super::database::{Database, Row, Statements, Value};
use super::error::from_sqlx;
use super::names::{CAPTURE, literal, quoted};
use super::plan::{Installed, Present, Trigger};
use super::probe::probe_text;
use super::shape::{Column, Kind, Shape};
use super::table::text;
use super::{ACQUIRE_SECONDS, CONNECTIONS_MAX};

/// How every connection reads and waits: moments are written the same everywhere, and members never wait long behind us.
const SETTINGS: [(&str, &str); 4] =
    [("TimeZone", "UTC"), ("DateStyle", "ISO"), ("lock_timeout", "5000"), ("statement_timeout", "30000")];

/// Finds the tables of one schema first.
const SEARCH_PATH: &str = "SELECT set_config('search_path', quote_ident($1), false)";

/// A PostgreSQL database, one schema of it.
pub(super) struct Postgres {
    pool: PgPool,
    /// The schema that members and the capture table are in.
    schema: OnceLock<String>,
}

impl Postgres {
    pub(super) fn open(url: &str, schema: Option<&str>) -> Result<Self, SourceError> {
        let options = PgConnectOptions::from_str(url).map_err(from_sqlx)?;
        let options = options.application_name("leadwire intake").options(SETTINGS);
        let wanted = schema.map(ToOwned::to_owned);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
            .after_connect(move |connection, _| {
                let wanted = wanted.clone();
                Box::pin(async move {
                    if let Some(schema) = wanted {
                        sqlx::query(SEARCH_PATH).bind(schema).execute(connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, schema: OnceLock::new() })
    }

    /// Asked once: it is where the table was found.
    async fn learn_schema(&self) -> Result<(), SourceError> {
        if self.schema.get().is_none() {
            let rows = self.rows(sql::SCHEMA, &[]).await?;
            let schema = rows.first().map_or(Ok(String::new()), |row| text(row, 0))?;
            self.schema.get_or_init(|| schema);
        }
        Ok(())
    }

    fn schema(&self) -> &str {
        self.schema.get().map_or("public", String::as_str)
    }
}

fn query<'q>(sql: &str, values: &[Value<'_>]) -> Query<'q, sqlx::Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Text(text) => query.bind((*text).to_owned()),
            Value::Number(number) => query.bind(*number),
        };
    }
    query
}

fn cells(row: &PgRow) -> Result<Row, SourceError> {
    let cell = |place| {
        let text: Option<String> = row.try_get_unchecked(place).map_err(from_sqlx)?;
        Ok(text.map(String::into_bytes))
    };
    (0..row.len()).map(cell).collect()
}

#[async_trait]
impl Database for Postgres {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn statements(&self) -> &'static Statements {
        &sql::ALL
    }

    fn guarantee(&self) -> (Verdict, &'static str) {
        (Verdict::Good, "they succeed although leadwire_capture is missing, or locked (after 200 ms)")
    }

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SourceError> {
        let rows = query(sql, values).fetch_all(&self.pool).await.map_err(from_sqlx)?;
        rows.iter().map(cells).collect()
    }

    async fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, SourceError> {
        Ok(query(sql, values).execute(&self.pool).await.map_err(from_sqlx)?.rows_affected())
    }

    async fn apply(&self, statements: &[String]) -> Result<(), SourceError> {
        let mut transaction = self.pool.begin().await.map_err(from_sqlx)?;
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
        let mut transaction = self.pool.begin().await.map_err(from_sqlx)?;
        let changed = query(change.0, change.1).execute(&mut *transaction).await;
        let rows = match changed {
            Ok(_) => query(question.0, question.1).fetch_all(&mut *transaction).await,
            Err(error) => Err(error),
        };
        transaction.rollback().await.map_err(from_sqlx)?;
        rows.map_err(from_sqlx)?.iter().map(cells).collect()
    }

    async fn shape(&self, table: &str) -> Result<Shape, SourceError> {
        self.learn_schema().await?;
        let by = [Value::Text(table)];
        let columns = self.rows(sql::COLUMNS, &by).await?;
        let unique = self.rows(sql::UNIQUE, &by).await?;
        Ok(Shape {
            columns: columns.iter().map(column).collect::<Result<_, _>>()?,
            unique: unique.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?,
            transactional: true,
        })
    }

    async fn installed(&self) -> Result<Installed, SourceError> {
        self.learn_schema().await?;
        let capture = self.rows(sql::COLUMNS, &[Value::Text(CAPTURE)]).await?;
        let present = |row: &Row| {
            Ok(Present {
                name: text(row, 0)?,
                table: text(row, 1)?,
                body: text(row, 2)?,
                enabled: text(row, 3)? == "true",
            })
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

    fn bound(&self, place: usize, column: &Column) -> String {
        // The bare type: with its length it would cut.
        format!("CAST(CAST(${place} AS TEXT) AS {})", column.type_name)
    }

    fn sample(&self, column: &Column) -> Option<String> {
        Some(match column.kind {
            Kind::Integer { .. } | Kind::Decimal | Kind::Float => "0".to_owned(),
            Kind::Bool => "false".to_owned(),
            Kind::Text => literal(&probe_text(column)),
            Kind::Uuid => "'00000000-0000-0000-0000-000000000000'".to_owned(),
            Kind::Moment => "now()".to_owned(),
            Kind::Date => "current_date".to_owned(),
            Kind::Json => "'{}'".to_owned(),
            Kind::Choice => literal(column.choice.as_deref()?),
            Kind::Binary => "''".to_owned(),
            Kind::Bit | Kind::Other => return None,
        })
    }

    /// Also where the key is an identity that is always generated.
    fn insert(&self, table: &str, columns: &[String], values: &[String]) -> String {
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            self.quote(table),
            columns.join(", "),
            values.join(", ")
        )
    }

    fn create_capture(&self) -> Vec<String> {
        triggers::create_capture()
    }

    fn drop_capture(&self) -> Vec<String> {
        vec![format!("DROP TABLE {CAPTURE}")]
    }

    fn triggers(&self, mapping: &Mapping, _: &Shape) -> Vec<Trigger> {
        triggers::triggers(mapping, self.schema())
    }

    fn drop_trigger(&self, name: &str, table: &str) -> Vec<String> {
        let (name, table) = (self.quote(name), self.quote(table));
        vec![format!("DROP TRIGGER IF EXISTS {name} ON {table}"), format!("DROP FUNCTION {name}()")]
    }
}

/// Columns of the statement: name, type, whole type, class of type, nullable, has a default, is generated, length, a
/// value of an enumeration.
fn column(row: &Row) -> Result<Column, SourceError> {
    let kind = match (text(row, 3)?.as_str(), text(row, 1)?.as_str()) {
        ("e", _) => Kind::Choice,
        (_, "int2" | "int4" | "int8") => Kind::Integer { unsigned: false },
        (_, "numeric") => Kind::Decimal,
        (_, "float4" | "float8") => Kind::Float,
        (_, "text" | "varchar" | "bpchar" | "citext" | "name") => Kind::Text,
        (_, "uuid") => Kind::Uuid,
        (_, "bool") => Kind::Bool,
        (_, "timestamp" | "timestamptz") => Kind::Moment,
        (_, "date") => Kind::Date,
        (_, "json" | "jsonb") => Kind::Json,
        (_, "bytea") => Kind::Binary,
        _ => Kind::Other,
    };
    Ok(Column {
        name: text(row, 0)?,
        kind,
        type_name: text(row, 2)?,
        nullable: text(row, 4)? == "true",
        has_default: text(row, 5)? == "true",
        generated: text(row, 6)? == "true",
        chars_max: text(row, 7)?.parse().ok(),
        choice: Some(text(row, 8)?).filter(|choice| !choice.is_empty()),
    })
}
