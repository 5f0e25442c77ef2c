//! The jobs of the recycle rules' use cases: each hour owners are warned and leads fall, each minute the runs are carried on
//! that nobody ended, and owners are reminded of follow-ups (transfer-and-recycle.md section 3). What any does depends on its
//! leads and never on when it runs.

use application::recycling::{RecycleError, Stores, finish_left, recycle, remind};
use application::schedules::{Grid, Job, Misfire, Period};
use async_trait::async_trait;
use infrastructure::bus::Bus;
use infrastructure::scheduler::{JobError, ScheduledJob};
use projections::lead_transfer::LEFT_AFTER;
use projections::queries::recycling::RecyclingLeads;
use tokio_util::sync::CancellationToken;

use crate::app::{App, SharedApp};

/// The name of the hourly job.
pub const RECYCLE: &str = "recycle";
/// The name of the job that goes on with what was left.
pub const LEFT: &str = "recycle_runs";
/// The name of the job that reminds.
pub const FOLLOW_UP_DUE: &str = "follow_up_due";

/// When leads fall.
pub fn recycle_job(grid: Grid) -> Job {
    Job { name: RECYCLE, grid, misfire: Misfire::RunOnce }
}

/// When runs that nobody ended are looked for.
pub fn left_job(grid: Grid) -> Job {
    Job { name: LEFT, grid, misfire: Misfire::RunOnce }
}

/// When owners are reminded.
pub fn follow_up_job(grid: Grid) -> Job {
    Job { name: FOLLOW_UP_DUE, grid, misfire: Misfire::RunOnce }
}

/// What the read models of this process know of leads that may fall.
pub fn leads(app: &App) -> RecyclingLeads {
    RecyclingLeads(app.projections.clone())
}

/// What recycling works with in this process.
pub fn stores<'a>(app: &'a App, leads: &'a RecyclingLeads) -> Stores<'a, Bus> {
    Stores { bus: &app.bus, leads, clock: app.clock.as_ref() }
}

/// Warns owners, and puts what nobody cared for into the public pool.
pub struct Recycle(pub SharedApp);

#[async_trait]
impl ScheduledJob for Recycle {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        let leads = leads(&self.0);
        // Each lead is an append of its own: whoever carries the period on meets what was done.
        tokio::select! {
            () = stop.cancelled() => Err(JobError::Stopped),
            done = recycle(stores(&self.0, &leads), period.0) => Ok(done.map_err(failed)?.to_string()),
        }
    }
}

/// Goes on with the runs that nobody ended.
pub struct LeftRuns(pub SharedApp);

#[async_trait]
impl ScheduledJob for LeftRuns {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        let leads = leads(&self.0);
        let ended = tokio::select! {
            () = stop.cancelled() => return Err(JobError::Stopped),
            ended = finish_left(stores(&self.0, &leads), period.0 - LEFT_AFTER) => ended.map_err(failed)?,
        };
        Ok(format!(
            "{} unfinished runs carried on, {} leads went into the pool",
            ended.resumed, ended.recycled
        ))
    }
}

/// Reminds owners of follow-ups.
pub struct FollowUpsDue(pub SharedApp);

#[async_trait]
impl ScheduledJob for FollowUpsDue {
    async fn run(&self, _: Period, stop: CancellationToken) -> Result<String, JobError> {
        let leads = leads(&self.0);
        tokio::select! {
            () = stop.cancelled() => Err(JobError::Stopped),
            done = remind(stores(&self.0, &leads)) => Ok(done.map_err(failed)?.to_string()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: RecycleError) -> JobError {
    JobError::Failed(error.to_string())
}
