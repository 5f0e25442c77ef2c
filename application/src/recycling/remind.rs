//! Each minute: owners are reminded of the follow-ups they meant to do now.

use std::fmt;

use chrono::TimeDelta;

use super::errand::{Errand, Fate, LEADS_AT_ONCE, run_page};
use super::{RecycleError, Stores};
use crate::bus::CommandBus;

/// Reminders of one run; the next one, a minute later, goes on with the others.
pub const REMINDERS_MAX: usize = 1_000;

/// How late a reminder may come. Later, whoever owns the lead by then has other plans for it.
const LATE_MAX: TimeDelta = TimeDelta::days(7);

/// What came of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reminded {
    /// Owners that were reminded, once for each lead.
    pub reminded: u64,
    /// Leads that were followed up or given away between scan and append.
    pub passed_over: u64,
    /// Leads that cannot be read.
    pub unreadable: u64,
}

/// Reminds the owners of every lead whose next follow-up is due.
pub async fn remind<B: CommandBus>(stores: Stores<'_, B>) -> Result<Reminded, RecycleError> {
    let now = stores.clock.now();
    let found = stores.leads.reminders(now - LATE_MAX, now, REMINDERS_MAX).await?;
    let mut outcome = Reminded::default();
    for page in found.chunks(LEADS_AT_ONCE) {
        let errands: Vec<_> = page.iter().copied().map(Errand::Remind).collect();
        for fate in run_page(stores, errands).await? {
            match fate {
                Fate::Done => outcome.reminded += 1,
                Fate::Known => {}
                Fate::Touched | Fate::Gone | Fate::Contended => outcome.passed_over += 1,
                Fate::Unreadable => outcome.unreadable += 1,
            }
        }
    }
    Ok(outcome)
}

/// One sentence for the list of jobs.
impl fmt::Display for Reminded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reminded, passed_over, unreadable } = self;
        write!(f, "{reminded} owners were reminded of follow-ups")?;
        if *passed_over > 0 {
            write!(f, "; {passed_over} were not due any more")?;
        }
        if *unreadable > 0 { write!(f, "; {unreadable} leads cannot be read") } else { Ok(()) }
    }
}
