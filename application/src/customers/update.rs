//! Change a customer's fields; never who owns it (fault A-12).

use domain::customer::{ContractStatus, Customer, CustomerCommand, LeadLevel, ProfilePatch};
use domain::{Aggregate, CustomerId, Sequence, StreamId};

use super::limits::{Holding, recounted};
use super::{
    CustomerReceipt, CustomerResult, Refusal, after, check_version, existing, phone_claim, taken_as_refusal,
    wechat_claim,
};
use crate::access::{self, Action, Caller};
use crate::bus::{
    CommandBus, CommandContext, ExecuteError, GuardChange, GuardKind, Plan, StreamAppend, execute,
};

/// Refusal of existing-systems.md section 1.3, word for word; managers may too, as the same section says.
pub(super) const LEVEL_O: &str = "只有管理员、运营或派单老师可以手动设置线索等级为O类";

/// What to change.
#[derive(Debug, Clone)]
pub struct Update {
    /// The customer.
    pub customer: CustomerId,
    /// Version the caller saw.
    pub expected: Option<Sequence>,
    /// The fields.
    pub changes: ProfilePatch,
    /// New contract status.
    pub contract_status: Option<ContractStatus>,
    /// New level.
    pub lead_level: Option<LeadLevel>,
}

/// Changes fields; setting what is already so changes nothing.
pub async fn update<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Update,
) -> CustomerResult<CustomerReceipt> {
    let done = execute(bus, context, async || plan(bus, caller, context, &request).await).await;
    done.map_err(|error| match taken_as_refusal(error) {
        ExecuteError::Refused(Refusal::DuplicatePhone) => ExecuteError::Refused(Refusal::PhoneTaken),
        ExecuteError::Refused(Refusal::DuplicateWechat) => ExecuteError::Refused(Refusal::WechatTaken),
        other => other,
    })
}

async fn plan<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: &Update,
) -> Result<Plan<CustomerReceipt>, ExecuteError<Refusal>> {
    let found = existing(bus, request.customer).await?;
    may_update(caller, &found.state, request).map_err(ExecuteError::Refused)?;
    check_version(&found, request.expected).map_err(ExecuteError::Refused)?;
    let command = CustomerCommand::Update {
        changes: Box::new(request.changes.clone()),
        contract_status: request.contract_status,
        lead_level: request.lead_level,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    let events = found.state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()))?;
    let mut guards = guards(request, &found.state);
    let now = after(&found.state, &events);
    guards.extend(recounted(Holding::of(&found.state), Holding::of(&now), None));
    let stream = StreamAppend::of(request.customer, found.sequence, &events)?;
    let written = i64::try_from(events.len()).unwrap_or(i64::MAX);
    Ok(Plan {
        streams: vec![stream],
        guards,
        result: CustomerReceipt {
            customer: request.customer,
            sequence: found.sequence + written,
            changed: written > 0,
        },
    })
}

fn may_update(caller: &Caller, customer: &Customer, request: &Update) -> Result<(), Refusal> {
    if !access::detail_scope(caller).contains(customer) {
        return Err(domain::customer::CustomerError::NotFound.into());
    }
    let allowed = access::allows(caller.role, Action::UpdateCustomer);
    if !allowed || !access::update_scope(caller).contains(customer) {
        return Err(Refusal::Forbidden("无权限修改此客户"));
    }
    let becomes_o = request.lead_level == Some(LeadLevel::O) && customer.lead_level != Some(LeadLevel::O);
    if becomes_o && !access::allows(caller.role, Action::SetLevelO) {
        return Err(Refusal::Forbidden(LEVEL_O));
    }
    Ok(())
}

/// Gives back what the customer had and takes what it gets.
fn guards(request: &Update, before: &Customer) -> Vec<GuardChange> {
    let holder = StreamId::from(request.customer);
    let mut changes = Vec::new();
    if let Some(new) = request.changes.phone.as_ref().filter(|new| **new != before.profile.phone) {
        changes.extend(before.profile.phone.as_ref().map(|old| GuardChange::Release {
            kind: GuardKind::CustomerPhone,
            key: old.as_str().to_owned(),
            holder: holder.clone(),
        }));
        changes.extend(new.as_ref().map(|phone| phone_claim(request.customer, phone)));
    }
    if let Some(new) = request.changes.wechat_id.as_ref().filter(|new| **new != before.profile.wechat_id) {
        changes.extend(before.profile.wechat_id.as_ref().map(|old| GuardChange::Release {
            kind: GuardKind::CustomerWechat,
            key: old.as_str().to_owned(),
            holder: holder.clone(),
        }));
        changes.extend(new.as_ref().map(|wechat| wechat_claim(request.customer, wechat)));
    }
    changes
}
