//! Put many customers into the public pool as one command.

use domain::batch::{Batch, BatchCommand, BatchReleaseCompleted, OwnedCustomer};
use domain::customer::{Customer, CustomerCommand};
use domain::{Aggregate, BatchId, CustomerId};

use super::items::{BatchItemRefusal, BatchReceipt, FirstSeenMany, Items, Moves};
use super::limits::recounted_all;
use super::release::may_release;
use super::{CustomerResult, Refusal};
use crate::access::Caller;
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, execute};

/// What to release. At most `domain::batch::BATCH_CUSTOMERS_MAX` customers, each once.
#[derive(Debug, Clone)]
pub struct BatchRelease {
    /// Id of the batch; the command's own.
    pub batch: BatchId,
    /// The customers, each once.
    pub customers: Vec<CustomerId>,
    /// Why.
    pub reason: String,
}

impl BatchRelease {
    /// A single lead is told as itself, not as a batch of one.
    fn told_as(&self) -> Option<BatchId> {
        (self.customers.len() > 1).then_some(self.batch)
    }
}

/// Puts many customers into the public pool; who may release which is checked item by item.
pub async fn batch_release<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: BatchRelease,
) -> CustomerResult<BatchReceipt> {
    let first_seen = FirstSeenMany::default();
    execute(bus, context, async || plan(bus, caller, context, &request, &first_seen).await).await
}

async fn plan<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: &BatchRelease,
    first_seen: &FirstSeenMany,
) -> Result<Plan<BatchReceipt>, ExecuteError<Refusal>> {
    let items = Items::load(bus, &request.customers).await?;
    let moves = items.decide(None, context.at, |id, found| {
        permitted(caller, &found.state)?;
        if !first_seen.holds(&items, id, &found.state) {
            return Err(BatchItemRefusal::VersionConflict);
        }
        let command = CustomerCommand::Release {
            reason: request.reason.clone(),
            batch: request.told_as(),
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        found.state.decide(command).map_err(|error| BatchItemRefusal::of(&error, &found.state))
    })?;
    let Moves { mut appends, moved, receipt, holdings } = moves.or_refused()?;
    if request.told_as().is_some() {
        let released = moved
            .into_iter()
            .filter_map(|(customer, owner)| Some(OwnedCustomer { customer, owner: owner? }))
            .collect();
        let (by, at) = (context.metadata.actor.clone(), context.at);
        let fact = BatchReleaseCompleted { released, reason: request.reason.clone(), by, at };
        // The batch's stream is new with the command, so its decision cannot be refused.
        let facts = Batch::default().decide(BatchCommand::CompleteRelease(fact)).unwrap_or_default();
        appends.push(StreamAppend::of(request.batch, 0, &facts)?);
    }
    Ok(Plan { streams: appends, guards: recounted_all(holdings, None), result: receipt })
}

fn permitted(caller: &Caller, customer: &Customer) -> Result<(), BatchItemRefusal> {
    if !customer.exists() {
        return Err(BatchItemRefusal::CustomerNotFound);
    }
    match may_release(caller, customer) {
        Ok(()) => Ok(()),
        Err(Refusal::NotOwner) => Err(BatchItemRefusal::NotYours),
        Err(_) => Err(BatchItemRefusal::CustomerNotFound),
    }
}
