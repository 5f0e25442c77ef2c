//! Assign one customer. Of two people who act on one lead at once exactly one wins; the other learns who has it now
//! (product.md G3).

use domain::customer::{AssignmentSource, CustomerCommand};
use domain::{CustomerId, Sequence, StaffId};

use super::limits::Limits;
use super::single::{FirstSeen, Single};
use super::{CustomerReceipt, CustomerResult, Refusal, assignable_staff, taken_as_refusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, execute};

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
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    request: Assign,
) -> CustomerResult<CustomerReceipt> {
    let first_seen = FirstSeen::default();
    let single = Single { customer: request.customer, expected: request.expected };
    let planned = execute(bus, context, async || {
        if !access::allows(caller.role, Action::AssignCustomer) {
            return Err(ExecuteError::Refused(Refusal::Forbidden(MAY_NOT_ASSIGN)));
        }
        let found = single.load(bus).await?;
        first_seen.check(&found)?;
        let owner = assignable_staff(bus, request.to).await?;
        if found.state.owner() != Some(request.to) {
            let status = found.state.contract_status;
            limits.require_room(bus, (request.to, owner.role), status).await?;
        }
        let command = CustomerCommand::Assign {
            to: request.to,
            reason: request.reason.clone(),
            source: request.source,
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        single.plan(&found, command, limits.cap_of_assignment(owner.role))
    });
    planned.await.map_err(taken_as_refusal)
}
