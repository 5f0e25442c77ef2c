//! Changing places: the one moment of a rebuild in which appends wait.

use std::time::{Duration, Instant};

use domain::Position;
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::hold_appends;
use infrastructure::with_tx;

use super::RebuildError;
use super::shadow::{Shadow, begin};
use crate::projections::Projections;
use crate::read_models::ReadModel;
use crate::schema;
use crate::table::Target;

/// How long the switch waits for readers of the tables, while appends wait for it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// Locks the consumer's row and raises the epoch: a page in the making is waited for, a later one is refused.
const FENCE: &str = "
UPDATE consumers SET lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_expires_at = NULL
 WHERE name = $1 RETURNING version, position";

/// A read model that had stopped with an error is whole again; one that was paused stays so.
const TAKE_OVER: &str = "
UPDATE consumers SET version = $2, position = $3, updated_at = $4, error = NULL,
       state = CASE WHEN state = 'paused' THEN state ELSE 'booting' END
 WHERE name = $1";

const RETIRE: &str = "
INSERT INTO read_model_generations (name, version, position, retired_at) VALUES ($1, $2, $3, $4)";

const LAST_RETIRED: &str = "
SELECT version, position FROM read_model_generations WHERE name = $1 ORDER BY retired_at DESC, version DESC LIMIT 1";

const ALL_RETIRED: &str = "SELECT version FROM read_model_generations WHERE name = $1 ORDER BY version";

const FORGET: &str = "DELETE FROM read_model_generations WHERE name = $1 AND version = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    FENCE,
    TAKE_OVER,
    RETIRE,
    LAST_RETIRED,
    ALL_RETIRED,
    FORGET,
    super::shadow::LIVE_VERSION,
    super::shadow::NEXT_VERSION,
];

/// Takes in the last events and changes the tables' names. The new checkpoint, and how long appends waited.
pub(super) async fn switch(shadow: &Shadow) -> Result<(Position, Duration), RebuildError> {
    let (model, projections) = (shadow.model(), shadow.projections());
    let mut tx = begin(projections.log.db()).await?;
    let began = Instant::now();
    let (version, position) = lock(&mut tx, model).await?;
    if version != shadow.replaces() {
        return Err(RebuildError::Overtaken);
    }
    // Nothing is appended from here on, so this is the end of the log.
    let head = shadow.head().await?;
    shadow.finish(&mut tx, head).await?;
    schema::rename(&mut tx, model, Target::Live, Target::Old(version)).await?;
    schema::rename(&mut tx, model, shadow.target(), Target::Live).await?;
    retire(&mut tx, projections, model, (version, position)).await?;
    take_over(&mut tx, projections, model, (shadow.version(), head)).await?;
    tx.commit().await?;
    Ok((head, began.elapsed()))
}

/// Brings the version before the present one back. Its tables stand where they were left and catch up from there.
/// The version that is back.
pub async fn rollback(projections: &Projections, model: ReadModel) -> Result<i64, RebuildError> {
    let mut tx = begin(projections.log.db()).await?;
    let now = lock(&mut tx, model).await?;
    let before: Option<(i64, i64)> = with_tx!(&mut tx, conn => sqlx::query_as(LAST_RETIRED)
        .bind(model.name())
        .fetch_optional(conn)
        .await)
    .map_err(DbError::from)?;
    let before = before.ok_or(RebuildError::NothingKept(model))?;
    schema::rename(&mut tx, model, Target::Live, Target::Old(now.0)).await?;
    schema::rename(&mut tx, model, Target::Old(before.0), Target::Live).await?;
    forget(&mut tx, model, before.0).await?;
    retire(&mut tx, projections, model, now).await?;
    take_over(&mut tx, projections, model, before).await?;
    tx.commit().await?;
    Ok(before.0)
}

/// Drops every version that was replaced. How many there were.
pub async fn drop_old(projections: &Projections, model: ReadModel) -> Result<usize, RebuildError> {
    drop_old_but(projections, model, None).await
}

/// Drops every version that was replaced, but one.
pub(super) async fn drop_old_but(
    projections: &Projections,
    model: ReadModel,
    kept: Option<i64>,
) -> Result<usize, RebuildError> {
    let mut tx = begin(projections.log.db()).await?;
    let mut versions: Vec<i64> = with_tx!(&mut tx, conn => sqlx::query_scalar(ALL_RETIRED)
        .bind(model.name())
        .fetch_all(conn)
        .await)
    .map_err(DbError::from)?;
    versions.retain(|version| Some(*version) != kept);
    for version in &versions {
        schema::drop_tables(&mut tx, model, Target::Old(*version)).await?;
        forget(&mut tx, model, *version).await?;
    }
    tx.commit().await?;
    Ok(versions.len())
}

/// Keeps appends out, then the consumer's owner. The order is everybody's: the append lock, a consumer's row, tables.
async fn lock(tx: &mut Tx<'_>, model: ReadModel) -> Result<(i64, Position), RebuildError> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query(LOCK_TIMEOUT).execute(&mut **tx).await.map_err(DbError::from)?;
    }
    hold_appends(tx).await?;
    let row: Option<(i64, i64)> =
        with_tx!(tx, conn => sqlx::query_as(FENCE).bind(model.name()).fetch_optional(conn).await)
            .map_err(DbError::from)?;
    row.ok_or(RebuildError::Unknown(model))
}

async fn retire(
    tx: &mut Tx<'_>,
    projections: &Projections,
    model: ReadModel,
    (version, position): (i64, Position),
) -> Result<(), DbError> {
    let now = projections.clock.now();
    with_tx!(tx, conn => sqlx::query(RETIRE)
        .bind(model.name()).bind(version).bind(position).bind(now)
        .execute(conn).await.map(drop))?;
    Ok(())
}

async fn take_over(
    tx: &mut Tx<'_>,
    projections: &Projections,
    model: ReadModel,
    (version, position): (i64, Position),
) -> Result<(), DbError> {
    let now = projections.clock.now();
    with_tx!(tx, conn => sqlx::query(TAKE_OVER)
        .bind(model.name()).bind(version).bind(position).bind(now)
        .execute(conn).await.map(drop))?;
    Ok(())
}

async fn forget(tx: &mut Tx<'_>, model: ReadModel, version: i64) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(FORGET).bind(model.name()).bind(version).execute(conn).await.map(drop))?;
    Ok(())
}
