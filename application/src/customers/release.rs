//! Put one customer into the public pool: by its owner, or by an admin or manager for somebody else.

use domain::customer::{Customer, CustomerCommand, CustomerError};
use domain::{CustomerId, Sequence};

use super::single::{FirstSeen, Single};
use super::{CustomerReceipt, CustomerResult, Refusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, execute};

/// What to release.
#[derive(Debug, Clone)]
pub struct Release {
    /// The customer.
    pub customer: CustomerId,
    /// Version the caller saw.
    pub expected: Option<Sequence>,
    /// Why.
    pub reason: String,
}

/// Puts a customer into the public pool.
pub async fn release<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Release,
) -> CustomerResult<CustomerReceipt> {
    let first_seen = FirstSeen::default();
    let single = Single { customer: request.customer, expected: request.expected };
    execute(bus, context, async || {
        let found = single.find(bus).await?;
        first_seen.check(&found)?;
        may_release(caller, &found.state).map_err(ExecuteError::Refused)?;
        // Who does not see a lead that is in the pool already learns just that, not its version.
        if access::detail_scope(caller).contains(&found.state) {
            single.check(&found)?;
        }
        let command = CustomerCommand::Release {
            reason: request.reason.clone(),
            batch: None,
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        single.plan(&found, command, None)
    })
    .await
}

/// Who may put whose lead into the pool (domain.md section 3). A lead that the caller may not see is not found.
pub(super) fn may_release(caller: &Caller, customer: &Customer) -> Result<(), Refusal> {
    if !access::detail_scope(caller).contains(customer) && !customer.in_pool() {
        return Err(CustomerError::NotFound.into());
    }
    let owns = customer.owner() == Some(caller.id);
    // In the pool already: everybody may know, and the customer says so itself.
    let allowed = access::allows(caller.role, Action::ReleaseOthers)
        || (owns && access::allows(caller.role, Action::ReleaseOwn))
        || customer.in_pool();
    if allowed { Ok(()) } else { Err(Refusal::NotOwner) }
}
