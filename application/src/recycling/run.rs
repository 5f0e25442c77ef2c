//! The hourly run: owners are warned, and what nobody cared for goes back into the public pool.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::RecycleRunId;
use domain::recycle_rule::run::{RUN_LEADS_MAX, RecycleRunCompleted};

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
    let mut outcome = Outcome::default();
    let run = RecycleRunId::of_period(period);
    let mut failed = None;
    for left in stores.leads.unfinished().await?.into_iter().filter(|left| *left != run) {
        match finish(stores, left).await {
            Ok(ended) => {
                outcome.take_in(&ended);
                outcome.resumed += 1;
            }
            // It holds up nobody else's leads; in the end the job fails with it.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    own(stores, period, &mut outcome).await?;
    failed.map_or(Ok(outcome), Err)
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
                Fate::Known => {}
            }
        }
        done
    }
}

/// One sentence for the list of jobs.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rules, recycled, warned, touched, gone, contended, resumed, more } = self;
        if *rules == 0 && *resumed == 0 {
            return f.write_str("no recycle rule is on");
        }
        let stayed = BTreeMap::from([
            ("touched meanwhile", touched),
            ("nobody's any more", gone),
            ("written to too often", contended),
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
