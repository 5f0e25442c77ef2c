//! A whole table in the order of its key, as one line of JSON per row: what parity is judged by.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use infrastructure::db::{DbError, Tx};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Decode, Row, Type};
use uuid::Uuid;

use super::{Cell, Kind, Table, Target};

/// How many rows a table has, and the hash over all of them in the order of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) rows: u64,
    pub(crate) sha256: [u8; 32],
}

impl Table {
    /// Reads the whole table in the order of its key.
    pub(crate) fn dump(&self, target: Target) -> String {
        let columns = self.column_list();
        format!("SELECT {columns} FROM {} ORDER BY {}", target.name(self), self.key.join(", "))
    }
}

/// One row: its key, the position it was last written at, and all of it as JSON.
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) position: i64,
    pub(crate) json: String,
}

fn line<'r, R>(table: &Table, row: &'r R) -> Result<Line, sqlx::Error>
where
    R: Row,
    usize: sqlx::ColumnIndex<R>,
    Option<Uuid>: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    Option<DateTime<Utc>>: Decode<'r, R::Database> + Type<R::Database>,
    Option<bool>: Decode<'r, R::Database> + Type<R::Database>,
{
    let mut values = Vec::with_capacity(table.columns.len());
    let mut keys = Vec::new();
    let mut position = 0;
    for (n, column) in table.columns.iter().enumerate() {
        let cell = match column.kind {
            Kind::Uuid => Cell::Uuid(row.try_get(n)?),
            Kind::Text => Cell::Text(row.try_get(n)?),
            Kind::Int => Cell::Int(row.try_get(n)?),
            Kind::Time => Cell::Time(row.try_get(n)?),
            Kind::Bool => Cell::Bool(row.try_get(n)?),
        };
        let value = cell.to_json();
        if table.key.contains(&column.name) {
            keys.push(value.to_string());
        }
        if let (Cell::Int(Some(number)), "position") = (&cell, column.name) {
            position = *number;
        }
        values.push(value);
    }
    Ok(Line { key: keys.join("/"), position, json: serde_json::Value::from(values).to_string() })
}

/// Calls `each` with every row, in order.
pub(crate) async fn for_each(
    tx: &mut Tx<'_>,
    table: &Table,
    target: Target,
    mut each: impl FnMut(Line),
) -> Result<(), DbError> {
    let sql = AssertSqlSafe(table.dump(target));
    match tx {
        Tx::Sqlite(tx) => {
            let mut rows = sqlx::query(sql).fetch(&mut **tx);
            while let Some(row) = rows.try_next().await? {
                each(line(table, &row)?);
            }
        }
        Tx::Postgres(tx) => {
            let mut rows = sqlx::query(sql).fetch(&mut **tx);
            while let Some(row) = rows.try_next().await? {
                each(line(table, &row)?);
            }
        }
    }
    Ok(())
}

/// Counts and hashes a table.
pub(crate) async fn digest(tx: &mut Tx<'_>, table: &Table, target: Target) -> Result<Digest, DbError> {
    let mut rows = 0;
    let mut hash = Sha256::new();
    for_each(tx, table, target, |line| {
        rows += 1;
        hash.update(line.json.as_bytes());
        hash.update(b"\n");
    })
    .await?;
    Ok(Digest { rows, sha256: hash.finalize().into() })
}

/// Every row as JSON, in the order of the key. For tests and small tables: the whole answer is in memory.
pub(crate) async fn rows_as_json(
    tx: &mut Tx<'_>,
    table: &Table,
    target: Target,
) -> Result<Vec<String>, DbError> {
    let mut lines = Vec::new();
    for_each(tx, table, target, |line| lines.push(line.json)).await?;
    Ok(lines)
}
