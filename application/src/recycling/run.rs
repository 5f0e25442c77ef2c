//! The hourly run: owners are warned, and what nobody cared for goes back into the public pool.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::errand::{Errand, Fate, LEADS_AT_ONCE, run_page};
use super::{RecycleError, Stores, policy_now};
use crate::bus::CommandBus;

/// Leads that fall in one run, and leads whose owners are warned in it; the next run goes on with the others.
pub const RUN_LEADS_MAX: usize = 10_000;

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
    /// Whether there may be more for the next run.
    pub more: bool,
}

/// Warns, and lets fall what is due at this moment. `period` names the run: begun again for the same period, it goes
/// on and counts what was done before.
pub async fn recycle<B: CommandBus>(
    stores: Stores<'_, B>,
    period: DateTime<Utc>,
) -> Result<Outcome, RecycleError> {
    let terms = Arc::new(policy_now(stores).await?);
    let mut outcome = Outcome { rules: terms.terms().len(), ..Outcome::default() };
    if outcome.rules == 0 {
        return Ok(outcome);
    }
    let now = stores.clock.now();
    let falling = stores.leads.falling(&terms, None, now, RUN_LEADS_MAX).await?;
    let warnings = stores.leads.warnings(&terms, now, RUN_LEADS_MAX).await?;
    outcome.more = falling.len().max(warnings.len()) >= RUN_LEADS_MAX;
    for page in falling.chunks(LEADS_AT_ONCE) {
        // A rule that is switched off meanwhile takes no further lead.
        let terms = Arc::new(policy_now(stores).await?);
        let fall = |falling| Errand::Fall { falling, terms: Arc::clone(&terms), period };
        let errands: Vec<_> = page.iter().copied().map(fall).collect();
        outcome.recycled += outcome.count(&run_page(stores, errands).await?);
    }
    for page in warnings.chunks(LEADS_AT_ONCE) {
        let terms = Arc::new(policy_now(stores).await?);
        let warn = |warning| Errand::Warn { warning, terms: Arc::clone(&terms), period };
        let errands: Vec<_> = page.iter().copied().map(warn).collect();
        outcome.warned += outcome.count(&run_page(stores, errands).await?);
    }
    Ok(outcome)
}

impl Outcome {
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
        let Self { rules, recycled, warned, touched, gone, contended, more } = self;
        if *rules == 0 {
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
        if *more { f.write_str("; the next run goes on") } else { Ok(()) }
    }
}
