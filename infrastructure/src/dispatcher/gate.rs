//! Whether the channel may be used at all: open, resting, or letting one delivery try.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// One channel's gate, shared by all attempts of the process.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nobody goes before this moment; then one goes to see.
    Resting(DateTime<Utc>),
}

impl Gate {
    /// How many of `free` slots may be used while `running` attempts are under way.
    pub(super) fn slots(&self, now: DateTime<Utc>, free: usize, running: usize) -> usize {
        match *self.lock() {
            State::Open => free,
            State::Resting(until) if now >= until && running == 0 => free.min(1),
            State::Resting(_) => 0,
        }
    }

    /// The channel cannot be used before `until`; `true` when it could before.
    pub(super) fn rest(&self, until: DateTime<Utc>) -> bool {
        let mut state = self.lock();
        let was_open = *state == State::Open;
        if let State::Resting(earlier) = *state {
            *state = State::Resting(until.max(earlier));
        } else {
            *state = State::Resting(until);
        }
        was_open
    }

    /// The channel works; `true` when it did not before.
    pub(super) fn open(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.lock();
        // An attempt that began before the trouble says nothing about the time after it.
        let opens = matches!(*state, State::Resting(until) if now >= until);
        if opens {
            *state = State::Open;
        }
        opens
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rest_one_goes_first() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let gate = Gate::default();
        assert_eq!(gate.slots(at(0), 64, 3), 64);
        assert!(gate.rest(at(30)));
        assert!(!gate.rest(at(20)), "it rested already");
        assert_eq!(gate.slots(at(29), 64, 0), 0);
        assert!(!gate.open(at(29)), "an old attempt does not open it");
        assert_eq!(gate.slots(at(30), 64, 2), 0);
        assert_eq!(gate.slots(at(30), 64, 0), 1);
        assert!(gate.open(at(31)));
        assert_eq!(gate.slots(at(31), 64, 1), 64);
    }
}
