//! Writing rules: who may, what is checked, and which other rules want the same leads (existing-systems.md section
//! 5.4; transfer-and-recycle.md section 1).
//!
//! Bounds are the domain's. That the people of a rule exist, and that those who get leads are active, is asked here,
//! where the staff can be loaded.

use std::collections::BTreeSet;

use domain::customer::ContractStatus;
use domain::staff::Staff;
use domain::transfer_rule::{
    RuleText, RuleViolation, TransferRule, TransferRuleCommand, TransferRuleCreated, TransferRuleDeleted,
    TransferRuleDisabled, TransferRuleEnabled, TransferRuleError, TransferRuleEvent, TransferRuleRevised,
};
use domain::{Aggregate, Sequence, StaffId, StreamId, TransferRuleId};
use serde::{Deserialize, Serialize};

use super::RulePatch;
use crate::access::{self, Action, Caller};
use crate::bus::{
    CommandBus, CommandContext, ExecuteError, Executed, LoadError, Plan, StreamAppend, Versioned, execute,
};
use crate::fates::load_each;

/// Refusal of existing-systems.md section 5.4.
const MAY_NOT_EDIT: &str = "只有管理员或经理可以管理流转规则";

/// What is remembered of a command on a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReceipt {
    /// The rule.
    pub rule: TransferRuleId,
    /// Number of its last event afterwards; the answer shows the rule there.
    pub sequence: Sequence,
}

/// Why a rule is not written, changed or deleted. Texts are system A's where A had them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleRefusal {
    /// The role may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such rule, or not any more.
    #[error("规则不存在")]
    NotFound,
    /// The id belongs to another rule.
    #[error("规则已存在")]
    AlreadyExists,
    /// Somebody else has changed it since the caller saw it.
    #[error("规则已被其他人修改，请刷新后重试")]
    Stale {
        /// Where it is now.
        sequence: Sequence,
    },
    /// Places that break a bound, each named.
    #[error("流转规则有{}处不符合要求", .0.len())]
    Invalid(Vec<RuleViolation>),
    /// People who are not there.
    #[error("部分用户不存在")]
    UnknownPeople(Vec<StaffId>),
    /// People who were to get leads and cannot log in.
    #[error("部分流入人员未激活")]
    InactiveTargets(Vec<StaffId>),
}

impl From<TransferRuleError> for RuleRefusal {
    fn from(error: TransferRuleError) -> Self {
        match error {
            TransferRuleError::NotFound => Self::NotFound,
            TransferRuleError::AlreadyExists => Self::AlreadyExists,
            TransferRuleError::Invalid(violations) => Self::Invalid(violations),
        }
    }
}

/// How a command on a rule ends.
pub type RuleResult = Result<Executed<RuleReceipt>, ExecuteError<RuleRefusal>>;

/// Writes a rule. It runs unless the patch says otherwise.
pub async fn create_rule<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    caller: &Caller,
    id: TransferRuleId,
    wanted: &RulePatch,
) -> RuleResult {
    permitted(caller)?;
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let text = wanted.clone().written();
    let enabled = wanted.enabled.unwrap_or(true);
    let create = TransferRuleCommand::Create(Box::new(TransferRuleCreated { text, enabled, by, at }));
    execute(bus, context, async || {
        let found = bus.load::<TransferRule>(&StreamId::from(id)).await?;
        let events = found.state.decide(create.clone()).map_err(refused)?;
        if let TransferRuleCommand::Create(created) = &create {
            people(bus, &created.text, None).await?;
        }
        plan(id, &found, &events)
    })
    .await
}

/// Changes what a rule says, or whether it runs: all of it or none. Quotas and balances stay (fault A-27).
pub async fn revise_rule<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    caller: &Caller,
    id: TransferRuleId,
    wanted: &RulePatch,
    expected: Option<Sequence>,
) -> RuleResult {
    permitted(caller)?;
    let (by, at) = (context.metadata.actor.clone(), context.at);
    execute(bus, context, async || {
        let found = bus.load::<TransferRule>(&StreamId::from(id)).await?;
        as_seen(&found, expected)?;
        let before = found.state.text.clone().ok_or_else(|| refused(RuleRefusal::NotFound))?;
        let text = wanted.clone().onto(before.clone());
        let revised = TransferRuleRevised { text: text.clone(), by: by.clone(), at };
        let switch = wanted.enabled.map(|on| switched(on, context));
        let mut state = found.state.clone();
        let mut events = vec![];
        for command in [Some(TransferRuleCommand::Revise(Box::new(revised))), switch].into_iter().flatten() {
            let decided = state.decide(command).map_err(refused)?;
            for event in &decided {
                state.evolve(event);
            }
            events.extend(decided);
        }
        people(bus, &text, Some(&before)).await?;
        plan(id, &found, &events)
    })
    .await
}

/// Lets a rule run, or not.
pub async fn toggle_rule<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    caller: &Caller,
    id: TransferRuleId,
    enabled: bool,
    expected: Option<Sequence>,
) -> RuleResult {
    let command = switched(enabled, context);
    simple(bus, context, caller, id, command, expected).await
}

