//! A recycle rule 回收规则: which owned leads go back into the public pool, and after how long
//! (transfer-and-recycle.md section 3).
//!
//! When a lead falls is never stored. It follows from the lead's events and from the rules, so that no path can bypass
//! it and it is the same whenever a job looks: [`RecyclePolicy::pool_due`].

mod check;
mod due;
pub mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use check::{
    DAYS, NAME_CHARS_MAX, PRIORITY, PROTECTED_HOURS, RecycleFault, RecycleViolation, WARN_BEFORE_HOURS,
    WARNINGS_MAX,
};
pub use due::{DueFacts, PoolDue, RecyclePolicy, RecycleTerm};

use crate::Aggregate;
use crate::customer::{ContractStatus, LeadLevel, LeadSource};
use crate::envelope::Actor;
use crate::stored_events;

/// When an owner is warned unless the rule says otherwise: three days and one day before.
pub const WARN_BEFORE_HOURS_DEFAULT: [u32; 2] = [72, 24];

/// What makes a lead fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RecycleKind {
    /// Nobody followed up for so many days, counted from the last follow-up or from the owner's first day.
    NoFollowUp {
        /// Days of 24 hours.
        days: u32,
    },
    /// The owner has not signed it so many days after becoming its owner.
    NotSigned {
        /// Days of 24 hours.
        days: u32,
    },
}

impl RecycleKind {
    /// The days of a lead whose level has none of its own.
    pub fn days(self) -> u32 {
        match self {
            Self::NoFollowUp { days } | Self::NotSigned { days } => days,
        }
    }

    /// The reason that stands in the pool, for a lead that fell after `days`.
    pub fn reason(self, days: u32) -> String {
        match self {
            Self::NoFollowUp { .. } => format!("超过{days}天未跟进，自动回收"),
            Self::NotSigned { .. } => format!("{days}天内未签约，自动回收"),
        }
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleText {
    /// What people call it.
    pub name: String,
    /// Its place: of the rules that fit a lead, the one with the smallest number decides.
    pub priority: u32,
    /// What makes a lead fall.
    #[serde(flatten)]
    pub kind: RecycleKind,
    /// Days for leads of these levels, instead of the kind's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub days_by_level: BTreeMap<LeadLevel, u32>,
    /// Only leads from here; empty: from everywhere. 转介绍 is exempt whatever stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lead_sources: Vec<LeadSource>,
    /// Only leads with one of these statuses; empty: with any. 已签约 is exempt whatever stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<ContractStatus>,
    /// How many hours a lead is safe after somebody else gave it to its owner; 0: not at all.
    #[serde(default)]
    pub protected_hours: u32,
    /// Nothing falls before this moment by this rule.
    pub effective_from: DateTime<Utc>,
    /// When the owner is warned, in hours before; empty: never.
    #[serde(default)]
    pub warn_before_hours: Vec<u32>,
}

impl RecycleText {
    /// Days after which a lead of this level falls.
    pub fn days_of(&self, level: Option<LeadLevel>) -> u32 {
        level.and_then(|level| self.days_by_level.get(&level).copied()).unwrap_or(self.kind.days())
    }

    /// Whether the two let the same leads fall after the same time. Names and warnings make no difference.
    fn same_terms(&self, other: &Self) -> bool {
        let neutral = |text: &Self| Self {
            name: String::new(),
            effective_from: DateTime::UNIX_EPOCH,
            warn_before_hours: Vec::new(),
            ..text.clone()
        };
        neutral(self) == neutral(other)
    }

    /// In the order in which it is kept, so that the same text written differently is the same.
    fn tidied(mut self) -> Self {
        self.name = self.name.trim().to_owned();
        self.lead_sources.sort_unstable();
        self.lead_sources.dedup();
        self.statuses.sort_unstable();
        self.statuses.dedup();
        self.warn_before_hours.sort_unstable_by(|a, b| b.cmp(a));
        self.warn_before_hours.dedup();
        self
    }
}

stored_events! {
    /// A fact about one recycle rule.
    RecycleRuleEvent {
        /// It was written.
        Created(RecycleRuleCreated) = 1,
        /// It says something else now.
        Revised(RecycleRuleRevised) = 1,
        /// It counts again.
        Enabled(RecycleRuleEnabled) = 1,
        /// It does not count for now.
        Disabled(RecycleRuleDisabled) = 1,
        /// It is gone.
        Deleted(RecycleRuleDeleted) = 1,
    }
}

/// A rule was written 新建回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleCreated {
    /// All of it.
    pub text: RecycleText,
    /// Whether it counts.
    pub enabled: bool,
    /// Who wrote it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule says something else now 修改回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleRevised {
    /// All of it, as it is now.
    pub text: RecycleText,
    /// Who changed it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule counts again, from this moment at the earliest 启用回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleEnabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule does not count for now 禁用回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleDisabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule is gone 删除回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleDeleted {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecycleRule {
    /// What it says; `None` before it was written.
    pub text: Option<RecycleText>,
    /// Whether it counts.
    pub enabled: bool,
    /// Who wrote it.
    pub created_by: Option<Actor>,
    /// When it was written.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What may be asked of a recycle rule.
#[derive(Debug, Clone, PartialEq)]
pub enum RecycleRuleCommand {
    /// Write it. An `effective_from` in the past means "from now on".
    Create(RecycleRuleCreated),
    /// Replace what it says. Where other leads would fall, or earlier ones, an `effective_from` in the past means "from
    /// now on": nobody loses a lead to a rule that was not there yet.
    Revise(RecycleRuleRevised),
    /// Let it count.
    Enable(RecycleRuleEnabled),
    /// Let it not count.
    Disable(RecycleRuleDisabled),
    /// Take it away.
    Delete(RecycleRuleDeleted),
}

/// Why a recycle rule refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecycleRuleError {
    /// There is no such rule, or not any more.
    #[error("规则不存在")]
    NotFound,
    /// It was written before with other words; a command id was reused.
    #[error("规则已存在")]
    AlreadyExists,
    /// Places that break a rule, each named.
    #[error("回收规则有{}处不符合要求", .0.len())]
    Invalid(Vec<RecycleViolation>),
}

impl RecycleRule {
    /// Whether it was written and not deleted since.
    pub fn exists(&self) -> bool {
        self.text.is_some() && self.deleted_at.is_none()
    }

