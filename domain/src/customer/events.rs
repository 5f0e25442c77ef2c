//! What can have happened to a customer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::codes::{ContractStatus, FollowUpKind, LeadLevel};
use super::number::CustomerNumber;
use super::profile::{Profile, ProfilePatch};
use crate::envelope::Actor;
use crate::ids::{
    BatchId, FollowUpId, RecycleRuleId, RecycleRunId, StaffId, StreamId, TransferRuleId, TransferRunId,
};
use crate::stored_events;

stored_events! {
    /// A fact about one customer.
    CustomerEvent {
        /// The lead exists.
        Created(CustomerCreated) = 1,
        /// Fields changed.
        Updated(CustomerUpdated) = 1,
        /// The contract moved on.
        StatusChanged(CustomerStatusChanged) = 1,
        /// The lead was judged anew.
        LevelChanged(CustomerLevelChanged) = 1,
        /// Nobody owned it; now somebody does.
        Assigned(CustomerAssigned) = 1,
        /// It went from one owner to another.
        Transferred(CustomerTransferred) = 1,
        /// Somebody took it out of the public pool.
        Claimed(CustomerClaimed) = 1,
        /// It went into the public pool.
        Released(CustomerReleased) = 1,
        /// A rule put it into the public pool.
        Recycled(CustomerRecycled) = 1,
        /// A rule will put it into the public pool soon.
        RecycleWarned(RecycleWarned) = 1,
        /// It must stay where it is.
        Frozen(CustomerFrozen) = 1,
        /// It may move again.
        Unfrozen(CustomerUnfrozen) = 1,
        /// Rules may hand it on.
        AutoTransferEnabled(AutoTransferEnabled) = 1,
        /// Rules must leave it.
        AutoTransferDisabled(AutoTransferDisabled) = 1,
        /// Somebody followed up.
        FollowedUp(FollowUpRecorded) = 1,
        /// The moment of the next follow-up has come.
        FollowUpDue(FollowUpDue) = 1,
        /// It was deleted.
        Deleted(CustomerDeleted) = 1,
    }
}

/// The path by which an owner was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum AssignmentSource {
    /// With the creation.
    Create,
    /// One lead, from the web console.
    Manual,
    /// One lead, from the mini program.
    MiniProgram,
    /// As part of a batch; the batch fact tells its owners once.
    Batch(BatchId),
    /// One lead, out of the public pool.
    Pool,
    /// Out of the public pool, as part of a batch; the batch fact tells its owners once.
    PoolBatch(BatchId),
    /// With the rows of a file; the import's last fact tells its owners once.
    Import(BatchId),
    /// By a transfer rule; the run's last fact tells its owners once.
    Rule(RuleRun),
}

/// A run of a transfer rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRun {
    /// The rule.
    pub rule: TransferRuleId,
    /// The run.
    pub run: TransferRunId,
}

impl AssignmentSource {
    /// The stream whose last fact tells the owners of all leads that moved together; `None`: each move tells its own.
    pub fn told_by(self) -> Option<StreamId> {
        match self {
            Self::Rule(RuleRun { run, .. }) => Some(run.into()),
            other => other.batch().map(StreamId::from),
        }
    }

    /// The batch it was part of.
    pub fn batch(self) -> Option<BatchId> {
        match self {
            Self::Batch(batch) | Self::PoolBatch(batch) | Self::Import(batch) => Some(batch),
            Self::Create | Self::Manual | Self::MiniProgram | Self::Pool | Self::Rule(_) => None,
        }
    }
}

/// A lead was created 客户创建.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerCreated {
    /// Its number.
    pub number: CustomerNumber,
    /// What is known.
    pub profile: Profile,
    /// How far the contract is.
    pub contract_status: ContractStatus,
    /// How promising it is.
    pub lead_level: LeadLevel,
    /// Why it began in the public pool, if it did: a lead that came by itself and that nobody owns yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<String>,
    /// The import it was part of; the import's last fact tells of it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<BatchId>,
    /// Who created it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Fields changed 客户更新: only those that did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerUpdated {
    /// The changed fields.
    pub changes: ProfilePatch,
    /// Who changed them.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// The contract status changed 客户状态变更.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerStatusChanged {
    /// Before.
    pub from: ContractStatus,
    /// After.
    pub to: ContractStatus,
    /// Who changed it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// The lead level changed 线索等级变更.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerLevelChanged {
    /// Before.
    pub from: LeadLevel,
    /// After.
    pub to: LeadLevel,
    /// Who changed it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A lead without an owner got one 客户分配; it leaves the public pool with that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerAssigned {
    /// The new owner.
    pub to: StaffId,
    /// Who decided.
    pub by: Actor,
    /// Why, in the words of the one who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By which path.
    pub source: AssignmentSource,
    /// Whether it was in the public pool until now, whatever the path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_pool: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A lead went from one owner to another 客户转移.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerTransferred {
    /// The owner before.
    pub from: StaffId,
    /// The new owner.
    pub to: StaffId,
    /// Who decided.
    pub by: Actor,
    /// Why, in the words of the one who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By which path.
    pub source: AssignmentSource,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody took a lead out of the public pool 公海领取.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerClaimed {
    /// The new owner, who claimed it.
    pub by: StaffId,
    /// When.
    pub at: DateTime<Utc>,
}

/// An owned lead went into the public pool 释放到公海.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerReleased {
    /// The owner until now.
    pub from: StaffId,
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// The batch it was part of; the batch fact tells its former owners once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule put an owned lead into the public pool 回收到公海. The actor is the rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerRecycled {
    /// The owner until now.
    pub from: StaffId,
    /// The rule.
    pub rule: RecycleRuleId,
    /// Why, in the words of the rule.
    pub reason: String,
    /// The run it was part of; the end of the run tells its former owner once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RecycleRunId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule will put a lead into the public pool soon 回收预警. Nobody did anything for the lead with this: its idle clock
/// goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecycleWarned {
    /// The owner.
    pub to: StaffId,
    /// The rule.
    pub rule: RecycleRuleId,
    /// When the lead goes.
    pub due_at: DateTime<Utc>,
    /// Which of the rule's warnings it is, in hours before.
    pub offset_hours: u32,
    /// When.
    pub at: DateTime<Utc>,
}

/// The moment that the last follow-up named for the next one has come 跟进到期. The idle clock goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUpDue {
    /// The owner.
    pub to: StaffId,
    /// The moment that was named.
    pub due: DateTime<Utc>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A lead must stay where it is 冻结: no release, no recycling, no automatic move. A person may still assign it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerFrozen {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A frozen lead may move again 解冻.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerUnfrozen {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Rules may hand the lead on 允许自动流转.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoTransferEnabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Rules must leave the lead 禁止自动流转.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoTransferDisabled {
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody followed up 跟进记录.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUpRecorded {
    /// The follow-up.
    pub id: FollowUpId,
    /// How.
    pub kind: FollowUpKind,
    /// What came of it.
    pub content: String,
    /// When to follow up next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_follow_up_at: Option<DateTime<Utc>>,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A lead was deleted 客户删除: a fact; nothing is removed from the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerDeleted {
    /// The owner until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StaffId>,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}
