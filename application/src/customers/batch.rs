//! Assign many customers as one command: set-wise reads, one append, one result an item, one fact for the policy
//! (product.md G5).

use std::collections::HashMap;
use std::sync::OnceLock;

use domain::batch::{Batch, BatchAssignmentCompleted, BatchCommand, MovedCustomer};
use domain::customer::{AssignmentSource, Customer, CustomerCommand, Ownership};
use domain::{Aggregate, BatchId, CustomerId, StaffId, StreamId};
use serde::{Deserialize, Serialize};

use super::{CustomerResult, Refusal, assignable_staff};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, Versioned, execute};

/// Refusal of existing-systems.md section 2.1.
const MAY_NOT_BATCH: &str = "只有管理员、经理或运营可以批量分配客户";

/// Shown as the source of a batch when the assigner gave no reason, as system A words it.
pub const SOURCE_BY_BATCH: &str = "批量分配";

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
}

/// What is remembered of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReceipt {
    /// The new owner.
    pub to: StaffId,
    /// Customers that changed hands.
    pub moved: Vec<CustomerId>,
    /// Customers that the owner had already.
    pub unchanged: Vec<CustomerId>,
    /// Customers that could not be assigned.
    pub failed: Vec<(CustomerId, BatchItemRefusal)>,
    /// When.
    pub at: chrono::DateTime<chrono::Utc>,
}

/// Why one item of a batch was not assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchItemRefusal {
    /// There is no such customer.
    #[error("客户不存在")]
    CustomerNotFound,
    /// Somebody else moved it at the same time.
    #[error("客户已被其他人修改，请刷新后重试")]
    VersionConflict,
}

impl BatchItemRefusal {
    /// The code in `errors[]`.
    pub fn code(self) -> &'static str {
        match self {
            Self::CustomerNotFound => "CUSTOMER_NOT_FOUND",
            Self::VersionConflict => "VERSION_CONFLICT",
        }
    }
}

/// Assigns many customers to one person.
pub async fn batch_assign<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: BatchAssign,
) -> CustomerResult<BatchReceipt> {
    let first_seen = OnceLock::new();
    execute(bus, context, async || plan(bus, caller, context, &request, &first_seen).await).await
}

type Seen = HashMap<CustomerId, Ownership>;

async fn plan<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: &BatchAssign,
    first_seen: &OnceLock<Seen>,
) -> Result<Plan<BatchReceipt>, ExecuteError<Refusal>> {
    if !access::allows(caller.role, Action::AssignCustomer) {
        return Err(ExecuteError::Refused(Refusal::Forbidden(MAY_NOT_BATCH)));
    }
    assignable_staff(bus, request.to).await?;
    let streams: Vec<StreamId> = request.customers.iter().map(|id| StreamId::from(*id)).collect();
    let found = bus.load_many::<Customer>(&streams).await?;
    let customers: Vec<_> = request.customers.iter().copied().zip(found).collect();
    let seen = first_seen
        .get_or_init(|| customers.iter().map(|(id, found)| (*id, found.state.ownership.clone())).collect());

    let mut receipt =
        BatchReceipt { to: request.to, moved: vec![], unchanged: vec![], failed: vec![], at: context.at };
    let mut appends = Vec::new();
    let mut moved = Vec::new();
    for (id, found) in &customers {
        match item(request, context, *id, found, seen) {
            Err(refusal) => receipt.failed.push((*id, refusal)),
            Ok(events) if events.is_empty() => receipt.unchanged.push(*id),
            Ok(events) => {
                receipt.moved.push(*id);
                moved.push(MovedCustomer { customer: *id, from: found.state.owner() });
                appends.push(StreamAppend::of(*id, found.sequence, &events)?);
            }
        }
    }
    let completed = BatchAssignmentCompleted {
        to: request.to,
        moved,
        reason: request.reason.clone(),
        out_of_pool: false,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    // The batch's stream is new with the command, so its decision cannot be refused but for a repeated command,
    // which the receipt or the event ids answer.
    let facts = Batch::default().decide(BatchCommand::CompleteAssignment(completed)).unwrap_or_default();
    appends.push(StreamAppend::of(request.batch, 0, &facts)?);
    Ok(Plan { streams: appends, guards: vec![], result: receipt })
}

fn item(
    request: &BatchAssign,
    context: &CommandContext,
    id: CustomerId,
    found: &Versioned<Customer>,
    seen: &Seen,
) -> Result<Vec<domain::customer::CustomerEvent>, BatchItemRefusal> {
    if seen.get(&id).is_some_and(|first| *first != found.state.ownership) {
        return Err(BatchItemRefusal::VersionConflict);
    }
    let command = CustomerCommand::Assign {
        to: request.to,
        reason: request.reason.clone(),
        source: AssignmentSource::Batch(request.batch),
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    // The only refusal of an assignment is that there is no such customer.
    found.state.decide(command).map_err(|_| BatchItemRefusal::CustomerNotFound)
}
