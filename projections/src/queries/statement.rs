//! Freely combined filters: `sea-query` writes the text, the values are bound, on both databases alike.

use chrono::{DateTime, SecondsFormat, Utc};
use infrastructure::db::{Db, DbError};
use sea_query::{
    Cond, Expr, ExprTrait, Func, LikeExpr, PostgresQueryBuilder, SelectStatement, SqliteQueryBuilder, Value,
};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::table::Dialect;

/// Conditions that must all hold.
pub(super) struct Filters {
    dialect: Dialect,
    all: Cond,
}

impl Filters {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, all: Cond::all() }
    }

    pub(super) fn condition(&self) -> Cond {
        self.all.clone()
    }

    pub(super) fn add(&mut self, condition: Expr) {
        let all = std::mem::replace(&mut self.all, Cond::all());
        self.all = all.add(condition);
    }

    /// The id as a value of the database's own kind.
    pub(super) fn uuid(&self, id: Uuid) -> Expr {
        match self.dialect {
            Dialect::Postgres => Expr::val(id.hyphenated().to_string()).cast_as("uuid"),
            Dialect::Sqlite => Expr::val(id.as_bytes().to_vec()),
        }
    }

    /// The instant as the database keeps it.
    pub(super) fn time(&self, at: DateTime<Utc>) -> Expr {
        let text = Expr::val(at.to_rfc3339_opts(SecondsFormat::AutoSi, false));
        match self.dialect {
            Dialect::Postgres => text.cast_as("timestamptz"),
            Dialect::Sqlite => text,
        }
    }

    pub(super) fn text(&mut self, column: &'static str, wanted: Option<&str>) {
        if let Some(wanted) = wanted {
            self.add(Expr::col(column).eq(clean(wanted)));
        }
    }

    pub(super) fn id(&mut self, column: &'static str, wanted: Option<Uuid>) {
        if let Some(id) = wanted {
            self.add(Expr::col(column).eq(self.uuid(id)));
        }
    }

    /// From `from` to `to`, both included.
    pub(super) fn between(
        &mut self,
        column: &'static str,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) {
        if let Some(from) = from {
            self.add(Expr::col(column).gte(self.time(from)));
        }
        if let Some(to) = to {
            self.add(Expr::col(column).lte(self.time(to)));
        }
    }

    /// One of the columns holds the text literally, whatever `LIKE` thinks of its characters, and whatever the case of
    /// its ASCII letters.
    pub(super) fn contains_any(&mut self, columns: &[&'static str], wanted: &str) {
        let pattern = format!("%{}%", escape_like(&clean(wanted).to_lowercase()));
        let among = columns.iter().fold(Cond::any(), |among, column| {
            let holds =
                Func::lower(Expr::col(*column)).like(LikeExpr::new(pattern.as_str()).escape(LIKE_ESCAPE));
            among.add(holds)
        });
        let all = std::mem::replace(&mut self.all, Cond::all());
        self.all = all.add(among);
    }
}

/// Text as the projectors wrote it: PostgreSQL refuses NUL.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Not `\`, which string literals of some servers treat specially.
const LIKE_ESCAPE: char = '!';

fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | LIKE_ESCAPE) {
            escaped.push(LIKE_ESCAPE);
        }
        escaped.push(character);
    }
    escaped
}

/// A statement ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    values: Vec<Value>,
}

impl Statement {
    pub(super) fn of(dialect: Dialect, select: &SelectStatement) -> Self {
        let (sql, values) = match dialect {
            Dialect::Postgres => select.build(PostgresQueryBuilder),
            Dialect::Sqlite => select.build(SqliteQueryBuilder),
        };
        Self { sql, values: values.0 }
    }

    /// Runs it and reads every row.
    pub(super) async fn fetch<T>(self, db: &Db) -> Result<Vec<T>, DbError>
    where
        T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let Self { sql, values } = self;
        Ok(infrastructure::with_pool!(db, pool => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for value in values {
                query = match value {
                    Value::String(text) => query.bind(text),
                    Value::Bytes(bytes) => query.bind(bytes),
                    Value::BigInt(number) => query.bind(number),
                    // A LIMIT or an OFFSET.
                    Value::BigUnsigned(number) => query.bind(number.and_then(|n| i64::try_from(n).ok())),
                    other => return Err(unexpected(&other)),
                };
            }
            query.fetch_all(pool).await
        })?)
    }

    /// Runs it and reads one number.
    pub(super) async fn count(self, db: &Db) -> Result<i64, DbError> {
        let rows: Vec<(i64,)> = self.fetch(db).await?;
        Ok(rows.first().map_or(0, |(count,)| *count))
    }
}

fn unexpected(value: &Value) -> DbError {
    let reason = format!("a filter holds a value of an unexpected kind: {:?}", value.array_type());
    DbError::Sql(sqlx::Error::Encode(reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_characters_are_literal() {
        assert_eq!(escape_like("50%_!x"), "50!%!_!!x");
    }
}
