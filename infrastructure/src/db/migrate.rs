//! Bringing the schema up to date.
//!
//! `migrations/*.sql` is valid on both databases and is the normal place for a new table. `migrations/sqlite` and
//! `migrations/postgres` hold what cannot be equal (the log's triggers and key, sequences). Version numbers are
//! unique across the three folders; one list is made of the common folder and the one of the database.

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use super::{Db, DbError};

static COMMON: Migrator = sqlx::migrate!("./migrations");
static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// Creating an index over a grown log takes its time, so the usual statement timeout is lifted.
const LIFT_TIMEOUT: &str = "SET statement_timeout = 0";

fn all(own: &Migrator) -> Migrator {
    Migrator::with_migrations(COMMON.iter().chain(own.iter()).cloned().collect())
}

impl Db {
    /// Applies what is missing. Safe to call from several processes at once and on every start.
    pub async fn migrate(&self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(sqlite) => all(&SQLITE).run(sqlite.writer()).await?,
            Self::Postgres(pool) => {
                let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
                sqlx::query(LIFT_TIMEOUT).execute(&mut connection).await?;
                all(&POSTGRES).run(&mut connection).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }
}
