//! Message rates on the virtual clock: how many in the last minute, in the last hour.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) const MINUTE_SECONDS: i64 = 60;
pub(crate) const HOUR_SECONDS: i64 = 60 * MINUTE_SECONDS;

/// Where a window begins; which one a platform uses is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// The last so many seconds.
    Rolling,
    /// Since the whole minute or hour of the clock.
    Clock,
}

/// When things happened, by whom they concern.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    times: HashMap<String, VecDeque<DateTime<Utc>>>,
}

impl Rates {
    /// How often in a window of so many seconds.
    pub(crate) fn count(&self, key: &str, seconds: i64, window: Window, now: DateTime<Utc>) -> u64 {
        let begin = match window {
            Window::Rolling => now - TimeDelta::seconds(seconds) + TimeDelta::nanoseconds(1),
            Window::Clock => now - TimeDelta::seconds(now.timestamp().rem_euclid(seconds)),
        };
        let within =
            |times: &VecDeque<DateTime<Utc>>| times.iter().rev().take_while(|at| **at >= begin).count();
        self.times.get(key).map_or(0, within) as u64
    }

    pub(crate) fn note(&mut self, key: &str, now: DateTime<Utc>) {
        let times = self.times.entry(key.to_owned()).or_default();
        while times.front().is_some_and(|at| now - *at > TimeDelta::seconds(HOUR_SECONDS)) {
            times.pop_front();
        }
        times.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_rolls_or_follows_the_clock() {
        let at = |second: i64| DateTime::from_timestamp(1_700_000_040 + second, 0).unwrap(); // a whole minute
        let mut rates = Rates::default();
        for second in [0, 50, 59] {
            rates.note("o1", at(second));
        }
        for (second, window, expected) in [
            (59, Window::Rolling, 3),
            (60, Window::Rolling, 2),
            (110, Window::Rolling, 1),
            (119, Window::Rolling, 0),
            (59, Window::Clock, 3),
            (60, Window::Clock, 0),
        ] {
            let count = rates.count("o1", MINUTE_SECONDS, window, at(second));
            assert_eq!(count, expected, "at {second} s, {window:?}");
        }
        assert_eq!(rates.count("o2", MINUTE_SECONDS, Window::Rolling, at(59)), 0);
        assert_eq!(rates.count("o1", HOUR_SECONDS, Window::Rolling, at(3599)), 3);
    }
}
