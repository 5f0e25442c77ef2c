//! Administrators write recycle rules, change, switch and delete them.

use domain::recycle_rule::{
    RecycleRule, RecycleRuleCommand, RecycleRuleDeleted, RecycleRuleDisabled, RecycleRuleError, RecycleWish,
};
use domain::{Aggregate, RecycleRuleId, Sequence, StreamId};
use serde::{Deserialize, Serialize};

use super::{RecycleError, RecycleRefusal, permitted};
use crate::access::{Action, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};

/// What is remembered of a command on a rule: the answer is the rule at `sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReceipt {
    /// The rule.
    pub rule: RecycleRuleId,
    /// Its version afterwards.
    pub sequence: Sequence,
}

/// How a command on a rule ends.
type RuleResult = Result<Executed<RuleReceipt>, RecycleError>;

/// Which rule, and what the caller saw of it.
#[derive(Debug, Clone, Copy)]
struct Target {
    rule: RecycleRuleId,
    expected: Option<Sequence>,
}

/// Writes a rule. Nobody loses a lead to it before its `effective_from`; where the text names none, everybody is warned
/// before.
pub async fn create_rule<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    rule: RecycleRuleId,
    (text, enabled): (RecycleWish, bool),
) -> RuleResult {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let create = RecycleRuleCommand::Create { text, enabled, by, at };
    carry_out(bus, caller, context, Target { rule, expected: None }, create).await
}

/// Replaces what a rule says. `expected` is the version the caller saw, when it said one.
pub async fn revise_rule<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    (rule, expected): (RecycleRuleId, Option<Sequence>),
    text: RecycleWish,
) -> RuleResult {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let revise = RecycleRuleCommand::Revise { text, by, at };
    carry_out(bus, caller, context, Target { rule, expected }, revise).await
}

/// Switches a rule on or off.
pub async fn switch_rule<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    (rule, expected): (RecycleRuleId, Option<Sequence>),
    enabled: bool,
) -> RuleResult {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let switch = if enabled {
        RecycleRuleCommand::Enable { by, at }
    } else {
        RecycleRuleCommand::Disable(RecycleRuleDisabled { by, at })
    };
    carry_out(bus, caller, context, Target { rule, expected }, switch).await
}

/// Deletes a rule.
pub async fn delete_rule<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    (rule, expected): (RecycleRuleId, Option<Sequence>),
) -> RuleResult {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let delete = RecycleRuleCommand::Delete(RecycleRuleDeleted { by, at });
    carry_out(bus, caller, context, Target { rule, expected }, delete).await
}

async fn carry_out<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    Target { rule, expected }: Target,
    command: RecycleRuleCommand,
) -> RuleResult {
    permitted(caller, Action::EditRecycleRules)?;
    execute(bus, context, async || {
        let found = bus.load::<RecycleRule>(&StreamId::from(rule)).await?;
        // Said before the version: whoever knows an old one learns that the rule is gone.
        let gone = found.exists() && !found.state.exists();
        let deletes = matches!(command, RecycleRuleCommand::Delete(_));
        if gone && !deletes {
            return Err(ExecuteError::Refused(RecycleRuleError::NotFound.into()));
        }
        if found.exists() && !gone && expected.is_some_and(|expected| expected != found.sequence) {
            return Err(ExecuteError::Refused(RecycleRefusal::Stale { sequence: found.sequence }));
        }
        let events =
            found.state.decide(command.clone()).map_err(|refused| ExecuteError::Refused(refused.into()))?;
        let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
        let stream = StreamAppend::of(rule, found.sequence, &events)?;
        Ok(Plan { streams: vec![stream], guards: vec![], result: RuleReceipt { rule, sequence } })
    })
    .await
}
