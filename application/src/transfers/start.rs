//! The beginning of a run: the whole plan is written down in one append before the first lead moves.

use chrono::{DateTime, Utc};
use domain::transfer_rule::plan::{Nothing, PlanInputs};
use domain::transfer_rule::run::{
    Seed, TransferRun, TransferRunCommand, TransferRunError, TransferRunEvent, TransferRunStarted, Trigger,
};
use domain::{Actor, Aggregate, StreamId, TransferRuleId, TransferRunId};
use serde::{Deserialize, Serialize};

use super::gather::Rule;
use super::steps::step;
use super::{Previews, Stores, TransferError, TransferRefusal};
use crate::access::{self, Action, Caller};
use crate::bus::{
    AppendError, CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, Versioned, execute,
};
use crate::customers::after;

/// Refusal of existing-systems.md section 5.4.
const MAY_NOT_RUN: &str = "只有管理员或经理可以管理流转规则";

/// Why a rule runs now.
#[derive(Debug, Clone)]
pub enum Occasion {
    /// Its period came. Window and idle times are asked for the period's moment, so it does not matter when the run
    /// really begins.
    Period(DateTime<Utc>),
    /// Somebody asked for it, whatever the hour; the run has the id of the command.
    Asked {
        /// Who asks; the role is checked.
        caller: Caller,
        /// The request.
        context: CommandContext,
    },
}

impl Occasion {
    /// The run: of a period always the same one, however many processes begin it.
    pub fn run(&self, rule: TransferRuleId) -> TransferRunId {
        match self {
            Self::Period(period) => TransferRunId::of_period(rule, *period),
            Self::Asked { context, .. } => TransferRunId(context.metadata.command.0),
        }
    }

    fn permitted(&self) -> Result<(), TransferError> {
        match self {
            Self::Asked { caller, .. } if !access::allows(caller.role, Action::RunTransferRules) => {
                Err(ExecuteError::Refused(TransferRefusal::Forbidden(MAY_NOT_RUN)))
            }
            _ => Ok(()),
        }
    }
}

/// A run that began, now or before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The run.
    pub run: TransferRunId,
    /// How many moves it planned.
    pub planned: usize,
    /// Whether it is over: an empty plan ends with its beginning.
    pub completed: bool,
    /// Why the plan was empty; only said by the one who began the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<Nothing>,
}

impl Begun {
    fn of(run: TransferRunId, state: &TransferRun) -> Self {
        Self { run, planned: state.moves.len(), completed: state.completed.is_some(), nothing: None }
    }
}

/// Begins a run of a rule with whatever fits now. A run that began before is answered, not begun again. A period outside
/// the rule's window begins none: what is answered says so, and there is no such run.
pub async fn start_run<B: CommandBus>(
    stores: Stores<'_, B>,
    rule: TransferRuleId,
    occasion: &Occasion,
) -> Result<Begun, TransferError> {
    occasion.permitted()?;
    let run = occasion.run(rule);
    if let Some(begun) = begun_before(stores, run, occasion).await? {
        return Ok(begun);
    }
    let rule = Rule::load(stores.bus, rule).await?;
    if let Occasion::Period(period) = occasion
        && rule.enabled
        && !rule.text.window.contains(*period)
    {
        // A clock says as much: nothing is looked at, and nothing is written (docs/adr/0024).
        let nothing = Some(Nothing::WindowClosed);
        return Ok(Begun { run, planned: 0, completed: true, nothing });
    }
    let at = match occasion {
        Occasion::Period(period) => *period,
        Occasion::Asked { .. } => stores.clock.now(),
    };
    let inputs = rule.inputs(stores, seed_of(run), at).await?;
    Start { stores, run, rule: &rule, occasion, inputs: &inputs }.carry_out().await
}

/// Begins a run with exactly the plan of a preview, or says what changed since (transfer-and-recycle.md section 2).
///
/// The inputs are gathered anew for the preview's moment: a lead that became idle enough only after it is no change,
/// one that was touched is.
pub async fn start_planned<B: CommandBus>(
    stores: Stores<'_, B>,
    previews: &dyn Previews,
    occasion: &Occasion,
    plan_hash: &str,
) -> Result<Begun, TransferError> {
    occasion.permitted()?;
    let kept = previews.find(plan_hash).await?;
    let kept = kept.ok_or(ExecuteError::Refused(TransferRefusal::UnknownPlan))?;
    let run = occasion.run(kept.rule);
    if let Some(begun) = begun_before(stores, run, occasion).await? {
        return Ok(begun);
    }
    let rule = Rule::load(stores.bus, kept.rule).await?;
    let now = rule.inputs(stores, kept.seed, kept.at).await?;
    let changes = kept.difference(&now);
    if !changes.is_empty() {
        return Err(ExecuteError::Refused(TransferRefusal::PlanChanged(changes)));
    }
    Start { stores, run, rule: &rule, occasion, inputs: &now }.carry_out().await
}

