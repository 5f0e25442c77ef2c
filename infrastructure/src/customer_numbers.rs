//! The next customer number: a sequence on PostgreSQL, a counter of the one process on SQLite.

use std::ops::Range;

use application::ports::{CustomerNumbers, NumbersError};
use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use crate::db::{Db, DbError};

const NEXT_POSTGRES: &str = "SELECT nextval('customer_numbers')";
const BLOCK_POSTGRES: &str = "SELECT nextval('customer_numbers') FROM generate_series(1, $1)";

/// Numbers are zero-padded (`CUS` + 11 digits), so the largest text is the largest number.
const LARGEST_TAKEN: &str = "SELECT max(key) FROM guards WHERE kind = 'customer_number'";

/// The statements of this module, for the test that prepares them.
pub const POSTGRES_STATEMENTS: &[&str] = &[NEXT_POSTGRES, BLOCK_POSTGRES, LARGEST_TAKEN];
/// The statements of this module, for the test that prepares them.
pub const SQLITE_STATEMENTS: &[&str] = &[LARGEST_TAKEN];

/// Gives out customer numbers.
///
/// A number an import brought in by itself may be met later; the guard refuses it and the caller draws again.
#[derive(Debug)]
pub struct StoredNumbers {
    db: Db,
    /// The last number given out on SQLite; read from the guards at first use.
    last: Mutex<Option<u64>>,
}

impl StoredNumbers {
    /// Numbers of this database.
    pub fn new(db: Db) -> Self {
        Self { db, last: Mutex::new(None) }
    }
}

#[async_trait]
impl CustomerNumbers for StoredNumbers {
    async fn next(&self) -> Result<u64, NumbersError> {
        match &self.db {
            Db::Postgres(pool) => {
                let number: i64 =
                    sqlx::query_scalar(NEXT_POSTGRES).fetch_one(pool).await.map_err(|e| failed(&e.into()))?;
                positive(number)
            }
            Db::Sqlite(sqlite) => Ok(self.counted(sqlite.reader(), 1).await?.end - 1),
        }
    }

    async fn block(&self, count: usize) -> Result<Vec<u64>, NumbersError> {
        let wanted = u32::try_from(count).map_err(|_| NumbersError("too many at once".to_owned()))?;
        match &self.db {
            Db::Postgres(pool) => {
                let drawn = sqlx::query_scalar(BLOCK_POSTGRES).bind(i64::from(wanted)).fetch_all(pool).await;
                let drawn: Vec<i64> = drawn.map_err(|e| failed(&e.into()))?;
                drawn.into_iter().map(positive).collect()
            }
            Db::Sqlite(sqlite) => Ok(self.counted(sqlite.reader(), u64::from(wanted)).await?.collect()),
        }
    }
}

impl StoredNumbers {
    /// The next numbers of the one process.
    async fn counted(&self, pool: &SqlitePool, count: u64) -> Result<Range<u64>, NumbersError> {
        let mut last = self.last.lock().await;
        let before = match *last {
            Some(number) => number,
            None => largest_taken(pool).await.map_err(|error| failed(&error))?,
        };
        *last = Some(before + count);
        Ok(before + 1..before + count + 1)
    }
}

fn positive(number: i64) -> Result<u64, NumbersError> {
    u64::try_from(number).map_err(|_| NumbersError("the sequence is negative".to_owned()))
}

fn failed(error: &DbError) -> NumbersError {
    NumbersError(error.to_string())
}

async fn largest_taken(pool: &SqlitePool) -> Result<u64, DbError> {
    let key: Option<String> = sqlx::query_scalar(LARGEST_TAKEN).fetch_one(pool).await?;
    let Some(key) = key else { return Ok(0) };
    key.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().map_err(|_| DbError::Corrupt {
        table: "guards",
        at: "kind customer_number".to_owned(),
        reason: "a customer number does not end in digits".to_owned(),
    })
}
