//! A run from its plan to its end: one command a lead, and one fact that tells of them all.
//!
//! What a crash leaves behind: a run with its plan, and some leads that moved. Every move has the id that follows from
//! run and lead and leaves a receipt, so whoever goes on finds the receipts and counts those leads as moved, whatever
//! happened to them since; the others are asked again and moved or skipped. The end is one append, written once.

use std::collections::HashMap;

use domain::customer::{Customer, CustomerCommand, CustomerError, CustomerEvent, RuleRun};
use domain::staff::Staff;
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::{
    PlannedMove, Skipped, TransferRun, TransferRunCommand, TransferRunCompleted, TransferRunError,
    TransferRunStarted,
};
use domain::transfer_rule::{Criteria, Ineligible, TransferRule};
use domain::{Aggregate, StaffId, StreamId, TransferRunId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::gather::cap_of;
use super::steps::{move_of, step};
use super::{SkipReason, Stores, TransferError, TransferRefusal};
use crate::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, Draft, ExecuteError, Plan, StreamAppend,
    Versioned, execute,
};
use crate::customers::moved;

/// Leads that are read and moved together. Their commands commit in shared batches; more at once would make everybody
/// else's commands wait behind them.
const MOVES_AT_ONCE: usize = 64;

/// What came of the plan, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What moved, by this call or an earlier one.
    pub moved: Vec<PlannedMove>,
    /// What stayed, and why.
    pub skipped: Vec<Skipped>,
}

/// What became of one planned lead.
enum Fate {
    Moved,
    Skipped(SkipReason),
}

/// Moves what was planned and is still as the rule wants it. A failure of the store on the way leaves what moved; the
/// same call goes on.
pub async fn continue_run<B: CommandBus>(
    stores: Stores<'_, B>,
    run: TransferRunId,
) -> Result<Outcome, TransferError> {
    let found = stores.bus.load::<TransferRun>(&StreamId::from(run)).await?.state;
    let started = found.started.ok_or_else(not_begun)?;
    if let Some(TransferRunCompleted { moved, skipped, .. }) = found.completed {
        return Ok(Outcome { moved, skipped });
    }
    let mover = Mover { stores, run, criteria: started.text.criteria(), started };
    let mut outcome = Outcome::default();
    for page in found.moves.chunks(MOVES_AT_ONCE) {
        let fates = mover.page(page).await?;
        for (planned, fate) in page.iter().zip(fates) {
            match fate {
                Fate::Moved => outcome.moved.push(*planned),
                Fate::Skipped(reason) => outcome
                    .skipped
                    .push(Skipped { customer: planned.customer, reason: reason.code().to_owned() }),
            }
        }
    }
    Ok(outcome)
}

/// Ends a run with what [`continue_run`] found. The first end counts; a second one is answered with it.
pub async fn complete_run<B: CommandBus>(
    stores: Stores<'_, B>,
    run: TransferRunId,
    outcome: Outcome,
) -> Result<TransferRunCompleted, TransferError> {
    let context = step(run, "complete", stores.clock.now());
    let Outcome { moved, skipped } = outcome;
    let leads = skipped.len() as u64;
    let explanation = moved.is_empty().then(|| Nothing::AllTouched { leads }.code().to_owned());
    let end = TransferRunCommand::Complete { moved, skipped, explanation, at: context.at };
    let stream = StreamId::from(run);
    let ended = execute(stores.bus, &context, async || {
        let found = stores.bus.load::<TransferRun>(&stream).await?;
        let events = found
            .state
            .decide(end.clone())
            .map_err(|refused| ExecuteError::Refused(TransferRefusal::Run(refused)))?;
        let append = StreamAppend::of(run, found.sequence, &events)?;
        Ok::<_, TransferError>(Plan { streams: vec![append], guards: vec![], result: () })
    });
    ended.await?;
    let found = stores.bus.load::<TransferRun>(&stream).await?;
    found.state.completed.ok_or_else(not_begun)
}

fn not_begun() -> TransferError {
    ExecuteError::Refused(TransferRefusal::Run(TransferRunError::NotFound))
}

/// Moves the leads of one run.
struct Mover<'s, B> {
    stores: Stores<'s, B>,
    run: TransferRunId,
    started: TransferRunStarted,
    criteria: Criteria,
}

/// What the moves of a page depend on besides their leads.
struct Moment {
    rule_on: bool,
    /// The cap of each target that may get leads.
    caps: HashMap<StaffId, i64>,
}

