//! How a captured table stands, as the last runs wrote it down, and whether somebody should look at it: the one answer
//! that the worker's log, health, metrics and the command line give.

use std::fmt;
use std::time::Duration;

use application::intake::worker::Held;
use application::intake::{Backlog, Mode};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;

use crate::db::{Db, DbError};
use crate::with_pool;

/// How long a state stays written as it is when nothing happens: a run that found nothing writes nothing more often.
pub const HEARTBEAT: TimeDelta = TimeDelta::seconds(60);

/// Seconds by which two looks at the same row may find it of another age: they are cut to whole seconds, by two clocks.
const AGE_DIFFERS_SECONDS: i64 = 5;

macro_rules! state {
    ($rest:literal) => {
        concat!(
            "SELECT s.source, s.table_name, s.mode, s.since, s.begun_at, s.ended_at, s.failed_at, s.failure, ",
            "s.reconciled_at, s.looked_at, s.waiting, s.oldest_seconds, s.rows_seen, s.registered, s.changed, ",
            "s.unchanged, s.parked, s.put_off, s.contested, s.held_gone, s.held_known, s.aside AS aside_there, ",
            "(SELECT COUNT(*) FROM intake_aside a WHERE a.source = s.source AND a.table_name = s.table_name) ",
            "AS aside_here FROM intake_sources s ",
            $rest
        )
    };
}

pub(super) const ONE: &str = state!("WHERE s.source = $1 AND s.table_name = $2");
pub(super) const ALL: &str = state!("ORDER BY s.source, s.table_name");

/// One captured table, as the last runs left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct SourceState {
    /// What the configuration calls it.
    pub source: String,
    /// The table.
    pub table_name: String,
    /// `triggers` or `poll`.
    pub mode: String,
    /// When a run was first begun.
    pub since: DateTime<Utc>,
    /// When the last one was begun; not older than [`HEARTBEAT`] while runs follow one another.
    pub begun_at: Option<DateTime<Utc>>,
    /// When the last one ended well, to the same precision.
    pub ended_at: Option<DateTime<Utc>>,
    /// Since when runs fail, unless one ended well since.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why the last one did.
    pub failure: Option<String>,
    /// When source and store were last compared to the end.
    pub reconciled_at: Option<DateTime<Utc>>,
    /// When the source last told how far it is.
    pub looked_at: Option<DateTime<Utc>>,
    /// Rows that waited then.
    pub waiting: i64,
    /// Rows put aside in the source's capture table then.
    pub aside_there: i64,
    /// Rows put aside that no capture table holds.
    pub aside_here: i64,
    /// For how many seconds the oldest row could have been worked on then.
    pub oldest_seconds: Option<i64>,
    /// Rows that were looked at, over all runs; those that a poll meets again unchanged are left out.
    pub rows_seen: i64,
    /// Members who were not known.
    pub registered: i64,
    /// Rows that said something new about a known member.
    pub changed: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows put aside, those tried again since included.
    pub parked: i64,
    /// Attempts that were put off.
    pub put_off: i64,
    /// Rows with a value that another member holds.
    pub contested: i64,
    /// Members whose rows the last comparison missed and whom it did not delete, see [`held`](Self::held).
    pub held_gone: Option<i64>,
    /// Members of the table that were known then.
    pub held_known: Option<i64>,
}

/// Why somebody should look at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// No run has ended well for so many seconds.
    Silent {
        /// Since the first that failed.
        seconds: i64,
    },
    /// The oldest row that could be worked on has waited for so many seconds.
    Waiting {
        /// Since it could be.
        seconds: i64,
    },
    /// The last comparison found so many rows gone that it deleted nobody.
    Held(Held),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { seconds } => write!(f, "no run has ended well for {seconds} s"),
            Self::Waiting { seconds } => {
                write!(f, "the oldest row that could be worked on waits for {seconds} s")
            }
            Self::Held(held) => held.fmt(f),
        }
    }
}

impl SourceState {
    /// A table that no run was ever begun on.
    pub fn untouched(source: &str, table: &str, mode: Mode, now: DateTime<Utc>) -> Self {
        let (source, table_name, mode) = (source.to_owned(), table.to_owned(), mode_name(mode).to_owned());
        Self { source, table_name, mode, since: now, ..Self::default() }
    }

    /// Why somebody should look, if anybody should; `alarm_age` is the age from which on something is late.
    pub fn alarm(&self, now: DateTime<Utc>, alarm_age: Duration) -> Option<Alarm> {
        let is_late = |seconds: &i64| u64::try_from(*seconds).unwrap_or(0) >= alarm_age.as_secs();
        let silent = self.silent_seconds(now).filter(is_late).map(|seconds| Alarm::Silent { seconds });
        let waiting = || self.oldest_at(now).filter(is_late).map(|seconds| Alarm::Waiting { seconds });
        silent.or_else(waiting).or_else(|| self.held().map(Alarm::Held))
    }

    /// For how long the oldest row could have been worked on, as far as anybody knows at `now`: what waited when nobody
    /// could look any more grows older by itself.
    pub fn oldest_at(&self, now: DateTime<Utc>) -> Option<i64> {
        let since_then = self.looked_at.map_or(0, |at| (now - at).num_seconds().max(0));
        self.oldest_seconds.map(|age| age + since_then)
    }

