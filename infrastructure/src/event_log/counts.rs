//! Counts and paces: numbers beside the log that limits are held to. Pure.
//!
//! Unlike unique values, many commands of one batch may change one count, each judged after the ones before it: a
//! hundred assignments to one person share a commit, and of a hundred claims at a limit exactly as many pass as
//! there is room for.

use std::collections::HashMap;

use application::bus::{AppendError, GuardChange};
use chrono::{DateTime, Utc};

/// Kind under which the time of the last claim is kept, as microseconds since 1970.
pub(super) const PACE: &str = "last_claim";

/// Kind and key of a number.
pub(super) type CountKey = (&'static str, String);

/// The numbers that a batch changes, as they are after the commands accepted so far. One that is missing is 0.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<(String, String), i64>);

/// Kind and key of the number that a change is about, if it is about one.
pub(super) fn count_key(change: &GuardChange) -> Option<(&'static str, &str)> {
    match change {
        GuardChange::Count { kind, key, .. } => Some((kind.as_str(), key)),
        GuardChange::Pace { key, .. } => Some((PACE, key)),
        GuardChange::Claim { .. } | GuardChange::Release { .. } => None,
    }
}

impl Counts {
    /// A number as it stands in the store.
    pub(super) fn stored(&mut self, kind: String, key: String, value: i64) {
        self.0.insert((kind, key), value);
    }

    /// A command was accepted with these changes.
    pub(super) fn accepted(&mut self, changes: &[(CountKey, i64)]) {
        for ((kind, key), value) in changes {
            self.0.insert(((*kind).to_owned(), key.clone()), *value);
        }
    }

    fn get(&self, kind: &str, key: &str) -> Option<i64> {
        self.0.get(&(kind.to_owned(), key.to_owned())).copied()
    }

    /// The numbers after one command, or why it goes beyond a limit.
    pub(super) fn judge(&self, changes: &[GuardChange]) -> Result<Vec<(CountKey, i64)>, AppendError> {
        let mut after: Vec<(CountKey, i64)> = Vec::new();
        for change in changes {
            let Some((kind, key)) = count_key(change) else { continue };
            let known = after.iter().position(|((k, name), _)| *k == kind && name == key);
            let before = known.map(|index| after[index].1).or_else(|| self.get(kind, key));
            let value = changed(change, before)?;
            match known {
                Some(index) => after[index].1 = value,
                None => after.push(((kind, key.to_owned()), value)),
            }
        }
        Ok(after)
    }
}

fn changed(change: &GuardChange, before: Option<i64>) -> Result<i64, AppendError> {
    match change {
        GuardChange::Count { kind, key, by, max } => {
            let current = before.unwrap_or(0);
            let value = current.saturating_add(*by);
            match max {
                Some(max) if *by > 0 && value > *max => {
                    Err(AppendError::LimitReached { kind: *kind, key: key.clone(), max: *max, current })
                }
                _ => Ok(value),
            }
        }
        GuardChange::Pace { at, gap, .. } => {
            let last = before.and_then(DateTime::<Utc>::from_timestamp_micros);
            let until = last.zip(*gap).map(|(last, gap)| last + gap).filter(|until| at < until);
            match until {
                Some(until) => Err(AppendError::TooSoon { until }),
                // Clocks of two processes may differ: the later time stays.
                None => Ok(before.unwrap_or(i64::MIN).max(at.timestamp_micros())),
            }
        }
        GuardChange::Claim { .. } | GuardChange::Release { .. } => Ok(before.unwrap_or(0)),
    }
}