/// Takes a rule away; its runs and records stay.
pub async fn delete_rule<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    caller: &Caller,
    id: TransferRuleId,
    expected: Option<Sequence>,
) -> RuleResult {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let command = TransferRuleCommand::Delete(TransferRuleDeleted { by, at });
    simple(bus, context, caller, id, command, expected).await
}

/// A rule that may take the same leads as another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The other rule.
    pub rule: TransferRuleId,
    /// What it is called.
    pub name: String,
    /// Whose leads both take.
    pub sources: Vec<StaffId>,
    /// In which states both take them.
    pub statuses: Vec<ContractStatus>,
}

/// Which of the `others` are on and may take the same leads as this one. A report, not a refusal: a lead that both want
/// goes where the first of them sends it, and is no longer idle for the second.
pub async fn overlaps<B: CommandBus>(
    bus: &B,
    id: TransferRuleId,
    text: &RuleText,
    others: &[TransferRuleId],
) -> Result<Vec<Overlap>, LoadError> {
    let others: Vec<TransferRuleId> = others.iter().copied().filter(|other| *other != id).collect();
    let streams: Vec<StreamId> = others.iter().copied().map(StreamId::from).collect();
    let found = bus.load_many::<TransferRule>(&streams).await?;
    let both = |(rule, found): (TransferRuleId, Versioned<TransferRule>)| {
        let other = found.state;
        let runs = other.exists() && other.enabled;
        let other = other.text.filter(|other| runs && text.overlaps(other))?;
        let mut sources = text.sources.clone();
        sources.retain(|source| other.sources.contains(source));
        let mut statuses = text.conditions.contract_statuses.clone();
        statuses.retain(|status| other.conditions.contract_statuses.contains(status));
        Some(Overlap { rule, name: other.name, sources, statuses })
    };
    Ok(others.into_iter().zip(found).filter_map(both).collect())
}

async fn simple<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    caller: &Caller,
    id: TransferRuleId,
    command: TransferRuleCommand,
    expected: Option<Sequence>,
) -> RuleResult {
    permitted(caller)?;
    execute(bus, context, async || {
        let found = bus.load::<TransferRule>(&StreamId::from(id)).await?;
        as_seen(&found, expected)?;
        let events = found.state.decide(command.clone()).map_err(refused)?;
        plan(id, &found, &events)
    })
    .await
}

fn switched(enabled: bool, context: &CommandContext) -> TransferRuleCommand {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    if enabled {
        TransferRuleCommand::Enable(TransferRuleEnabled { by, at })
    } else {
        TransferRuleCommand::Disable(TransferRuleDisabled { by, at })
    }
}

/// Refuses people who are not there, and targets who cannot log in. Whoever was a target `before` stays one when the
/// account is cut off: the runs pass them over, and an edit of something else must not fail for it. An account that cannot
/// be read is there, and the runs pass it over as well.
pub(super) async fn people<B: CommandBus>(
    bus: &B,
    text: &RuleText,
    before: Option<&RuleText>,
) -> Result<(), ExecuteError<RuleRefusal>> {
    let everybody: BTreeSet<StaffId> = text.sources.iter().chain(&text.targets).copied().collect();
    let streams: Vec<StreamId> = everybody.iter().copied().map(StreamId::from).collect();
    let found = load_each::<_, Staff>(bus, &streams).await?;
    let was_target = |person: &StaffId| before.is_some_and(|before| before.targets.contains(person));
    let (mut unknown, mut inactive) = (vec![], vec![]);
    let readable = everybody.into_iter().zip(found).filter_map(|(person, found)| Some((person, found?)));
    for (person, found) in readable {
        if found.state.account.is_none() {
            unknown.push(person);
        } else if text.targets.contains(&person) && !found.state.is_active() && !was_target(&person) {
            inactive.push(person);
        }
    }
    if !unknown.is_empty() {
        return Err(refused(RuleRefusal::UnknownPeople(unknown)));
    }
    if inactive.is_empty() { Ok(()) } else { Err(refused(RuleRefusal::InactiveTargets(inactive))) }
}

fn permitted(caller: &Caller) -> Result<(), ExecuteError<RuleRefusal>> {
    if access::allows(caller.role, Action::EditTransferRules) {
        Ok(())
    } else {
        Err(refused(RuleRefusal::Forbidden(MAY_NOT_EDIT)))
    }
}

/// A rule that is there is the one the caller saw, if the caller said which.
fn as_seen(
    found: &Versioned<TransferRule>,
    expected: Option<Sequence>,
) -> Result<(), ExecuteError<RuleRefusal>> {
    match expected {
        Some(expected) if found.state.exists() && expected != found.sequence => {
            Err(refused(RuleRefusal::Stale { sequence: found.sequence }))
        }
        _ => Ok(()),
    }
}

fn refused(refusal: impl Into<RuleRefusal>) -> ExecuteError<RuleRefusal> {
    ExecuteError::Refused(refusal.into())
}

fn plan(
    rule: TransferRuleId,
    found: &Versioned<TransferRule>,
    events: &[TransferRuleEvent],
) -> Result<Plan<RuleReceipt>, ExecuteError<RuleRefusal>> {
    let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
    Ok(Plan {
        streams: vec![StreamAppend::of(rule, found.sequence, events)?],
        guards: vec![],
        result: RuleReceipt { rule, sequence },
    })
}
