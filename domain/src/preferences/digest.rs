//! When what was collected is told as one.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{TimeOfDay, Zone};

/// When a digest goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Digest {
    /// Once a day.
    Daily {
        /// At this time of the person's wall clock.
        at: TimeOfDay,
    },
    /// The first at once, what follows within these minutes together at their end.
    Burst {
        /// How long.
        minutes: u32,
    },
}

impl Default for Digest {
    /// In the morning, when the working day begins.
    fn default() -> Self {
        Self::Daily { at: TimeOfDay::NINE }
    }
}

impl TimeOfDay {
    const NINE: Self = Self::of_hour(9);

    /// This time on some day.
    fn time(self) -> NaiveTime {
        NaiveTime::MIN + TimeDelta::minutes(self.minutes().into())
    }
}

impl Digest {
    /// Until when a notice of `now` is held; `None`: it goes out at once. `last_sent` is when the person was last told
    /// something of the kind that is collected.
    pub fn until(
        self,
        now: DateTime<Utc>,
        zone: Zone,
        last_sent: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Daily { at } => next_daily(now, zone, at),
            Self::Burst { minutes } => {
                let until = last_sent? + TimeDelta::minutes(minutes.into());
                (until > now).then_some(until)
            }
        }
    }
}

/// The first time from `now` on that the wall clock shows `at`.
fn next_daily(now: DateTime<Utc>, zone: Zone, at: TimeOfDay) -> Option<DateTime<Utc>> {
    // The day before, because a jump over midnight can push a time into the next day; two days on, because it can
    // push tomorrow's there.
    let first = now.with_timezone(&zone.0).date_naive().pred_opt()?;
    (0..4)
        .filter_map(|days| zone.instant((first + Days::new(days)).and_time(at.time())))
        .find(|instant| *instant >= now)
}
