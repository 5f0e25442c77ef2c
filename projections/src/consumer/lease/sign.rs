//! What shows that an owner of a consumer lives.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// What shows whether an owner lives: it writes another end of its lease with every sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Sign {
    #[sqlx(rename = "lease_owner")]
    pub(super) owner: Option<Uuid>,
    #[sqlx(rename = "lease_epoch")]
    pub(super) epoch: i64,
    #[sqlx(rename = "lease_expires_at")]
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// The ends of leases that one process writes.
#[derive(Debug, Clone)]
pub(super) struct Ends(Arc<Mutex<DateTime<Utc>>>);

impl Default for Ends {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(DateTime::UNIX_EPOCH)))
    }
}

impl Ends {
    /// `wanted`, or a moment later than the end before: another one every time, wherever the clock stands or goes back to.
    pub(super) fn next(&self, wanted: DateTime<Utc>) -> DateTime<Utc> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = wanted.max(*last + TimeDelta::microseconds(1));
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ends_are_the_same() {
        let (ends, noon) = (Ends::default(), DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let written = [0, 0, 3, -300, 3].map(|seconds| ends.next(noon + TimeDelta::seconds(seconds)));
        assert!(written.is_sorted_by(|one, next| one < next), "{written:?}");
        assert_eq!((written[0], written[2]), (noon, noon + TimeDelta::seconds(3)));
    }
}
