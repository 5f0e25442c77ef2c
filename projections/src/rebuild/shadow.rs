//! The shadow of a read model: its tables in the next version, and the lease under which they are filled.

use domain::Position;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::{with_pool, with_tx};
use tokio_util::sync::CancellationToken;

use super::{Pace, Phase, RebuildError};
use crate::consumer::{ConsumerState, Consumers, Lease};
use crate::projections::Projections;
use crate::read_models::{Fact, ReadModel, decode_page};
use crate::schema;
use crate::table::{Indexes, Target};

/// The version after every one that was ever made and is still there.
pub(super) const NEXT_VERSION: &str = "
SELECT 1 + max(version) FROM (
  SELECT version FROM consumers WHERE name = $1
  UNION ALL SELECT version FROM read_model_generations WHERE name = $1
) AS known";

/// Most events folded by one transaction. On SQLite commands wait for it, so it stays in the tens of milliseconds.
const PAGE_EVENTS: usize = 2000;

pub(super) const LIVE_VERSION: &str = "SELECT version FROM consumers WHERE name = $1";

pub(super) const LIFT_TIMEOUT: &str = "SET LOCAL statement_timeout = 0";

/// The tables being filled.
pub(super) struct Shadow {
    projections: Projections,
    model: ReadModel,
    /// Owner of the rebuild's own row, not of the live consumer's.
    consumers: Consumers,
    lease: Lease,
    version: i64,
    /// The live version that will be replaced.
    replaces: i64,
}

impl Shadow {
    /// Takes the rebuild's lease and creates empty tables.
    pub(super) async fn begin(projections: &Projections, model: ReadModel) -> Result<Self, RebuildError> {
        let consumers = projections.for_rebuild();
        let name = model.rebuild_name();
        let replaces = live_version(consumers.db(), model).await?;
        consumers.register(&name, 0).await?;
        let mut lease = consumers.acquire(&name).await?.ok_or(RebuildError::Running(model))?;
        let mut tx = begin(consumers.db()).await?;
        // What a killed rebuild left behind begins at its position: begin anew.
        if !consumers.advance(&mut tx, &lease, 0, ConsumerState::Rebuilding).await? {
            return Err(RebuildError::Overtaken);
        }
        let version: i64 = with_tx!(&mut tx, conn => sqlx::query_scalar(NEXT_VERSION)
            .bind(model.name())
            .fetch_one(conn)
            .await)
        .map_err(DbError::from)?;
        let target = Target::Shadow(version);
        schema::drop_tables(&mut tx, model, target).await?;
        schema::create(&mut tx, model, target).await?;
        schema::index(&mut tx, model, target, version, Indexes::Folding).await?;
        tx.commit().await?;
        lease.position = 0;
        Ok(Self { projections: projections.clone(), model, consumers, lease, version, replaces })
    }

    pub(super) fn projections(&self) -> &Projections {
        &self.projections
    }

    pub(super) fn model(&self) -> ReadModel {
        self.model
    }

    pub(super) fn version(&self) -> i64 {
        self.version
    }

    pub(super) fn replaces(&self) -> i64 {
        self.replaces
    }

    pub(super) fn target(&self) -> Target {
        Target::Shadow(self.version)
    }

    /// Everything up to here is in.
    pub(super) fn position(&self) -> Position {
        self.lease.position
    }

    pub(super) async fn head(&self) -> Result<Position, DbError> {
        self.projections.log.head().await
    }

    /// The checkpoint of the live tables.
    pub(super) async fn live_position(&self) -> Result<Position, RebuildError> {
        let position = self.consumers.position(self.model.name()).await?;
        position.ok_or(RebuildError::Unknown(self.model))
    }

    pub(super) async fn renew(&self) -> Result<bool, DbError> {
        self.consumers.renew(&self.lease).await
    }

