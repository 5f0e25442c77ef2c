//! Databases that somebody else writes members into: MySQL/MariaDB, PostgreSQL, SQLite (member-intake.md section 1).
//!
//! [`open`] gives an [`application::intake::Source`]. What is the same everywhere stands in `table`: plan, claims, pages,
//! check; how a driver is spoken to, in `talk`. What differs stands beside each engine: the statements on the capture table
//! (`sql`), the triggers (`triggers`), and the connection. These databases are not ours: nothing here migrates, and every
//! statement that runs on them is either a constant of `sql` or shown by `--dry-run`.
//!
//! A member's own statement, while the capture table is
//!
//! | | MySQL, MariaDB | PostgreSQL | SQLite |
//! |---|---|---|---|
//! | missing | succeeds | succeeds | **fails** |
//! | locked as a whole | waits; **fails** after `lock_wait_timeout`, a day by default | succeeds after 200 ms | – |
//! | locked at its end, by somebody's `FOR UPDATE` | waits; **fails** after `innodb_lock_wait_timeout`, 50 s | succeeds, no wait | – |
//! | written to by us, and the program has no busy timeout | – | – | **fails** |
//!
//! `check` warns where it may fail; our own statements take no such lock. What was not captured is found by
//! reconciliation.

mod check;
mod database;
mod error;
mod ledger;
pub mod mysql;
mod names;
mod plan;
pub mod postgres;
mod probe;
mod select;
mod shape;
mod sql;
pub mod sqlite;
mod state;
mod table;
mod talk;
mod worker;

use application::intake::{Engine, Mapping, Source, SourceError};

pub use ledger::{
    ASIDE_PAGE, POSTGRES_STATEMENTS, RunEnd, SQLITE_STATEMENTS, STATEMENTS, SetAside, StoredLedger,
};
pub use state::{Alarm, HEARTBEAT, SourceState, all, mode_name};
pub use worker::{Asked, Bell, Comparing, Ended, IntakeWorker, Run, SourceSettings, Tools};

use database::Database;
use table::Table;

/// Connections of one process to one source: the worker, a check beside it, and a page of reconciliation.
const CONNECTIONS_MAX: u32 = 4;

/// How long a caller waits for a connection, one that must be made included.
const ACQUIRE_SECONDS: u64 = 5;

/// Which engine an address means.
pub fn engine_of(url: &str) -> Result<Engine, SourceError> {
    match url.split(':').next() {
        Some("mysql" | "mariadb") => Ok(Engine::Mysql),
        Some("postgres" | "postgresql") => Ok(Engine::Postgres),
        Some("sqlite") => Ok(Engine::Sqlite),
        _ => Err(SourceError::Address(
            "a source's address begins with mysql://, postgres:// or sqlite:".to_owned(),
        )),
    }
}

/// The table that the mapping describes, in the database at this address. Connects with the first question, so that a
/// source that is down is not an error yet.
pub fn open(url: &str, mapping: Mapping) -> Result<Box<dyn Source>, SourceError> {
    let engine = engine_of(url)?;
    if mapping.schema.is_some() && engine != Engine::Postgres {
        return Err(SourceError::Unsuitable {
            table: mapping.table,
            rule: "only a PostgreSQL source has a `schema`".to_owned(),
        });
    }
    Ok(match engine {
        Engine::Mysql => table(mysql::Mysql::open(url)?, mapping),
        Engine::Postgres => table(postgres::Postgres::open(url, mapping.schema.as_deref())?, mapping),
        // `CURRENT_TIMESTAMP` and `datetime('now')` know no other zone there.
        Engine::Sqlite => table(sqlite::Sqlite::open(url)?, mapping.in_utc_unless_said()),
    })
}

fn table<D: Database + 'static>(database: D, mapping: Mapping) -> Box<dyn Source> {
    Box::new(Table::new(database, mapping))
}
