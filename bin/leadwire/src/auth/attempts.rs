//! Failed log-ins, counted by user name and address, so that nobody can try passwords at leisure.
//!
//! An attempt is counted before the password is checked and taken off again when it was right: attempts sent at
//! the same moment cannot slip past the limit together.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use moka::ops::compute::Op;
use moka::sync::Cache;

/// Failures within the window after which no further attempt is looked at.
pub const FAILURES_MAX: u32 = 5;

/// Length of the window, from its first attempt.
pub const WINDOW_SECONDS: i64 = 15 * 60;

/// Pairs of user name and address that are remembered.
const PAIRS_MAX: u64 = 100_000;

/// The failed log-ins of this process.
#[derive(Debug, Clone)]
pub struct LoginAttempts(Cache<(String, Option<IpAddr>), Window>);

#[derive(Debug, Clone, Copy)]
struct Window {
    since: DateTime<Utc>,
    attempts: u32,
}

impl Default for LoginAttempts {
    fn default() -> Self {
        Self(Cache::new(PAIRS_MAX))
    }
}

impl LoginAttempts {
    /// Counts an attempt, or says after how many seconds the next one is looked at.
    pub fn begin(&self, username: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<(), u64> {
        let length = TimeDelta::seconds(WINDOW_SECONDS);
        let mut wait = None;
        self.0.entry((username.to_owned(), address)).and_compute_with(|entry| {
            let window = entry.map(moka::Entry::into_value).filter(|window| now - window.since < length);
            match window {
                None => Op::Put(Window { since: now, attempts: 1 }),
                Some(window) if window.attempts >= FAILURES_MAX => {
                    wait = Some(window.since + length - now);
                    Op::Nop
                }
                Some(window) => Op::Put(Window { attempts: window.attempts + 1, ..window }),
            }
        });
        wait.map_or(Ok(()), |wait| Err(u64::try_from(wait.num_seconds()).unwrap_or(0) + 1))
    }

    /// The password was right: earlier failures are forgotten.
    pub fn succeeded(&self, username: &str, address: Option<IpAddr>) {
        self.0.invalidate(&(username.to_owned(), address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();

    #[test]
    fn the_sixth_failure_has_to_wait_until_the_window_ends() {
        let attempts = LoginAttempts::default();
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..FAILURES_MAX {
            assert_eq!(attempts.begin("admin", here, NOW), Ok(()));
        }
        let later = NOW + TimeDelta::minutes(10);
        assert_eq!(attempts.begin("admin", here, later), Err(5 * 60 + 1));
        assert_eq!(attempts.begin("admin", Some(IpAddr::from([10, 0, 0, 1])), later), Ok(()));
        assert_eq!(attempts.begin("manager", here, later), Ok(()));
        assert_eq!(attempts.begin("admin", here, NOW + TimeDelta::minutes(15)), Ok(()));
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let attempts = LoginAttempts::default();
        for _ in 0..20 {
            assert_eq!(attempts.begin("admin", None, NOW), Ok(()));
            attempts.succeeded("admin", None);
        }
    }
}
