//! Whether the channel may be used at all: open, resting, or letting one delivery try. A circuit breaker: a provider that
//! fails for one message after the other is left alone for a while, longer each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many messages in a row failed for reasons that are not their own.
    pub failures: u32,
    /// First rest; twice as long after each probe that fails.
    pub first: Duration,
    /// Longest rest.
    pub longest: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, first: Duration::from_secs(5), longest: Duration::from_mins(5) }
    }
}

/// What the channel's gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Everybody goes.
    #[default]
    Open,
    /// Nobody goes before this moment; then one goes to see.
    Resting(DateTime<Utc>),
}

/// One channel's gate, shared by all attempts of the process.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    breaker: Breaker,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct State {
    standing: Standing,
    /// Failures in a row.
    failures: u32,
    /// Rests in a row that ended in another failure.
    rests: u32,
}

impl Gate {
    pub(super) fn new(breaker: Breaker) -> Self {
        Self { state: Mutex::default(), breaker }
    }

    /// How many of `free` slots may be used while `running` attempts are under way.
    pub(super) fn slots(&self, now: DateTime<Utc>, free: usize, running: usize) -> usize {
        match self.standing() {
            Standing::Open => free,
            Standing::Resting(until) if now >= until && running == 0 => free.min(1),
            Standing::Resting(_) => 0,
        }
    }

    /// Whether a delivery that was leased before may still begin.
    pub(super) fn admits(&self, now: DateTime<Utc>) -> bool {
        match self.standing() {
            Standing::Open => true,
            Standing::Resting(until) => now >= until,
        }
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Standing {
        self.lock().standing
    }

    /// The channel cannot be used before `until`; `true` when it could before.
    pub(super) fn rest(&self, until: DateTime<Utc>) -> bool {
        let mut state = self.lock();
        let was_open = state.standing == Standing::Open;
        state.standing = match state.standing {
            Standing::Resting(earlier) => Standing::Resting(until.max(earlier)),
            Standing::Open => Standing::Resting(until),
        };
        was_open
    }

    /// A message failed for a reason that is not its own. Answers until when the channel rests now.
    pub(super) fn failed(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let probe_failed = matches!(state.standing, Standing::Resting(until) if now >= until);
        let opens = state.standing == Standing::Open && state.failures >= self.breaker.failures;
        if !(opens || probe_failed) {
            return None;
        }
        let rest = self.breaker.first.saturating_mul(1 << state.rests.min(16)).min(self.breaker.longest);
        state.rests += 1;
        let until = now.checked_add_signed(TimeDelta::from_std(rest).ok()?)?;
        state.standing = Standing::Resting(until);
        Some(until)
    }

    /// The channel works; `true` when it did not before.
    pub(super) fn works(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.lock();
        // An attempt that began before the trouble says nothing about the time after it.
        let opens = matches!(state.standing, Standing::Resting(until) if now >= until);
        if opens || state.standing == Standing::Open {
            *state = State::default();
        }
        opens
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn after_a_rest_one_goes_first() {
        let gate = Gate::default();
        assert_eq!(gate.slots(at(0), 64, 3), 64);
        assert!(gate.rest(at(30)));
        assert!(!gate.rest(at(20)), "it rested already");
        assert_eq!(gate.slots(at(29), 64, 0), 0);
        assert!(!gate.works(at(29)), "an old attempt does not open it");
        assert_eq!(gate.slots(at(30), 64, 2), 0);
        assert_eq!(gate.slots(at(30), 64, 0), 1);
        assert!(gate.works(at(31)));
        assert_eq!(gate.slots(at(31), 64, 1), 64);
    }

    #[test]
    fn failures_in_a_row_open_the_breaker_and_each_failed_probe_doubles_the_rest() {
        let (first, longest) = (Duration::from_secs(5), Duration::from_secs(15));
        let gate = Gate::new(Breaker { failures: 3, first, longest });
        assert_eq!([gate.failed(at(0)), gate.failed(at(0))], [None, None]);
        assert!(!gate.works(at(0)), "it worked all the time");
        assert_eq!([gate.failed(at(1)), gate.failed(at(1))], [None, None], "a success begins the row anew");
        assert_eq!(gate.failed(at(1)), Some(at(6)));
        assert_eq!(gate.failed(at(2)), None, "an attempt that was under way already");
        for (probe, until) in [(6, 16), (16, 31), (31, 46)] {
            assert_eq!(gate.slots(at(probe), 64, 0), 1);
            assert_eq!(gate.failed(at(probe)), Some(at(until)));
        }
        assert!(gate.works(at(46)));
        assert_eq!([gate.failed(at(47)), gate.failed(at(47))], [None, None]);
        assert_eq!(gate.failed(at(47)), Some(at(52)), "after a success the rests begin anew");
    }
}
