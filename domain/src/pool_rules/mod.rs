//! What people are held to around the public pool 公海规则: claims, holdings, a former owner's wait
//! (transfer-and-recycle.md section 3).
//!
//! One document for the whole installation. What it leaves open is as the configuration says, so that nothing changes
//! on the day an administrator first opens the page.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::staff::Role;
use crate::stored_events;

/// Leads a person may claim on one day; 0: any number.
pub const CLAIMS_PER_DAY: RangeInclusive<i64> = 0..=1_000_000;

/// Least seconds between two claims of a person, up to a day; 0: none.
pub const CLAIM_GAP_SECONDS: RangeInclusive<i64> = 0..=86_400;

/// Hours for which a former owner leaves a lead to others, up to a year; 0: none.
pub const COOL_OFF_HOURS: RangeInclusive<i64> = 0..=8_760;

/// Leads a person may own.
pub const HOLDING_CAP: RangeInclusive<i64> = 1..=1_000_000;

/// The rules; `None`: as the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRulesText {
    /// Leads a person may claim on one day; 0: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_per_day: Option<i64>,
    /// Least seconds between two claims of a person; 0: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_gap_seconds: Option<i64>,
    /// Hours for which a former owner leaves a lead to others; 0: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_off_hours: Option<i64>,
    /// Leads a person may own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding_cap: Option<i64>,
    /// Roles with a cap of their own; an empty table: none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding_cap_by_role: Option<BTreeMap<Role, i64>>,
    /// Whether signed customers do not count as owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_ignores_signed: Option<bool>,
    /// Whether assignments by people are held to the cap too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignments_held_to_cap: Option<bool>,
}

/// One number that lies outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRulesViolation {
    /// The place, as in JSON: `claimsPerDay`, `holdingCapByRole.dispatch`.
    pub path: String,
    /// The least.
    pub min: i64,
    /// The most.
    pub max: i64,
}

impl PoolRulesText {
    /// Everything that is wrong with it; nothing when it can be kept.
    pub fn violations(&self) -> Vec<PoolRulesViolation> {
        let numbers = [
            ("claimsPerDay", self.claims_per_day, &CLAIMS_PER_DAY),
            ("claimGapSeconds", self.claim_gap_seconds, &CLAIM_GAP_SECONDS),
            ("coolOffHours", self.cool_off_hours, &COOL_OFF_HOURS),
            ("holdingCap", self.holding_cap, &HOLDING_CAP),
        ];
        let numbers = numbers.into_iter().map(|(path, number, range)| (path.to_owned(), number, range));
        let caps = self.holding_cap_by_role.iter().flatten();
        let caps = caps.map(|(role, cap)| (format!("holdingCapByRole.{role}"), Some(*cap), &HOLDING_CAP));
        let outside = |(path, number, range): (String, Option<i64>, &RangeInclusive<i64>)| {
            let outside = number.is_some_and(|number| !range.contains(&number));
            outside.then(|| PoolRulesViolation { path, min: *range.start(), max: *range.end() })
        };
        numbers.chain(caps).filter_map(outside).collect()
    }
}

stored_events! {
    /// A fact about the rules of the pool.
    PoolRulesEvent {
        /// All of them were replaced.
        Set(PoolRulesSet) = 1,
    }
}

/// Somebody said what people are held to 设置公海规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolRulesSet {
    /// All of it.
    pub text: PoolRulesText,
    /// Who set it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// The rules as the events left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolRules {
    /// What was set last; empty before.
    pub text: PoolRulesText,
    /// Who set it; `None` before.
    pub set_by: Option<Actor>,
    /// When it was set; `None` before.
    pub set_at: Option<DateTime<Utc>>,
}

/// What may be asked of the rules.
#[derive(Debug, Clone, PartialEq)]
pub enum PoolRulesCommand {
    /// Replace all of them.
    Set(PoolRulesSet),
}

/// Why the rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolRulesError {
    /// Numbers outside their bounds, each named.
    #[error("公海规则有{}处不符合要求", .0.len())]
    Invalid(Vec<PoolRulesViolation>),
}

impl Aggregate for PoolRules {
    const TYPE: &'static str = "pool_rules";
    type Command = PoolRulesCommand;
    type Event = PoolRulesEvent;
    type Error = PoolRulesError;

    fn decide(&self, command: PoolRulesCommand) -> Result<Vec<PoolRulesEvent>, PoolRulesError> {
        let PoolRulesCommand::Set(set) = command;
        let violations = set.text.violations();
        if !violations.is_empty() {
            return Err(PoolRulesError::Invalid(violations));
        }
        if self.text == set.text {
            return Ok(vec![]);
        }
        Ok(vec![set.into()])
    }

    fn evolve(&mut self, event: &PoolRulesEvent) {
        let PoolRulesEvent::Set(set) = event;
        self.text = set.text.clone();
        self.set_by = Some(set.by.clone());
        self.set_at = Some(set.at);
    }
}

crate::adapt_to_cqrs_es!(PoolRules);
