//! Who would fall by a rule, before it is kept.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::recycle_rule::{
    RecyclePolicy, RecycleRule, RecycleRuleCommand, RecycleRuleDisabled, RecycleRuleError, RecycleWish,
};
use domain::{Actor, Aggregate, CustomerId, RecycleRuleId, StaffId};

use super::{Falling, RecycleError, Stores, permitted, rules_now};
use crate::access::{Action, Caller};
use crate::bus::{CommandBus, ExecuteError};
use crate::customers::after;

/// Leads that a preview looks at; beyond them it only says that there are more.
pub const PREVIEW_LEADS_MAX: usize = 10_000;

/// A rule as it is to be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The rule: one that is there, or the id of a new one.
    pub rule: RecycleRuleId,
    /// What it would say; `None`: what it says.
    pub text: Option<RecycleWish>,
    /// Whether it would count; `false`: as if it were switched off, or deleted.
    pub enabled: bool,
    /// Until when the leads fall; `None`: at the moment the rule takes effect.
    pub until: Option<DateTime<Utc>>,
}

/// Who would lose what.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// From when on the rule would count.
    pub effective_from: DateTime<Utc>,
    /// Until when these leads fall.
    pub until: DateTime<Utc>,
    /// The leads, by the moment they fall.
    pub falling: Vec<Falling>,
    /// How many each owner would lose, the most first.
    pub people: Vec<(StaffId, u64)>,
    /// Whether there are more than [`PREVIEW_LEADS_MAX`].
    pub more: bool,
    /// The leads that would fall by other rules until then and that, as the rules are, would not: this one keeps them.
    pub behind: Vec<Falling>,
    /// Whether more than [`PREVIEW_LEADS_MAX`] fall until then by any rule, so that there may be more of these.
    pub behind_more: bool,
    /// What the rules by which leads fall are called.
    pub names: BTreeMap<RecycleRuleId, String>,
}

impl Preview {
    /// How many of `behind` each owner would lose, the most first.
    pub fn behind_people(&self) -> Vec<(StaffId, u64)> {
        people(&self.behind)
    }
}

/// Tries a rule among all the others, as if it were kept, and on or off. Nothing is written.
pub async fn preview<B: CommandBus>(
    stores: Stores<'_, B>,
    caller: &Caller,
    draft: Draft,
) -> Result<Preview, RecycleError> {
    permitted(caller, Action::ViewRecycleRules)?;
    let now = stores.clock.now();
    let mut rules = rules_now(stores).await?;
    let today = policy(&rules);
    let place = rules.iter().position(|(id, _)| *id == draft.rule);
    let known = place.map(|place| rules.swap_remove(place).1).filter(RecycleRule::exists);
    let tried = tried(known, (draft.text, draft.enabled), (Actor::Staff(caller.id), now))?;
    let begins = tried.text.as_ref().map(|text| text.effective_from).filter(|_| draft.enabled);
    let effective_from = begins.unwrap_or(now); // what is switched off counts no more at once
    let until = draft.until.unwrap_or(effective_from).max(now);
    rules.push((draft.rule, tried));
    let wanted = policy(&rules);
    let mut falling = stores.leads.falling(&wanted, Some(draft.rule), until, PREVIEW_LEADS_MAX + 1).await?;
    let more = falling.len() > PREVIEW_LEADS_MAX;
    falling.truncate(PREVIEW_LEADS_MAX);
    let (behind, behind_more) = behind(stores, (&today, &wanted), draft.rule, until).await?;
    let name = |(id, rule): &(RecycleRuleId, RecycleRule)| Some((*id, rule.text.as_ref()?.name.clone()));
    let (names, people) = (rules.iter().filter_map(name).collect(), people(&falling));
    Ok(Preview { effective_from, until, falling, people, more, behind, behind_more, names })
}

fn policy(rules: &[(RecycleRuleId, RecycleRule)]) -> RecyclePolicy {
    RecyclePolicy::of(rules.iter().map(|(id, rule)| (*id, rule)))
}

/// The leads that fall by another rule than this one as is wanted, and by none as it is today; whether there may be more.
async fn behind<B: CommandBus>(
    stores: Stores<'_, B>,
    (today, wanted): (&RecyclePolicy, &RecyclePolicy),
    rule: RecycleRuleId,
    until: DateTime<Utc>,
) -> Result<(Vec<Falling>, bool), RecycleError> {
    if today.terms().iter().all(|term| term.rule != rule) {
        return Ok((Vec::new(), false)); // it does not count, so it keeps no lead from anybody
    }
    let mut found = stores.leads.falling(wanted, None, until, PREVIEW_LEADS_MAX + 1).await?;
    found.retain(|one| one.due.rule != rule);
    let falls_anyway = stores.leads.falling(today, None, until, PREVIEW_LEADS_MAX + 1).await?;
    let more = found.len().max(falls_anyway.len()) > PREVIEW_LEADS_MAX;
    let known: BTreeSet<CustomerId> = falls_anyway.into_iter().map(|one| one.customer).collect();
    found.retain(|one| !known.contains(&one.customer));
    found.truncate(PREVIEW_LEADS_MAX);
    Ok((found, more))
}

/// The rule as it would be after it was written or changed, and switched on or off: the rule itself says from when it
/// counts.
fn tried(
    known: Option<RecycleRule>,
    (text, enabled): (Option<RecycleWish>, bool),
    (by, at): (Actor, DateTime<Utc>),
) -> Result<RecycleRule, RecycleError> {
    let decide = |state: RecycleRule, command| {
        let events = state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()));
        events.map(|events| after(&state, &events))
    };
    let switch = if enabled {
        RecycleRuleCommand::Enable { by: by.clone(), at }
    } else {
        RecycleRuleCommand::Disable(RecycleRuleDisabled { by: by.clone(), at })
    };
    let written: Result<_, RecycleError> = match (known, text) {
        (None, None) => Err(ExecuteError::Refused(RecycleRuleError::NotFound.into())),
        (Some(known), None) => Ok(known),
        (None, Some(text)) => {
            let create = RecycleRuleCommand::Create { text, enabled: true, by, at };
            decide(RecycleRule::default(), create)
        }
        (Some(known), Some(text)) => decide(known, RecycleRuleCommand::Revise { text, by, at }),
    };
    decide(written?, switch)
}

fn people(falling: &[Falling]) -> Vec<(StaffId, u64)> {
    let mut lost: BTreeMap<StaffId, u64> = BTreeMap::new();
    for one in falling {
        *lost.entry(one.owner).or_default() += 1;
    }
    let mut people: Vec<_> = lost.into_iter().collect();
    people.sort_by_key(|(staff, count)| (std::cmp::Reverse(*count), *staff));
    people
}
