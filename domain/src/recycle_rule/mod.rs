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
mod text;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use check::{
    DAYS, NAME_CHARS_MAX, PRIORITY, PROTECTED_HOURS, RecycleFault, RecycleViolation, WARN_BEFORE_HOURS,
    WARNINGS_MAX,
};
pub use due::{DueFacts, PoolDue, RecyclePolicy, RecycleTerm};
pub use text::{RecycleKind, RecycleText, RecycleWish, WARN_BEFORE_HOURS_DEFAULT, WARN_BEFORE_HOURS_SHORT};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::stored_events;

stored_events! {
    /// A fact about one recycle rule.
    RecycleRuleEvent {
        /// It was written.
        Created(RecycleRuleCreated) = 1,
        /// It says something else now.
        Revised(RecycleRuleRevised) = 1,
        /// It counts again.
        Enabled(RecycleRuleEnabled) = 2,
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
    /// From when on, at the earliest: while it was off nobody was warned. A rule that is to begin later still does.
    pub effective_from: DateTime<Utc>,
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
                let effective_from = text.warned_since(at).max(text.effective_from);
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
                    text.effective_from = text.effective_from.max(e.effective_from);
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
