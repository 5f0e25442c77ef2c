//! The jobs of the transfer rules 自动流转 (transfer-and-recycle.md section 2): each hour a run of every rule, and each
//! minute the runs that nobody ended, such as one that somebody asked for and whose process died.
//!
//! If the process dies on any line, another one begins the same period again: the ids of the runs and of their moves
//! follow from rule, period and lead, so what was done is met and not done again.

use std::sync::Arc;

use application::bus::ExecuteError;
use application::customers::Limits;
use application::fates::UNREADABLE;
use application::ports::Clock;
use application::recycling::limits_in_force;
use application::schedules::{Grid, Job, Misfire, Period};
use application::transfers::{
    Occasion, Stores, TransferError, TransferRefusal, complete_run, continue_run, start_run,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::transfer_rule::TargetModule;
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::TransferRunCompleted;
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

/// The name of the job that goes on with what was left.
pub const LEFT: &str = "transfer_runs";

/// A run that began so long before the period is taken for left: whoever asked for it works on it no more, or so slowly
/// that help does no harm, because the fate of a lead is decided once.
pub const LEFT_AFTER: TimeDelta = TimeDelta::minutes(2);

/// When the rules run.
pub fn job(grid: Grid) -> Job {
    Job { name: NAME, grid, misfire: LATE }
}

/// When runs that nobody ended are looked for.
pub fn left_job(grid: Grid) -> Job {
    Job { name: LEFT, grid, misfire: LATE }
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
    /// Rules that were outside their hours.
    resting: usize,
    resumed: usize,
    /// Leads that stayed because they cannot be read.
    unreadable: usize,
    failed: usize,
}

impl Tally {
    fn take_in(&mut self, ended: &TransferRunCompleted) {
        self.moved += ended.moved.len();
        self.unreadable += ended.skipped.iter().filter(|one| one.reason == UNREADABLE).count();
    }

    fn sentence(&self) -> String {
        let Self { moved, runs, resting, resumed, unreadable, .. } = self;
        let moved = Some(format!("{moved} leads moved by {runs} rules"));
        let resting = (*resting > 0).then(|| format!("{resting} rules were outside their hours"));
        let resumed = (*resumed > 0).then(|| format!("{resumed} unfinished runs carried on"));
        let unreadable = (*unreadable > 0).then(|| format!("{unreadable} leads stayed that cannot be read"));
        [moved, resting, resumed, unreadable].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// The same of the runs that were left.
    fn left_sentence(&self) -> String {
        let Self { resumed, unreadable, .. } = self;
        match unreadable {
            0 => format!("{resumed} unfinished runs carried on"),
            _ => {
                format!("{resumed} unfinished runs carried on; {unreadable} leads stayed that cannot be read")
            }
        }
    }

    /// The sentence, or the failure if anything failed.
    fn told(&self, sentence: String) -> Result<String, JobError> {
        match self.failed {
            0 => Ok(sentence),
            failed => Err(JobError::Failed(format!("{sentence}; {failed} failed"))),
        }
    }
}

impl LeadTransfer {
    /// Works with this log and these read models; `limits` are the configuration's. It does nothing until a scheduler runs it.
    pub fn new(bus: Bus, projections: Projections, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let candidates = LeadCandidates::new(projections.roster().clone());
        Self { bus, projections, candidates, limits, clock }
    }

    /// Those in force when the period is worked on: the rules of the pool over the configuration.
    async fn limits(&self) -> Result<Limits, JobError> {
        let limits = limits_in_force(&self.bus, &self.limits).await;
        limits.map_err(|error| JobError::Failed(error.to_string()))
    }

    fn stores<'s>(&'s self, limits: &'s Limits) -> Stores<'s, Bus> {
        Stores { bus: &self.bus, candidates: &self.candidates, limits, clock: self.clock.as_ref() }
    }

    /// What is left comes first: the leads that it planned need no other plan.
    async fn whole(&self, period: Period) -> Result<Tally, JobError> {
        let limits = self.limits().await?;
        let stores = self.stores(&limits);
        let mut tally = self.finish_left(stores, period).await?;
        let mut rules = transfers::rules(self.projections.log.db(), Some(TargetModule::Customer)).await?;
        rules.retain(|row| row.rule.enabled);
        // The oldest rule has the first word about a lead; whoever comes later finds it moved.
        rules.reverse();
        for row in rules {
            match run_rule(stores, row.id, period).await {
                Ok(Done::Ended(ended)) => {
                    tally.runs += 1;
                    tally.take_in(&ended);
                }
                Ok(Done::Rested) => tally.resting += 1,
                Ok(Done::Gone) => {}
                Err(error) => {
                    tally.failed += 1;
                    tracing::error!(transfer.rule = %row.id, error = %error, "a transfer rule failed; the next one runs");
                }
            }
        }
        Ok(tally)
    }

    /// Carries the runs to their ends that nobody ended.
    async fn finish_left(&self, stores: Stores<'_, Bus>, period: Period) -> Result<Tally, JobError> {
        let mut tally = Tally::default();
        for run in transfers::unfinished(self.projections.log.db(), period.0 - LEFT_AFTER).await? {
            match finish(stores, run).await {
                Ok(ended) => {
                    tally.resumed += 1;
                    tally.take_in(&ended);
                }
                Err(error) => {
                    tally.failed += 1;
                    tracing::error!(transfer.run = %run, error = %error, "an unfinished transfer run was not carried on");
                }
            }
        }
        Ok(tally)
    }
}

/// What a rule did in a period.
enum Done {
    /// It ran; this is what came of it.
    Ended(Box<TransferRunCompleted>),
    /// It was outside its hours.
    Rested,
    /// It was switched off or taken away since the list was read.
    Gone,
}

/// The rule's run of the period, to its end.
async fn run_rule(
    stores: Stores<'_, Bus>,
    rule: TransferRuleId,
    period: Period,
) -> Result<Done, TransferError> {
    let begun = match start_run(stores, rule, &Occasion::Period(period.0)).await {
        Ok(begun) => begun,
        Err(ExecuteError::Refused(
            TransferRefusal::RuleDisabled | TransferRefusal::RuleNotFound | TransferRefusal::OtherModule,
        )) => return Ok(Done::Gone),
        Err(error) => return Err(error),
    };
    if begun.nothing == Some(Nothing::WindowClosed) {
        return Ok(Done::Rested);
    }
    finish(stores, begun.run).await.map(|ended| Done::Ended(Box::new(ended)))
}

/// Carries a run to its end, from wherever it is.
async fn finish(stores: Stores<'_, Bus>, run: TransferRunId) -> Result<TransferRunCompleted, TransferError> {
    let outcome = continue_run(stores, run).await?;
    complete_run(stores, run, outcome).await
}

#[async_trait]
impl ScheduledJob for LeadTransfer {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        // Stopping between any two appends is a crash, and as harmless.
        let tally = tokio::select! {
            () = stop.cancelled() => return Err(JobError::Stopped),
            tally = self.whole(period) => tally?,
        };
        tally.told(tally.sentence())
    }
}

/// Goes on with the runs that nobody ended.
#[derive(Debug)]
pub struct LeftRuns(pub LeadTransfer);

#[async_trait]
impl ScheduledJob for LeftRuns {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        let limits = self.0.limits().await?;
        let tally = tokio::select! {
            () = stop.cancelled() => return Err(JobError::Stopped),
            tally = self.0.finish_left(self.0.stores(&limits), period) => tally?,
        };
        tally.told(tally.left_sentence())
    }
}
