//! Who runs a job at each of its periods: one process of all, once, and another one carries on if that one dies.
//!
//! - **Claim**: a compare-and-set on the job's row. Whoever wins has the period; `lease_token` is its fence.
//! - **Heartbeat**: the owner raises `lease_beat` while it works. The others do not compare clocks: a lease is over when
//!   its beat stood still for [`LOOKS_MAX`] looks in a row, so that clocks may differ by any amount.
//! - **Fence**: a process that was taken for dead is told so by its next heartbeat, and cannot end what it has lost.
//!
//! If the process dies on any line, the period is unclaimed, unfinished or done. An unfinished one is begun again with
//! the same period, so a job derives its ids from its period and meets what it did before.

mod run;
mod store;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use application::schedules::Period;

use crate::db::DbError;

pub use run::{Claimed, Runner, Turn};
pub use store::{ScheduleRow, ScheduleState, all};

/// Every statement of this module, for the test that prepares them.
pub const STATEMENTS: &[&str] = store::STATEMENTS;

/// How often the row is looked at, and how often an owner shows that it lives.
pub const PACE: std::time::Duration = std::time::Duration::from_secs(3);

/// After so many looks without a sign of life an owner is taken for dead: 15 s, within the 20 s that spec/faults.md F19
/// allows.
pub const LOOKS_MAX: u32 = 5;

/// After so many beginnings a period is given up: it would fail for ever and keep the next one from running.
pub const ATTEMPTS_MAX: i64 = 5;

/// What is done at every period of a job.
#[async_trait]
pub trait ScheduledJob: Send + Sync + 'static {
    /// Does the work of `period` and says in one sentence what came of it, without personal data.
    ///
    /// It may be begun again for the same period after a crash, a failure or a stop, in this process or another one. It
    /// ends soon when `stop` is cancelled: the service stops, or another process has taken the period over.
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError>;
}

/// Why a job did not end its period.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It was told to stop; the period is carried on elsewhere or after the next start.
    #[error("stopped before it was done")]
    Stopped,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Something else, in one sentence without personal data.
    #[error("{0}")]
    Failed(String),
}
