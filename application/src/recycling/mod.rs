//! Recycle rules at work 回收规则, and the rules of the public pool 公海规则 (transfer-and-recycle.md section 3).
//!
//! Reading order: [`recycle`] (each hour: who is warned, which lead falls), [`finish_left`] (each minute: runs that nobody
//! ended), `falls` (the plan of a run, and its end, which tells each former owner once), [`remind`] (each minute: whose
//! follow-up is due), `errand` (what all do with one lead: the whole predicate is asked again inside its append),
//! [`preview`] (who would fall by a rule), [`create_rule`] and its siblings, [`limits_in_force`].
//!
//! A scan may be late; an append never is. Every lead is a command of its own whose id follows from what it is for, so
//! a job that is begun again meets what it did and does it no second time.

mod errand;
mod falls;
mod pool;
mod preview;
mod refusal;
mod remind;
mod rules;
mod run;
#[cfg(test)]
mod tests;
mod told;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::recycle_rule::{PoolDue, RecyclePolicy, RecycleRule};
use domain::{CustomerId, RecycleRuleId, RecycleRunId, StaffId, StreamId};

pub use pool::{limits_in_force, set_pool_rules};
pub use preview::{Draft, PREVIEW_LEADS_MAX, Preview, preview};
pub use refusal::RecycleRefusal;
pub use remind::{REMINDERS_MAX, Reminded, remind};
pub use rules::{RuleReceipt, create_rule, delete_rule, revise_rule, switch_rule};
pub use run::{Outcome, finish_left, recycle};
pub use told::stayed_texts;

use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, ExecuteError, LoadError};
use crate::ports::Clock;

/// How a step of recycling fails.
pub type RecycleError = ExecuteError<RecycleRefusal>;

/// What is read from the read models. They may be late: whatever they say is asked again of each lead in its append.
#[async_trait]
pub trait Leads: Send + Sync {
    /// Every rule that was written, deleted ones too.
    async fn rules(&self) -> Result<Vec<RecycleRuleId>, LoadError>;

    /// The owned leads that fall by this policy until `until`, by the moment they fall, at most `limit`; `by`: only those
    /// for which this rule decides.
    async fn falling(
        &self,
        policy: &RecyclePolicy,
        by: Option<RecycleRuleId>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Falling>, LoadError>;

    /// Waits until the leads are known as the log has them at this moment, for as long as that is worth waiting for. A list
    /// that does not get there is read as it is.
    async fn caught_up(&self) -> Result<(), LoadError>;

    /// The runs that began and that nobody ended, oldest first.
    async fn unfinished(&self) -> Result<Vec<RecycleRunId>, LoadError>;

    /// The owned leads of whose fall a warning is to be told at `at` and was not told, by the moment they fall, at most
    /// `limit`.
    async fn warnings(
        &self,
        policy: &RecyclePolicy,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Warning>, LoadError>;

    /// The owned leads whose next follow-up was due after `from` and until `at` and whose owner was not reminded of it,
    /// the oldest first, at most `limit`.
    async fn reminders(
        &self,
        from: DateTime<Utc>,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Reminder>, LoadError>;
}

/// A lead that falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Falling {
    /// The lead.
    pub customer: CustomerId,
    /// Who loses it.
    pub owner: StaffId,
    /// When, and by which rule.
    pub due: PoolDue,
}

/// A warning that is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// The lead.
    pub customer: CustomerId,
    /// When it falls, and by which rule.
    pub due: PoolDue,
    /// Which of the rule's warnings, in hours before.
    pub offset_hours: u32,
}

/// A follow-up that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// The lead.
    pub customer: CustomerId,
    /// When it was to be followed up.
    pub due: DateTime<Utc>,
}

/// What recycling works with.
pub struct Stores<'s, B> {
    /// Loads and appends.
    pub bus: &'s B,
    /// What the read models know.
    pub leads: &'s dyn Leads,
    /// The time: a long run asks the predicate of each lead at the moment it falls.
    pub clock: &'s dyn Clock,
}

impl<B> Clone for Stores<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Stores<'_, B> {}

/// Every rule as its events left it. Which there are is read from the read models, what they say from the log: a rule
/// that was switched off a moment ago takes nobody's lead.
async fn rules_now<B: CommandBus>(
    stores: Stores<'_, B>,
) -> Result<Vec<(RecycleRuleId, RecycleRule)>, LoadError> {
    let ids = stores.leads.rules().await?;
    let streams: Vec<StreamId> = ids.iter().map(|id| StreamId::from(*id)).collect();
    let found = stores.bus.load_many::<RecycleRule>(&streams).await?;
    Ok(ids.into_iter().zip(found.into_iter().map(|found| found.state)).collect())
}

/// The rules that count now.
pub async fn policy_now<B: CommandBus>(stores: Stores<'_, B>) -> Result<RecyclePolicy, LoadError> {
    let rules = rules_now(stores).await?;
    Ok(RecyclePolicy::of(rules.iter().map(|(id, rule)| (*id, rule))))
}

fn permitted(caller: &Caller, action: Action) -> Result<(), RecycleError> {
    if access::allows(caller.role, action) {
        return Ok(());
    }
    let text = match action {
        Action::EditRecycleRules => "只有管理员可以管理回收规则和公海规则",
        _ => "只有管理员、经理或运营可以查看回收规则和公海规则",
    };
    Err(ExecuteError::Refused(RecycleRefusal::Forbidden(text)))
}
