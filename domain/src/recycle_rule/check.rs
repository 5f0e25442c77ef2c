//! What a recycle rule must be like before it is kept: every place that breaks a rule is named, with the rule.

use std::ops::RangeInclusive;

use super::RecycleText;

/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 100;

/// Places in the order of rules.
pub const PRIORITY: RangeInclusive<u32> = 1..=1000;

/// Days after which a lead may fall: up to ten years.
pub const DAYS: RangeInclusive<u32> = 1..=3650;

/// Hours a lead may be safe for: up to a year.
pub const PROTECTED_HOURS: RangeInclusive<u32> = 0..=8760;

/// How long before the fall a warning may come: up to thirty days.
pub const WARN_BEFORE_HOURS: RangeInclusive<u32> = 1..=720;

/// Most warnings of a rule; more would be read by nobody.
pub const WARNINGS_MAX: usize = 5;

/// Hours of a day, as rules count days.
pub(super) const DAY_HOURS: u32 = 24;

/// One place of a rule, and what it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecycleViolation {
    /// The place, as in JSON: `name`, `daysByLevel.A类`, `warnBeforeHours[1]`.
    pub path: String,
    /// What is wrong.
    pub fault: RecycleFault,
}

/// What a rule must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecycleFault {
    /// Nothing to read.
    Blank,
    /// More characters than this.
    TooManyChars(usize),
    /// More entries than this.
    TooMany(usize),
    /// The number lies outside.
    OutOfRange {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The warning would come before the shortest time of this rule has begun.
    WarnsTooEarly {
        /// The shortest time of the rule, in hours.
        shortest_hours: u32,
    },
}

impl<Since> RecycleText<Since> {
    /// Everything that is wrong with it; nothing when it can be kept.
    pub fn violations(&self) -> Vec<RecycleViolation> {
        let mut found = Vec::new();
        if self.name.trim().is_empty() {
            note(&mut found, "name", RecycleFault::Blank);
        } else if self.name.trim().chars().count() > NAME_CHARS_MAX {
            note(&mut found, "name", RecycleFault::TooManyChars(NAME_CHARS_MAX));
        }
        within(&mut found, "priority", self.priority, &PRIORITY);
        within(&mut found, "days", self.kind.days(), &DAYS);
        for (level, days) in &self.days_by_level {
            within(&mut found, format!("daysByLevel.{level}"), *days, &DAYS);
        }
        within(&mut found, "protectedHours", self.protected_hours, &PROTECTED_HOURS);
        self.check_warnings(&mut found);
        found
    }

    fn check_warnings(&self, found: &mut Vec<RecycleViolation>) {
        if self.warn_before_hours.len() > WARNINGS_MAX {
            return note(found, "warnBeforeHours", RecycleFault::TooMany(WARNINGS_MAX));
        }
        let shortest_days = self.days_by_level.values().copied().chain([self.kind.days()]).min().unwrap_or(0);
        let shortest_hours = shortest_days.saturating_mul(DAY_HOURS);
        for (n, hours) in self.warn_before_hours.iter().enumerate() {
            let path = format!("warnBeforeHours[{n}]");
            if *hours >= shortest_hours && WARN_BEFORE_HOURS.contains(hours) {
                note(found, path, RecycleFault::WarnsTooEarly { shortest_hours });
            } else {
                within(found, path, *hours, &WARN_BEFORE_HOURS);
            }
        }
    }
}

fn within(
    found: &mut Vec<RecycleViolation>,
    path: impl Into<String>,
    number: u32,
    range: &RangeInclusive<u32>,
) {
    if !range.contains(&number) {
        note(found, path, RecycleFault::OutOfRange { min: *range.start(), max: *range.end() });
    }
}

fn note(found: &mut Vec<RecycleViolation>, path: impl Into<String>, fault: RecycleFault) {
    found.push(RecycleViolation { path: path.into(), fault });
}