    fn decide_create(&self, rule: RecycleRuleCreated) -> Result<Vec<RecycleRuleEvent>, RecycleRuleError> {
        let mut text = valid(rule.text)?;
        text.effective_from = text.effective_from.max(rule.at);
        let created = RecycleRuleCreated { text, ..rule };
        match &self.text {
            None => Ok(vec![created.into()]),
            // The very same rule by the same command: it is there.
            Some(known) if *known == created.text && self.created_at == Some(created.at) => Ok(vec![]),
            Some(_) => Err(RecycleRuleError::AlreadyExists),
        }
    }

    fn decide_revise(
        current: &RecycleText,
        rule: RecycleRuleRevised,
    ) -> Result<Vec<RecycleRuleEvent>, RecycleRuleError> {
        let mut text = valid(rule.text)?;
        let keeps = text.same_terms(current) && text.effective_from <= current.effective_from;
        text.effective_from = if keeps { current.effective_from } else { text.effective_from.max(rule.at) };
        if text == *current {
            return Ok(vec![]);
        }
        Ok(vec![RecycleRuleRevised { text, ..rule }.into()])
    }
}

fn valid(text: RecycleText) -> Result<RecycleText, RecycleRuleError> {
    let violations = text.violations();
    if violations.is_empty() { Ok(text.tidied()) } else { Err(RecycleRuleError::Invalid(violations)) }
}

impl Aggregate for RecycleRule {
    const TYPE: &'static str = "recycle_rule";
    type Command = RecycleRuleCommand;
    type Event = RecycleRuleEvent;
    type Error = RecycleRuleError;

    fn decide(&self, command: RecycleRuleCommand) -> Result<Vec<RecycleRuleEvent>, RecycleRuleError> {
        use RecycleRuleCommand as C;
        match (command, &self.text) {
            (C::Create(rule), _) => self.decide_create(rule),
            (C::Delete(_), Some(_)) if self.deleted_at.is_some() => Ok(vec![]),
            (_, Some(_)) if self.deleted_at.is_some() => Err(RecycleRuleError::NotFound),
            (_, None) => Err(RecycleRuleError::NotFound),
            (C::Revise(rule), Some(current)) => Self::decide_revise(current, rule),
            (C::Enable(_), _) if self.enabled => Ok(vec![]),
            (C::Enable(enabled), _) => Ok(vec![enabled.into()]),
            (C::Disable(_), _) if !self.enabled => Ok(vec![]),
            (C::Disable(disabled), _) => Ok(vec![disabled.into()]),
            (C::Delete(deleted), _) => Ok(vec![deleted.into()]),
        }
    }

    fn evolve(&mut self, event: &RecycleRuleEvent) {
        match event {
            RecycleRuleEvent::Created(e) => {
                self.text = Some(e.text.clone());
                self.enabled = e.enabled;
                self.created_by = Some(e.by.clone());
                self.created_at = Some(e.at);
                self.updated_at = Some(e.at);
            }
            RecycleRuleEvent::Revised(e) => {
                self.text = Some(e.text.clone());
                self.updated_at = Some(e.at);
            }
            RecycleRuleEvent::Enabled(e) => {
                self.enabled = true;
                // While it was off nobody was warned: it begins anew.
                if let Some(text) = &mut self.text {
                    text.effective_from = text.effective_from.max(e.at);
                }
                self.updated_at = Some(e.at);
            }
            RecycleRuleEvent::Disabled(e) => {
                self.enabled = false;
                self.updated_at = Some(e.at);
            }
            RecycleRuleEvent::Deleted(e) => {
                self.deleted_at = Some(e.at);
                self.updated_at = Some(e.at);
            }
        }
    }
}

crate::adapt_to_cqrs_es!(RecycleRule);
