//! Assign one customer. Of two people who act on one lead at once exactly one wins; the other learns who has it now
//! (product.md G3).

use std::sync::OnceLock;

use domain::customer::{AssignmentSource, CustomerCommand, Ownership};
use domain::{Aggregate, CustomerId, Sequence, StaffId};

use super::{CustomerReceipt, CustomerResult, Refusal, assignable_staff, check_version, existing, stale};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, execute};

/// Refusal of existing-systems.md section 2.1.
const MAY_NOT_ASSIGN: &str = "只有管理员、经理或运营可以分配客户";

/// Shown as the source of an assignment when the assigner gave no reason, as system A words it.
pub const SOURCE_BY_HAND: &str = "手动分配";

/// What to assign.
#[derive(Debug, Clone)]
pub struct Assign {
    /// The customer.
    pub customer: CustomerId,
    /// Version the caller saw.
    pub expected: Option<Sequence>,
    /// The new owner.
    pub to: StaffId,
    /// Why.
    pub reason: Option<String>,
    /// By which path.
    pub source: AssignmentSource,
}

/// Makes somebody the owner; the present owner again changes nothing and tells nobody.
pub async fn assign<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Assign,
) -> CustomerResult<CustomerReceipt> {
    // Whoever had the lead when this command first looked: if somebody else moves it before the append, this
    // command lost the race and must not move it on.
    let first_seen = OnceLock::new();
    execute(bus, context, async || plan(bus, caller, context, &request, &first_seen).await).await
}

async fn plan<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: &Assign,
    first_seen: &OnceLock<Ownership>,
) -> Result<Plan<CustomerReceipt>, ExecuteError<Refusal>> {
    if !access::allows(caller.role, Action::AssignCustomer) {
        return Err(ExecuteError::Refused(Refusal::Forbidden(MAY_NOT_ASSIGN)));
    }
    let found = existing(bus, request.customer).await?;
    check_version(&found, request.expected).map_err(ExecuteError::Refused)?;
    if *first_seen.get_or_init(|| found.state.ownership.clone()) != found.state.ownership {
        return Err(ExecuteError::Refused(stale(&found)));
    }
    assignable_staff(bus, request.to).await?;
    let command = CustomerCommand::Assign {
        to: request.to,
        reason: request.reason.clone(),
        source: request.source,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    let events = found.state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()))?;
    let stream = StreamAppend::of(request.customer, found.sequence, &events)?;
    let written = i64::try_from(events.len()).unwrap_or(i64::MAX);
    Ok(Plan {
        streams: vec![stream],
        guards: vec![],
        result: CustomerReceipt {
            customer: request.customer,
            sequence: found.sequence + written,
            changed: written > 0,
        },
    })
}
