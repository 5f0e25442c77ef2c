//! Take customers out of the public pool for oneself, as far as the caller's limits have room.

use domain::customer::CustomerCommand;
use domain::{Aggregate, CustomerId};

use super::items::{BatchItemRefusal, BatchReceipt, Items};
use super::limits::{Limits, Room, Used, recounted_all};
use super::{CustomerResult, Refusal, taken_as_refusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, execute};

/// What is said to a role that may not claim.
const MAY_NOT_CLAIM: &str = "无权限从公海领取客户";

/// Claims customers, in the order given, until the caller's limits are reached. What somebody else was faster with is
/// refused item by item.
pub async fn claim<B: CommandBus>(
    bus: &B,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    customers: Vec<CustomerId>,
) -> CustomerResult<BatchReceipt> {
    execute(bus, context, async || plan(bus, limits, caller, context, &customers).await)
        .await
        .map_err(taken_as_refusal)
}

async fn plan<B: CommandBus>(
    bus: &B,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    customers: &[CustomerId],
) -> Result<Plan<BatchReceipt>, ExecuteError<Refusal>> {
    if !access::allows(caller.role, Action::ClaimCustomer) {
        return Err(ExecuteError::Refused(Refusal::Forbidden(MAY_NOT_CLAIM)));
    }
    let room = limits.room(bus, caller.id, caller.role, context.at).await?;
    let items = Items::load(bus, customers).await?;
    let cap = limits.held_to(caller.role);
    let mut taken = Taken::default();
    let moves = items.decide(Some(caller.id), context.at, |_, found| {
        let command = CustomerCommand::Claim { by: caller.id, cool_off: limits.cool_off, at: context.at };
        let events =
            found.state.decide(command).map_err(|error| BatchItemRefusal::of(&error, &found.state))?;
        taken.one_more(room, !cap.ignores(found.state.contract_status))?;
        Ok(events)
    })?;
    let moves = moves.or_refused()?;
    let mut guards = recounted_all(moves.holdings, Some(cap));
    guards.extend(limits.claimed(caller.id, taken.claimed, context.at));
    Ok(Plan { streams: moves.appends, guards, result: moves.receipt })
}

/// What the command took so far.
#[derive(Debug, Default)]
struct Taken {
    claimed: i64,
    /// How many of them count against the cap.
    counted: i64,
}

impl Taken {
    /// Takes one more, if there is room for it.
    fn one_more(&mut self, room: Room, counts: bool) -> Result<(), BatchItemRefusal> {
        let Room { holding, quota } = room;
        if counts && !holding.has_room_for(self.counted + 1) {
            let Used { limit, current } = holding;
            return Err(BatchItemRefusal::HoldingLimit { limit, current: current + self.counted });
        }
        if let Some(quota) = quota.filter(|quota| !quota.has_room_for(self.claimed + 1)) {
            let Used { limit, current } = quota;
            return Err(BatchItemRefusal::ClaimQuota { limit, current: current + self.claimed });
        }
        self.claimed += 1;
        self.counted += i64::from(counts);
        Ok(())
    }
}
