//! Opening a database: every timeout, size and durability setting has its name here.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Db, DbError, SqliteDb};

/// Connections of one process to PostgreSQL, beside the appender's own.
const POSTGRES_CONNECTIONS: u32 = 16;
/// Connections that read a SQLite file at the same time.
const SQLITE_READERS: u32 = 8;
/// Prepared statements kept per connection; more than the program has.
const STATEMENT_CACHE: usize = 256;
/// How long a caller waits for a free connection.
pub(super) const ACQUIRE_SECONDS: u64 = 10;
/// How long one statement may run on PostgreSQL; migrations and rebuilds lift it for their own transaction.
const STATEMENT_TIMEOUT_MS: &str = "15000";
/// How long PostgreSQL may wait for a lock, the append lock included.
const LOCK_TIMEOUT_MS: &str = "10000";
/// Every statement of the program is a lookup by index. A plan that was made while the tables were small, and before their
/// first `ANALYZE`, would read whole tables for as long as a connection keeps it (docs/adr/0026).
const LOOKUPS_POSTGRES: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];
/// How long SQLite waits for a lock held by a connection of this process (a checkpoint, a backup).
const BUSY_SECONDS: u64 = 10;
/// A pooled connection idle for longer is tried before use; a fresher one is trusted, which saves a round trip.
const TRUSTED_IDLE_SECONDS: u64 = 30;

/// What an operator may set about the database.
#[derive(Debug, Clone, Copy)]
pub struct DbOptions {
    /// Connections of this process to PostgreSQL, beside the appender's own.
    pub postgres_connections: u32,
    /// Connections that read a SQLite file.
    pub sqlite_readers: u32,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { postgres_connections: POSTGRES_CONNECTIONS, sqlite_readers: SQLITE_READERS }
    }
}

impl Db {
    /// Opens `sqlite:path` (created when missing) or `postgres://…`. Does not migrate.
    pub async fn connect(url: &str, options: DbOptions) -> Result<Self, DbError> {
        match url.split(':').next() {
            Some("sqlite") => connect_sqlite(url, options).await,
            Some("postgres" | "postgresql") => {
                connect_postgres(PgConnectOptions::from_str(url)?, options).await
            }
            _ => Err(DbError::Url("a database address begins with sqlite: or postgres://")),
        }
    }

    /// Opens an existing database for reading only, also beside a running service: nothing is created or locked, and
    /// every write fails.
    pub async fn connect_read_only(url: &str, options: DbOptions) -> Result<Self, DbError> {
        match url.split(':').next() {
            Some("sqlite") => read_sqlite(url, options).await,
            Some("postgres" | "postgresql") => {
                let connect =
                    PgConnectOptions::from_str(url)?.options([("default_transaction_read_only", "on")]);
                connect_postgres(connect, options).await
            }
            _ => Err(DbError::Url("a database address begins with sqlite: or postgres://")),
        }
    }
}

async fn read_sqlite(url: &str, options: DbOptions) -> Result<Db, DbError> {
    // Not opened read-only: SQLite may have to make the WAL's index, which a reader after a crash could not.
    let connect = SqliteConnectOptions::from_str(url)?
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        .statement_cache_capacity(STATEMENT_CACHE)
        .pragma("query_only", "on");
    let path = connect.get_filename().to_path_buf();
    let reader = SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
        .max_connections(options.sqlite_readers)
        .connect_with(connect)
        .await?;
    Ok(Db::Sqlite(SqliteDb::reading(reader, path)))
}

async fn connect_sqlite(url: &str, options: DbOptions) -> Result<Db, DbError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(DbError::Url("a SQLite address names a file; a database in memory cannot be shared"));
    }
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An accepted command survives a power cut (product.md G1).
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENT_CACHE);
    let path = connect.get_filename().to_path_buf();
    let lock = lock_file(&path)?;
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    // The writer first: it creates the file and turns WAL on. It moves no pages itself (`checkpoint`).
    let writer =
        pool().max_connections(1).connect_with(connect.clone().pragma("wal_autocheckpoint", "0")).await?;
    let reader = pool()
        .max_connections(options.sqlite_readers)
        .connect_with(connect.pragma("query_only", "on"))
        .await?;
    Ok(Db::Sqlite(SqliteDb::serving(reader, writer, path, lock)))
}

/// Takes `<database>.lock`. A file lock, not a file's existence: it vanishes with the process.
fn lock_file(database: &std::path::Path) -> Result<std::fs::File, DbError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |source| DbError::LockFile { path: path.clone(), source };
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DbError::InUse { path: database.to_path_buf() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

async fn connect_postgres(connect: PgConnectOptions, options: DbOptions) -> Result<Db, DbError> {
    let connect = connect
        .application_name("leadwire")
        .statement_cache_capacity(STATEMENT_CACHE)
        .options([("statement_timeout", STATEMENT_TIMEOUT_MS), ("lock_timeout", LOCK_TIMEOUT_MS)])
        .options(LOOKUPS_POSTGRES);
    let pool = PgPoolOptions::new()
        .max_connections(options.postgres_connections)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for.as_secs() > TRUSTED_IDLE_SECONDS {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await?;
    Ok(Db::Postgres(pool))
}