impl<B: CommandBus> Mover<'_, B> {
    /// Moves a page: leads, targets and rule are read set-wise, then each lead is a command of its own.
    async fn page(&self, page: &[PlannedMove]) -> Result<Vec<Fate>, TransferError> {
        let streams: Vec<StreamId> = page.iter().map(|one| StreamId::from(one.customer)).collect();
        let found = self.stores.bus.load_many::<Customer>(&streams).await?;
        let moment = self.moment(page).await?;
        let moves =
            page.iter().copied().zip(found).map(|(planned, found)| self.move_one(planned, found, &moment));
        stream::iter(moves).buffered(MOVES_AT_ONCE).try_collect().await
    }

    async fn moment(&self, page: &[PlannedMove]) -> Result<Moment, TransferError> {
        let rule = self.stores.bus.load::<TransferRule>(&StreamId::from(self.started.rule)).await?.state;
        let mut targets: Vec<StaffId> = page.iter().map(|one| one.to).collect();
        targets.sort_unstable();
        targets.dedup();
        let streams: Vec<StreamId> = targets.iter().map(|staff| StreamId::from(*staff)).collect();
        let found = self.stores.bus.load_many::<Staff>(&streams).await?;
        let caps = targets.into_iter().zip(found);
        let caps = caps.filter_map(|(staff, found)| Some((staff, cap_of(self.stores, &found.state)?)));
        Ok(Moment { rule_on: rule.exists() && rule.enabled, caps: caps.collect() })
    }

    async fn move_one(
        &self,
        planned: PlannedMove,
        found: Versioned<Customer>,
        moment: &Moment,
    ) -> Result<Fate, TransferError> {
        let mut found = found;
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let draft = match self.decide(planned, &found, moment)? {
                Ok(draft) => draft,
                Err(reason) => return self.skipped_unless_moved(planned, reason).await,
            };
            match self.stores.bus.append(draft).await {
                Ok(Appended::Committed { .. } | Appended::Replayed(_)) => return Ok(Fate::Moved),
                // Somebody did something with the lead in between: whether it may still go is asked again.
                Err(AppendError::Conflict { .. }) => {
                    found = self.stores.bus.load::<Customer>(&StreamId::from(planned.customer)).await?;
                }
                Err(AppendError::LimitReached { .. }) => return Ok(Fate::Skipped(SkipReason::TargetFull)),
                Err(error) => return Err(ExecuteError::Append(error)),
            }
        }
        Ok(Fate::Skipped(SkipReason::Contended))
    }

    /// The draft of a move, or why the lead stays.
    fn decide(
        &self,
        planned: PlannedMove,
        found: &Versioned<Customer>,
        moment: &Moment,
    ) -> Result<Result<Draft, SkipReason>, TransferError> {
        if !moment.rule_on {
            return Ok(Err(SkipReason::RuleOff));
        }
        let Some(cap) = moment.caps.get(&planned.to) else { return Ok(Err(SkipReason::TargetInactive)) };
        let at = self.stores.clock.now();
        let rule_run = RuleRun { rule: self.started.rule, run: self.run };
        let command = CustomerCommand::AutoTransfer {
            to: planned.to,
            rule_run,
            criteria: Box::new(self.criteria.clone()),
            expected_owner: planned.from,
            reason: reason(&self.started.text.name),
            at,
        };
        let events: Vec<CustomerEvent> = match found.state.decide(command) {
            Ok(events) => events,
            Err(refused) => return Ok(Err(SkipReason::Ineligible(ineligible(&refused)))),
        };
        if events.is_empty() {
            // The target has it already. By this run: the receipt says so; otherwise somebody else was faster.
            return Ok(Err(SkipReason::Ineligible(Ineligible::OwnerChanged)));
        }
        let result = serde_json::to_value(planned)?;
        Ok(Ok(Draft {
            metadata: move_of(self.run, planned.customer),
            recorded_at: at,
            streams: vec![StreamAppend::of(planned.customer, found.sequence, &events)?],
            guards: moved(Some(planned.from), Some(planned.to), Some(*cap)),
            receipt: Some((self.started.plan_hash.clone(), result)),
        }))
    }

    /// A lead that may not go (any more) may be one that this run moved before it was interrupted.
    async fn skipped_unless_moved(
        &self,
        planned: PlannedMove,
        reason: SkipReason,
    ) -> Result<Fate, TransferError> {
        let command = move_of(self.run, planned.customer).command;
        let receipt = self.stores.bus.receipt(command).await?;
        Ok(receipt.map_or(Fate::Skipped(reason), |_| Fate::Moved))
    }
}

/// Why the lead changed hands, as its page shows it; system A's words (existing-systems.md section 5.3, number 8).
fn reason(rule_name: &str) -> String {
    format!("自动流转-规则: {rule_name}")
}

/// Everything else a customer may say means that it is not there.
fn ineligible(refused: &CustomerError) -> Ineligible {
    match refused {
        CustomerError::NotEligible(reason) => *reason,
        _ => Ineligible::Deleted,
    }
}
