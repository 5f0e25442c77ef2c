//! The nightly check: what should have been decided, requested and queued against what was (product.md G9), and the counts
//! that limits are held to against the log (docs/adr/0023). What it finds is kept for screens and probes, and said loudly
//! when something is wrong.

use application::schedules::{Grid, Job, Misfire, Period};
use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use infrastructure::db::DbError;
use infrastructure::recount::{self, Compared};
use infrastructure::scheduler::{JobError, ScheduledJob};
use infrastructure::self_check;
use projections::policy_runner::{Reconciliation, reconcile};
use serde::Serialize;
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

/// What a check found, as it is kept.
#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    notices: Reconciliation,
    /// Who has how many leads.
    counts: Compared,
}

impl Found {
    fn is_clean(&self) -> bool {
        self.notices.is_clean() && self.counts.is_clean()
    }

    /// Says loudly what is wrong, with the command that repairs it.
    fn tell(&self, day: NaiveDate) {
        let Self { notices, counts } = self;
        if !notices.is_clean() {
            tracing::error!(
                self_check.day = %day, missing = notices.missing, notices_missing = notices.notices_missing,
                "the nightly check found differences; run `leadwire deliveries reconcile --repair`"
            );
        }
        for one in &counts.differences {
            tracing::error!(
                self_check.day = %day, staff.id = %one.staff, count = one.count.as_str(), kept = one.kept,
                counted = one.counted,
                "the nightly check found a count that is not what the log says; run `leadwire staff recount`"
            );
        }
    }
}

/// Checks everything and keeps what was found as that of `day`; what that was, in one sentence.
pub async fn check(app: &App, day: NaiveDate) -> Result<String, DbError> {
    let notices = reconcile(&policy(app), 0).await?;
    let counts = recount::compare(app.bus.log(), app.bus.upcasters()).await?;
    let found = Found { notices, counts };
    let clean = found.is_clean();
    found.tell(day);
    let result = serde_json::to_string(&found).unwrap_or_default();
    self_check::record(&app.db, day, clean, &result, app.clock.now()).await?;
    let (events, differing) = (found.notices.events, found.counts.differing);
    Ok(if clean {
        format!("checked {events} events: nothing is missing, nothing is doubled")
    } else if differing > 0 {
        format!("checked {events} events: there are differences, {differing} of them counts of leads")
    } else {
        format!("checked {events} events: there are differences")
    })
}
