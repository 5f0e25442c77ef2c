//! MySQL and MariaDB as a source.

mod accounts;
pub mod sql;
mod triggers;

use std::str::FromStr as _;
use std::time::Duration;

use application::intake::{Engine, Mapping, SourceError, Verdict};
use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Executor as _, MySqlPool};

use super::database::{Database, Doubt, Statements};
use super::error::from_sqlx;
use super::names::{CAPTURE, quoted};
use super::plan::{Installed, Trigger};
use super::probe::probe_text;
use super::shape::{Column, Kind, Shape};
use super::table::{number, text};
use super::talk::{Row, Talk as _, Value, talk};
use super::{ACQUIRE_SECONDS, CONNECTIONS_MAX};

/// What every connection is set to. The mode is spelled out because literals depend on it, and because a key of 0 in a probe
/// must be 0 and not the next number; locks are waited for shortly, for somebody's members wait behind us.
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', \
                       time_zone = '+00:00', lock_wait_timeout = 5, innodb_lock_wait_timeout = 5";

/// Without it our updates would lock the gaps that members' inserts need.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A MySQL or MariaDB server, one database of it.
pub(super) struct Mysql {
    pool: MySqlPool,
}

impl Mysql {
    pub(super) fn open(url: &str) -> Result<Self, SourceError> {
        let url = url.replacen("mariadb:", "mysql:", 1);
        let options = MySqlConnectOptions::from_str(&url).map_err(from_sqlx)?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(SourceError::Address(
                "a MySQL address names a database: mysql://user@host/database".to_owned(),
            ));
        }
        let options = options.pipes_as_concat(false).no_engine_substitution(false);
        let pool = MySqlPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(SESSION).await?;
                    connection.execute(ISOLATION).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }
}

talk!(Mysql, sqlx::MySql, begin());

#[async_trait]
impl Database for Mysql {
    fn engine(&self) -> Engine {
        Engine::Mysql
    }

