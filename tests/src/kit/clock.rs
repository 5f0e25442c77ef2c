//! The time of day of a story: that of the machine, and further ahead whenever the story says so. Leases, waits and
//! tokens end without anybody waiting for them.

use std::sync::{Mutex, PoisonError};

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use infrastructure::clock::SystemClock;

/// A clock that runs, and can be moved forward. All processes of a story share one.
#[derive(Debug, Default)]
pub struct MovingClock {
    ahead: Mutex<TimeDelta>,
}

impl MovingClock {
    /// Moves the clock forward.
    pub fn advance(&self, step: TimeDelta) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }
}

impl Clock for MovingClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
