//! Who gets which lead: a pure function of the candidates, the targets and a seed, so that a preview is the plan that
//! runs (transfer-and-recycle.md section 2).
//!
//! Reading order: [`plan`] below, `deal` and `weigh` (the two ways to choose), [`PlanInputs`] (everything a plan
//! depends on, its hash, and what changed between two of them), [`Nothing`] (why a run moved no lead).

mod chance;
mod changes;
mod deal;
mod explain;
mod inputs;
mod seats;
#[cfg(test)]
mod tests;
mod weigh;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use changes::Change;
pub use explain::{Nothing, Scene};
pub use inputs::PlanInputs;

use super::run::PlannedMove;
use super::{Distribution, Strategy};
use crate::code_table;
use crate::ids::{CustomerId, Sequence, StaffId};
use chance::Chance;
use deal::Pointer;
use seats::Seats;

/// A lead that the rule would let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The lead.
    pub customer: CustomerId,
    /// Who has it.
    pub owner: StaffId,
    /// Its version when it was found.
    pub sequence: Sequence,
}

/// A person who may get leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The person.
    pub staff: StaffId,
    /// How many more the person may own; `None`: any number. Leads the person loses in the same run make no room:
    /// whether they really go is known only when they went.
    pub room: Option<u32>,
    /// Leads moved out of the person's hands minus leads moved in, by this rule so far.
    pub balance: i64,
}

/// A lead that nobody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    /// The lead.
    pub customer: CustomerId,
    /// Its owner.
    pub from: StaffId,
    /// Why.
    pub reason: NoPlace,
}

code_table! {
    /// Why nobody gets a lead.
    NoPlace {
        /// Its owner is the only target.
        EveryTargetOwnsIt = "every_target_owns_it",
        /// Every other target owns as many as one may.
        NoRoom = "no_room",
        /// The rule has no target that is active.
        NoTargets = "no_targets",
    }
}

impl NoPlace {
    /// 中文.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::EveryTargetOwnsIt => "线索的负责人是唯一的流入人员",
            Self::NoRoom => "流入人员均已达到客户持有上限",
            Self::NoTargets => "规则没有在职的流入人员",
        }
    }

    /// English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::EveryTargetOwnsIt => "the lead's owner is the only target",
            Self::NoRoom => "every target owns as many leads as one may",
            Self::NoTargets => "no target is active",
        }
    }
}

/// Who gets which lead. Every candidate is in exactly one of the two lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The moves, in the order they were dealt.
    pub moves: Vec<PlannedMove>,
    /// The leads that stay, in the same order.
    pub unplaced: Vec<Unplaced>,
}

/// Plans. The same leads, targets, distribution and seed give the same plan, in whatever order the leads were read;
/// the order of the targets is the rule's and matters. A lead or a person named twice counts once, as first named.
///
/// Nobody gets a lead of their own, and nobody more than there is room for.
pub fn plan(candidates: &[Candidate], targets: &[Target], distribution: &Distribution, seed: u64) -> Plan {
    let mut chance = Chance::new(seed);
    let mut leads = each_once(candidates);
    chance.shuffle(&mut leads);

    let mut seats = Seats::new(targets);
    let mut pointer = Pointer::default();
    let mut plan = Plan::default();
    for Candidate { customer, owner, .. } in leads {
        let chosen = match distribution.strategy {
            Strategy::RoundRobin => pointer.next(&seats, owner),
            Strategy::BalancedRandom => weigh::draw(&seats, owner, *distribution, &mut chance),
        };
        match chosen {
            Some(seat) => {
                let to = seats.give(seat, owner);
                plan.moves.push(PlannedMove { customer, from: owner, to });
            }
            None => plan.unplaced.push(Unplaced { customer, from: owner, reason: seats.why_not(owner) }),
        }
    }
    plan
}

/// The only person who has room, when there is just one. Nobody gets a lead of their own, so this person's leads can go
/// nowhere: whoever takes candidates up to a limit takes those of the others first, or they would never have their turn.
pub fn sole_taker(targets: &[Target]) -> Option<StaffId> {
    let mut with_room = targets.iter().filter(|target| target.room != Some(0)).map(|target| target.staff);
    let first = with_room.next()?;
    with_room.all(|other| other == first).then_some(first)
}

/// Each lead once, by id: the order in which a store found them must not show in the plan.
fn each_once(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut leads = BTreeMap::new();
    for candidate in candidates {
        leads.entry(candidate.customer).or_insert(*candidate);
    }
    leads.into_values().collect()
}
