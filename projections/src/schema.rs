//! Creating the tables of this crate. They hold nothing that the log does not, so they are not migrations: a new
//! shape is a rebuild.

use application::ports::Clock;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::with_tx;
use sqlx::AssertSqlSafe;

use crate::consumer;
use crate::read_models::ReadModel;
use crate::table::{Dialect, Indexes, Target};

/// The generation a read model begins with.
pub(crate) const FIRST_VERSION: i64 = 1;

/// Two processes that start at once must not create the same table at once: `IF NOT EXISTS` does not help there.
const LOCK_SCHEMA: &str = "SELECT pg_advisory_xact_lock(7810756212872016486)";

const KNOWN: &str = "SELECT count(*) FROM consumers WHERE name = $1";

/// The generations of a read model that were replaced, and where they stood.
const CREATE_GENERATIONS: &str = "
CREATE TABLE IF NOT EXISTS read_model_generations (
  name       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  position   BIGINT NOT NULL,
  retired_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (name, version)
)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[KNOWN];

/// Creates what is missing. Safe to call on every start, from several processes at once.
pub async fn migrate(db: &Db, clock: &dyn Clock) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    if let Tx::Postgres(tx) = &mut tx {
        sqlx::query(LOCK_SCHEMA).execute(&mut **tx).await?;
    }
    consumer::create_table(&mut tx).await?;
    run(&mut tx, CREATE_GENERATIONS.to_owned()).await?;
    for model in ReadModel::ALL {
        let known: i64 =
            with_tx!(&mut tx, conn => sqlx::query_scalar(KNOWN).bind(model.name()).fetch_one(conn).await)?;
        // A known read model may stand in a later generation, whose index names are not the first one's.
        if known == 0 {
            create(&mut tx, *model, Target::Live).await?;
            index(&mut tx, *model, Target::Live, FIRST_VERSION, Indexes::All).await?;
            consumer::register(&mut tx, model.name(), 0, clock.now()).await?;
        }
    }
    tx.commit().await
}

/// Creates a read model's tables under their physical names, without indexes.
pub(crate) async fn create(tx: &mut Tx<'_>, model: ReadModel, target: Target) -> Result<(), DbError> {
    let dialect = Dialect::of_tx(tx);
    for table in model.tables() {
        run(tx, table.create(dialect, target)).await?;
    }
    Ok(())
}

/// Creates the indexes of a generation.
pub(crate) async fn index(
    tx: &mut Tx<'_>,
    model: ReadModel,
    target: Target,
    version: i64,
    which: Indexes,
) -> Result<(), DbError> {
    for table in model.tables() {
        for statement in table.create_indexes(target, version, which) {
            run(tx, statement).await?;
        }
    }
    Ok(())
}

/// Drops a read model's tables under their physical names.
pub(crate) async fn drop_tables(tx: &mut Tx<'_>, model: ReadModel, target: Target) -> Result<(), DbError> {
    for table in model.tables() {
        run(tx, table.drop(target)).await?;
    }
    Ok(())
}

/// Gives a read model's tables other physical names.
pub(crate) async fn rename(
    tx: &mut Tx<'_>,
    model: ReadModel,
    from: Target,
    to: Target,
) -> Result<(), DbError> {
    for table in model.tables() {
        run(tx, table.rename(from, to)).await?;
    }
    Ok(())
}

/// Runs a statement assembled from this crate's own names.
pub(crate) async fn run(tx: &mut Tx<'_>, statement: String) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(AssertSqlSafe(statement)).execute(conn).await.map(drop))?;
    Ok(())
}
