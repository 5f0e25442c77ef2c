//! What rules ask of a customer: to be handed on, to go back into the pool, to warn and to remind.
//!
//! Every one of them was found by a scan of rows that may be late, so the whole predicate is asked again here, inside
//! the append (faults A-26a, A-26e). A lead that somebody touched meanwhile stays, and the refusal says why.

use chrono::{DateTime, Utc};

use super::command::CustomerError;
use super::events::{
    AssignmentSource, CustomerEvent, CustomerRecycled, CustomerTransferred, FollowUpDue, RecycleWarned,
    RuleRun,
};
use super::{Customer, Ownership};
use crate::envelope::Actor;
use crate::ids::{RecycleRuleId, RecycleRunId, StaffId};
use crate::recycle_rule::{DueFacts, PoolDue, RecyclePolicy};
use crate::transfer_rule::{Criteria, Ineligible, LeadFacts};

/// The part of the system that hands leads on; never the person who gains (fault A-28).
pub const TRANSFER_RULE: &str = "transfer_rule";

/// The part of the system that puts leads back into the public pool, and warns before.
pub const RECYCLE_RULE: &str = "recycle_rule";

/// The part of the system that reminds owners of what they meant to do.
pub const FOLLOW_UP_REMINDER: &str = "follow_up_reminder";

impl Customer {
    /// The move by a rule, when the whole predicate holds now.
    pub(super) fn handed_on(
        &self,
        (from, to): (StaffId, StaffId),
        rule_run: RuleRun,
        criteria: &Criteria,
        reason: String,
        at: DateTime<Utc>,
    ) -> Result<CustomerEvent, CustomerError> {
        // Said first: a new owner always shows as activity too, and this is the better reason.
        if self.owner().is_some_and(|owner| owner != from) {
            return Err(CustomerError::NotEligible(Ineligible::OwnerChanged));
        }
        criteria.check(&LeadFacts::from(self), at).map_err(CustomerError::NotEligible)?;
        let source = AssignmentSource::Rule(rule_run);
        let by = Actor::System(TRANSFER_RULE.to_owned());
        Ok(CustomerTransferred { from, to, by, reason: Some(reason), source, at }.into())
    }

    /// The way into the pool by a rule, when it is due by that rule now.
    pub(super) fn recycled(
        &self,
        (rule, run): (RecycleRuleId, Option<RecycleRunId>),
        terms: &RecyclePolicy,
        at: DateTime<Utc>,
    ) -> Result<CustomerEvent, CustomerError> {
        let from = self.held_by()?;
        let due = self.due_by(rule, terms)?;
        if at < due.at {
            return Err(CustomerError::NotDue { at: Some(due.at) });
        }
        let reason = terms.reason(&due).unwrap_or_default(); // the rule that decides is among the terms
        Ok(CustomerRecycled { from, rule, reason, run, at }.into())
    }

    /// The warning, unless its owner had this very one.
    pub(super) fn warned(
        &self,
        rule: RecycleRuleId,
        terms: &RecyclePolicy,
        (offset_hours, due_at): (u32, DateTime<Utc>),
        at: DateTime<Utc>,
    ) -> Result<Option<CustomerEvent>, CustomerError> {
        let to = self.held_by()?;
        let due = self.due_by(rule, terms)?;
        if due.at != due_at || terms.warning(&due, at) != Some(offset_hours) {
            return Err(CustomerError::NotDue { at: Some(due.at) });
        }
        let knows = self.recycle_warnings.get(&offset_hours) == Some(&due_at);
        Ok((!knows).then(|| RecycleWarned { to, rule, due_at, offset_hours, at }.into()))
    }

    /// The reminder, unless its owner had this very one. A moment that was over when somebody named it promises nothing.
    pub(super) fn reminded(
        &self,
        due: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<Option<CustomerEvent>, CustomerError> {
        let to = self.held_by()?;
        let promised = self.last_follow_up.as_ref().is_some_and(|last| last.at < due);
        if self.next_follow_up_at != Some(due) || !promised || at < due {
            return Err(CustomerError::NotDue { at: self.next_follow_up_at });
        }
        Ok((self.follow_up_reminded != Some(due)).then(|| FollowUpDue { to, due, at }.into()))
    }

    /// Signed or frozen, which took back what its owner was warned of. Should it fall after all, there are warnings again.
    pub(super) fn falls_no_more(&mut self) {
        self.recycle_warnings.clear();
    }

    /// The owner, or why it cannot leave one.
    fn held_by(&self) -> Result<StaffId, CustomerError> {
        match &self.ownership {
            Ownership::Owned { owner, .. } => Ok(*owner),
            Ownership::InPool { .. } => Err(CustomerError::AlreadyInPool),
            Ownership::Unassigned => Err(CustomerError::NotOwned),
        }
    }

    /// When this rule recycles it. Another rule that decides instead is the same as none: the scan was late.
    fn due_by(&self, rule: RecycleRuleId, terms: &RecyclePolicy) -> Result<PoolDue, CustomerError> {
        let due = terms.pool_due(&DueFacts::from(self));
        due.filter(|due| due.rule == rule).ok_or(CustomerError::NotDue { at: due.map(|due| due.at) })
    }
}
