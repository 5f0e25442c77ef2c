//! Who would fall by a rule, before it is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::recycle_rule::{RecyclePolicy, RecycleRule, RecycleRuleCommand, RecycleRuleError, RecycleWish};
use domain::{Actor, Aggregate, RecycleRuleId, StaffId};

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
}

/// Tries a rule among all the others, as if it were kept and on. Nothing is written.
pub async fn preview<B: CommandBus>(
    stores: Stores<'_, B>,
    caller: &Caller,
    draft: Draft,
) -> Result<Preview, RecycleError> {
    permitted(caller, Action::ViewRecycleRules)?;
    let now = stores.clock.now();
    let mut rules = rules_now(stores).await?;
    let place = rules.iter().position(|(id, _)| *id == draft.rule);
    let known = place.map(|place| rules.swap_remove(place).1).filter(RecycleRule::exists);
    let tried = tried(known, draft.text, (Actor::Staff(caller.id), now))?;
    let effective_from = tried.text.as_ref().map_or(now, |text| text.effective_from);
    let until = draft.until.unwrap_or(effective_from).max(now);
    rules.push((draft.rule, tried));
    let policy = RecyclePolicy::of(rules.iter().map(|(id, rule)| (*id, rule)), now);
    let mut falling = stores.leads.falling(&policy, Some(draft.rule), until, PREVIEW_LEADS_MAX + 1).await?;
    let more = falling.len() > PREVIEW_LEADS_MAX;
    falling.truncate(PREVIEW_LEADS_MAX);
    let people = people(&falling);
    Ok(Preview { effective_from, until, falling, people, more })
}

/// The rule as it would be after it was written or changed, and switched on: the rule itself says from when it counts.
fn tried(
    known: Option<RecycleRule>,
    text: Option<RecycleWish>,
    (by, at): (Actor, DateTime<Utc>),
) -> Result<RecycleRule, RecycleError> {
    let decide = |state: RecycleRule, command| {
        let events = state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()));
        events.map(|events| after(&state, &events))
    };
    let enable = RecycleRuleCommand::Enable { by: by.clone(), at };
    let written: Result<_, RecycleError> = match (known, text) {
        (None, None) => Err(ExecuteError::Refused(RecycleRuleError::NotFound.into())),
        (Some(known), None) => Ok(known),
        (None, Some(text)) => {
            let create = RecycleRuleCommand::Create { text, enabled: true, by, at };
            decide(RecycleRule::default(), create)
        }
        (Some(known), Some(text)) => decide(known, RecycleRuleCommand::Revise { text, by, at }),
    };
    decide(written?, enable)
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