    fn statements(&self) -> &'static Statements {
        &sql::ALL
    }

    fn guarantee(&self) -> (Verdict, &'static str) {
        (
            Verdict::Warning,
            "they succeed although leadwire_capture is missing; while somebody else locks it they wait, and FAIL after \
             lock_wait_timeout (LOCK TABLES) or innodb_lock_wait_timeout (SELECT ... FOR UPDATE)",
        )
    }

    async fn shape(&self, table: &str) -> Result<Shape, SourceError> {
        let by = [Value::Text(table)];
        let Some(engine) = self.rows(sql::TABLE, &by).await?.into_iter().next() else {
            return Ok(Shape { columns: Vec::new(), unique: Vec::new(), transactional: false });
        };
        let columns = self.rows(sql::COLUMNS, &by).await?;
        let unique = self.rows(sql::UNIQUE, &by).await?;
        Ok(Shape {
            columns: columns.iter().map(column).collect::<Result<_, _>>()?,
            unique: unique.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?,
            transactional: text(&engine, 0)?.eq_ignore_ascii_case("innodb"),
        })
    }

    async fn purge(&self, table: &str, older_than_seconds: i64, limit: i64) -> Result<u64, SourceError> {
        let values = [Value::Text(table), Value::Number(older_than_seconds), Value::Number(limit)];
        let rows = self.rows(sql::PURGE, &values).await?;
        let numbers: Vec<i64> = rows.iter().map(|row| number(row, 0)).collect::<Result<_, _>>()?;
        let mut gone = 0;
        for some in numbers.chunks(sql::PURGED_ROWS) {
            // What is named twice goes once.
            let mut places = vec![Value::Number(some[0]); sql::PURGED_ROWS];
            for (place, number) in places.iter_mut().zip(some) {
                *place = Value::Number(*number);
            }
            gone += self.run(sql::PURGED, &places).await?;
        }
        Ok(gone)
    }

    /// Showing a trigger that one may not see is refused; one that is not there is not found.
    async fn hidden(&self, names: &[String]) -> Result<Vec<String>, SourceError> {
        let mut hidden = Vec::new();
        let mut connection = self.pool.acquire().await.map_err(from_sqlx)?;
        for name in names {
            // By itself: a transaction that ends with an error holds what it locked until its connection is used again.
            let sql = sqlx::AssertSqlSafe(format!("SHOW CREATE TRIGGER {}", self.quote(name)));
            let shown = sqlx::raw_sql(sql).execute(&mut *connection).await.map_err(from_sqlx);
            if matches!(shown, Err(SourceError::Denied(_))) {
                hidden.push(name.clone());
            }
        }
        Ok(hidden)
    }

    /// They may write into tables without transactions.
    fn takes_triggers_back(&self) -> bool {
        false
    }

    fn quote(&self, name: &str) -> String {
        quoted(name, '`')
    }

    fn text_of(&self, column: &Column) -> String {
        let name = self.quote(&column.name);
        match column.kind {
            Kind::Bit => format!("CAST({name} + 0 AS CHAR)"),
            Kind::Binary => format!("CONCAT('0x', HEX({name}))"),
            _ => format!("CONVERT(CAST({name} AS CHAR) USING utf8mb4)"),
        }
    }

    fn bound(&self, _: usize, column: &Column) -> String {
        match column.kind {
            Kind::Integer { unsigned: false } => "CAST(? AS SIGNED)",
            Kind::Integer { unsigned: true } => "CAST(? AS UNSIGNED)",
            Kind::Decimal => "CAST(? AS DECIMAL(65, 10))",
            Kind::Moment => "CAST(? AS DATETIME(6))",
            Kind::Date => "CAST(? AS DATE)",
            _ => "?",
        }
        .to_owned()
    }

    fn is_ahead(&self, moment: &str, column: &Column) -> String {
        match column.kind {
            Kind::Moment => format!("{moment} > UTC_TIMESTAMP(6)"),
            Kind::Date => format!("{moment} > UTC_DATE()"),
            Kind::Integer { .. } | Kind::Decimal | Kind::Float => {
                super::select::epoch_ahead(moment, "UNIX_TIMESTAMP()")
            }
            Kind::Text => {
                format!("{moment} > DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f')")
            }
            _ => "FALSE".to_owned(),
        }
    }

    async fn accounts(&self, table: &str, installed: &Installed) -> Result<Vec<Doubt>, SourceError> {
        accounts::doubts(self, table, installed).await
    }

    fn sample(&self, column: &Column) -> Option<String> {
        Some(match column.kind {
            Kind::Integer { .. } | Kind::Decimal | Kind::Float | Kind::Bool => "0".to_owned(),
            Kind::Bit => "b'0'".to_owned(),
            Kind::Text => triggers::literal(&probe_text(column)),
            Kind::Uuid => "'00000000-0000-0000-0000-000000000000'".to_owned(),
            Kind::Moment => "UTC_TIMESTAMP()".to_owned(),
            Kind::Date => "UTC_DATE()".to_owned(),
            Kind::Json => "'{}'".to_owned(),
            // The number of the first value.
            Kind::Choice => "1".to_owned(),
            Kind::Binary => "''".to_owned(),
            Kind::Other => return None,
        })
    }

    fn create_capture(&self) -> Vec<String> {
        triggers::create_capture()
    }

    fn drop_capture(&self) -> Vec<String> {
        vec![format!("DROP TABLE `{CAPTURE}`")]
    }

    fn forget(&self, table: &str) -> String {
        format!("DELETE FROM {CAPTURE} WHERE table_name = {}", triggers::literal(table))
    }

    fn triggers(&self, mapping: &Mapping, shape: &Shape) -> Vec<Trigger> {
        triggers::triggers(mapping, shape)
    }

    fn drop_trigger(&self, name: &str, _: &str) -> Vec<String> {
        vec![format!("DROP TRIGGER {}", self.quote(name))]
    }
}

/// Columns of the statement: name, type, whole type, nullable, has a default, is generated, length.
fn column(row: &Row) -> Result<Column, SourceError> {
    let type_name = text(row, 2)?;
    let kind = match text(row, 1)?.to_ascii_lowercase().as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => {
            Kind::Integer { unsigned: type_name.contains("unsigned") }
        }
        "decimal" => Kind::Decimal,
        "float" | "double" => Kind::Float,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Kind::Text,
        "enum" | "set" => Kind::Choice,
        "datetime" | "timestamp" => Kind::Moment,
        "date" => Kind::Date,
        "json" => Kind::Json,
        "uuid" => Kind::Uuid,
        "bit" => Kind::Bit,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Binary,
        _ => Kind::Other,
    };
    let is_text = matches!(kind, Kind::Text);
    Ok(Column {
        name: text(row, 0)?,
        kind,
        nullable: text(row, 3)? == "YES",
        has_default: text(row, 4)? == "1",
        generated: text(row, 5)? == "1",
        chars_max: text(row, 6)?.parse().ok().filter(|_| is_text),
        // The session's zone is UTC, and a TIMESTAMP is shown in it; a DATETIME is what somebody wrote.
        offset: type_name.starts_with("timestamp").then_some("+00:00"),
        choice: None,
        type_name,
    })
}
