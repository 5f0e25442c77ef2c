//! When to try again, and when to stop.

use std::fmt;
use std::time::Duration;

/// Waiting times between counted attempts, in seconds (notifications.md section 4): about 34 minutes in all.
const DELAYS_SECONDS: [u64; 9] = [1, 5, 15, 30, 60, 120, 300, 600, 900];
/// How far chance may move a waiting time, in both directions, so that what failed together does not return together.
const JITTER_PERCENT: u8 = 20;
/// How often a provider may say "busy" for one delivery: for all we know each of those may have been carried out.
const BUSY_ANSWERS_MAX: i64 = 3;
/// More waits than this are a mistake in the configuration.
const DELAYS_MAX: usize = 50;

/// The waits between the attempts of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    delays: Vec<Duration>,
    jitter_percent: u8,
    busy_answers_max: i64,
}

/// Why a configured schedule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// None, or too many waits.
    #[error("a retry schedule has 1 to {DELAYS_MAX} waits")]
    Length,
    /// A jitter of a whole wait or more could move an attempt before its failure.
    #[error("the jitter of a retry schedule is 0 to 99 percent")]
    Jitter,
    /// At least one answer must be allowed.
    #[error("at least one busy answer must be allowed")]
    BusyAnswers,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            delays: DELAYS_SECONDS.map(Duration::from_secs).to_vec(),
            jitter_percent: JITTER_PERCENT,
            busy_answers_max: BUSY_ANSWERS_MAX,
        }
    }
}

impl RetrySchedule {
    /// A configured schedule: one wait after each failed attempt but the last.
    pub fn new(
        delays: Vec<Duration>,
        jitter_percent: u8,
        busy_answers_max: i64,
    ) -> Result<Self, InvalidSchedule> {
        if delays.is_empty() || delays.len() > DELAYS_MAX {
            return Err(InvalidSchedule::Length);
        }
        if jitter_percent > 99 {
            return Err(InvalidSchedule::Jitter);
        }
        if busy_answers_max < 1 {
            return Err(InvalidSchedule::BusyAnswers);
        }
        Ok(Self { delays, jitter_percent, busy_answers_max })
    }

    /// The wait after the `counted`-th attempt failed, moved by `chance` in `0.0..1.0`; `None` when no attempt is
    /// left.
    pub fn wait(&self, counted: i64, chance: f64) -> Option<Duration> {
        let at = usize::try_from(counted.max(1) - 1).ok()?;
        let delay = self.delays.get(at)?;
        Some(delay.mul_f64(1.0 + (chance.clamp(0.0, 1.0) * 2.0 - 1.0) * self.jitter()))
    }

    /// Whether so many "busy" answers are enough.
    pub fn is_too_busy(&self, busy_answers: i64) -> bool {
        busy_answers >= self.busy_answers_max
    }

    /// Attempts that count.
    pub fn attempts_max(&self) -> usize {
        self.delays.len() + 1
    }

    /// The longest time from the first attempt to the last, waits for quotas and tokens apart.
    pub fn worst_case_total(&self) -> Duration {
        self.delays.iter().sum::<Duration>().mul_f64(1.0 + self.jitter())
    }

    fn jitter(&self) -> f64 {
        f64::from(self.jitter_percent) / 100.0
    }
}

impl fmt::Display for RetrySchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attempts within at most {} s, busy at most {} times",
            self.attempts_max(),
            self.worst_case_total().as_secs(),
            self.busy_answers_max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_table_and_end() {
        let schedule = RetrySchedule::default();
        for (at, seconds) in DELAYS_SECONDS.iter().enumerate() {
            let counted = i64::try_from(at).unwrap() + 1;
            assert_eq!(schedule.wait(counted, 0.5), Some(Duration::from_secs(*seconds)), "{counted}");
        }
        assert_eq!(schedule.wait(10, 0.5), None);
        assert_eq!(schedule.attempts_max(), 10);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.wait(5, 0.0), Some(Duration::from_secs(48)));
        assert_eq!(schedule.wait(5, 1.0), Some(Duration::from_secs(72)));
        for wrong in [-7.0, 7.0] {
            let wait = schedule.wait(5, wrong).unwrap().as_secs();
            assert!((48..=72).contains(&wait), "{wrong}: {wait}");
        }
    }

    #[test]
    fn the_worst_case_is_printed() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.worst_case_total(), Duration::from_millis(2_437_200));
        assert_eq!(schedule.to_string(), "10 attempts within at most 2437 s, busy at most 3 times");
    }

    #[test]
    fn nonsense_is_refused() {
        let second = vec![Duration::from_secs(1)];
        assert_eq!(RetrySchedule::new(vec![], 20, 3), Err(InvalidSchedule::Length));
        assert_eq!(RetrySchedule::new(second.repeat(51), 20, 3), Err(InvalidSchedule::Length));
        assert_eq!(RetrySchedule::new(second.clone(), 100, 3), Err(InvalidSchedule::Jitter));
        assert_eq!(RetrySchedule::new(second.clone(), 20, 0), Err(InvalidSchedule::BusyAnswers));
        assert!(RetrySchedule::new(second, 99, 1).is_ok());
    }
}
