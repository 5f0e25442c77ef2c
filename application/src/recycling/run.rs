//! The hourly run: owners are warned, and what nobody cared for goes back into the public pool.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::planned_leads::RUN_LEADS_MAX;
use domain::recycle_rule::run::{RecycleRun, RecycleRunCompleted};
use domain::{RecycleRunId, StreamId};

use super::errand::{Errand, Fate, LEADS_AT_ONCE, run_page};
use super::falls::{begin, finish};
use super::{RecycleError, Stores, policy_now};
use crate::bus::CommandBus;

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rules that counted.
    pub rules: usize,
    /// Leads that went into the pool.
    pub recycled: u64,
    /// Owners that were warned, once for each lead.
    pub warned: u64,
    /// Leads that stayed because somebody did something with them between scan and append.
    pub touched: u64,
    /// Leads that nobody owned any more.
    pub gone: u64,
    /// Leads that were written to so often that there was no getting through; the next run asks again.
    pub contended: u64,
    /// Leads that cannot be read; each run asks again.
    pub unreadable: u64,
    /// Runs of earlier periods that nobody had ended.
    pub resumed: usize,
    /// Whether there may be more for the next run.
    pub more: bool,
}

/// Warns, and lets fall what is due at this moment. `period` names the run: begun again for the same period, it goes
/// on with its plan and counts what was done before. Runs that a crash left come first.
pub async fn recycle<B: CommandBus>(
    stores: Stores<'_, B>,
    period: DateTime<Utc>,
) -> Result<Outcome, RecycleError> {
    let own_run = RecycleRunId::of_period(period);
    let (mut outcome, failed) = carry_on(stores, |run, _| run != own_run).await?;
    own(stores, period, &mut outcome).await?;
    failed.map_or(Ok(outcome), Err)
}

/// Carries the runs to their ends that began before `begun_before` and that nobody ended: whoever began one works on it
/// no more, or so slowly that help does no harm, because the fate of a lead is decided once. Nobody waits for the next
/// period, which may be hours away.
pub async fn finish_left<B: CommandBus>(
    stores: Stores<'_, B>,
    begun_before: DateTime<Utc>,
) -> Result<Outcome, RecycleError> {
    let (outcome, failed) = carry_on(stores, |_, begun_at| begun_at < begun_before).await?;
    failed.map_or(Ok(outcome), Err)
}

/// Carries on the unfinished runs that `ours` picks, by the moment they began. One that fails holds up nobody else's
/// leads: the first failure stands beside what came of the others.
async fn carry_on<B: CommandBus>(
    stores: Stores<'_, B>,
    ours: impl Fn(RecycleRunId, DateTime<Utc>) -> bool,
) -> Result<(Outcome, Option<RecycleError>), RecycleError> {
    let (mut outcome, mut failed) = (Outcome::default(), None);
    for run in stores.leads.unfinished().await? {
        match carry_on_one(stores, run, &ours).await {
            Ok(Some(ended)) => {
                outcome.take_in(&ended);
                outcome.resumed += 1;
            }
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Ok((outcome, failed))
}

/// The end of the run, when it was really left: the list of unfinished runs may be late.
async fn carry_on_one<B: CommandBus>(
    stores: Stores<'_, B>,
    run: RecycleRunId,
    ours: impl Fn(RecycleRunId, DateTime<Utc>) -> bool,
) -> Result<Option<RecycleRunCompleted>, RecycleError> {
    let found = stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?.state;
    let is_ours = found.started.as_ref().is_none_or(|started| ours(run, started.at));
    if found.completed.is_some() || !is_ours {
        return Ok(None);
    }
    finish(stores, run).await.map(Some)
}

/// The falls and warnings of the period itself.
async fn own<B: CommandBus>(
    stores: Stores<'_, B>,
    period: DateTime<Utc>,
    outcome: &mut Outcome,
) -> Result<(), RecycleError> {
    let run = RecycleRunId::of_period(period);
    let terms = policy_now(stores).await?;
    outcome.rules = terms.terms().len();
    let planned = begin(stores, period, &terms).await?;
    if planned > 0 {
        outcome.take_in(&finish(stores, run).await?);
    }
    if outcome.rules == 0 {
        return Ok(());
    }
    let now = stores.clock.now();
    let warnings = stores.leads.warnings(&terms, now, RUN_LEADS_MAX).await?;
    outcome.more = planned.max(warnings.len()) >= RUN_LEADS_MAX;
    for page in warnings.chunks(LEADS_AT_ONCE) {
        let terms = Arc::new(policy_now(stores).await?);
        let warn = |warning| Errand::Warn { warning, terms: Arc::clone(&terms), period };
        let errands: Vec<_> = page.iter().copied().map(warn).collect();
        outcome.warned += outcome.count(&run_page(stores, errands).await?);
    }
    Ok(())
}

impl Outcome {
    /// Counts what came of a run of falls.
    fn take_in(&mut self, ended: &RecycleRunCompleted) {
        self.recycled += ended.fallen.len() as u64;
        let stayed: Vec<_> = ended.skipped.iter().map(|stayed| Fate::of_code(&stayed.reason)).collect();
        self.count(&stayed);
    }

    /// Counts what was not done; how many were.
    fn count(&mut self, fates: &[Fate]) -> u64 {
        let mut done = 0;
        for fate in fates {
            match fate {
                Fate::Done => done += 1,
                Fate::Touched => self.touched += 1,
                Fate::Gone => self.gone += 1,
                Fate::Contended => self.contended += 1,
                Fate::Unreadable => self.unreadable += 1,
                Fate::Known => {}
            }
        }
        done
    }
}

/// One sentence for the list of jobs.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rules, recycled, warned, touched, gone, contended, unreadable, resumed, more } = self;
        if *rules == 0 && *resumed == 0 {
            return f.write_str("no recycle rule is on");
        }
        let stayed = BTreeMap::from([
            ("touched meanwhile", touched),
            ("nobody's any more", gone),
            ("written to too often", contended),
            ("whose record cannot be read", unreadable),
        ]);
        let stayed: Vec<_> =
            stayed.into_iter().filter(|(_, n)| **n > 0).map(|(why, n)| format!("{n} {why}")).collect();
        write!(f, "{recycled} leads went into the pool and {warned} warnings were told by {rules} rules")?;
        if !stayed.is_empty() {
            write!(f, "; left alone: {}", stayed.join(", "))?;
        }
        if *resumed > 0 {
            write!(f, "; {resumed} unfinished runs carried on")?;
        }
        if *more { f.write_str("; the next run goes on") } else { Ok(()) }
    }
}
