//! What is decided about one customer apart from who owns it: freeze, automatic moves, level O, follow-ups, deletion.

use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerCommand, CustomerError, FollowUpKind, LeadLevel};
use domain::{CustomerId, FollowUpId, Sequence};

use super::single::{Single, released_guards};
use super::{CustomerReceipt, CustomerResult, Refusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, execute};

/// What to do with one customer, and how.
#[derive(Debug, Clone)]
pub struct Treat {
    /// The customer.
    pub customer: CustomerId,
    /// Version the caller saw.
    pub expected: Option<Sequence>,
    /// What.
    pub what: Treatment,
}

/// What may be done with one customer.
#[derive(Debug, Clone, PartialEq)]
pub enum Treatment {
    /// Keep it where it is.
    Freeze {
        /// Why.
        reason: Option<String>,
    },
    /// Let it move again.
    Unfreeze {
        /// Why.
        reason: Option<String>,
    },
    /// Say whether rules may hand it on.
    AutoTransfer {
        /// Whether they may.
        enabled: bool,
    },
    /// Set its level to O: it is signed.
    LevelO,
    /// Write down a follow-up.
    FollowUp(FollowUp),
    /// Take it off every list; its phone and WeChat id are free again.
    Delete,
}

/// A follow-up as somebody wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowUp {
    /// Its id; a replay answers with the first one.
    pub id: FollowUpId,
    /// How.
    pub kind: FollowUpKind,
    /// What came of it.
    pub content: String,
    /// When to follow up next.
    pub next_at: Option<DateTime<Utc>>,
}

impl Treatment {
    fn action(&self) -> Action {
        match self {
            Self::Freeze { .. } | Self::Unfreeze { .. } => Action::FreezeCustomer,
            Self::AutoTransfer { .. } => Action::SetAutoTransfer,
            Self::LevelO => Action::SetLevelO,
            Self::FollowUp(_) => Action::RecordFollowUp,
            Self::Delete => Action::DeleteCustomer,
        }
    }

    /// What is said to somebody who may not.
    fn refusal(&self) -> &'static str {
        match self {
            Self::Freeze { .. } | Self::Unfreeze { .. } => "只有管理员可以冻结或解冻线索",
            Self::AutoTransfer { .. } => "只有管理员、经理或运营可以设置自动流转",
            Self::LevelO => super::update::LEVEL_O,
            Self::FollowUp(_) => "无权限跟进此客户",
            Self::Delete => "只有管理员或经理可以删除客户",
        }
    }

    fn command(&self, context: &CommandContext) -> CustomerCommand {
        let (by, at) = (context.metadata.actor.clone(), context.at);
        match self.clone() {
            Self::Freeze { reason } => CustomerCommand::Freeze { reason, by, at },
            Self::Unfreeze { reason } => CustomerCommand::Unfreeze { reason, by, at },
            Self::AutoTransfer { enabled } => CustomerCommand::SetAutoTransfer { enabled, by, at },
            Self::LevelO => CustomerCommand::Update {
                changes: Box::default(),
                contract_status: None,
                lead_level: Some(LeadLevel::O),
                by,
                at,
            },
            Self::FollowUp(FollowUp { id, kind, content, next_at }) => {
                CustomerCommand::RecordFollowUp { id, kind, content, next_follow_up_at: next_at, by, at }
            }
            Self::Delete => CustomerCommand::Delete { by, at },
        }
    }
}

/// Does one thing with one customer that the caller sees and may do it with.
pub async fn treat<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Treat,
) -> CustomerResult<CustomerReceipt> {
    let single = Single { customer: request.customer, expected: request.expected };
    execute(bus, context, async || {
        let found = single.find(bus).await?;
        may_treat(caller, &found.state, &request.what).map_err(ExecuteError::Refused)?;
        single.check(&found)?;
        let mut plan = single.plan(&found, request.what.command(context), None)?;
        if request.what == Treatment::Delete {
            plan.guards.extend(released_guards(request.customer, &found.state));
        }
        Ok(plan)
    })
    .await
}

fn may_treat(caller: &Caller, customer: &Customer, what: &Treatment) -> Result<(), Refusal> {
    if !access::detail_scope(caller).contains(customer) {
        return Err(CustomerError::NotFound.into());
    }
    if access::allows(caller.role, what.action()) { Ok(()) } else { Err(Refusal::Forbidden(what.refusal())) }
}
