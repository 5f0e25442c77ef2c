//! Making a read model again from the log while it is in use.
//!
//! 1. Shadow tables of the next version are filled by the same fold that serves the live ones, page by page.
//! 2. Live and shadow are compared at one position: the live tables are hashed in a snapshot that also reads their
//!    checkpoint, the shadow is brought to exactly that position and hashed. Nothing is locked meanwhile.
//! 3. Under the append lock and the lock of the consumer's row, in one transaction: the last events are folded in,
//!    the tables change names, the checkpoint, version and epoch change. No event can fall between, and an owner in
//!    any process that was about to write a page meets a higher epoch and writes nothing.
//!
//! A cancelled or failed rebuild drops its shadow and leaves the live tables as they are; what a killed process
//! leaves behind is dropped by the next rebuild. Reactors are not rebuilt.

mod parity;
mod shadow;
mod switch;

pub use parity::{Difference, DifferenceKind, dump};
pub use switch::{drop_old, rollback};

use std::time::{Duration, Instant};

use domain::Position;
use infrastructure::db::DbError;
use tokio_util::sync::CancellationToken;

use crate::consumer::{HandleError, RENEW_SECONDS};
use crate::projections::Projections;
use crate::read_models::ReadModel;
use shadow::Shadow;

#[cfg(test)]
pub(crate) use switch::STATEMENTS;

/// How often a switch that met a long reader is tried again.
const SWITCH_TRIES_MAX: u32 = 5;

/// The pause between two such tries.
const SWITCH_PAUSE_MS: u64 = 300;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildOptions {
    /// What to do when live and shadow differ.
    pub on_mismatch: OnMismatch,
    /// What becomes of the tables that are replaced.
    pub old_tables: OldTables,
}

impl Default for RebuildOptions {
    fn default() -> Self {
        Self { on_mismatch: OnMismatch::Refuse, old_tables: OldTables::Keep }
    }
}

/// What to do when the rebuilt tables differ from the live ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMismatch {
    /// Leave the live tables in place and report the difference.
    Refuse,
    /// Switch all the same: the live tables are the wrong ones.
    Switch,
}

/// What becomes of the tables that are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldTables {
    /// They stay as `<table>__old_v<N>`, for [`rollback`]; what an earlier rebuild kept is dropped.
    Keep,
    /// They are dropped.
    Drop,
}

/// What a rebuild is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the log.
    Reading,
    /// Making the indexes.
    Indexing,
    /// Comparing with the live tables.
    Comparing,
    /// Taking in the last events and changing places.
    Switching,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RebuildProgress {
    /// What it is doing.
    pub phase: Phase,
    /// Everything up to here is in.
    pub position: Position,
    /// The end of the log.
    pub head: Position,
    /// Positions passed per second so far.
    pub per_second: f64,
    /// When the head is reached at that rate.
    pub eta: Option<Duration>,
}

/// A rebuild that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The new version.
    pub version: i64,
    /// Everything up to here is in.
    pub position: Position,
    /// Each table and its rows when it was compared.
    pub rows: Vec<(&'static str, u64)>,
    /// Keys that differed, when a switch was made all the same.
    pub differences: Vec<Difference>,
    /// How long appends had to wait for the switch.
    pub held: Duration,
}

/// Why a read model was not rebuilt. The live tables are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another rebuild of it is running.
    #[error("another rebuild of {0} is running")]
    Running(ReadModel),
    /// Somebody cancelled.
    #[error("the rebuild was cancelled")]
    Cancelled,
    /// It was taken for dead, or the read model was switched or rolled back meanwhile.
    #[error("the rebuild was overtaken by another one")]
    Overtaken,
    /// The read model is not known to this database.
    #[error("{0} is not in this database; migrate first")]
    Unknown(ReadModel),
    /// The rebuilt tables differ from the live ones.
    #[error("the rebuilt tables differ from the live ones, first at {}", first(.0))]
    Mismatch(Vec<Difference>),
    /// There is no earlier version to go back to.
    #[error("{0} has no earlier version to go back to")]
    NothingKept(ReadModel),
    /// An event could not be taken in.
    #[error(transparent)]
    Fold(HandleError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<HandleError> for RebuildError {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Fenced => Self::Overtaken,
            HandleError::Database(error) => Self::Database(error),
            other @ (HandleError::Poison { .. } | HandleError::Log(_)) => Self::Fold(other),
        }
    }
}

