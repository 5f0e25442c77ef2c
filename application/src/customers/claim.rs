//! Take customers out of the public pool for oneself, as far as the caller's limits have room.

use domain::customer::CustomerCommand;
use domain::{Aggregate, CustomerId};

use super::items::{BatchItemRefusal, BatchReceipt, Items};
use super::limits::{Limits, Room, Used};
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
    let moves = items.decide(Some(caller.id), context.at, |_, found, claimed| {
        let command = CustomerCommand::Claim { by: caller.id, cool_off: limits.cool_off, at: context.at };
        let events =
            found.state.decide(command).map_err(|error| BatchItemRefusal::of(&error, &found.state))?;
        room_for_one_more(room, claimed)?;
        Ok(events)
    })?;
    let moves = moves.or_refused()?;
    let claimed = i64::try_from(moves.moved.len()).unwrap_or(i64::MAX);
    let guards = limits.claimed(caller.id, caller.role, claimed, context.at);
    Ok(Plan { streams: moves.appends, guards, result: moves.receipt })
}

fn room_for_one_more(room: Room, claimed: i64) -> Result<(), BatchItemRefusal> {
    let Room { holding, quota } = room;
    if !holding.has_room_for(claimed + 1) {
        let Used { limit, current } = holding;
        return Err(BatchItemRefusal::HoldingLimit { limit, current: current + claimed });
    }
    match quota {
        Some(quota) if !quota.has_room_for(claimed + 1) => {
            Err(BatchItemRefusal::ClaimQuota { limit: quota.limit, current: quota.current + claimed })
        }
        _ => Ok(()),
    }
}
