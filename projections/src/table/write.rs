//! Writing and reading many rows with one statement, whatever their number.
//!
//! PostgreSQL takes one array per column, SQLite the same rows as JSON: both are one prepared statement without a
//! limit on the number of parameters. `jsonb_each` parses the rows once; `json_each` would write each row as text again for
//! every column that is taken from it.

use infrastructure::db::{DbError, Tx};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Postgres};
use uuid::Uuid;

use super::{Cell, Dialect, Kind, Table, Target};

impl Table {
    /// Inserts rows, or replaces rows that are older: a row that has already seen the event stays as it is.
    pub(crate) fn upsert(&self, dialect: Dialect, target: Target) -> String {
        let columns = self.column_list();
        let source = match dialect {
            Dialect::Postgres => {
                let arrays: Vec<String> = (1..)
                    .zip(self.columns)
                    .map(|(n, column): (usize, _)| format!("${n}::{}[]", array_of(column.kind)))
                    .collect();
                format!("SELECT * FROM unnest({}) AS new({columns})", arrays.join(", "))
            }
            Dialect::Sqlite => {
                let values: Vec<String> = (0..)
                    .zip(self.columns)
                    .map(|(n, column): (usize, _)| match column.kind {
                        Kind::Uuid => format!("unhex(value ->> {n})"),
                        _ => format!("value ->> {n}"),
                    })
                    .collect();
                // SQLite needs a WHERE here to tell ON CONFLICT from a join's ON.
                format!("SELECT {} FROM jsonb_each($1) WHERE true", values.join(", "))
            }
        };
        let set: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !self.key.contains(&column.name))
            .map(|column| format!("{0} = excluded.{0}", column.name))
            .collect();
        // Who fails here takes the whole transaction back. Told so, SQLite keeps no copy of the pages of one statement.
        let or = match dialect {
            Dialect::Postgres => "",
            Dialect::Sqlite => " OR FAIL",
        };
        format!(
            "INSERT{or} INTO {} AS kept ({columns}) {source} ON CONFLICT ({}) DO UPDATE SET {} \
             WHERE kept.position < excluded.position",
            target.name(self),
            self.key.join(", "),
            set.join(", "),
        )
    }
}

fn array_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid => "uuid",
        Kind::Text => "text",
        Kind::Int => "bigint",
        Kind::Time => "timestamptz",
        Kind::Bool => "boolean",
    }
}

/// Writes rows set-wise. Each row has one cell per column, in the table's order; no key may occur twice.
pub(crate) async fn upsert(
    tx: &mut Tx<'_>,
    table: &Table,
    target: Target,
    rows: &[Vec<Cell>],
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = AssertSqlSafe(table.upsert(Dialect::of_tx(tx), target));
    match tx {
        Tx::Postgres(tx) => {
            let mut query = sqlx::query(sql);
            for (n, column) in table.columns.iter().enumerate() {
                query = bind_column(query, column.kind, rows.iter().map(|row| &row[n]));
            }
            query.execute(&mut **tx).await?;
        }
        Tx::Sqlite(tx) => {
            let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(Cell::to_json).collect()).collect();
            let json = serde_json::json!(rows).to_string();
            sqlx::query(sql).bind(json).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

fn bind_column<'q, 'c>(query: PgQuery<'q>, kind: Kind, cells: impl Iterator<Item = &'c Cell>) -> PgQuery<'q> {
    macro_rules! column {
        ($variant:ident) => {
            cells
                .map(|cell| match cell {
                    Cell::$variant(value) => value.clone(),
                    // A cell of another kind would be a programming fault; NOT NULL turns it into an error.
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
    }
    match kind {
        Kind::Uuid => query.bind(column!(Uuid)),
        Kind::Text => query.bind(column!(Text)),
        Kind::Int => query.bind(column!(Int)),
        Kind::Time => query.bind(column!(Time)),
        Kind::Bool => query.bind(column!(Bool)),
    }
}

/// Ids as SQLite's `json_each` and `unhex` read them.
pub(crate) fn ids_as_json(ids: &[Uuid]) -> String {
    serde_json::json!(ids.iter().map(|id| id.simple().to_string()).collect::<Vec<_>>()).to_string()
}

/// Runs a statement of [`Table::select_where_in`] inside a transaction.
pub(crate) async fn fetch_in<T>(tx: &mut Tx<'_>, sql: String, ids: &[Uuid]) -> Result<Vec<T>, DbError>
where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = AssertSqlSafe(sql);
    Ok(match tx {
        Tx::Postgres(tx) => sqlx::query_as(sql).bind(ids).fetch_all(&mut **tx).await?,
        Tx::Sqlite(tx) => sqlx::query_as(sql).bind(ids_as_json(ids)).fetch_all(&mut **tx).await?,
    })
}
