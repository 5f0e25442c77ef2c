//! The one place that reads the machine's clock.

use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use application::ports::Clock;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Where the stopwatch of this process began.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The machine's clock, cut to microseconds: PostgreSQL keeps no more, and a value must read back as it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the adapter of the Clock port")]
    fn now(&self) -> DateTime<Utc> {
        whole_microseconds(Utc::now())
    }

    fn stopwatch(&self) -> TimeDelta {
        TimeDelta::from_std(STARTED.elapsed()).unwrap_or(TimeDelta::MAX)
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// A clock that stands at `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(whole_microseconds(now)))
    }

    /// Puts the clock to another time.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.lock() = whole_microseconds(now);
    }

    /// Moves the clock forward, or back by a negative step.
    pub fn advance(&self, step: TimeDelta) {
        *self.lock() += step;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DateTime<Utc>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.lock()
    }
}

fn whole_microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only outside the years 1677 to 2262, where nothing is cut.
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_whole_microseconds() {
        let at = DateTime::from_timestamp_nanos(1_700_000_000_123_456_789);
        assert_eq!(TestClock::at(at).now().timestamp_subsec_nanos(), 123_456_000);
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1000, 0);
    }

    #[test]
    fn a_stopwatch_never_goes_back() {
        let readings: Vec<_> = (0..100).map(|_| SystemClock.stopwatch()).collect();
        assert!(readings.is_sorted() && readings[0] >= TimeDelta::zero(), "{readings:?}");
        let clock = TestClock::at(DateTime::UNIX_EPOCH);
        let begun = clock.stopwatch();
        clock.advance(TimeDelta::seconds(7));
        assert_eq!(clock.stopwatch() - begun, TimeDelta::seconds(7), "moved by hand, it measures by hand");
    }

    #[test]
    fn a_test_clock_moves_when_told() {
        let clock = TestClock::at(DateTime::UNIX_EPOCH);
        clock.advance(TimeDelta::hours(2));
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + TimeDelta::hours(2));
        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
    }
}