    /// Rows put aside, wherever they stand.
    pub fn aside(&self) -> i64 {
        self.aside_there + self.aside_here
    }

    /// What the last comparison held, if it did.
    pub fn held(&self) -> Option<Held> {
        let count = |members: i64| u64::try_from(members).unwrap_or(0);
        Some(Held { gone: count(self.held_gone?), known: count(self.held_known?) })
    }

    /// For how many seconds no run has ended well, when the last one failed.
    fn silent_seconds(&self, now: DateTime<Utc>) -> Option<i64> {
        self.failed_at.map(|since| (now - since).num_seconds().max(0))
    }

    /// What the source says of itself at `now`.
    pub fn saw(&mut self, backlog: &Backlog, now: DateTime<Utc>) {
        self.looked_at = Some(now);
        self.waiting = number(backlog.waiting);
        self.aside_there = number(backlog.parked);
        self.oldest_seconds = backlog.oldest_seconds.map(number);
    }

    /// What a comparison held, or that it held nobody.
    pub(super) fn compared(&mut self, held: Option<Held>) {
        self.held_gone = held.map(|held| number(held.gone));
        self.held_known = held.map(|held| number(held.known));
    }

    /// Whether nobody learns anything at `now` from `after` that this does not say too.
    pub(super) fn says_as_much_as(&self, after: &Self, now: DateTime<Utc>) -> bool {
        let is_young = self.begun_at.is_some_and(|at| (now - at).abs() < HEARTBEAT);
        let same_age = match (self.oldest_at(now), after.oldest_at(now)) {
            (None, None) => true,
            (Some(expected), Some(found)) => (expected - found).abs() <= AGE_DIFFERS_SECONDS,
            _ => false,
        };
        is_young
            && same_age
            && self.ended_at.is_some() == after.ended_at.is_some()
            && self.failure == after.failure
            && (self.waiting, self.aside_there) == (after.waiting, after.aside_there)
    }
}

/// A count as it is stored.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A mode as it is stored and shown.
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Triggers => "triggers",
        Mode::Poll => "poll",
    }
}

/// Every captured table that a run was ever begun on.
pub async fn all(db: &Db) -> Result<Vec<SourceState>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn state() -> SourceState {
        let mut state = SourceState::untouched("crm", "members", Mode::Triggers, at(0));
        (state.begun_at, state.ended_at) = (Some(at(0)), Some(at(0)));
        state.saw(&Backlog::default(), at(0));
        state
    }

    fn waiting(oldest_seconds: Option<u64>) -> Backlog {
        Backlog { waiting: 3, oldest_seconds, ..Backlog::default() }
    }

    #[test]
    fn there_is_one_answer_to_whether_somebody_should_look() {
        const AGE: Duration = Duration::from_mins(10);
        let held = Held { gone: 60, known: 100 };
        let changed = |change: &dyn Fn(&mut SourceState)| {
            let mut state = state();
            change(&mut state);
            state
        };
        for (state, seconds, expected) in [
            (state(), 10_000, None),
            // Rows that only wait for their next attempt have no age.
            (changed(&|state| state.saw(&waiting(None), at(0))), 10_000, None),
            (changed(&|state| state.saw(&waiting(Some(500)), at(0))), 99, None),
            (
                changed(&|state| state.saw(&waiting(Some(500)), at(0))),
                100,
                Some(Alarm::Waiting { seconds: 600 }),
            ),
            (changed(&|state| state.failed_at = Some(at(1))), 600, None),
            (changed(&|state| state.failed_at = Some(at(1))), 601, Some(Alarm::Silent { seconds: 600 })),
            (changed(&|state| state.compared(Some(held))), 0, Some(Alarm::Held(held))),
            (
                changed(&|state| {
                    state.compared(Some(held));
                    state.failed_at = Some(at(0));
                }),
                700,
                Some(Alarm::Silent { seconds: 700 }),
            ),
        ] {
            assert_eq!(state.alarm(at(seconds), AGE), expected, "{state:?}");
        }
    }

    #[test]
    fn what_somebody_would_learn_is_written_and_nothing_else() {
        let look = |backlog: Backlog, seconds: i64| {
            let mut after = state();
            (after.begun_at, after.ended_at) = (Some(at(seconds)), Some(at(seconds)));
            after.saw(&backlog, at(seconds));
            after
        };
        let mut old = state();
        old.saw(&waiting(Some(10)), at(0));
        let quiet = Backlog::default();
        for (before, after, seconds, expected) in [
            (state(), look(quiet, 2), 2, true),
            (state(), look(quiet, 59), 59, true),
            (state(), look(quiet, 60), 60, false),
            // A clock that was set back.
            (state(), look(quiet, -3600), -3600, false),
            (state(), look(Backlog { parked: 1, ..quiet }, 2), 2, false),
            (state(), look(waiting(None), 2), 2, false),
            (state(), SourceState { failure: Some("gone".to_owned()), ..look(quiet, 2) }, 2, false),
            (SourceState { ended_at: None, ..state() }, look(quiet, 2), 2, false),
            // The same row, twenty seconds older; then another one.
            (old.clone(), look(waiting(Some(30)), 20), 20, true),
            (old.clone(), look(waiting(Some(3)), 20), 20, false),
            (old, look(waiting(None), 20), 20, false),
        ] {
            assert_eq!(before.says_as_much_as(&after, at(seconds)), expected, "{after:?}");
        }
    }
}
