//! The jobs of the service, and who runs them: one task a job in every worker, one of which has each period.

use std::sync::Arc;

use application::schedules::Job;
use infrastructure::db::DbError;
use infrastructure::scheduler::{Runner, ScheduledJob};
use projections::lead_transfer::{self, LeadTransfer, LeftRuns};

use crate::app::SharedApp;
use crate::lifecycle::{Tasks, recycling, self_check};

/// What the names of their tasks begin with; the job follows.
const TASK: &str = "job";

/// Every job, with what it does.
fn jobs(app: &SharedApp) -> Vec<(Job, Arc<dyn ScheduledJob>)> {
    let schedules = &app.settings.schedules;
    let transfers = || {
        let (bus, read_side, clock) = (app.bus.clone(), app.projections.clone(), app.clock.clone());
        LeadTransfer::new(bus, read_side, app.limits().clone(), clock)
    };
    let app = || Arc::clone(app);
    vec![
        (self_check::job(schedules.self_check.clone()), Arc::new(self_check::SelfCheck(app()))),
        (lead_transfer::job(schedules.lead_transfer.clone()), Arc::new(transfers())),
        (lead_transfer::left_job(schedules.transfer_runs.clone()), Arc::new(LeftRuns(transfers()))),
        (recycling::recycle_job(schedules.recycle.clone()), Arc::new(recycling::Recycle(app()))),
        (recycling::left_job(schedules.recycle_runs.clone()), Arc::new(recycling::LeftRuns(app()))),
        (recycling::follow_up_job(schedules.follow_up_due.clone()), Arc::new(recycling::FollowUpsDue(app()))),
    ]
}

/// Makes every job known to the database; they do nothing yet.
pub(super) async fn register(app: &SharedApp) -> Result<Vec<Runner>, DbError> {
    let owner = app.ids.next();
    let mut runners = Vec::new();
    for (job, work) in jobs(app) {
        let runner = Runner::new(app.db.clone(), app.clock.clone(), owner, job, work);
        runner.register().await?;
        runners.push(runner);
    }
    Ok(runners)
}

/// Each works until the process stops.
pub(super) fn start(runners: Vec<Runner>, tasks: &Tasks, app: &SharedApp) {
    for runner in runners {
        let (name, stop) = (format!("{TASK}.{}", runner.job().name), app.stop.clone());
        tasks.spawn_worker(&name, async move { runner.run(stop).await });
    }
}
