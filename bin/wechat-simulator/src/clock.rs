//! The virtual clock: real time plus an offset that tests move forward, so that 7200-second tokens, minute
//! windows and day quotas pass in no time. The only file that reads the real clock.

use std::{fmt, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

/// The farthest the clock may run ahead of real time: ten years.
pub(crate) const OFFSET_MAX_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// Where real time comes from. Tests may pass a frozen one.
#[derive(Clone)]
pub struct TimeSource(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl TimeSource {
    /// A time source of the caller's making.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The clock of this computer.
    pub fn system() -> Self {
        Self::new(system_now)
    }

    /// A clock that stands still until it is advanced.
    pub fn frozen(at: DateTime<Utc>) -> Self {
        Self::new(move || at)
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeSource")
    }
}

#[expect(clippy::disallowed_methods, reason = "the one adapter of the simulator to the real clock")]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    source: TimeSource,
    offset_seconds: u64,
}

impl Clock {
    pub(crate) fn new(source: TimeSource) -> Self {
        Self { source, offset_seconds: 0 }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let offset = i64::try_from(self.offset_seconds).unwrap_or(0); // at most OFFSET_MAX_SECONDS
        (self.source.0)() + TimeDelta::seconds(offset)
    }

    pub(crate) fn offset_seconds(&self) -> u64 {
        self.offset_seconds
    }

    /// Moves the clock forward; `None` (and no move) beyond [`OFFSET_MAX_SECONDS`].
    pub(crate) fn advance(&mut self, seconds: u64) -> Option<()> {
        let ahead = self.offset_seconds.checked_add(seconds)?;
        (ahead <= OFFSET_MAX_SECONDS).then(|| self.offset_seconds = ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_forward_and_not_beyond_its_limit() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut clock = Clock::new(TimeSource::frozen(start));
        assert_eq!(clock.now(), start);
        assert_eq!(clock.advance(7200), Some(()));
        assert_eq!(clock.now(), start + TimeDelta::seconds(7200));
        for too_far in [OFFSET_MAX_SECONDS, u64::MAX] {
            assert_eq!(clock.advance(too_far), None);
        }
        assert_eq!(clock.offset_seconds(), 7200);
    }
}
