//! Create a customer; its creator owns it unless somebody else is named.

use domain::customer::{
    ContractStatus, Customer, CustomerCommand, CustomerNumber, LeadLevel, Placement, Profile,
};
use domain::{Aggregate, CustomerId, StaffId, StreamId};

use super::limits::{Cap, Holding, Limits, recounted};
use super::{
    CustomerReceipt, CustomerResult, Refusal, after, assignable_staff, phone_claim, taken_as_refusal,
    wechat_claim,
};
use crate::access::{self, Action, Caller};
use crate::bus::{
    AppendError, CommandBus, CommandContext, ExecuteError, GuardChange, GuardKind, Plan, StreamAppend,
    execute,
};
use crate::ports::CustomerNumbers;

/// Reason recorded when the creator named an owner.
const REASON_NAMED: &str = "创建时指定负责人";
/// Reason recorded when nobody was named.
const REASON_DEFAULT: &str = "创建默认分配给创建人";

/// What to create.
#[derive(Debug, Clone)]
pub struct Create {
    /// Id of the new customer; a replay answers with the first one.
    pub id: CustomerId,
    /// What is known.
    pub profile: Profile,
    /// How far the contract is.
    pub contract_status: ContractStatus,
    /// How promising it is.
    pub lead_level: LeadLevel,
    /// The owner; the creator by default.
    pub owner: Option<StaffId>,
    /// Why that owner.
    pub reason: Option<String>,
}

/// Creates a customer and assigns it in the same breath.
pub async fn create<B: CommandBus>(
    bus: &B,
    numbers: &dyn CustomerNumbers,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    request: Create,
) -> CustomerResult<CustomerReceipt> {
    execute(bus, context, async || plan(bus, numbers, limits, caller, context, &request).await)
        .await
        .map_err(taken_as_refusal)
}

async fn plan<B: CommandBus>(
    bus: &B,
    numbers: &dyn CustomerNumbers,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    request: &Create,
) -> Result<Plan<CustomerReceipt>, ExecuteError<Refusal>> {
    let owner = request.owner.unwrap_or(caller.id);
    if !access::allows(caller.role, Action::CreateCustomer) {
        return Err(ExecuteError::Refused(Refusal::Forbidden("无权限创建客户")));
    }
    if owner != caller.id && !access::allows(caller.role, Action::PickAssignee) {
        return Err(ExecuteError::Refused(Refusal::Forbidden("无权限分配客户")));
    }
    let role = assignable_staff(bus, owner).await?.role;
    limits.require_room(bus, (owner, role), Some(request.contract_status)).await?;
    let default_reason = if request.owner.is_some() { REASON_NAMED } else { REASON_DEFAULT };
    let reason = request.reason.clone().unwrap_or_else(|| default_reason.to_owned());
    let placement = Placement::Owner(owner, reason);
    New::of(request).plan(numbers, context, placement, limits.cap_of_assignment(role)).await
}

/// A customer that is about to be.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) id: CustomerId,
    pub(super) profile: Profile,
    pub(super) contract_status: ContractStatus,
    pub(super) lead_level: LeadLevel,
}

impl New {
    fn of(request: &Create) -> Self {
        Self {
            id: request.id,
            profile: request.profile.clone(),
            contract_status: request.contract_status,
            lead_level: request.lead_level,
        }
    }

    /// Draws a number, decides, and takes what only one customer may hold. `cap` is what an owner is held to.
    pub(super) async fn plan(
        self,
        numbers: &dyn CustomerNumbers,
        context: &CommandContext,
        placement: Placement,
        cap: Option<Cap>,
    ) -> Result<Plan<CustomerReceipt>, ExecuteError<Refusal>> {
        let number = numbers
            .next()
            .await
            .map_err(|error| ExecuteError::Append(AppendError::Unavailable(error.to_string())))?;
        let number = CustomerNumber::nth(number);
        let mut guards = taken(self.id, &self.profile, &number);
        let command = CustomerCommand::Create {
            number,
            profile: Box::new(self.profile),
            contract_status: self.contract_status,
            lead_level: self.lead_level,
            placement,
            import: None,
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        let events =
            Customer::default().decide(command).map_err(|refused| ExecuteError::Refused(refused.into()))?;
        guards.extend(recounted(None, Holding::of(&after(&Customer::default(), &events)), cap));
        let stream = StreamAppend::of(self.id, 0, &events)?;
        let sequence = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
        let result = CustomerReceipt { customer: self.id, sequence, changed: true };
        Ok(Plan { streams: vec![stream], guards, result })
    }
}

/// What a new customer takes for itself: its number, its phone, its WeChat id.
pub(crate) fn taken(id: CustomerId, profile: &Profile, number: &CustomerNumber) -> Vec<GuardChange> {
    let number = GuardChange::Claim {
        kind: GuardKind::CustomerNumber,
        key: number.as_str().to_owned(),
        holder: StreamId::from(id),
    };
    let phone = profile.phone.as_ref().map(|phone| phone_claim(id, phone));
    let wechat = profile.wechat_id.as_ref().map(|wechat| wechat_claim(id, wechat));
    [Some(number), phone, wechat].into_iter().flatten().collect()
}
