//! What can have happened to a customer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::codes::{ContractStatus, LeadLevel};
use super::number::CustomerNumber;
use super::profile::{Profile, ProfilePatch};
use crate::envelope::Actor;
use crate::ids::{BatchId, StaffId};
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
}

impl AssignmentSource {
    /// The batch it was part of.
    pub fn batch(self) -> Option<BatchId> {
        match self {
            Self::Batch(batch) => Some(batch),
            Self::Create | Self::Manual | Self::MiniProgram => None,
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

/// A lead without an owner got one 客户分配.
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
