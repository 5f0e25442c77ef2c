//! PostgreSQL as a source.

pub mod sql;
mod triggers;

use std::str::FromStr as _;
use std::sync::OnceLock;
use std::time::Duration;

use application::intake::{Engine, Mapping, SourceError, Verdict};
use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::database::{Database, Doubt, Statements};
use super::error::from_sqlx;
use super::names::{CAPTURE, literal, quoted};
use super::plan::{Installed, Trigger};
use super::probe::probe_text;
use super::shape::{Column, Kind, Shape};
use super::table::text;
use super::talk::{Row, Talk as _, Value, talk};
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

    fn schema(&self) -> &str {
        self.schema.get().map_or("public", String::as_str)
    }
}

talk!(Postgres, sqlx::Postgres, begin());

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

    /// Asked once: the schema is where the table was found.
    async fn ready(&self) -> Result<(), SourceError> {
        if self.schema.get().is_none() {
            let rows = self.rows(sql::SCHEMA, &[]).await?;
            let schema = rows.first().map_or(Ok(String::new()), |row| text(row, 0))?;
            self.schema.get_or_init(|| schema);
        }
        Ok(())
    }

    async fn shape(&self, table: &str) -> Result<Shape, SourceError> {
        self.ready().await?;
        let by = [Value::Text(table)];
        let columns = self.rows(sql::COLUMNS, &by).await?;
        let unique = self.rows(sql::UNIQUE, &by).await?;
        Ok(Shape {
            columns: columns.iter().map(column).collect::<Result<_, _>>()?,
            unique: unique.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?,
            transactional: true,
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

    fn is_ahead(&self, moment: &str, column: &Column) -> String {
        match column.kind {
            Kind::Moment if column.type_name.ends_with("timestamptz") => format!("{moment} > now()"),
            Kind::Moment => format!("{moment} > now() AT TIME ZONE 'UTC'"),
            Kind::Date => format!("{moment} > CAST(now() AT TIME ZONE 'UTC' AS DATE)"),
            Kind::Integer { .. } | Kind::Decimal | Kind::Float => {
                super::select::epoch_ahead(moment, "extract(epoch FROM now())")
            }
            Kind::Text => format!(
                "CAST({moment} AS TEXT) COLLATE \"C\" > \
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') COLLATE \"C\""
            ),
            _ => "FALSE".to_owned(),
        }
    }

    async fn accounts(&self, table: &str, _: &Installed) -> Result<Vec<Doubt>, SourceError> {
        let rows = self.rows(sql::ACCOUNTS, &[Value::Text(table)]).await?;
        let mut doubts = Vec::new();
        for row in rows {
            let (account, lacks) = (text(&row, 0)?, text(&row, 1)?);
            if !lacks.is_empty() {
                doubts.push(Doubt {
                    verdict: Verdict::Failed,
                    said: format!(
                        "the triggers run as `{account}`, who lacks {lacks}: members are written, and NOTHING is captured"
                    ),
                    refutable: true,
                });
            }
        }
        Ok(doubts)
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

    fn forget(&self, table: &str) -> String {
        format!("DELETE FROM {CAPTURE} WHERE table_name = {}", literal(table))
    }

    fn triggers(&self, mapping: &Mapping, _: &Shape) -> Vec<Trigger> {
        triggers::triggers(mapping, self.schema())
    }

    /// The function's trigger goes with it; a trigger alone could be dropped by the table's owner only. What else hangs
    /// on the function was looked for before (`sql::TRIGGERS`).
    fn drop_trigger(&self, name: &str, _: &str) -> Vec<String> {
        vec![format!("DROP FUNCTION {}() CASCADE", self.quote(name))]
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
        offset: None,
        choice: Some(text(row, 8)?).filter(|choice| !choice.is_empty()),
    })
}
