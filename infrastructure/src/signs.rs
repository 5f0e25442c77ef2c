//! Who lives, without comparing clocks (docs/adr/0022): whoever owns something shows a sign of life that moves, and others
//! measure with their own stopwatch for how long it has stood still.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

/// The signs of others as this process saw them last, and since when they look like this. Clones watch together.
#[derive(Debug)]
pub struct Signs<K, S>(Arc<Mutex<HashMap<K, (S, TimeDelta)>>>);

impl<K, S> Clone for Signs<K, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, S> Default for Signs<K, S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq, S: PartialEq> Signs<K, S> {
    /// Notes what a sign looks like now; for how long it has looked like this.
    pub fn still_for(&self, whose: K, sign: S, stopwatch: TimeDelta) -> TimeDelta {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&whose) {
            Some((seen, since)) if *seen == sign => stopwatch - *since,
            _ => {
                all.insert(whose, (sign, stopwatch));
                TimeDelta::zero()
            }
        }
    }

    /// Forgets everybody else.
    pub fn keep(&self, whose: impl Fn(&K) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| whose(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sign_that_does_not_move_grows_old() {
        let (signs, at) = (Signs::default(), TimeDelta::seconds);
        for (sign, now, still) in [
            ("a", 100, 0),
            ("a", 104, 4),
            ("b", 106, 0),
            ("a", 107, 0), // back is a move as well
            ("a", 119, 12),
        ] {
            assert_eq!(signs.still_for("inbox", sign, at(now)), at(still), "{sign} at {now}");
        }
        assert_eq!(signs.still_for("staff", "a", at(130)), at(0), "each has its own");
        signs.keep(|whose| *whose == "staff");
        assert_eq!(signs.still_for("inbox", "a", at(140)), at(0), "forgotten");
        assert_eq!(signs.clone().still_for("staff", "a", at(140)), at(10));
    }
}
