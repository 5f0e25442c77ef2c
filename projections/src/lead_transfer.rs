//! The hourly job of the transfer rules 自动流转 (transfer-and-recycle.md section 2): first the runs that somebody left
//! unfinished, then a run of each rule for this period.
//!
//! If the process dies on any line, another one begins the same period again: the ids of the runs and of their moves
//! follow from rule, period and lead, so what was done is met and not done again.

use std::sync::Arc;

use application::bus::ExecuteError;
use application::customers::Limits;
use application::ports::Clock;
use application::recycling::limits_in_force;
use application::schedules::{Grid, Job, Misfire, Period};
use application::transfers::{
    Occasion, Stores, TransferError, TransferRefusal, complete_run, continue_run, start_run,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::transfer_rule::TargetModule;
use domain::{TransferRuleId, TransferRunId};
use infrastructure::bus::Bus;
use infrastructure::scheduler::{JobError, ScheduledJob};
use tokio_util::sync::CancellationToken;

use crate::Projections;
use crate::queries::transfers::{self, LeadCandidates};

/// The name of the job.
pub const NAME: &str = "lead_transfer";

/// However many hours were missed, leads are judged once, for the last of them.
const LATE: Misfire = Misfire::RunOnce;

/// A run that began so long before the period is taken for left: whoever asked for it works on it no more, or so slowly
/// that help does no harm.
const LEFT_AFTER: TimeDelta = TimeDelta::minutes(10);

/// When the rules run.
pub fn job(grid: Grid) -> Job {
    Job { name: NAME, grid, misfire: LATE }
}

/// Runs every rule that is on.
pub struct LeadTransfer {
    bus: Bus,
    projections: Projections,
    candidates: LeadCandidates,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for LeadTransfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeadTransfer").finish_non_exhaustive()
    }
}

/// What a period came to.
#[derive(Default)]
struct Tally {
    moved: usize,
    runs: usize,
    resumed: usize,
    failed: usize,
}

impl Tally {
    fn sentence(&self) -> String {
        let Self { moved, runs, resumed, .. } = self;
        match resumed {
            0 => format!("{moved} leads moved by {runs} rules"),
            _ => format!("{moved} leads moved by {runs} rules; {resumed} unfinished runs carried on"),
        }
    }
}

impl LeadTransfer {
    /// Works with this log and these read models; `limits` are the configuration's. It does nothing until a scheduler runs it.
    pub fn new(bus: Bus, projections: Projections, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let candidates = LeadCandidates::new(projections.roster().clone());
        Self { bus, projections, candidates, limits, clock }
    }

    /// The limits are those in force when the period is worked on: the rules of the pool over the configuration.
    async fn whole(&self, period: Period) -> Result<Tally, JobError> {
        let Self { bus, candidates, clock, .. } = self;
        let limits = limits_in_force(bus, &self.limits).await;
        let limits = limits.map_err(|error| JobError::Failed(error.to_string()))?;
        let stores = Stores { bus, candidates, limits: &limits, clock: clock.as_ref() };
        let db = self.projections.log.db();
        let mut tally = Tally::default();
        for run in transfers::unfinished(db, period.0 - LEFT_AFTER).await? {
            match finish(stores, run).await {
                Ok(moved) => {
                    tally.resumed += 1;
                    tally.moved += moved;
                }
                Err(error) => {
                    tally.failed += 1;
                    tracing::error!(transfer.run = %run, error = %error, "an unfinished transfer run was not carried on");
                }
            }
        }
        let mut rules = transfers::rules(db, Some(TargetModule::Customer)).await?;
        rules.retain(|row| row.rule.enabled);
        // The oldest rule has the first word about a lead; whoever comes later finds it moved.
        rules.reverse();
        for row in rules {
            match run_rule(stores, row.id, period).await {
                Ok(Some(moved)) => {
                    tally.runs += 1;
                    tally.moved += moved;
                }
                Ok(None) => {}
                Err(error) => {
                    tally.failed += 1;
                    tracing::error!(transfer.rule = %row.id, error = %error, "a transfer rule failed; the next one runs");
                }
            }
        }
        Ok(tally)
    }
}

/// The rule's run of the period, to its end: how many leads it moved. `None` when the rule was switched off or taken
/// away since the list was read.
async fn run_rule(
    stores: Stores<'_, Bus>,
    rule: TransferRuleId,
    period: Period,
) -> Result<Option<usize>, TransferError> {
    let begun = match start_run(stores, rule, &Occasion::Period(period.0)).await {
        Ok(begun) => begun,
        Err(ExecuteError::Refused(
            TransferRefusal::RuleDisabled | TransferRefusal::RuleNotFound | TransferRefusal::OtherModule,
        )) => return Ok(None),
        Err(error) => return Err(error),
    };
    finish(stores, begun.run).await.map(Some)
}

/// Carries a run to its end, from wherever it is.
async fn finish(stores: Stores<'_, Bus>, run: TransferRunId) -> Result<usize, TransferError> {
    let outcome = continue_run(stores, run).await?;
    let ended = complete_run(stores, run, outcome).await?;
    Ok(ended.moved.len())
}

#[async_trait]
impl ScheduledJob for LeadTransfer {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        // Stopping between any two appends is a crash, and as harmless.
        let tally = tokio::select! {
            () = stop.cancelled() => return Err(JobError::Stopped),
            tally = self.whole(period) => tally?,
        };
        match tally.failed {
            0 => Ok(tally.sentence()),
            failed => Err(JobError::Failed(format!("{}; {failed} failed", tally.sentence()))),
        }
    }
}
