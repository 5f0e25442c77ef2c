//! What a rule would have done 假设分析: a candidate rule on the leads as they were, read-only.
//!
//! The past is asked at every moment of a run that would have been. What the rule would have moved stays moved in this
//! other past until somebody really gave the lead to somebody, which ends its other life: from then on it is again what
//! it was.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::transfer_rule::plan::{Candidate, Target, plan};
use domain::transfer_rule::run::{PersonMoves, PlannedMove, RUN_LEADS_MAX, Seed, people};
use domain::transfer_rule::{LeadFacts, RuleText};
use domain::{CustomerId, StaffId};

use crate::bus::LoadError;

/// The leads as they were.
#[async_trait]
pub trait Past: Send + Sync {
    /// Every lead that one of these people owned at that moment, in any order.
    async fn owned_by(&self, people: &[StaffId], at: DateTime<Utc>) -> Result<Vec<PastLead>, LoadError>;
}

/// One lead as it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PastLead {
    /// The lead.
    pub customer: CustomerId,
    /// What a rule asks of it.
    pub facts: LeadFacts,
    /// Since when its owner had it.
    pub owned_since: DateTime<Utc>,
}

/// One move that would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhatIfMove {
    /// When.
    pub at: DateTime<Utc>,
    /// Which lead, from whom to whom.
    pub one: PlannedMove,
}

/// What a rule would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Moments that were looked at and lay in the window.
    pub runs: usize,
    /// Every move, oldest first.
    pub moves: Vec<WhatIfMove>,
    /// What each person would have lost and gained.
    pub people: Vec<PersonMoves>,
}

/// Runs the rule at each of these moments, oldest first. Targets have the room of `targets`; balances begin there and
/// move with every run, as quotas do.
pub async fn what_if(
    past: &dyn Past,
    text: &RuleText,
    targets: &[Target],
    moments: &[DateTime<Utc>],
    seed: Seed,
) -> Result<WhatIf, LoadError> {
    let mut other = OtherPast { text, targets: targets.to_vec(), elsewhere: HashMap::new() };
    let mut told = WhatIf::default();
    let everybody: Vec<StaffId> = text.sources.iter().chain(&text.targets).copied().collect();
    for (n, at) in moments.iter().copied().enumerate().filter(|(_, at)| text.window.contains(*at)) {
        told.runs += 1;
        let leads = past.owned_by(&everybody, at).await?;
        let seed = seed.0.wrapping_add(n as u64); // a number of its own for every run
        told.moves.extend(other.run(&leads, at, seed).into_iter().map(|one| WhatIfMove { at, one }));
    }
    let moves: Vec<PlannedMove> = told.moves.iter().map(|moved| moved.one).collect();
    told.people = people(&moves);
    Ok(told)
}

/// The past with the moves that the rule would have made.
struct OtherPast<'t> {
    text: &'t RuleText,
    targets: Vec<Target>,
    /// Leads that the rule would have moved, as they would be.
    elsewhere: HashMap<CustomerId, Elsewhere>,
}

#[derive(Clone, Copy)]
struct Elsewhere {
    owner: StaffId,
    moved_at: DateTime<Utc>,
    moves: i64,
}

impl OtherPast<'_> {
    fn run(&mut self, leads: &[PastLead], at: DateTime<Utc>, seed: u64) -> Vec<PlannedMove> {
        let criteria = self.text.criteria();
        let mut idle = BTreeMap::new();
        for lead in leads {
            let facts = self.seen(lead);
            if criteria.check(&facts, at).is_ok()
                && let Some(owner) = facts.owner
            {
                let candidate = Candidate { customer: lead.customer, owner, sequence: 0 };
                idle.insert((facts.last_activity_at, lead.customer), candidate);
            }
        }
        // The longest idle first, as a run takes them.
        let candidates: Vec<Candidate> = idle.into_values().take(RUN_LEADS_MAX).collect();
        let moves = plan(&candidates, &self.targets, &self.text.distribution, seed).moves;
        for one in &moves {
            let moves = self.elsewhere.get(&one.customer).map_or(0, |before| before.moves) + 1;
            self.elsewhere.insert(one.customer, Elsewhere { owner: one.to, moved_at: at, moves });
            for target in &mut self.targets {
                let lost = i64::from(target.staff == one.from) - i64::from(target.staff == one.to);
                target.balance += lost;
                target.room = target.room.map(|room| match lost {
                    1 => room.saturating_add(1),
                    -1 => room.saturating_sub(1),
                    _ => room,
                });
            }
        }
        moves
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
