//! One handle for two databases: connect, read, write in one transaction, migrate.
//!
//! SQL is a `const` at the top of the module that owns the table, in the subset both databases speak (`$1`,
//! `RETURNING`, `ON CONFLICT`). The macros [`with_pool!`](crate::with_pool) and [`with_tx!`](crate::with_tx)
//! write the same body once for each database; a statement that must differ is one `match`.
//!
//! Rules the two databases impose on everybody:
//! - ids are bound as [`uuid::Uuid`] (16 bytes on SQLite), instants as `chrono::DateTime<Utc>`;
//! - SQLite keeps instants as RFC 3339 text in UTC with 0, 3, 6 or 9 digits; `+` sorts before `.` and `.` before
//!   digits, so comparing and ordering by such a column is right as long as only this crate's binding writes it;
//! - SQLite has one writer: whoever holds [`Db::begin_write`] keeps everybody else out, so be short.

mod checkpoint;
mod connect;
mod gate;
mod migrate;
mod sqlite;

use std::path::PathBuf;

use sqlx::{Connection, PgPool, Postgres, Transaction};

pub use connect::DbOptions;
pub use sqlite::{SqliteDb, SqliteTx};

/// Runs one body on the pool of whichever database is configured: `with_pool!(db, pool => expression)`.
///
/// For reading. On SQLite the pool refuses writes (`query_only`): writes go through [`Db::begin_write`].
#[macro_export]
macro_rules! with_pool {
    ($db:expr, $pool:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Sqlite(sqlite) => {
                let $pool = sqlite.reader();
                $body
            }
            $crate::db::Db::Postgres($pool) => $body,
        }
    };
}

/// Runs one body on the connection inside a transaction: `with_tx!(tx, conn => expression)`, where `tx` is a
/// `&mut Tx<'_>` and `conn` becomes `&mut SqliteConnection` or `&mut PgConnection`.
#[macro_export]
macro_rules! with_tx {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Sqlite(inner) => {
                let $conn = &mut **inner;
                $body
            }
            $crate::db::Tx::Postgres(inner) => {
                let $conn = &mut **inner;
                $body
            }
        }
    };
}

/// The configured database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// Embedded, one process.
    Sqlite(SqliteDb),
    /// A server, any number of processes.
    Postgres(PgPool),
}

/// A transaction on either database. Dropping it rolls back.
#[derive(Debug)]
pub enum Tx<'t> {
    /// On SQLite, begun with `BEGIN IMMEDIATE`.
    Sqlite(SqliteTx<'t>),
    /// On PostgreSQL, READ COMMITTED.
    Postgres(Transaction<'t, Postgres>),
}

/// What PostgreSQL is asked for; spelled out so that a server's other default changes nothing.
pub(crate) const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const BEGIN_POSTGRES_DERIVED: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off";

/// One moment of the whole database, however long it is read.
const BEGIN_POSTGRES_SNAPSHOT: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0";

impl Db {
    /// Begins a transaction that reads, and sees the database as it is at its first statement.
    pub async fn begin_snapshot(&self) -> Result<Tx<'static>, DbError> {
        Ok(match self {
            Self::Sqlite(sqlite) => Tx::Sqlite(sqlite.begin_read().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN_POSTGRES_SNAPSHOT).await?),
        })
    }

    /// Begins a transaction that may write, and whose commit survives a power cut.
    pub async fn begin_write(&self) -> Result<Tx<'static>, DbError> {
        Ok(match self {
            Self::Sqlite(sqlite) => Tx::Sqlite(sqlite.begin_durable().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN_POSTGRES).await?),
        })
    }

    /// Begins a transaction whose commit may be lost in a power cut, whole and with everything after it: for rows that
    /// are made again from the log, whose checkpoint is in the same transaction, and for leases.
    pub async fn begin_derived(&self) -> Result<Tx<'static>, DbError> {
        Ok(match self {
            Self::Sqlite(sqlite) => Tx::Sqlite(sqlite.begin_derived().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN_POSTGRES_DERIVED).await?),
        })
    }

    /// Closes every connection; later use fails.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Whether the database answers; for `/health/ready`.
    pub async fn ping(&self) -> Result<(), DbError> {
        with_pool!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(drop))?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Makes everything written so far durable.
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Takes everything back, and waits until that is done.
    pub async fn rollback(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    /// A transaction inside this one: rolling it back keeps what came before.
    pub async fn savepoint(&mut self) -> Result<Tx<'_>, DbError> {
        Ok(match self {
            Self::Sqlite(tx) => Tx::Sqlite(tx.savepoint().await?),
            Self::Postgres(tx) => Tx::Postgres(tx.begin().await?),
        })
    }
}

/// What can go wrong with the database. `Display` names constraints and statements, never row values.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The address is not one of ours.
    #[error("{0}")]
    Url(&'static str),
    /// Another process works on this SQLite file.
    #[error(
        "another process uses {}: SQLite serves one process; stop it, or use PostgreSQL",
        path.display()
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The lock file beside the SQLite file cannot be used.
    #[error("the lock file {} cannot be opened", path.display())]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database refused, failed or is not there.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what the program writes.
    #[error("{table} holds something unreadable at {at}: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Which row.
        at: String,
        /// What is wrong, without the value.
        reason: String,
    },
    /// An answer did not come in time.
    #[error("the database did not answer within {0} s")]
    Slow(u64),
}

impl DbError {
    /// Whether a unique or primary key was violated.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }
}
