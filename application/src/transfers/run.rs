//! A run from its plan to its end: one command a lead, and one fact that tells of them all.
//!
//! What a crash leaves behind: a run with its plan, and some leads whose fate is decided. The fate of a lead, moved or
//! skipped, is a command whose id follows from run and lead, and leaves a receipt: it is decided once, however many
//! processes go on with the run, and whatever happens to the lead afterwards. The end is one append, written once.

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
use futures_util::future::try_join;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::gather::cap_of;
use super::steps::{move_of, step};
use super::{SkipReason, Stores, TransferError, TransferRefusal};
use crate::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, Draft, ExecuteError, Plan, StreamAppend,
    Versioned, execute,
};
use crate::customers::{Cap, Holding, after, recounted};
use crate::fates::{Fate, keep, load_each, load_readable};

/// Leads that are read together, while those before them move.
const LEADS_PER_PAGE: usize = 64;

/// Leads that move at once. Their commands commit in shared batches, behind which everybody else's commands wait.
const MOVES_AT_ONCE: usize = 16;

/// What came of the plan, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What moved, by this call or an earlier one.
    pub moved: Vec<PlannedMove>,
    /// What stayed, and why.
    pub skipped: Vec<Skipped>,
}

/// Moves what was planned and is still as the rule wants it. A failure of the store on the way leaves what moved; the
/// same call goes on.
pub async fn continue_run<B: CommandBus>(
    stores: Stores<'_, B>,
    run: TransferRunId,
) -> Result<Outcome, TransferError> {
    continue_run_told(stores, run, |_, _| ()).await
}

