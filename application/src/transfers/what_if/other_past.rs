//! The past with the moves that a rule would have made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::customer::ContractStatus;
use domain::planned_leads::RUN_LEADS_MAX;
use domain::transfer_rule::plan::{Candidate, Scene, Target, plan, sole_taker};
use domain::transfer_rule::run::{PersonMoves, PlannedMove, Seed, people};
use domain::transfer_rule::{LeadFacts, RuleText};
use domain::{CustomerId, StaffId};

use super::{Life, PastLead, Taker, WHAT_IF_MOVES_MAX, WhatIf, WhatIfMove};
use crate::customers::Cap;

/// Runs the rule at those of these moments, oldest first, that lie in its window. Balances begin at nought and move with
/// every run, as quotas do.
pub fn what_if(
    lives: &[Life],
    text: &RuleText,
    takers: &[Taker],
    moments: &[DateTime<Utc>],
    seed: Seed,
) -> WhatIf {
    let mut other = OtherPast::new(text, takers);
    let mut told = WhatIf::default();
    let mut parts: BTreeMap<StaffId, PersonMoves> = BTreeMap::new();
    let mut touched: BTreeSet<CustomerId> = BTreeSet::new();
    for (n, at) in moments.iter().copied().enumerate().filter(|(_, at)| text.window.contains(*at)) {
        told.runs += 1;
        let seed = seed.0.wrapping_add(n as u64); // a number of its own for every run
        let (moves, scene) = other.run(lives.iter().filter_map(|life| life.at(n)), at, seed);
        for part in people(&moves) {
            let none = PersonMoves { moved_out: 0, moved_in: 0, ..part };
            let sum = parts.entry(part.staff).or_insert(none);
            sum.moved_out += part.moved_out;
            sum.moved_in += part.moved_in;
        }
        told.moved += moves.len() as u64;
        touched.extend(moves.iter().map(|one| one.customer));
        let room = WHAT_IF_MOVES_MAX - told.moves.len();
        told.moves.extend(moves.into_iter().take(room).map(|one| WhatIfMove { at, one }));
        told.nothing = Some(scene.explain());
    }
    told.nothing = told.nothing.filter(|_| told.moved == 0);
    told.leads = touched.len();
    told.people = parts.into_values().collect();
    told
}

/// The past with the moves that the rule would have made.
struct OtherPast<'t> {
    text: &'t RuleText,
    takers: &'t [Taker],
    /// Leads moved out minus leads moved in.
    balances: HashMap<StaffId, i64>,
    /// Leads that the rule would have moved, as they would be.
    elsewhere: HashMap<CustomerId, Elsewhere>,
}

/// How many leads somebody would have.
#[derive(Clone, Copy, Default)]
struct Held {
    leads: i64,
    signed: i64,
}

impl Held {
    /// What the cap leaves.
    fn room(self, cap: Cap) -> u32 {
        let counted = if cap.ignores_signed { self.leads - self.signed } else { self.leads };
        u32::try_from((cap.max - counted).max(0)).unwrap_or(u32::MAX)
    }
}

#[derive(Clone, Copy)]
struct Elsewhere {
    owner: StaffId,
    moved_at: DateTime<Utc>,
    moves: i64,
}

impl<'t> OtherPast<'t> {
    fn new(text: &'t RuleText, takers: &'t [Taker]) -> Self {
        Self { text, takers, balances: HashMap::new(), elsewhere: HashMap::new() }
    }

    /// What moves in a run at that moment, and what there was to choose from.
    fn run(
        &mut self,
        leads: impl Iterator<Item = PastLead>,
        at: DateTime<Utc>,
        seed: u64,
    ) -> (Vec<PlannedMove>, Scene) {
        let criteria = self.text.criteria();
        let (mut idle, mut held, mut ineligible) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        let mut of_sources = 0;
        for lead in leads {
            let facts = self.seen(&lead);
            let Some(owner) = facts.owner else { continue };
            let theirs: &mut Held = held.entry(owner).or_default();
            theirs.leads += 1;
            theirs.signed += i64::from(facts.status == Some(ContractStatus::Signed));
            if !criteria.sources.contains(&owner) {
                continue;
            }
            of_sources += 1;
            match criteria.check(&facts, at) {
                Ok(()) => {
                    let candidate = Candidate { customer: lead.customer, owner, sequence: 0 };
                    idle.insert((facts.last_activity_at, lead.customer), candidate);
                }
                Err(reason) => *ineligible.entry(reason).or_insert(0_u64) += 1,
            }
        }
        let targets = self.targets(&held);
        // The longest idle first, those that can go nowhere behind the others: as a run takes them (`gather.rs`).
        let sole = sole_taker(&targets);
        let (own, others): (Vec<Candidate>, Vec<_>) =
            idle.into_values().partition(|lead: &Candidate| Some(lead.owner) == sole);
        let candidates: Vec<Candidate> = others.into_iter().chain(own).take(RUN_LEADS_MAX).collect();
        let planned = plan(&candidates, &targets, &self.text.distribution, seed);
        self.moved(&planned.moves, at);
        let mut unplaced = BTreeMap::new();
        for one in planned.unplaced {
            *unplaced.entry(one.reason).or_insert(0_u64) += 1;
        }
        let scene = Scene {
            enabled: true,
            window_closed: false,
            sources: self.text.sources.len(),
            targets: targets.len(),
            owned: of_sources,
            ineligible: ineligible.into_iter().collect(),
            unplaced: unplaced.into_iter().collect(),
            skipped: 0,
        };
        (planned.moves, scene)
    }

    /// The takers, each with the room that what they hold in this other past leaves.
    fn targets(&self, held: &HashMap<StaffId, Held>) -> Vec<Target> {
        let target = |taker: &Taker| Target {
            staff: taker.staff,
            room: taker.cap.map(|cap| held.get(&taker.staff).copied().unwrap_or_default().room(cap)),
            balance: self.balances.get(&taker.staff).copied().unwrap_or_default(),
        };
        self.takers.iter().map(target).collect()
    }

    fn moved(&mut self, moves: &[PlannedMove], at: DateTime<Utc>) {
        for one in moves {
            let moves = self.elsewhere.get(&one.customer).map_or(0, |before| before.moves) + 1;
            self.elsewhere.insert(one.customer, Elsewhere { owner: one.to, moved_at: at, moves });
            *self.balances.entry(one.from).or_default() += 1;
            *self.balances.entry(one.to).or_default() -= 1;
        }
    }

    /// The lead as it would be at that moment.
    fn seen(&mut self, lead: &PastLead) -> LeadFacts {
        let facts = lead.facts;
        match self.elsewhere.get(&lead.customer).copied() {
            Some(other) if lead.owned_since <= other.moved_at => LeadFacts {
                owner: Some(other.owner),
                transfer_count: facts.transfer_count + other.moves,
                last_transferred_at: facts.last_transferred_at.max(Some(other.moved_at)),
                last_activity_at: facts.last_activity_at.max(Some(other.moved_at)),
                ..facts
            },
            Some(_) => {
                self.elsewhere.remove(&lead.customer);
                facts
            }
            None => facts,
        }
    }
}
