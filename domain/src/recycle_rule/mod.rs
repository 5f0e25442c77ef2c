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

use chrono::{DateTime, TimeDelta, Utc};
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
/// And for a rule that is too short for them.
pub const WARN_BEFORE_HOURS_SHORT: u32 = 12;

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

/// What a rule says, or what somebody wants it to say: [`RecycleWish`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleText<Since = DateTime<Utc>> {
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
    pub effective_from: Since,
    /// When the owner is warned, in hours before; empty: never.
    #[serde(default)]
    pub warn_before_hours: Vec<u32>,
}

/// What somebody wants a rule to say, who may leave open from when on. Then whoever would lose a lead is warned first.
pub type RecycleWish = RecycleText<Option<DateTime<Utc>>>;

impl From<RecycleText> for RecycleWish {
    fn from(text: RecycleText) -> Self {
        let from = text.effective_from;
        text.beginning(Some(from))
    }
}

impl<Since> RecycleText<Since> {
    /// The same with another beginning.
    pub fn beginning<Other>(self, effective_from: Other) -> RecycleText<Other> {
        RecycleText {
            name: self.name,
            priority: self.priority,
            kind: self.kind,
            days_by_level: self.days_by_level,
            lead_sources: self.lead_sources,
            statuses: self.statuses,
            protected_hours: self.protected_hours,
            effective_from,
            warn_before_hours: self.warn_before_hours,
        }
    }

    /// When it may begin, so that everybody who would lose a lead by it at once is warned before, as early as it ever
    /// warns.
    pub fn warned_since(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let hours = self.warn_before_hours.iter().copied().max().unwrap_or_default();
        at.checked_add_signed(TimeDelta::hours(hours.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Days after which a lead of this level falls.
    pub fn days_of(&self, level: Option<LeadLevel>) -> u32 {
        level.and_then(|level| self.days_by_level.get(&level).copied()).unwrap_or(self.kind.days())
    }

    /// Whether the two let the same leads fall after the same time. Names and warnings make no difference.
    fn same_terms<Other>(&self, other: &RecycleText<Other>) -> bool
    where
        Since: Clone,
        Other: Clone,
    {
        self.clone().terms() == other.clone().terms()
    }

    fn terms(self) -> RecycleText<()> {
        RecycleText { name: String::new(), warn_before_hours: Vec::new(), ..self.beginning(()) }
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

/// A rule counts again 启用回收规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleRuleEnabled {
    /// From when on: while it was off nobody was warned. `None`, as older events have it: from `at` at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<DateTime<Utc>>,
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
    /// Since when it decides about the leads it fits, where that is before its words let any of them fall: who is spared
    /// by a rule that counts is spared while its new words wait for their beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decides_from: Option<DateTime<Utc>>,
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
///
/// Whoever does not say from when on a rule counts, where it lets other leads fall than before, has its owners warned
/// first: it begins after the longest of its warnings. A moment in the past means "at once", whoever is overdue.
#[derive(Debug, Clone, PartialEq)]
pub enum RecycleRuleCommand {
    /// Write it.
    Create {
        /// All of it.
        text: RecycleWish,
        /// Whether it counts.
        enabled: bool,
        /// Who writes it.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Replace what it says. What lets the same leads fall after the same time keeps its beginning, unless a later one
    /// is named.
    Revise {
        /// All of it.
        text: RecycleWish,
        /// Who changes it.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let it count. While it was off nobody was warned: it begins as a new rule does.
    Enable {
        /// Who decides.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
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

    fn decide_create(&self, created: RecycleRuleCreated) -> Result<Vec<RecycleRuleEvent>, RecycleRuleError> {
        match &self.text {
            None => Ok(vec![created.into()]),
            // The very same rule by the same command: it is there.
            Some(known) if *known == created.text && self.created_at == Some(created.at) => Ok(vec![]),
            Some(_) => Err(RecycleRuleError::AlreadyExists),
        }
    }
}

/// From when on a rule counts whose text is replaced.
fn revised_from(current: &RecycleText, text: &RecycleWish, at: DateTime<Utc>) -> DateTime<Utc> {
    let stands = current.effective_from;
    // Pages show milliseconds, and send back what they were shown.
    let echoed = |from: &DateTime<Utc>| from.timestamp_millis() == stands.timestamp_millis();
    let named = text.effective_from;
    match named {
        Some(from) if from > at => {
            if echoed(&from) {
                stands
            } else {
                from
            }
        }
        _ if text.same_terms(current) => stands,
        Some(from) if !echoed(&from) => at,
        _ => text.warned_since(at).max(stands),
    }
}

fn valid(text: RecycleWish) -> Result<RecycleWish, RecycleRuleError> {
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
            (C::Create { text, enabled, by, at }, _) => {
                let text = valid(text)?;
                let from = text.effective_from.map_or_else(|| text.warned_since(at), |from| from.max(at));
                self.decide_create(RecycleRuleCreated { text: text.beginning(from), enabled, by, at })
            }
            (C::Delete(_), Some(_)) if self.deleted_at.is_some() => Ok(vec![]),
            (_, Some(_)) if self.deleted_at.is_some() => Err(RecycleRuleError::NotFound),
            (_, None) => Err(RecycleRuleError::NotFound),
            (C::Revise { text, by, at }, Some(current)) => {
                let text = valid(text)?;
                let from = revised_from(current, &text, at);
                let text = text.beginning(from);
                Ok(if text == *current { vec![] } else { vec![RecycleRuleRevised { text, by, at }.into()] })
            }
            (C::Enable { .. }, _) if self.enabled => Ok(vec![]),
            (C::Enable { by, at }, Some(text)) => {
                let effective_from = Some(text.warned_since(at).max(text.effective_from));
                Ok(vec![RecycleRuleEnabled { effective_from, by, at }.into()])
            }
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
                let decided = self.decides_from.or(self.text.as_ref().map(|text| text.effective_from));
                let spares = |from: &DateTime<Utc>| *from <= e.at && *from < e.text.effective_from;
                self.decides_from = decided.filter(|from| self.enabled && spares(from));
                self.text = Some(e.text.clone());
                self.updated_at = Some(e.at);
            }
            RecycleRuleEvent::Enabled(e) => {
                self.enabled = true;
                self.decides_from = None;
                if let Some(text) = &mut self.text {
                    text.effective_from = e.effective_from.unwrap_or(text.effective_from.max(e.at));
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
