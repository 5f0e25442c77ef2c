//! The outside world as arguments: time, ids, randomness, and the next customer number.
//!
//! Nothing above `infrastructure` may take these from the machine itself, so that a test can replay any moment.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The time of day.
pub trait Clock: Send + Sync {
    /// Now, UTC, whole microseconds: what both databases can store without loss.
    fn now(&self) -> DateTime<Utc>;

    /// What a stopwatch shows that nobody sets: the time between two readings in this process really went by, whatever
    /// became of the time of day. Two processes' stopwatches have nothing to do with one another. A clock that only
    /// tests move measures by its own hands.
    fn stopwatch(&self) -> TimeDelta {
        self.now() - DateTime::UNIX_EPOCH
    }
}

/// Fresh ids.
pub trait Ids: Send + Sync {
    /// An id nobody has used, ordered by time of creation (UUIDv7).
    fn next(&self) -> Uuid;
}

/// Chance, for jitter only; secrets come from the operating system inside their adapter.
pub trait Randomness: Send + Sync {
    /// A number in `0.0..1.0`, evenly spread.
    fn unit(&self) -> f64;
}

/// Where customer numbers (`CUS` + 11 digits, domain.md) come from.
#[async_trait]
pub trait CustomerNumbers: Send + Sync {
    /// A number that was not given out before, larger than every earlier one of this process. Numbers may be
    /// lost (a command that is refused after asking), never given twice.
    async fn next(&self) -> Result<u64, NumbersError>;

    /// So many of them at once, in order; what [`next`](Self::next) promises holds for each.
    async fn block(&self, count: usize) -> Result<Vec<u64>, NumbersError> {
        let mut numbers = Vec::with_capacity(count);
        for _ in 0..count {
            numbers.push(self.next().await?);
        }
        Ok(numbers)
    }
}

/// Why no number could be given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no customer number can be drawn: {0}")]
pub struct NumbersError(pub String);
