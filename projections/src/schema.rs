//! Creating the tables of this crate. They hold nothing that the log does not, so there are no migrations: tables of
//! another shape, and rows of another fold, left by another program, are dropped and folded anew from the first event.

use std::collections::BTreeSet;

use application::ports::Clock;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::with_tx;
use sqlx::AssertSqlSafe;

use crate::consumer;
use crate::read_models::ReadModel;
use crate::table::{Dialect, Indexes, Target};

/// The generation a read model begins with.
pub(crate) const FIRST_VERSION: i64 = 1;

/// The revision that a fold begins with. Rows of before there were revisions count as its rows.
pub(crate) const FIRST_REVISION: i64 = 1;

/// Two processes that start at once must not create the same table at once: `IF NOT EXISTS` does not help there.
const LOCK_SCHEMA: &str = "SELECT pg_advisory_xact_lock(7810756212872016486)";

const KNOWN: &str = "SELECT version FROM consumers WHERE name = $1";

const COLUMNS_POSTGRES: &str = "
SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

const COLUMNS_SQLITE: &str = "SELECT name FROM pragma_table_info($1)";

const FOLDED_BY: &str = "SELECT revision FROM read_model_revisions WHERE name = $1";

const REMEMBER_FOLD: &str = "
INSERT INTO read_model_revisions (name, revision) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision";

const RETIRED: &str = "SELECT version FROM read_model_generations WHERE name = $1";

const FORGET_RETIRED: &str = "DELETE FROM read_model_generations WHERE name = $1";

/// A rebuild that another program has begun would put its own rows in the place of ours: without its row it is overtaken.
const END_REBUILD: &str = "DELETE FROM consumers WHERE name = $1";

/// Back to the first event. The epoch rises, so that whoever is writing a page at this moment writes nothing; a
/// consumer that was paused stays so.
const BEGIN_ANEW: &str = "
UPDATE consumers
   SET position = 0, lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_expires_at = NULL, error = NULL,
       state = CASE WHEN state = 'paused' THEN state ELSE 'booting' END, updated_at = $2
 WHERE name = $1";

/// The generations of a read model that were replaced, and where they stood.
const CREATE_GENERATIONS: &str = "
CREATE TABLE IF NOT EXISTS read_model_generations (
  name       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  position   BIGINT NOT NULL,
  retired_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (name, version)
)";

/// Which revision of its fold ([`ReadModel::revision`]) made the rows of a read model, those of generations that were
/// replaced too: whenever it changes, they are dropped.
const CREATE_REVISIONS: &str = "
CREATE TABLE IF NOT EXISTS read_model_revisions (
  name     TEXT NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL
)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[KNOWN, FOLDED_BY, REMEMBER_FOLD, RETIRED, FORGET_RETIRED, END_REBUILD, BEGIN_ANEW];
#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[COLUMNS_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[COLUMNS_SQLITE];

/// Creates what is missing. Safe to call on every start, from several processes at once.
pub async fn migrate(db: &Db, clock: &dyn Clock) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    if let Tx::Postgres(tx) = &mut tx {
        sqlx::query(LOCK_SCHEMA).execute(&mut **tx).await?;
    }
    consumer::create_table(&mut tx).await?;
    run(&mut tx, CREATE_GENERATIONS.to_owned()).await?;
    run(&mut tx, CREATE_REVISIONS.to_owned()).await?;
    for model in ReadModel::ALL.iter().copied() {
        let known: Option<i64> = with_tx!(&mut tx, conn => sqlx::query_scalar(KNOWN).bind(model.name()).fetch_optional(conn).await)?;
        match known {
            None => {
                create(&mut tx, model, Target::Live).await?;
                index(&mut tx, model, Target::Live, FIRST_VERSION, Indexes::All).await?;
                consumer::register(&mut tx, model.name(), 0, clock.now()).await?;
            }
            Some(version) => {
                if let Some(other) = difference(&mut tx, model).await? {
                    tracing::warn!(read_model.name = %model, "{other} are dropped and folded anew");
                    begin_anew(&mut tx, model, version, clock).await?;
                }
            }
        }
        with_tx!(&mut tx, conn => sqlx::query(REMEMBER_FOLD)
            .bind(model.name()).bind(model.revision())
            .execute(conn).await.map(drop))?;
    }
    tx.commit().await
}

/// What of the live tables is not as this program would have made it, if anything.
async fn difference(tx: &mut Tx<'_>, model: ReadModel) -> Result<Option<&'static str>, DbError> {
    if !is_in_shape(tx, model).await? {
        return Ok(Some("tables of another shape"));
    }
    let revision: Option<i64> =
        with_tx!(tx, conn => sqlx::query_scalar(FOLDED_BY).bind(model.name()).fetch_optional(conn).await)?;
    // A newer program's rows are as wrong to an older one as the other way round.
    let same = revision.unwrap_or(FIRST_REVISION) == model.revision();
    Ok((!same).then_some("rows of another fold"))
}

/// Whether the live tables have the columns that this program writes.
async fn is_in_shape(tx: &mut Tx<'_>, model: ReadModel) -> Result<bool, DbError> {
    for table in model.tables() {
        let name = Target::Live.name(table);
        let found: Vec<String> = match tx {
            Tx::Postgres(tx) => sqlx::query_scalar(COLUMNS_POSTGRES).bind(name).fetch_all(&mut **tx).await?,
            Tx::Sqlite(tx) => sqlx::query_scalar(COLUMNS_SQLITE).bind(name).fetch_all(&mut **tx).await?,
        };
        let wanted: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
        if wanted != found.iter().map(String::as_str).collect() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the tables of a read model again, empty, and sends its consumer back to the first event: for rows of events that
/// the log does not have, as after a restore of an older copy of it.
pub(crate) async fn refold(db: &Db, model: ReadModel, clock: &dyn Clock) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    if let Tx::Postgres(tx) = &mut tx {
        sqlx::query(LOCK_SCHEMA).execute(&mut **tx).await?;
    }
    let version: i64 =
        with_tx!(&mut tx, conn => sqlx::query_scalar(KNOWN).bind(model.name()).fetch_one(conn).await)?;
    begin_anew(&mut tx, model, version, clock).await?;
    tx.commit().await
}

/// Makes the tables of a known read model again, empty, and sends its consumer back to the first event. Generations
/// that were replaced have the old shape and fold too, so nobody can go back to them.
async fn begin_anew(
    tx: &mut Tx<'_>,
    model: ReadModel,
    version: i64,
    clock: &dyn Clock,
) -> Result<(), DbError> {
    // The consumers' rows first, as everybody takes locks: a row, then tables.
    with_tx!(tx, conn => sqlx::query(END_REBUILD).bind(model.rebuild_name()).execute(conn).await.map(drop))?;
    with_tx!(tx, conn => sqlx::query(BEGIN_ANEW)
        .bind(model.name()).bind(clock.now())
        .execute(conn).await.map(drop))?;
    let retired: Vec<i64> =
        with_tx!(tx, conn => sqlx::query_scalar(RETIRED).bind(model.name()).fetch_all(conn).await)?;
    for version in retired {
        drop_tables(tx, model, Target::Old(version)).await?;
    }
    with_tx!(tx, conn => sqlx::query(FORGET_RETIRED).bind(model.name()).execute(conn).await.map(drop))?;
    drop_tables(tx, model, Target::Live).await?;
    create(tx, model, Target::Live).await?;
    index(tx, model, Target::Live, version, Indexes::All).await
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