/// The run that a request for one run began before, with its rule and what that was called: what was done is told,
/// whatever became of the preview and of the rule since. `None` for a request that names no key.
pub async fn begun_by<B: CommandBus>(
    stores: Stores<'_, B>,
    context: &CommandContext,
) -> Result<Option<(TransferRuleId, String, Begun)>, TransferError> {
    if context.fingerprint.is_none() {
        return Ok(None);
    }
    key_is_its_own(stores, context).await?;
    let run = TransferRunId(context.metadata.command.0);
    let found = stores.bus.load::<TransferRun>(&StreamId::from(run)).await?.state;
    let begun = Begun::of(run, &found);
    Ok(found.started.map(|started| (started.rule, started.text.name, begun)))
}

/// Refuses a key that named another request before.
async fn key_is_its_own<B: CommandBus>(
    stores: Stores<'_, B>,
    context: &CommandContext,
) -> Result<(), TransferError> {
    if let CommandContext { metadata, fingerprint: Some(mine), .. } = context
        && let Some(receipt) = stores.bus.receipt(metadata.command).await?
        && receipt.fingerprint != *mine
    {
        return Err(ExecuteError::Append(AppendError::KeyReused));
    }
    Ok(())
}

/// The run, if it is there; a key that began another run is refused as reused.
async fn begun_before<B: CommandBus>(
    stores: Stores<'_, B>,
    run: TransferRunId,
    occasion: &Occasion,
) -> Result<Option<Begun>, TransferError> {
    if let Occasion::Asked { context, .. } = occasion {
        key_is_its_own(stores, context).await?;
    }
    let found = stores.bus.load::<TransferRun>(&StreamId::from(run)).await?;
    Ok(found.exists().then(|| Begun::of(run, &found.state)))
}

/// The chance of a run that nobody previewed: it follows from the run, so that processes that begin it at once agree.
fn seed_of(run: TransferRunId) -> Seed {
    Seed(run.0.as_u64_pair().0)
}

struct Start<'s, B> {
    stores: Stores<'s, B>,
    run: TransferRunId,
    rule: &'s Rule,
    occasion: &'s Occasion,
    inputs: &'s PlanInputs,
}

impl<B: CommandBus> Start<'_, B> {
    async fn carry_out(&self) -> Result<Begun, TransferError> {
        if !self.rule.enabled {
            return Err(ExecuteError::Refused(TransferRefusal::RuleDisabled));
        }
        let now = self.stores.clock.now();
        let context = match self.occasion {
            Occasion::Asked { context, .. } => context.clone(),
            Occasion::Period(_) => step(self.run, "start", now),
        };
        let plan = self.inputs.plan();
        let nothing = match plan.moves.as_slice() {
            [] => Some(self.rule.scene(self.stores, self.inputs, &plan.unplaced).await?.explain()),
            _ => None,
        };
        let begin = TransferRunCommand::Start {
            started: Box::new(self.started(context.metadata.actor.clone(), context.at)),
            moves: plan.moves,
            unplaced: plan.unplaced,
        };
        let planned = execute(self.stores.bus, &context, async || {
            let stream = StreamId::from(self.run);
            let found = self.stores.bus.load::<TransferRun>(&stream).await?;
            if found.exists() {
                // Another process was faster: its plan counts.
                return Ok(Plan {
                    streams: vec![],
                    guards: vec![],
                    result: Begun::of(self.run, &found.state),
                });
            }
            self.begin(&found, begin.clone(), nothing.clone(), context.at)
        });
        Ok(planned.await?.result)
    }

    /// Beginning and plan, and the end too when there is nothing to do.
    fn begin(
        &self,
        found: &Versioned<TransferRun>,
        begin: TransferRunCommand,
        nothing: Option<Nothing>,
        at: DateTime<Utc>,
    ) -> Result<Plan<Begun>, TransferError> {
        let mut events = decide(&found.state, begin)?;
        let mut state = after(&found.state, &events);
        if let Some(nothing) = &nothing {
            let explanation = Some(nothing.code().to_owned());
            let end = TransferRunCommand::Complete { moved: vec![], skipped: vec![], explanation, at };
            let ended = decide(&state, end)?;
            state = after(&state, &ended);
            events.extend(ended);
        }
        let stream = StreamAppend::of(self.run, found.sequence, &events)?;
        let result = Begun { nothing, ..Begun::of(self.run, &state) };
        Ok(Plan { streams: vec![stream], guards: vec![], result })
    }

    fn started(&self, by: Actor, at: DateTime<Utc>) -> TransferRunStarted {
        let (period, trigger) = match self.occasion {
            Occasion::Period(period) => (Some(*period), Trigger::Scheduled),
            Occasion::Asked { .. } => (None, Trigger::Manual),
        };
        TransferRunStarted {
            rule: self.rule.id,
            revision: self.inputs.revision,
            text: self.inputs.text.clone(),
            period,
            trigger,
            seed: self.inputs.seed,
            plan_hash: self.inputs.hash(),
            by,
            at,
        }
    }
}

fn decide(state: &TransferRun, command: TransferRunCommand) -> Result<Vec<TransferRunEvent>, TransferError> {
    let decided: Result<_, TransferRunError> = state.decide(command);
    decided.map_err(|refused| ExecuteError::Refused(refused.into()))
}
