//! What a rule must be like before it is kept: every place that breaks a bound is named, with the bound
//! (existing-systems.md section 5.1).

use std::ops::RangeInclusive;

use super::RuleText;

/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 100;

/// Most characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// Hours a lead must be idle for.
pub const INACTIVE_HOURS: RangeInclusive<u32> = 1..=720;

/// Hours a lead rests after a move; 0 is no rest.
pub const COOLDOWN_HOURS: RangeInclusive<u32> = 0..=720;

/// How often a lead may move; 0 is any number.
pub const TRANSFER_COUNT_MAX: RangeInclusive<u32> = 0..=99;

/// How strongly a balance counts.
pub const COMPENSATION_PRIORITY: RangeInclusive<u32> = 1..=10;

/// Most sources, and most targets.
pub const PEOPLE_MAX: usize = 500;

/// One place of a rule, and what it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleViolation {
    /// The place, as in JSON: `ruleName`, `triggerConditions.inactiveHours`.
    pub path: &'static str,
    /// What is wrong.
    pub fault: RuleFault,
}

/// What a rule must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFault {
    /// Nothing to read.
    Blank,
    /// More characters than this.
    TooManyChars(usize),
    /// No entry where at least one is needed.
    Empty,
    /// More entries than this.
    TooMany(usize),
    /// The number lies outside.
    OutOfRange {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The last day lies before the first.
    EndsBeforeItBegins,
}

impl RuleText {
    /// Everything that is wrong with it; nothing when it can be kept. That the people exist is asked by the use case.
    pub fn violations(&self) -> Vec<RuleViolation> {
        let mut found = Vec::new();
        let mut note = |path, fault| found.push(RuleViolation { path, fault });
        let name = self.name.trim();
        if name.is_empty() {
            note("ruleName", RuleFault::Blank);
        } else if name.chars().count() > NAME_CHARS_MAX {
            note("ruleName", RuleFault::TooManyChars(NAME_CHARS_MAX));
        }
        if self.description.as_ref().is_some_and(|text| text.trim().chars().count() > DESCRIPTION_CHARS_MAX) {
            note("description", RuleFault::TooManyChars(DESCRIPTION_CHARS_MAX));
        }
        let conditions = &self.conditions;
        let numbers = [
            ("triggerConditions.inactiveHours", conditions.inactive_hours, INACTIVE_HOURS),
            ("triggerConditions.transferCooldownHours", conditions.cooldown_hours, COOLDOWN_HOURS),
            ("triggerConditions.maxTransferCount", conditions.transfer_count_max, TRANSFER_COUNT_MAX),
            (
                "distributionConfig.compensationPriority",
                self.distribution.compensation_priority,
                COMPENSATION_PRIORITY,
            ),
        ];
        for (path, number, range) in numbers {
            if !range.contains(&number) {
                note(path, RuleFault::OutOfRange { min: *range.start(), max: *range.end() });
            }
        }
        if conditions.contract_statuses.is_empty() {
            note("triggerConditions.contractStatuses", RuleFault::Empty);
        }
        if let Some(range) = &conditions.created
            && let (Some(from), Some(to)) = (range.from, range.to)
            && to < from
        {
            note("triggerConditions.createdDateRange", RuleFault::EndsBeforeItBegins);
        }
        for (path, people) in [("sourceUserIds", &self.sources), ("targetUserIds", &self.targets)] {
            if people.len() > PEOPLE_MAX {
                note(path, RuleFault::TooMany(PEOPLE_MAX));
            }
        }
        found
    }
}
