//! Assign many customers as one command, wherever they are or out of the public pool: one append, one result an item,
//! one fact for the policy (product.md G5).

use domain::batch::{Batch, BatchAssignmentCompleted, BatchCommand, MovedCustomer};
use domain::customer::{AssignmentSource, CustomerCommand};
use domain::{Aggregate, BatchId, CustomerId, StaffId};

use super::items::{BatchItemRefusal, BatchReceipt, FirstSeenMany, Items, Moves};
use super::limits::{Limits, Used, recounted_all};
use super::{CustomerResult, Refusal, assignable_staff, taken_as_refusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, execute};

/// Refusals of existing-systems.md section 2.1; operators may assign from the pool here (domain.md section 3).
const MAY_NOT_BATCH: &str = "只有管理员、经理或运营可以批量分配客户";
const MAY_NOT_FROM_POOL: &str = "只有管理员、经理或运营可以从公海分配客户";

/// Shown as the source of a batch when the assigner gave no reason, as system A words it.
pub const SOURCE_BY_BATCH: &str = "批量分配";

/// The same for customers out of the public pool.
pub const SOURCE_FROM_POOL: &str = "从公海分配";

/// What to assign. At most `domain::batch::BATCH_CUSTOMERS_MAX` customers, each once: the form sees to that.
#[derive(Debug, Clone)]
pub struct BatchAssign {
    /// Id of the batch; the command's own.
    pub batch: BatchId,
    /// The customers, each once.
    pub customers: Vec<CustomerId>,
    /// The new owner.
    pub to: StaffId,
    /// Why.
    pub reason: Option<String>,
    /// From where.
    pub from: BatchFrom,
}

/// Where the customers of a batch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFrom {
    /// Wherever.
    Anywhere,
    /// In the public pool; one that is not there is refused.
    Pool,
}

impl BatchAssign {
    fn action(&self) -> (Action, &'static str) {
        match self.from {
            BatchFrom::Anywhere => (Action::AssignCustomer, MAY_NOT_BATCH),
            BatchFrom::Pool => (Action::AssignFromPool, MAY_NOT_FROM_POOL),
        }
    }

    /// A single lead out of the pool is told as itself, not as a batch of one.
    fn is_told_as_batch(&self) -> bool {
        self.from == BatchFrom::Anywhere || self.customers.len() > 1
    }

    fn source(&self) -> AssignmentSource {
        match self.from {
            BatchFrom::Anywhere => AssignmentSource::Batch(self.batch),
            BatchFrom::Pool if self.is_told_as_batch() => AssignmentSource::PoolBatch(self.batch),
            BatchFrom::Pool => AssignmentSource::Pool,
        }
    }
}

/// Assigns many customers to one person.
pub async fn batch_assign<B: CommandBus>(
    bus: &B,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    request: BatchAssign,
) -> CustomerResult<BatchReceipt> {
    let first_seen = FirstSeenMany::default();
    execute(bus, context, async || plan(bus, limits, caller, context, &request, &first_seen).await)
        .await
        .map_err(taken_as_refusal)
}

async fn plan<B: CommandBus>(
    bus: &B,
    limits: &Limits,
    caller: &Caller,
    context: &CommandContext,
    request: &BatchAssign,
    first_seen: &FirstSeenMany,
) -> Result<Plan<BatchReceipt>, ExecuteError<Refusal>> {
    let (action, refusal) = request.action();
    if !access::allows(caller.role, action) {
        return Err(ExecuteError::Refused(Refusal::Forbidden(refusal)));
    }
    let owner = assignable_staff(bus, request.to).await?;
    let room = limits.room_for_assignment(bus, request.to, owner.role).await?;
    let items = Items::load(bus, &request.customers).await?;
    let cap = limits.held_to(owner.role);
    let mut counted = 0;
    let moves = items.decide(Some(request.to), context.at, |id, found| {
        if request.from == BatchFrom::Anywhere && !first_seen.holds(&items, id, &found.state) {
            return Err(BatchItemRefusal::VersionConflict);
        }
        let command = CustomerCommand::Assign {
            to: request.to,
            reason: request.reason.clone(),
            source: request.source(),
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        let events =
            found.state.decide(command).map_err(|error| BatchItemRefusal::of(&error, &found.state))?;
        if events.is_empty() || cap.ignores(found.state.contract_status) {
            return Ok(events);
        }
        match room {
            Some(used) if !used.has_room_for(counted + 1) => {
                let Used { limit, current } = used;
                Err(BatchItemRefusal::OwnerHoldingLimit { limit, current: current + counted })
            }
            _ => {
                counted += 1;
                Ok(events)
            }
        }
    })?;
    let Moves { mut appends, moved, receipt, holdings } = moves.or_refused()?;
    if request.is_told_as_batch() {
        appends.push(completed(request, context, moved)?);
    }
    let guards = recounted_all(holdings, limits.cap_of_assignment(owner.role));
    Ok(Plan { streams: appends, guards, result: receipt })
}

/// The fact from which each person gets one summary.
fn completed(
    request: &BatchAssign,
    context: &CommandContext,
    moved: Vec<(CustomerId, Option<StaffId>)>,
) -> Result<StreamAppend, serde_json::Error> {
    let completed = BatchAssignmentCompleted {
        to: request.to,
        moved: moved.into_iter().map(|(customer, from)| MovedCustomer { customer, from }).collect(),
        reason: request.reason.clone(),
        out_of_pool: request.from == BatchFrom::Pool,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    // The batch's stream is new with the command, so its decision cannot be refused but for a repeated command,
    // which the receipt or the event ids answer.
    let facts = Batch::default().decide(BatchCommand::CompleteAssignment(completed)).unwrap_or_default();
    StreamAppend::of(request.batch, 0, &facts)
}
