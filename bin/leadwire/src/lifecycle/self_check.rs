//! The nightly check: what should have been decided, requested and queued against what was (product.md G9). What it finds
//! is kept for screens and probes, and said loudly when something is wrong.

use application::schedules::{Grid, Job, Misfire, Period};
use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use infrastructure::db::DbError;
use infrastructure::scheduler::{JobError, ScheduledJob};
use infrastructure::self_check;
use projections::policy_runner::reconcile;
use tokio_util::sync::CancellationToken;

use crate::app::{App, SharedApp};
use crate::http::deliveries::policy;

/// The name of the job.
pub const NAME: &str = "self_check";
/// When it is too late for a night: the day's work goes first, and the next night checks everything again.
const TOO_LATE: Misfire = Misfire::Skip { later_than: TimeDelta::hours(3) };

/// When the check is done.
pub fn job(grid: Grid) -> Job {
    Job { name: NAME, grid, misfire: TOO_LATE }
}

/// Checks the log of one installation.
pub struct SelfCheck(pub SharedApp);

#[async_trait]
impl ScheduledJob for SelfCheck {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        let Self(app) = self;
        let day = period.0.with_timezone(&app.limits().zone).date_naive();
        // It mostly reads: whoever carries it on begins again.
        tokio::select! {
            () = stop.cancelled() => Err(JobError::Stopped),
            found = check(app, day) => Ok(found?),
        }
    }
}

/// Checks everything and keeps what was found as that of `day`; what that was, in one sentence.
pub async fn check(app: &App, day: NaiveDate) -> Result<String, DbError> {
    let found = reconcile(&policy(app), 0).await?;
    let clean = found.is_clean();
    let result = serde_json::to_string(&found).unwrap_or_default();
    self_check::record(&app.db, day, clean, &result, app.clock.now()).await?;
    if clean {
        return Ok(format!("checked {} events: nothing is missing, nothing is doubled", found.events));
    }
    tracing::error!(
        self_check.day = %day, missing = found.missing, notices_missing = found.notices_missing,
        "the nightly check found differences; run `leadwire deliveries reconcile --repair`"
    );
    Ok(format!("checked {} events: there are differences", found.events))
}
