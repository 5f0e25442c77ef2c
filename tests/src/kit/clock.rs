//! The time of day of a story: that of the machine, and further ahead whenever the story says so. Leases, waits and
//! tokens end without anybody waiting for them.

use std::sync::{Arc, Mutex, PoisonError};

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use infrastructure::clock::SystemClock;

/// A clock that can be moved. All processes of a story share one, unless the story is about clocks that differ.
#[derive(Debug, Default)]
pub struct MovingClock {
    begins: Begins,
    ahead: Mutex<TimeDelta>,
}

/// What a clock is ahead of.
#[derive(Debug, Default)]
enum Begins {
    /// The machine's, which runs.
    #[default]
    Machine,
    /// A moment: the clock stands until the story moves it.
    At(DateTime<Utc>),
    /// Another clock.
    With(Arc<MovingClock>),
}

impl MovingClock {
    /// A clock that stands at a moment.
    pub fn standing(at: DateTime<Utc>) -> Self {
        Self { begins: Begins::At(at), ahead: Mutex::default() }
    }

    /// A clock that differs from another one by so much, wherever that one goes; below zero it is behind.
    pub fn beside(other: &Arc<Self>, by: TimeDelta) -> Self {
        Self { begins: Begins::With(Arc::clone(other)), ahead: Mutex::new(by) }
    }

    fn ahead(&self) -> TimeDelta {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock forward, or back by a negative step.
    pub fn advance(&self, step: TimeDelta) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }
}

impl Clock for MovingClock {
    fn now(&self) -> DateTime<Utc> {
        let begun = match &self.begins {
            Begins::Machine => SystemClock.now(),
            Begins::At(at) => *at,
            Begins::With(other) => other.now(),
        };
        begun + self.ahead()
    }

    /// What was waited for by moving the clock went by for a stopwatch too.
    fn stopwatch(&self) -> TimeDelta {
        let begun = match &self.begins {
            Begins::Machine => SystemClock.stopwatch(),
            Begins::At(_) => TimeDelta::zero(),
            Begins::With(other) => other.stopwatch(),
        };
        begun + self.ahead()
    }
}
