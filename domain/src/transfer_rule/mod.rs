//! The transfer rule 流转规则: which idle leads go from whom to whom, and when (transfer-and-recycle.md section 1).
//!
//! Reading order: [`RuleText`] (what a rule says), [`Criteria`] (whether a lead may be handed on), [`Window`] (when),
//! [`plan`] (who gets which), the aggregate below, and [`run`] (what one round did).

mod check;
mod criteria;
pub mod plan;
pub mod run;
mod text;
mod window;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use check::{
    COMPENSATION_PRIORITY, COOLDOWN_HOURS, DESCRIPTION_CHARS_MAX, INACTIVE_HOURS, NAME_CHARS_MAX, PEOPLE_MAX,
    RuleFault, RuleViolation, TRANSFER_COUNT_MAX,
};
pub use criteria::{Conditions, CreatedRange, Criteria, Ineligible, LeadFacts};
pub use text::{Distribution, RuleText, Strategy, TargetModule};
pub use window::Window;

use crate::Aggregate;
use crate::envelope::Actor;
use crate::stored_events;

stored_events! {
    /// A fact about one transfer rule.
    TransferRuleEvent {
        /// It was written.
        Created(TransferRuleCreated) = 1,
        /// It says something else now.
        Revised(TransferRuleRevised) = 1,
        /// It runs again.
        Enabled(TransferRuleEnabled) = 1,
        /// It does not run for now.
        Disabled(TransferRuleDisabled) = 1,
        /// It is gone.
        Deleted(TransferRuleDeleted) = 1,
    }
}

/// A rule was written 新建流转规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRuleCreated {
    /// All of it.
    pub text: RuleText,
    /// Whether it runs.
    pub enabled: bool,
    /// Who wrote it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule says something else now 修改流转规则. Its quotas and balances stay (fault A-27).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRuleRevised {
    /// All of it, as it is now.
    pub text: RuleText,
    /// Who changed it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule runs again 启用流转规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRuleEnabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule does not run for now 禁用流转规则.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRuleDisabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule is gone 删除流转规则; its runs and records stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRuleDeleted {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransferRule {
    /// What it says; `None` before it was written.
    pub text: Option<RuleText>,
    /// How many texts it has had: a plan made for another one is out of date.
    pub revision: i64,
    /// Whether it runs.
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

/// What may be asked of a transfer rule. That the people in it exist is asked by the use case.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferRuleCommand {
    /// Write it.
    Create(Box<TransferRuleCreated>),
    /// Replace what it says.
    Revise(Box<TransferRuleRevised>),
    /// Let it run.
    Enable(TransferRuleEnabled),
    /// Let it not run.
    Disable(TransferRuleDisabled),
    /// Take it away.
    Delete(TransferRuleDeleted),
}

/// Why a transfer rule refuses. Texts are system A's (existing-systems.md section 5.4) where A had them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferRuleError {
    /// There is no such rule, or not any more.
    #[error("规则不存在")]
    NotFound,
    /// It was written before with other words; a command id was reused.
    #[error("规则已存在")]
    AlreadyExists,
    /// Places that break a bound, each named.
    #[error("流转规则有{}处不符合要求", .0.len())]
    Invalid(Vec<RuleViolation>),
}

impl TransferRule {
    /// Whether it was written and not deleted since.
    pub fn exists(&self) -> bool {
        self.text.is_some() && self.deleted_at.is_none()
    }

    fn decide_create(&self, rule: TransferRuleCreated) -> Result<Vec<TransferRuleEvent>, TransferRuleError> {
        let created = TransferRuleCreated { text: valid(rule.text)?, ..rule };
        match &self.text {
            None => Ok(vec![created.into()]),
            // The very same rule by the same command: it is there.
            Some(known) if *known == created.text && self.created_at == Some(created.at) => Ok(vec![]),
            Some(_) => Err(TransferRuleError::AlreadyExists),
        }
    }
}

fn valid(text: RuleText) -> Result<RuleText, TransferRuleError> {
    let violations = text.violations();
    if violations.is_empty() { Ok(text.tidied()) } else { Err(TransferRuleError::Invalid(violations)) }
}

impl Aggregate for TransferRule {
    const TYPE: &'static str = "transfer_rule";
    type Command = TransferRuleCommand;
    type Event = TransferRuleEvent;
    type Error = TransferRuleError;

    fn decide(&self, command: TransferRuleCommand) -> Result<Vec<TransferRuleEvent>, TransferRuleError> {
        use TransferRuleCommand as C;
        match (command, &self.text) {
            (C::Create(_), Some(_)) if self.deleted_at.is_some() => Err(TransferRuleError::AlreadyExists),
            (C::Create(rule), _) => self.decide_create(*rule),
            (C::Delete(_), Some(_)) if self.deleted_at.is_some() => Ok(vec![]),
            (_, Some(_)) if self.deleted_at.is_some() => Err(TransferRuleError::NotFound),
            (_, None) => Err(TransferRuleError::NotFound),
            (C::Revise(rule), Some(current)) => {
                let text = valid(rule.text)?;
                let revised = TransferRuleRevised { text, by: rule.by, at: rule.at };
                Ok(if revised.text == *current { vec![] } else { vec![revised.into()] })
            }
            (C::Enable(_), _) if self.enabled => Ok(vec![]),
            (C::Enable(enabled), _) => Ok(vec![enabled.into()]),
            (C::Disable(_), _) if !self.enabled => Ok(vec![]),
            (C::Disable(disabled), _) => Ok(vec![disabled.into()]),
            (C::Delete(deleted), _) => Ok(vec![deleted.into()]),
        }
    }

    fn evolve(&mut self, event: &TransferRuleEvent) {
        let at = match event {
            TransferRuleEvent::Created(e) => {
                self.text = Some(e.text.clone());
                self.revision += 1;
                self.enabled = e.enabled;
                self.created_by = Some(e.by.clone());
                self.created_at = Some(e.at);
                e.at
            }
            TransferRuleEvent::Revised(e) => {
                self.text = Some(e.text.clone());
                self.revision += 1;
                e.at
            }
            TransferRuleEvent::Enabled(e) => {
                self.enabled = true;
                e.at
            }
            TransferRuleEvent::Disabled(e) => {
                self.enabled = false;
                e.at
            }
            TransferRuleEvent::Deleted(e) => {
                self.deleted_at = Some(e.at);
                e.at
            }
        };
        self.updated_at = Some(at);
    }
}

crate::adapt_to_cqrs_es!(TransferRule);