    /// The next page after `from`, but nothing after `target`; and how far it reaches.
    async fn page(&self, from: Position, target: Position) -> Result<(Vec<Fact>, Position), RebuildError> {
        let mut page = self.projections.log.page(from, PAGE_EVENTS, self.model.filter()).await?;
        let full = page.len() == PAGE_EVENTS;
        page.retain(|event| event.position <= target);
        let to = match page.last() {
            // Nothing was cut off, so there may be more of them before `target`.
            Some(last) if full && page.len() == PAGE_EVENTS => last.position,
            _ => target,
        };
        Ok((decode_page(&self.projections.log, &self.projections.upcasters, &page).await?, to))
    }

    /// Takes in everything up to and with `target`, in pages.
    pub(super) async fn read_to(
        &mut self,
        target: Position,
        cancel: &CancellationToken,
        pace: &mut Pace<'_>,
    ) -> Result<(), RebuildError> {
        while self.position() < target {
            if cancel.is_cancelled() {
                return Err(RebuildError::Cancelled);
            }
            let (facts, to) = self.page(self.position(), target).await?;
            let mut tx = begin(self.consumers.db()).await?;
            if !self.consumers.advance(&mut tx, &self.lease, to, ConsumerState::Rebuilding).await? {
                return Err(RebuildError::Overtaken);
            }
            self.model.apply(&mut tx, self.target(), &facts).await?;
            tx.commit().await?;
            self.lease.position = to;
            pace.tell(Phase::Reading, to, target);
        }
        Ok(())
    }

    /// Takes in everything up to `head` inside the transaction of the switch, and ends the rebuild's own row.
    pub(super) async fn finish(&self, tx: &mut Tx<'_>, head: Position) -> Result<(), RebuildError> {
        if !self.consumers.remove(tx, &self.lease).await? {
            return Err(RebuildError::Overtaken);
        }
        let mut from = self.position();
        while from < head {
            let (facts, to) = self.page(from, head).await?;
            self.model.apply(tx, self.target(), &facts).await?;
            from = to;
        }
        Ok(())
    }

    /// Makes the indexes that folding does not need.
    pub(super) async fn index(&self) -> Result<(), RebuildError> {
        let mut tx = begin(self.consumers.db()).await?;
        // First the fence, and last another sign of life: in between nobody can take the row, nor can it be renewed.
        self.hold(&mut tx).await?;
        schema::index(&mut tx, self.model, self.target(), self.version, Indexes::All).await?;
        self.hold(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn hold(&self, tx: &mut Tx<'_>) -> Result<(), RebuildError> {
        let here = self.position();
        if self.consumers.advance(tx, &self.lease, here, ConsumerState::Rebuilding).await? {
            return Ok(());
        }
        Err(RebuildError::Overtaken)
    }

    /// Drops the tables and gives the lease back. `false`: another rebuild has taken over, and its tables have the
    /// same names.
    pub(super) async fn discard(&self) -> Result<bool, DbError> {
        let mut tx = begin(self.consumers.db()).await?;
        let ours = self.consumers.remove(&mut tx, &self.lease).await?;
        if ours {
            schema::drop_tables(&mut tx, self.model, self.target()).await?;
        }
        tx.commit().await?;
        Ok(ours)
    }
}

/// A transaction that may take its time: the usual timeout is meant for requests.
pub(super) async fn begin(db: &Db) -> Result<Tx<'static>, DbError> {
    let mut tx = db.begin_write().await?;
    if let Tx::Postgres(tx) = &mut tx {
        sqlx::query(LIFT_TIMEOUT).execute(&mut **tx).await?;
    }
    Ok(tx)
}

/// The version of the live tables.
async fn live_version(db: &Db, model: ReadModel) -> Result<i64, RebuildError> {
    let found: Option<i64> =
        with_pool!(db, pool => sqlx::query_scalar(LIVE_VERSION).bind(model.name()).fetch_optional(pool).await)
            .map_err(DbError::from)?;
    found.ok_or(RebuildError::Unknown(model))
}
