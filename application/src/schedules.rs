//! When jobs run 定时任务: the grid of a cron expression in a zone, and which of its moments is to be run now.
//!
//! A **period** is a moment of the grid. What a job does depends on its period and never on when it really ran, so a
//! late run, a repeated run and a run under a wrong clock all mean the same. Which process runs it is
//! `infrastructure::scheduler`'s business.

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// A moment of a job's grid: what one run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period(pub DateTime<Utc>);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// The moments of a cron expression on the wall clock of a zone.
///
/// Where a change of summer time skips a moment, a time of day such as `30 2 * * *` counts right after the gap; where the
/// clock repeats an hour, it counts once, and a step such as `0 * * * *` counts in both hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    text: String,
    cron: Cron,
    zone: Tz,
}

/// The text is no cron expression of five fields that has a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a cron expression of five fields (minute, hour, day, month, day of the week), such as 0 * * * *"
)]
pub struct InvalidCron;

impl Grid {
    /// Reads `minute hour day month weekday`.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, InvalidCron> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cron = parser.parse(&text).map_err(|_| InvalidCron)?;
        let grid = Self { text, cron, zone };
        // Such as the 30th of February: no job should wait for it.
        grid.next_after(DateTime::UNIX_EPOCH).map(|_| grid).ok_or(InvalidCron)
    }

    /// The grid that was written down as [`text`](Self::text) and the name of its zone.
    pub fn stored(text: &str, zone: &str) -> Option<Self> {
        Self::parse(text, zone.parse().ok()?).ok()
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first moment after `at`.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<Period> {
        let local = at.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|next| Period(next.to_utc()))
    }

    /// The last moment that is not after `at`.
    pub fn last_until(&self, at: DateTime<Utc>) -> Option<Period> {
        let local = at.with_timezone(&self.zone);
        self.cron.find_previous_occurrence(&local, true).ok().map(|last| Period(last.to_utc()))
    }
}

/// What becomes of moments at which nobody ran the job: every process was down, or asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// However many were missed, the last of them is run, late.
    RunOnce,
    /// The last of them is run if it is not later than this; else the next moment is waited for.
    Skip {
        /// How late is too late.
        later_than: TimeDelta,
    },
}

impl fmt::Display for Misfire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunOnce => f.write_str("run_once"),
            Self::Skip { later_than } => write!(f, "skip_after_{}_min", later_than.num_minutes()),
        }
    }
}

/// Something that is done at every moment of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it is called, everywhere and for ever: its row is found by it.
    pub name: &'static str,
    /// When.
    pub grid: Grid,
    /// What becomes of missed moments.
    pub misfire: Misfire,
}

impl Job {
    /// The period that is to be run at `now`, when `last` is the last one that somebody ran or passed over.
    ///
    /// Periods only ever grow: a clock that goes back, or a process whose clock is behind, finds nothing to do, and one
    /// whose clock is ahead runs a period early that nobody runs again.
    pub fn due(&self, last: Period, now: DateTime<Utc>) -> Option<Period> {
        let period = self.grid.last_until(now).filter(|period| *period > last)?;
        match self.misfire {
            Misfire::Skip { later_than } if now - period.0 > later_than => None,
            Misfire::RunOnce | Misfire::Skip { .. } => Some(period),
        }
    }
}