fn first(differences: &[Difference]) -> String {
    differences.first().map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

/// Rebuilds a read model. `report` is called after every page.
pub async fn rebuild(
    projections: &Projections,
    model: ReadModel,
    options: RebuildOptions,
    cancel: &CancellationToken,
    mut report: impl FnMut(RebuildProgress) + Send,
) -> Result<Rebuilt, RebuildError> {
    let mut shadow = Shadow::begin(projections, model).await?;
    match fill_and_switch(&mut shadow, options, cancel, &mut report).await {
        Ok(rebuilt) => Ok(rebuilt),
        Err(error) => match shadow.discard().await {
            Ok(true) => Err(error),
            // Whatever failed, failed because somebody else worked on the same tables.
            Ok(false) => Err(RebuildError::Overtaken),
            Err(second) => {
                tracing::warn!(read_model.name = %model, error = %second,
                    "shadow tables were not dropped; the next rebuild drops them");
                Err(error)
            }
        },
    }
}

async fn fill_and_switch(
    shadow: &mut Shadow,
    options: RebuildOptions,
    cancel: &CancellationToken,
    report: &mut (impl FnMut(RebuildProgress) + Send),
) -> Result<Rebuilt, RebuildError> {
    let mut pace = Pace::new(report);
    let live = shadow.live_position().await?;
    shadow.read_to(live, cancel, &mut pace).await?;
    pace.tell(Phase::Indexing, shadow.position(), live);
    shadow.index().await?;
    let live = shadow.live_position().await?;
    shadow.read_to(live, cancel, &mut pace).await?;
    pace.tell(Phase::Comparing, shadow.position(), live);
    let (rows, differences) = parity::compare(shadow, cancel, &mut pace).await?;
    if !differences.is_empty() && options.on_mismatch == OnMismatch::Refuse {
        return Err(RebuildError::Mismatch(differences));
    }
    let head = shadow.head().await?;
    shadow.read_to(head, cancel, &mut pace).await?;
    if cancel.is_cancelled() {
        return Err(RebuildError::Cancelled);
    }
    pace.tell(Phase::Switching, shadow.position(), head);
    let (position, waited) = switch_patiently(shadow).await?;
    tracing::info!(read_model.name = %shadow.model(), read_model.version = shadow.version(),
        read_model.position = position, "read model rebuilt");
    let kept = match options.old_tables {
        OldTables::Keep => Some(shadow.replaces()),
        OldTables::Drop => None,
    };
    if let Err(error) = switch::drop_old_but(shadow.projections(), shadow.model(), kept).await {
        // The switch is made; what is left costs room only, and the next rebuild drops it.
        tracing::warn!(read_model.name = %shadow.model(), error = %error, "old tables were not dropped");
    }
    Ok(Rebuilt { version: shadow.version(), position, rows, differences, held: waited })
}

/// A reader that takes long keeps the tables from changing names; appends must not wait for it.
async fn switch_patiently(shadow: &mut Shadow) -> Result<(Position, Duration), RebuildError> {
    let mut tries = 1;
    loop {
        match switch::switch(shadow).await {
            Err(RebuildError::Database(error)) if tries < SWITCH_TRIES_MAX => {
                tracing::warn!(read_model.name = %shadow.model(), error = %error, "switch not made, trying again");
                tries += 1;
                tokio::time::sleep(Duration::from_millis(SWITCH_PAUSE_MS)).await;
            }
            done => return done,
        }
    }
}

/// Measures the rate and tells the caller.
struct Pace<'r> {
    began: Instant,
    report: &'r mut (dyn FnMut(RebuildProgress) + Send),
}

impl<'r> Pace<'r> {
    fn new(report: &'r mut (dyn FnMut(RebuildProgress) + Send)) -> Self {
        Self { began: Instant::now(), report }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for the eye; positions fit 52 bits for centuries")]
    fn tell(&mut self, phase: Phase, position: Position, head: Position) {
        let seconds = self.began.elapsed().as_secs_f64();
        let per_second = if seconds > 0.0 { position as f64 / seconds } else { 0.0 };
        let left = (head - position).max(0) as f64;
        let eta = (per_second > 0.0).then(|| Duration::try_from_secs_f64(left / per_second).ok()).flatten();
        (self.report)(RebuildProgress { phase, position, head, per_second, eta });
    }
}

/// Gives signs of life while something long is done that gives none itself.
async fn alive<T>(shadow: &Shadow, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        let sign = async {
            tokio::time::sleep(Duration::from_secs(RENEW_SECONDS)).await;
            shadow.renew().await
        };
        tokio::select! {
            done = &mut work => return done,
            // A sign that fails is made good by the next one; a lost lease shows at the next write.
            sign = sign => if let Err(error) = sign {
                tracing::debug!(error = %error, "lease of the rebuild not renewed");
            },
        }
    }
}
