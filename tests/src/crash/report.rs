//! What a run found, as a table for people.

use std::fmt;
use std::time::Duration;

use super::Options;
use super::killer::Kill;
use super::load::Answers;
use super::verify::Check;

/// Violations of one check that are shown; the count tells of the rest.
const SHOWN: usize = 10;

/// The result of one run.
#[derive(Debug)]
pub struct Report {
    options: Options,
    kills: Vec<Kill>,
    answers: Answers,
    checks: Vec<Check>,
    elapsed: Duration,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        kills: Vec<Kill>,
        answers: Answers,
        checks: Vec<Check>,
        elapsed: Duration,
    ) -> Self {
        Self { options: options.clone(), kills, answers, checks, elapsed }
    }

    /// Whether everything held.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }

    /// What was checked.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The kills, in order.
    pub fn kills(&self) -> &[Kill] {
        &self.kills
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { backend, leads, seed, .. } = &self.options;
        let Answers { requests, retried, replayed, .. } = &self.answers;
        let while_sending = self.kills.iter().filter(|kill| kill.was_sending).count();
        let longest = self.kills.iter().map(|kill| kill.down.as_millis()).max().unwrap_or(0);
        writeln!(f, "{}, seed {seed}: {leads} leads, {} s", backend.name(), self.elapsed.as_secs())?;
        writeln!(
            f,
            "  {} kills ({while_sending} while messages were leaving), back after {longest} ms at the longest",
            self.kills.len()
        )?;
        writeln!(
            f,
            "  {requests} requests answered, {retried} on a retry, {replayed} of them replays of a lost answer"
        )?;
        for Check { name, found, violations } in &self.checks {
            let word = if violations.is_empty() { "ok  " } else { "FAIL" };
            writeln!(f, "  {word} {name:<48} {found}")?;
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
