//! The hours in which a rule runs: every day the same, on the wall clock of the rule's zone, whatever zone the server
//! is in (fault A-26e).

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

use crate::preferences::{TimeOfDay, Zone};

/// Days that are looked at for the next opening. A window opens every day; a change of summer time can swallow it on
/// one of them, and a zone that moved across the date line skipped a whole day.
const OPENING_DAYS_MAX: u64 = 4;

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Whether there are hours at all; a rule without them runs at any time.
    pub enabled: bool,
    /// Its first minute.
    pub start: TimeOfDay,
    /// Its last minute, included. Before `start`: on the next day.
    pub end: TimeOfDay,
    /// Whose wall clock. Days of creation are told apart on it as well.
    #[serde(default)]
    pub zone: Zone,
}

impl Default for Window {
    /// System A's hours (existing-systems.md section 5.1).
    fn default() -> Self {
        let (start, end) = (TimeOfDay::of_minutes(9 * 60 + 30), TimeOfDay::of_minutes(18 * 60 + 30));
        Self { enabled: true, start, end, zone: Zone::default() }
    }
}

impl Window {
    /// Whether the rule may run at this moment.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        let clock = at.with_timezone(&self.zone.0);
        let minute = clock.hour() * 60 + clock.minute();
        let (start, end) = (u32::from(self.start.minutes()), u32::from(self.end.minutes()));
        let inside =
            if start <= end { (start..=end).contains(&minute) } else { start <= minute || minute <= end };
        !self.enabled || inside
    }

    /// The first moment from `after` on at which the rule may run; `after` itself when it may run then. `None` only
    /// when the zone's wall clock never shows such a time.
    pub fn next_open(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.contains(after) {
            return Some(after);
        }
        let today = after.with_timezone(&self.zone.0).date_naive();
        let start = NaiveTime::MIN + TimeDelta::minutes(self.start.minutes().into());
        (0..OPENING_DAYS_MAX)
            .filter_map(|days| self.zone.instant(today.checked_add_days(Days::new(days))?.and_time(start)))
            .find(|opening| after < *opening && self.contains(*opening))
    }
}
