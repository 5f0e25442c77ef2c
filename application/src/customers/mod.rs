//! Use cases of a customer, from creation to deletion.
//!
//! Each loads what it needs, lets the aggregates decide and hands the bus one plan. Who may ask is
//! [`crate::access`]; what may happen is [`domain::customer`]; what people are held to is [`Limits`]. Commands on one
//! lead share `single`, commands on many share `items`.

mod assign;
mod batch;
mod batch_release;
mod claim;
mod create;
mod items;
mod limits;
mod release;
mod single;
#[cfg(test)]
pub(crate) mod tests;
mod treat;
mod update;
mod website;

use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerError};
use domain::staff::{Account, Staff};
use domain::{Aggregate, CustomerId, Sequence, StaffId, StreamId};
use serde::{Deserialize, Serialize};

pub use assign::{Assign, SOURCE_BY_HAND, assign};
pub use batch::{BatchAssign, BatchFrom, SOURCE_BY_BATCH, SOURCE_FROM_POOL, batch_assign};
pub use batch_release::{BatchRelease, batch_release};
pub use claim::claim;
pub use create::{Create, create};
pub use items::{BatchItemRefusal, BatchReceipt};
pub use limits::{Cap, HOLDING_CAP, Holding, Limits, held_under, holding};
pub(crate) use limits::{all_held_under, recounted, recounted_all};
pub use release::{Release, release};
pub use treat::{FollowUp, Treat, Treatment, treat};
pub use update::{Update, update};
pub use website::{Submitted, WEBSITE, WebsiteLead, website_lead};

use crate::access;
use crate::bus::{
    AppendError, CommandBus, CountKind, ExecuteError, Executed, GuardChange, GuardKind, Versioned,
};

/// What is remembered of a command on one customer: the answer is the customer at `sequence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerReceipt {
    /// The customer.
    pub customer: CustomerId,
    /// Its version after the command.
    pub sequence: Sequence,
    /// Whether the command changed anything.
    pub changed: bool,
}

/// How a customer command ends.
pub type CustomerResult<T> = Result<Executed<T>, ExecuteError<Refusal>>;

/// Why a customer command is refused. Texts are system A's (existing-systems.md section 2.1).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The aggregate refuses.
    #[error(transparent)]
    Rule(#[from] CustomerError),
    /// The role may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The lead is somebody else's.
    #[error("只有客户负责人或管理员可以释放客户到公海")]
    NotOwner,
    /// The wanted owner does not exist.
    #[error("指定的负责人不存在")]
    StaffNotFound,
    /// The wanted owner's account is cut off.
    #[error("指定的负责人未激活")]
    StaffInactive,
    /// The wanted owner's role may not own leads.
    #[error("指定的负责人角色不允许被分配")]
    StaffNotAssignable,
    /// Another customer has the phone.
    #[error("该手机号已存在客户记录")]
    DuplicatePhone,
    /// Another customer has the WeChat id.
    #[error("该微信号已存在客户记录")]
    DuplicateWechat,
    /// The same about a customer that is there already and was to get the phone.
    #[error("该手机号已被其他客户使用")]
    PhoneTaken,
    /// The same about a WeChat id.
    #[error("该微信号已被其他客户使用")]
    WechatTaken,
    /// The wanted owner owns as many as one may.
    #[error("指定的负责人已达到客户持有上限（{limit}个）")]
    HoldingLimit {
        /// Most there may be.
        limit: i64,
        /// How many there are.
        current: i64,
    },
    /// The caller claimed a moment ago.
    #[error("领取过于频繁，请稍后再试")]
    ClaimTooSoon {
        /// From when on it is allowed.
        until: DateTime<Utc>,
    },
    /// Nothing of a batch could be done: why, item by item.
    #[error("没有客户操作成功")]
    Batch(Vec<(CustomerId, BatchItemRefusal)>),
    /// The caller's version is old, or somebody else was faster.
    #[error("客户已被其他人修改，请刷新后重试")]
    Stale {
        /// Who owns it now.
        owner: Option<StaffId>,
        /// Its version now.
        sequence: Sequence,
    },
}

/// Loads the wanted owner and checks that the person may own leads.
async fn assignable_staff<B: CommandBus>(bus: &B, id: StaffId) -> Result<Account, ExecuteError<Refusal>> {
    let staff = bus.load::<Staff>(&StreamId::from(id)).await?.state;
    let active = staff.is_active();
    let owner = match staff.account {
        None => Err(Refusal::StaffNotFound),
        Some(_) if !active => Err(Refusal::StaffInactive),
        Some(account) if !access::assignable(account.role) => Err(Refusal::StaffNotAssignable),
        Some(account) => Ok(account),
    };
    owner.map_err(ExecuteError::Refused)
}

/// A customer that exists; anything else is "not found", whether unknown or not visible.
async fn existing<B: CommandBus>(
    bus: &B,
    id: CustomerId,
) -> Result<Versioned<Customer>, ExecuteError<Refusal>> {
    let found = bus.load::<Customer>(&StreamId::from(id)).await?;
    if found.state.exists() { Ok(found) } else { Err(ExecuteError::Refused(CustomerError::NotFound.into())) }
}

/// Refuses when the caller saw another version.
fn check_version(found: &Versioned<Customer>, expected: Option<Sequence>) -> Result<(), Refusal> {
    match expected {
        Some(version) if version != found.sequence => Err(stale(found)),
        _ => Ok(()),
    }
}

fn stale(found: &Versioned<Customer>) -> Refusal {
    Refusal::Stale { owner: found.state.owner(), sequence: found.sequence }
}

/// The state after some decided events: what the answer shows.
pub fn after<A: Aggregate>(before: &A, events: &[A::Event]) -> A {
    let mut state = before.clone();
    for event in events {
        state.evolve(event);
    }
    state
}

/// The guard on a phone.
fn phone_claim(id: CustomerId, phone: &domain::contact::Phone) -> GuardChange {
    let key = phone.as_str().to_owned();
    GuardChange::Claim { kind: GuardKind::CustomerPhone, key, holder: id.into() }
}

/// The guard on a WeChat id.
fn wechat_claim(id: CustomerId, wechat: &domain::contact::WechatId) -> GuardChange {
    let key = wechat.as_str().to_owned();
    GuardChange::Claim { kind: GuardKind::CustomerWechat, key, holder: id.into() }
}

/// Says in the caller's words what a guard or a count found.
fn taken_as_refusal(error: ExecuteError<Refusal>) -> ExecuteError<Refusal> {
    match error {
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::CustomerPhone, .. }) => {
            ExecuteError::Refused(Refusal::DuplicatePhone)
        }
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::CustomerWechat, .. }) => {
            ExecuteError::Refused(Refusal::DuplicateWechat)
        }
        ExecuteError::Append(AppendError::LimitReached {
            kind: CountKind::OwnedLeads | CountKind::UnsignedLeads,
            max,
            current,
            ..
        }) => ExecuteError::Refused(Refusal::HoldingLimit { limit: max, current }),
        ExecuteError::Append(AppendError::TooSoon { until }) => {
            ExecuteError::Refused(Refusal::ClaimTooSoon { until })
        }
        other => other,
    }
}
