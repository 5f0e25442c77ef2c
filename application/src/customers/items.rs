//! Many customers in one command: read set-wise, decided one by one, appended as one, one result an item
//! (product.md G5).

use std::collections::HashMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerError, CustomerEvent, Ownership};
use domain::{CustomerId, StaffId, StreamId};
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::{after, limits::Holding};
use crate::bus::{CommandBus, ExecuteError, LoadError, StreamAppend, Versioned};

/// What is remembered of a command on many customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReceipt {
    /// The new owner; `None` when they went into the public pool.
    pub to: Option<StaffId>,
    /// Customers that changed hands.
    pub moved: Vec<CustomerId>,
    /// Customers that the owner had already.
    pub unchanged: Vec<CustomerId>,
    /// Customers that could not be moved.
    pub failed: Vec<(CustomerId, BatchItemRefusal)>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why one item of a batch was not moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchItemRefusal {
    /// There is no such customer, or not for these eyes.
    #[error("客户不存在")]
    CustomerNotFound,
    /// Somebody else moved it at the same time.
    #[error("客户已被其他人修改，请刷新后重试")]
    VersionConflict,
    /// Somebody has it already.
    #[error("客户不在公海中")]
    NotInPool {
        /// Who.
        owner: Option<StaffId>,
    },
    /// It was released before.
    #[error("客户已在公海中")]
    AlreadyInPool,
    /// Nobody has it.
    #[error("客户没有负责人，无法释放到公海")]
    NotOwned,
    /// It must stay where it is.
    #[error("该线索已被冻结，无法释放到公海")]
    Frozen,
    /// It is somebody else's.
    #[error("无权释放此客户")]
    NotYours,
    /// The person owns as many as one may.
    #[error("您已达到客户持有上限（{limit}个），无法继续领取")]
    HoldingLimit {
        /// Most there may be.
        limit: i64,
        /// How many there were.
        current: i64,
    },
    /// The wanted owner owns as many as one may.
    #[error("指定的负责人已达到客户持有上限（{limit}个）")]
    OwnerHoldingLimit {
        /// Most there may be.
        limit: i64,
        /// How many there were.
        current: i64,
    },
    /// The person claimed as many today as one may.
    #[error("您今日的领取次数已用完（{limit}个）")]
    ClaimQuota {
        /// Most there may be.
        limit: i64,
        /// How many there were.
        current: i64,
    },
    /// Its former owner has to leave it to others for a while.
    #[error("您刚释放过该客户，暂时不能领取")]
    CoolOff {
        /// Until when.
        until: DateTime<Utc>,
    },
}

impl BatchItemRefusal {
    /// The code in `errors[]`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CustomerNotFound => "CUSTOMER_NOT_FOUND",
            Self::VersionConflict => "VERSION_CONFLICT",
            Self::NotInPool { .. } => "NOT_IN_POOL",
            Self::AlreadyInPool => "ALREADY_IN_POOL",
            Self::NotOwned => "NOT_OWNED",
            Self::Frozen => "FROZEN",
            Self::NotYours => "NOT_OWNER",
            Self::HoldingLimit { .. } | Self::OwnerHoldingLimit { .. } => "HOLDING_LIMIT",
            Self::ClaimQuota { .. } => "CLAIM_QUOTA",
            Self::CoolOff { .. } => "COOL_OFF",
        }
    }

    /// What the aggregate said, about a customer that it said it of.
    pub(super) fn of(error: &CustomerError, customer: &Customer) -> Self {
        match error {
            CustomerError::NotInPool => Self::NotInPool { owner: customer.owner() },
            CustomerError::AlreadyInPool => Self::AlreadyInPool,
            CustomerError::NotOwned => Self::NotOwned,
            CustomerError::Frozen => Self::Frozen,
            CustomerError::CoolOff { until } => Self::CoolOff { until: *until },
            // Nothing else refuses a change of ownership.
            _ => Self::CustomerNotFound,
        }
    }
}

/// The customers of one command.
pub(super) struct Items {
    found: Vec<(CustomerId, Versioned<Customer>)>,
}

/// What became of the items: the appends of those that moved, with who had them before.
pub(super) struct Moves {
    pub(super) appends: Vec<StreamAppend>,
    pub(super) moved: Vec<(CustomerId, Option<StaffId>)>,
    pub(super) receipt: BatchReceipt,
    /// How each that moved counted before, and how it counts now.
    pub(super) holdings: Vec<(Option<Holding>, Option<Holding>)>,
}

/// Who had each lead when a command first looked; see [`super::single::FirstSeen`].
#[derive(Debug, Default)]
pub(super) struct FirstSeenMany(OnceLock<HashMap<CustomerId, Ownership>>);

impl FirstSeenMany {
    /// Whether the lead is still where it was.
    pub(super) fn holds(&self, items: &Items, id: CustomerId, customer: &Customer) -> bool {
        let seen = self.0.get_or_init(|| {
            items.found.iter().map(|(id, found)| (*id, found.state.ownership.clone())).collect()
        });
        seen.get(&id).is_none_or(|first| *first == customer.ownership)
    }
}

impl Items {
    /// Reads them all in one go.
    pub(super) async fn load<B: CommandBus>(bus: &B, ids: &[CustomerId]) -> Result<Self, LoadError> {
        let streams: Vec<StreamId> = ids.iter().map(|id| StreamId::from(*id)).collect();
        let found = bus.load_many::<Customer>(&streams).await?;
        Ok(Self { found: ids.iter().copied().zip(found).collect() })
    }

    /// Decides on each in the order given.
    pub(super) fn decide(
        &self,
        to: Option<StaffId>,
        at: DateTime<Utc>,
        mut decide: impl FnMut(CustomerId, &Versioned<Customer>) -> Result<Vec<CustomerEvent>, BatchItemRefusal>,
    ) -> Result<Moves, serde_json::Error> {
        let receipt = BatchReceipt { to, moved: vec![], unchanged: vec![], failed: vec![], at };
        let mut moves = Moves { appends: vec![], moved: vec![], receipt, holdings: vec![] };
        for (id, found) in &self.found {
            match decide(*id, found) {
                Err(refusal) => moves.receipt.failed.push((*id, refusal)),
                Ok(events) if events.is_empty() => moves.receipt.unchanged.push(*id),
                Ok(events) => {
                    let before = found.state.owner();
                    moves.receipt.moved.push(*id);
                    moves.moved.push((*id, before));
                    let now = after(&found.state, &events);
                    moves.holdings.push((Holding::of(&found.state), Holding::of(&now)));
                    moves.appends.push(StreamAppend::of(*id, found.sequence, &events)?);
                }
            }
        }
        Ok(moves)
    }
}

impl Moves {
    /// Refuses the whole command when nothing at all was done: a caller who lost every race must not read a success.
    pub(super) fn or_refused(self) -> Result<Self, ExecuteError<Refusal>> {
        let nothing = self.receipt.moved.is_empty() && self.receipt.unchanged.is_empty();
        if nothing && !self.receipt.failed.is_empty() {
            return Err(ExecuteError::Refused(Refusal::Batch(self.receipt.failed)));
        }
        Ok(self)
    }
}
