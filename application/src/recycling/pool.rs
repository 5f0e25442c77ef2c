//! The rules of the public pool: set by administrators, over what the configuration says.
//!
//! [`limits_in_force`] is the one place that knows which limits hold. Whoever is held to one reads it here for each
//! command; the counts behind it are judged inside the append.

use chrono::TimeDelta;
use domain::pool_rules::{PoolRules, PoolRulesCommand, PoolRulesSet, PoolRulesText};
use domain::{Aggregate, Sequence, StreamId};

use super::{RecycleError, RecycleRefusal, permitted};
use crate::access::{Action, Caller};
use crate::bus::{
    CommandBus, CommandContext, ExecuteError, Executed, LoadError, Plan, StreamAppend, execute,
};
use crate::customers::Limits;
use crate::preferences::SettingReceipt;

/// What people are held to now: what the rules of the pool leave open is as the configuration says.
pub async fn limits_in_force<B: CommandBus>(bus: &B, configured: &Limits) -> Result<Limits, LoadError> {
    let rules = bus.load::<PoolRules>(&StreamId::pool_rules()).await?.state;
    Ok(overlaid(configured, &rules.text))
}

/// The configured limits with what the rules say instead.
fn overlaid(configured: &Limits, rules: &PoolRulesText) -> Limits {
    let some = |number: i64| (number > 0).then_some(number);
    let caps = rules.holding_cap_by_role.clone();
    Limits {
        holding_cap: rules.holding_cap.unwrap_or(configured.holding_cap),
        holding_cap_by_role: caps.unwrap_or_else(|| configured.holding_cap_by_role.clone()),
        cap_ignores_signed: rules.cap_ignores_signed.unwrap_or(configured.cap_ignores_signed),
        assignments_held_to_cap: rules.assignments_held_to_cap.unwrap_or(configured.assignments_held_to_cap),
        claims_per_day: rules.claims_per_day.map_or(configured.claims_per_day, some),
        claim_gap: rules
            .claim_gap_seconds
            .map_or(configured.claim_gap, |seconds| some(seconds).map(TimeDelta::seconds)),
        cool_off: rules.cool_off_hours.map_or(configured.cool_off, |hours| some(hours).map(TimeDelta::hours)),
        zone: configured.zone,
    }
}

/// Replaces the rules as a whole. `expected` is the version the caller saw, when it said one.
pub async fn set_pool_rules<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    text: &PoolRulesText,
    expected: Option<Sequence>,
) -> Result<Executed<SettingReceipt>, RecycleError> {
    permitted(caller, Action::EditRecycleRules)?;
    execute(bus, context, async || {
        let stream = StreamId::pool_rules();
        let found = bus.load::<PoolRules>(&stream).await?;
        if expected.is_some_and(|expected| expected != found.sequence) {
            return Err(ExecuteError::Refused(RecycleRefusal::Stale { sequence: found.sequence }));
        }
        let (by, at) = (context.metadata.actor.clone(), context.at);
        let set = PoolRulesCommand::Set(PoolRulesSet { text: text.clone(), by, at });
        let events = found.state.decide(set).map_err(|refused| ExecuteError::Refused(refused.into()))?;
        let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: SettingReceipt { sequence },
        })
    })
    .await
}
