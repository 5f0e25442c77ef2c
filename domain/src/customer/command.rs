//! What may be asked of a customer, and why it may refuse.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::codes::{ContractStatus, FollowUpKind, LeadLevel};
use super::events::{AssignmentSource, RuleRun};
use super::number::CustomerNumber;
use super::profile::{Profile, ProfilePatch};
use crate::envelope::Actor;
use crate::ids::{BatchId, FollowUpId, RecycleRuleId, RecycleRunId, StaffId};
use crate::recycle_rule::RecyclePolicy;
use crate::transfer_rule::{Criteria, Ineligible};

/// Where a new lead begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Placement {
    /// With nobody.
    Nobody,
    /// With an owner, and the reason to record for it.
    Owner(StaffId, String),
    /// In the public pool, for this reason.
    Pool(String),
}

/// What may be asked of a customer.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomerCommand {
    /// Bring it into being; with an owner it is assigned in the same breath.
    Create {
        /// Allocated by the store.
        number: CustomerNumber,
        /// What is known; phone or WeChat id must be there.
        profile: Box<Profile>,
        /// How far the contract is.
        contract_status: ContractStatus,
        /// How promising it is.
        lead_level: LeadLevel,
        /// Where it begins.
        placement: Placement,
        /// The import it is a row of.
        import: Option<BatchId>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Change fields; never who owns it.
    Update {
        /// The fields.
        changes: Box<ProfilePatch>,
        /// New contract status.
        contract_status: Option<ContractStatus>,
        /// New level.
        lead_level: Option<LeadLevel>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Give it to somebody, wherever it is. A freeze does not forbid it.
    Assign {
        /// The new owner. That the person exists, is active and may own leads is checked by the use case.
        to: StaffId,
        /// Why.
        reason: Option<String>,
        /// By which path. [`AssignmentSource::Pool`] and [`AssignmentSource::PoolBatch`] are refused unless it is in
        /// the public pool.
        source: AssignmentSource,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take it out of the public pool.
    Claim {
        /// The new owner.
        by: StaffId,
        /// How long a former owner must leave it to others.
        cool_off: Option<TimeDelta>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Put it into the public pool. Who may do that with whose lead is checked by the use case.
    Release {
        /// Why.
        reason: String,
        /// The batch it is part of.
        batch: Option<BatchId>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Hand it on by a transfer rule, if the whole predicate of the rule holds at this moment. That the new owner is
    /// active and has room is checked by the use case.
    AutoTransfer {
        /// The new owner.
        to: StaffId,
        /// The rule and its run.
        rule_run: RuleRun,
        /// What the rule asks of a lead.
        criteria: Box<Criteria>,
        /// Whose it was when the run was planned.
        expected_owner: StaffId,
        /// Why, in words for the lead's page.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Put it into the public pool by a recycle rule, if it is due by that rule at this moment.
    Recycle {
        /// The rule that the scan found to decide.
        rule: RecycleRuleId,
        /// The rules that count.
        terms: Arc<RecyclePolicy>,
        /// The run it is part of.
        run: Option<RecycleRunId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Warn its owner that it will be recycled, once for each moment it is due at and each of the rule's warnings.
    WarnOfRecycling {
        /// The rule that the scan found to decide.
        rule: RecycleRuleId,
        /// The rules that count.
        terms: Arc<RecyclePolicy>,
        /// Which of the rule's warnings it is, in hours before.
        offset_hours: u32,
        /// When the scan found it to be due.
        due_at: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Remind its owner that the moment of the next follow-up has come, once for each such moment.
    RemindOfFollowUp {
        /// The moment, as the scan found it.
        due: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Keep it where it is.
    Freeze {
        /// Why.
        reason: Option<String>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let it move again.
    Unfreeze {
        /// Why.
        reason: Option<String>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Say whether rules may hand it on.
    SetAutoTransfer {
        /// Whether they may.
        enabled: bool,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Write down a follow-up.
    RecordFollowUp {
        /// The follow-up.
        id: FollowUpId,
        /// How.
        kind: FollowUpKind,
        /// What came of it.
        content: String,
        /// When to follow up next.
        next_follow_up_at: Option<DateTime<Utc>>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take it off every list.
    Delete {
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a customer refuses. Texts are system A's (existing-systems.md section 2.1) where A had them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// There is no such customer, or not any more.
    #[error("客户不存在")]
    NotFound,
    /// It exists already; a command id was reused with another stream.
    #[error("客户已存在")]
    AlreadyExists,
    /// Neither phone nor WeChat id.
    #[error("请填写手机号或微信号")]
    MissingContact,
    /// The name is blank.
    #[error("客户姓名不能为空")]
    MissingName,
    /// It is not in the public pool.
    #[error("客户不在公海中")]
    NotInPool,
    /// It is in the public pool already.
    #[error("客户已在公海中")]
    AlreadyInPool,
    /// Nobody owns it, so nobody can give it back.
    #[error("客户没有负责人，无法释放到公海")]
    NotOwned,
    /// It is frozen.
    #[error("该线索已被冻结，无法释放到公海")]
    Frozen,
    /// It is frozen already.
    #[error("该线索已处于冻结状态")]
    AlreadyFrozen,
    /// It is not frozen.
    #[error("该线索未处于冻结状态")]
    NotFrozen,
    /// Its former owner has to leave it to others for a while.
    #[error("您刚释放过该客户，暂时不能领取")]
    CoolOff {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// A follow-up says nothing.
    #[error("跟进内容不能为空")]
    EmptyFollowUp,
    /// The transfer rule does not hold for it, or not any more.
    #[error("{}", .0.zh())]
    NotEligible(Ineligible),
    /// What is to happen at a moment is not due yet, or not by that rule.
    #[error("未到时间")]
    NotDue {
        /// When it is due; `None`: never, as things stand.
        at: Option<DateTime<Utc>>,
    },
}
