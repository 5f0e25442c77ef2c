//! The leads of a run from its plan to its end: one command a lead, and one fact that tells of them all.
//!
//! What a crash leaves behind: a run with its plan, and some leads whose fate is decided. The fate of a lead, fallen or
//! not, is a command whose id follows from run and lead, and leaves a receipt: it is decided once, however many
//! processes go on with the run, and whatever happens to the lead afterwards (`crate::fates`). The end is one append, written
//! once.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::customer::RECYCLE_RULE;
use domain::planned_leads::RUN_LEADS_MAX;
use domain::recycle_rule::RecyclePolicy;
use domain::recycle_rule::run::{
    NamedRule, PlannedFall, RecycleRun, RecycleRunCommand, RecycleRunCompleted, RecycleRunError,
    RecycleRunStarted, Stayed,
};
use domain::{Actor, Aggregate, CommandId, Metadata, RecycleRunId, StreamId};

use super::errand::{Errand, LEADS_AT_ONCE, run_page};
use super::{Falling, RecycleError, RecycleRefusal, Stores, policy_now};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, execute};

/// Begins the run of a period with whatever is due now; how many leads it planned. A run that began before keeps its
/// plan. Where nothing is due there is no run, and nothing is written.
pub(super) async fn begin<B: CommandBus>(
    stores: Stores<'_, B>,
    period: DateTime<Utc>,
    terms: &RecyclePolicy,
) -> Result<usize, RecycleError> {
    let run = RecycleRunId::of_period(period);
    let found = stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?;
    if found.exists() {
        return Ok(found.state.falls.len());
    }
    if terms.terms().is_empty() {
        return Ok(0);
    }
    let now = stores.clock.now();
    if stores.leads.falling(terms, None, now, 1).await?.is_empty() {
        return Ok(0);
    }
    // The list may be late. What fell a moment ago, by a run that was carried on, is not planned once more.
    stores.leads.caught_up().await?;
    let falling = stores.leads.falling(terms, None, now, RUN_LEADS_MAX).await?;
    if falling.is_empty() {
        return Ok(0);
    }
    let started = RecycleRunStarted { period, rules: named(terms, &falling), at: now };
    let planned = |one: &Falling| PlannedFall { customer: one.customer, from: one.owner, rule: one.due.rule };
    let falls = falling.iter().map(planned).collect();
    take_step(stores, run, "start", now, RecycleRunCommand::Start { started, falls }).await?;
    // Another process may have been faster: its plan counts.
    Ok(stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?.state.falls.len())
}

/// The rules of these leads, in the order in which they are asked.
fn named(terms: &RecyclePolicy, falling: &[Falling]) -> Vec<NamedRule> {
    let used: BTreeSet<_> = falling.iter().map(|one| one.due.rule).collect();
    let used = terms.terms().iter().filter(|term| used.contains(&term.rule));
    used.map(|term| NamedRule { rule: term.rule, name: term.text.name.clone() }).collect()
}

/// Carries a run to its end, from wherever it is. A failure of the store on the way leaves what fell; the same call goes
/// on.
pub(super) async fn finish<B: CommandBus>(
    stores: Stores<'_, B>,
    run: RecycleRunId,
) -> Result<RecycleRunCompleted, RecycleError> {
    let found = stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?.state;
    if let Some(completed) = found.completed {
        return Ok(completed);
    }
    let (mut fallen, mut skipped) = (Vec::new(), Vec::new());
    for page in found.falls.chunks(LEADS_AT_ONCE) {
        // A rule that is switched off meanwhile takes no further lead.
        let terms = Arc::new(policy_now(stores).await?);
        let fall = |planned| Errand::Fall { planned, terms: Arc::clone(&terms), run };
        let fates = run_page(stores, page.iter().copied().map(fall).collect()).await?;
        for (planned, fate) in page.iter().zip(fates) {
            match fate.code() {
                None => fallen.push(*planned),
                Some(code) => {
                    skipped.push(Stayed { customer: planned.customer, reason: code.to_owned() });
                }
            }
        }
    }
    let at = stores.clock.now();
    take_step(stores, run, "complete", at, RecycleRunCommand::Complete { fallen, skipped, at }).await?;
    let ended = stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?;
    ended.state.completed.ok_or(ExecuteError::Refused(RecycleRefusal::Run(RecycleRunError::NotFound)))
}

/// A step of the run itself: the same command whoever takes it.
async fn take_step<B: CommandBus>(
    stores: Stores<'_, B>,
    run: RecycleRunId,
    name: &str,
    at: DateTime<Utc>,
    command: RecycleRunCommand,
) -> Result<(), RecycleError> {
    let metadata = Metadata {
        command: CommandId::from_key(&run.to_string(), name),
        correlation: run.to_string(),
        causation: None,
        actor: Actor::System(RECYCLE_RULE.to_owned()),
    };
    let context = CommandContext { metadata, at, fingerprint: None };
    let taken = execute(stores.bus, &context, async || {
        let found = stores.bus.load::<RecycleRun>(&StreamId::from(run)).await?;
        let events = found.state.decide(command.clone());
        let events = events.map_err(|refused| ExecuteError::Refused(RecycleRefusal::Run(refused)))?;
        let append = StreamAppend::of(run, found.sequence, &events)?;
        Ok::<_, RecycleError>(Plan { streams: vec![append], guards: vec![], result: () })
    });
    taken.await?;
    Ok(())
}
