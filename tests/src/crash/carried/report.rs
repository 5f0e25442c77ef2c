//! What a run found, as a table for people.

use std::fmt;
use std::time::Duration;

use super::Kill;
use crate::crash::verify::Check;

/// Violations of one check that are shown; the count tells of the rest.
const SHOWN: usize = 10;

/// The result of one run.
#[derive(Debug)]
pub struct Report {
    /// What was run: the first line.
    pub(in crate::crash) about: String,
    pub(in crate::crash) planned: usize,
    pub(in crate::crash) kills: Vec<Kill>,
    /// From the first look at the plan until the end of the run.
    pub(in crate::crash) ran: Duration,
    pub(in crate::crash) checks: Vec<Check>,
    pub(in crate::crash) elapsed: Duration,
}

impl Report {
    /// Whether everything held.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }

    /// The kills, in order.
    pub fn kills(&self) -> &[Kill] {
        &self.kills
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} s", self.about, self.elapsed.as_secs())?;
        writeln!(f, "  {} leads planned, over after {:.1?}", self.planned, self.ran)?;
        for Kill { done, carried_on } in &self.kills {
            writeln!(f, "  killed after {done} leads, carried on after {carried_on:.1?}")?;
        }
        for Check { name, found, violations } in &self.checks {
            let word = if violations.is_empty() { "ok  " } else { "FAIL" };
            writeln!(f, "  {word} {name:<52} {found}")?;
            for violation in violations.iter().take(SHOWN) {
                writeln!(f, "         {violation}")?;
            }
            if let Some(more) = violations.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                writeln!(f, "         and {more} more")?;
            }
        }
        Ok(())
    }
}
