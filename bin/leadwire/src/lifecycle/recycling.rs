//! Two jobs of the recycle rules' use cases: each hour owners are warned and leads fall, each minute owners are reminded
//! of follow-ups (transfer-and-recycle.md section 3). What either does depends on its leads and never on when it runs.

use application::recycling::{RecycleError, Stores, recycle, remind};
use application::schedules::{Grid, Job, Misfire, Period};
use async_trait::async_trait;
use infrastructure::bus::Bus;
use infrastructure::scheduler::{JobError, ScheduledJob};
use projections::queries::recycling::RecyclingLeads;
use tokio_util::sync::CancellationToken;

use crate::app::{App, SharedApp};

/// The name of the hourly job.
pub const RECYCLE: &str = "recycle";
/// The name of the job of each minute.
pub const FOLLOW_UP_DUE: &str = "follow_up_due";

/// When leads fall.
pub fn recycle_job(grid: Grid) -> Job {
    Job { name: RECYCLE, grid, misfire: Misfire::RunOnce }
}

/// When owners are reminded.
pub fn follow_up_job(grid: Grid) -> Job {
    Job { name: FOLLOW_UP_DUE, grid, misfire: Misfire::RunOnce }
}

/// What the read models of this process know of leads that may fall.
pub fn leads(app: &App) -> RecyclingLeads {
    RecyclingLeads(app.projections.roster().clone())
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