/// The same for somebody who watches: `told` hears again and again how many of how many planned leads are done.
pub async fn continue_run_told<B: CommandBus>(
    stores: Stores<'_, B>,
    run: TransferRunId,
    mut told: impl FnMut(usize, usize) + Send,
) -> Result<Outcome, TransferError> {
    let found = stores.bus.load::<TransferRun>(&StreamId::from(run)).await?.state;
    let started = found.started.ok_or_else(not_begun)?;
    if let Some(TransferRunCompleted { moved, skipped, .. }) = found.completed {
        return Ok(Outcome { moved, skipped });
    }
    let mover = Mover { stores, run, criteria: started.text.criteria(), started };
    let mut outcome = Outcome::default();
    let mut pages = found.moves.chunks(LEADS_PER_PAGE);
    let mut next = mover.read(pages.next()).await?;
    while let Some(page) = next {
        // While the moves of one page commit, the leads of the next are read.
        let (fates, following) = try_join(mover.move_all(&page), mover.read(pages.next())).await?;
        next = following;
        for (planned, fate) in page.moves.iter().zip(fates) {
            match fate {
                Fate::Done => outcome.moved.push(*planned),
                Fate::Stayed(reason) => {
                    outcome.skipped.push(Skipped { customer: planned.customer, reason });
                }
            }
        }
        told(outcome.moved.len() + outcome.skipped.len(), found.moves.len());
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
    let explanation = moved.is_empty().then(|| nothing_moved(&skipped).code().to_owned());
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

/// Why nothing of a plan moved: what kept every one of its leads.
fn nothing_moved(skipped: &[Skipped]) -> Nothing {
    let is = |one: &Skipped, kept: &[SkipReason]| kept.iter().any(|why| why.code() == one.reason);
    let all = |kept: &[SkipReason]| skipped.iter().all(|one| is(one, kept));
    let leads = skipped.len() as u64;
    if all(&[SkipReason::RuleOff]) {
        Nothing::RuleOff
    } else if all(&[SkipReason::RuleRevised]) {
        Nothing::RuleRevised
    } else if all(&[SkipReason::TargetFull, SkipReason::TargetInactive]) {
        Nothing::NoPlace { because: vec![] }
    } else if all(&[SkipReason::Unreadable]) {
        Nothing::AllUnreadable { leads }
    } else if skipped.iter().any(|one| is(one, &SkipReason::NOT_OF_THE_LEAD)) {
        Nothing::AllStayed { leads }
    } else {
        Nothing::AllTouched { leads }
    }
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

/// Leads that move together, as they were read.
struct Page<'p> {
    moves: &'p [PlannedMove],
    /// In the order of the moves; `None`: it cannot be read.
    leads: Vec<Option<Versioned<Customer>>>,
    moment: Moment,
}

/// What the moves of a page depend on besides their leads.
struct Moment {
    /// Why no further lead of this run moves, whatever it is like.
    over: Option<SkipReason>,
    /// The cap of each target, or why it may get no lead.
    caps: HashMap<StaffId, Result<Cap, SkipReason>>,
}

impl<B: CommandBus> Mover<'_, B> {
    /// Reads leads, targets and rule set-wise.
    async fn read<'p>(&self, moves: Option<&'p [PlannedMove]>) -> Result<Option<Page<'p>>, TransferError> {
        let Some(moves) = moves else { return Ok(None) };
        let streams: Vec<StreamId> = moves.iter().map(|one| StreamId::from(one.customer)).collect();
        let leads = load_each(self.stores.bus, &streams).await?;
        let moment = self.moment(moves).await?;
        Ok(Some(Page { moves, leads, moment }))
    }

    /// Moves a page: each lead is a command of its own.
    async fn move_all(&self, page: &Page<'_>) -> Result<Vec<Fate>, TransferError> {
        let Page { moves, leads, moment } = page;
        let moves = moves.iter().copied().zip(leads.iter().cloned());
        let moves = moves.map(|(planned, lead)| self.move_one(planned, lead, moment));
        stream::iter(moves).buffered(MOVES_AT_ONCE).try_collect().await
    }

    async fn moment(&self, page: &[PlannedMove]) -> Result<Moment, TransferError> {
        let rule = self.stores.bus.load::<TransferRule>(&StreamId::from(self.started.rule)).await?.state;
        let mut targets: Vec<StaffId> = page.iter().map(|one| one.to).collect();
        targets.sort_unstable();
        targets.dedup();
        let streams: Vec<StreamId> = targets.iter().map(|staff| StreamId::from(*staff)).collect();
        let found = load_each::<_, Staff>(self.stores.bus, &streams).await?;
        let cap = |found: Option<Versioned<Staff>>| match found {
            Some(found) => cap_of(self.stores, &found.state).ok_or(SkipReason::TargetInactive),
            None => Err(SkipReason::Unreadable),
        };
        let caps = targets.into_iter().zip(found.into_iter().map(cap));
        Ok(Moment { over: self.over(&rule), caps: caps.collect() })
    }

    /// A run goes on for hours when every process was down, and its rule may be another one by then: what is left waits
    /// for the next plan.
    fn over(&self, rule: &TransferRule) -> Option<SkipReason> {
        match rule.text.as_ref().filter(|_| rule.exists() && rule.enabled) {
            None => Some(SkipReason::RuleOff),
            Some(text) if !text.acts_like(&self.started.text) => Some(SkipReason::RuleRevised),
            Some(_) => None,
        }
    }

    async fn move_one(
        &self,
        planned: PlannedMove,
        found: Option<Versioned<Customer>>,
        moment: &Moment,
    ) -> Result<Fate, TransferError> {
        let mut found = found;
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let Some(lead) = &found else { return self.keep(planned, SkipReason::Unreadable).await };
            let draft = match self.decide(planned, lead, moment)? {
                Ok(draft) => draft,
                Err(reason) => return self.keep(planned, reason).await,
            };
            match self.stores.bus.append(draft).await {
                Ok(Appended::Committed { .. }) => return Ok(Fate::Done),
                Ok(Appended::Replayed(receipt)) => return Ok(Fate::of(receipt)),
                // Somebody did something with the lead in between: whether it may still go is asked again.
                Err(AppendError::Conflict { .. }) => {
                    found = load_readable(self.stores.bus, &StreamId::from(planned.customer)).await?;
                }
                Err(AppendError::LimitReached { .. }) => {
                    return self.keep(planned, SkipReason::TargetFull).await;
                }
                Err(error) => return Err(ExecuteError::Append(error)),
            }
        }
        self.keep(planned, SkipReason::Contended).await
    }

    /// The draft of a move, or why the lead stays.
    fn decide(
        &self,
        planned: PlannedMove,
        found: &Versioned<Customer>,
        moment: &Moment,
    ) -> Result<Result<Draft, SkipReason>, TransferError> {
        if let Some(over) = moment.over {
            return Ok(Err(over));
        }
        let cap = match moment.caps.get(&planned.to) {
            Some(Ok(cap)) => *cap,
            Some(Err(reason)) => return Ok(Err(*reason)),
            None => return Ok(Err(SkipReason::TargetInactive)),
        };
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
        let now = Holding::of(&after(&found.state, &events));
        let result = serde_json::to_value(planned)?;
        Ok(Ok(Draft {
            metadata: move_of(self.run, planned.customer),
            recorded_at: at,
            streams: vec![StreamAppend::of(planned.customer, found.sequence, &events)?],
            guards: recounted(Holding::of(&found.state), now, Some(cap)),
            receipt: Some((self.started.plan_hash.clone(), result)),
        }))
    }

    /// Writes down that the lead stays, unless its fate was decided before: it may be one that this run moved before it
    /// was interrupted. Another process on the same run may find a moment later that the target has room again; it then
    /// finds this, too, so that the end never says that a lead stayed which moved.
    async fn keep(&self, planned: PlannedMove, reason: SkipReason) -> Result<Fate, TransferError> {
        let command = (move_of(self.run, planned.customer), self.started.plan_hash.clone());
        keep(self.stores.bus, command, reason.code(), self.stores.clock.now()).await
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
