//! What a rule would have done 假设分析: a candidate rule on the leads as they were, read-only.
//!
//! The past is asked at every moment of a run that would have been. What the rule would have moved stays moved in this
//! other past until somebody really gave the lead to somebody, which ends its other life: from then on it is again what
//! it was.
//!
//! [`try_rule`] asks the question for somebody, within bounds; [`what_if`] answers it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::ContractStatus;
use domain::staff::Staff;
use domain::transfer_rule::plan::{Candidate, Nothing, Scene, Target, plan};
use domain::transfer_rule::run::{PersonMoves, PlannedMove, RUN_LEADS_MAX, Seed, people};
use domain::transfer_rule::{LeadFacts, RuleText, TargetModule};
use domain::{CustomerId, StaffId, StreamId, TransferRuleId};

use super::gather::{Rule, cap_of};
use super::predict::may_view;
use super::{RulePatch, RuleRefusal, Stores, TransferError, TransferRefusal, rules};
use crate::access::Caller;
use crate::bus::{CommandBus, ExecuteError, LoadError, Versioned};
use crate::customers::Cap;
use crate::schedules::Grid;

/// Days that a rule may be tried on.
pub const WHAT_IF_DAYS: RangeInclusive<i64> = 1..=31;

/// Most runs of one question: every hour of the longest time. Each looks at every lead of the people named.
pub const WHAT_IF_RUNS_MAX: usize = 31 * 24;

/// Most leads of one question, counting all that the people named ever had: their lives are held in memory, some
/// hundred bytes each.
pub const WHAT_IF_LEADS_MAX: u64 = 50_000;

/// Most moves that are kept one by one. All of them are counted.
pub const WHAT_IF_MOVES_MAX: usize = 1000;

/// A question draws the same lots each time it is asked.
const SEED: Seed = Seed(0);

/// The leads as they were.
#[async_trait]
pub trait Past: Send + Sync {
    /// How many leads these people ever had: what a question costs.
    async fn leads(&self, people: &[StaffId]) -> Result<u64, LoadError>;

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

/// Somebody who may get leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taker {
    /// The person.
    pub staff: StaffId,
    /// Leads the person may own, and which of them count; `None`: any number.
    pub cap: Option<Cap>,
}

/// What a rule would have done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WhatIf {
    /// Moments that were looked at and lay in the window.
    pub runs: usize,
    /// Leads that would have moved, each counted once.
    pub leads: usize,
    /// How often a lead would have moved.
    pub moved: u64,
    /// The first [`WHAT_IF_MOVES_MAX`] moves, oldest first.
    pub moves: Vec<WhatIfMove>,
    /// What each person would have lost and gained, in the order of their ids.
    pub people: Vec<PersonMoves>,
    /// Why the last run would have moved nothing, when none would have moved anything.
    pub nothing: Option<Nothing>,
}

/// Which rule is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// One that is there, whether it is on or off.
    Kept(TransferRuleId),
    /// One that somebody is about to write.
    Written(Box<RulePatch>),
}

/// A rule that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What it says.
    pub text: RuleText,
    /// The time it was tried on begins behind this moment.
    pub from: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
    /// What it would have done.
    pub told: WhatIf,
}

/// Tries a rule on the last `days` of the log, at every moment of `grid`, as if it had been written, and nobody owed
/// anything, when they began. People are those of today: who is suspended now gets nothing, and the caps are those in
/// force. Nothing is written.
///
/// `past` begins at the moment that it is given.
pub async fn try_rule<B: CommandBus, P: Past>(
    stores: Stores<'_, B>,
    past: impl FnOnce(DateTime<Utc>) -> P,
    caller: &Caller,
    tried: &Tried,
    (days, grid): (u32, &Grid),
) -> Result<Trial, TransferError> {
    may_view(caller)?;
    let text = text(stores.bus, tried).await?;
    let until = stores.clock.now();
    let from = until - TimeDelta::days(days.into());
    let moments = moments(grid, &text, from, until)?;
    let takers = takers(stores, &text.targets).await?;
    let past = past(from);
    let leads = past.leads(&everybody(&text)).await?;
    if leads > WHAT_IF_LEADS_MAX {
        return Err(ExecuteError::Refused(TransferRefusal::TooMuchPast { leads }));
    }
    let told = what_if(&past, &text, &takers, &moments, SEED).await?;
    Ok(Trial { text, from, until, told })
}

async fn text<B: CommandBus>(bus: &B, tried: &Tried) -> Result<RuleText, TransferError> {
    let patch = match tried {
        Tried::Kept(rule) => return Ok(Rule::load(bus, *rule).await?.text),
        Tried::Written(patch) => patch,
    };
    let text = RulePatch::clone(patch).written();
    if text.target_module != TargetModule::Customer {
        return Err(ExecuteError::Refused(TransferRefusal::OtherModule));
    }
    match text.violations() {
        broken if broken.is_empty() => {}
        broken => return Err(ExecuteError::Refused(RuleRefusal::Invalid(broken).into())),
    }
    rules::people(bus, &text, None).await.map_err(|error| match error {
        ExecuteError::Refused(refusal) => ExecuteError::Refused(refusal.into()),
        ExecuteError::Append(error) => ExecuteError::Append(error),
        ExecuteError::Load(error) => ExecuteError::Load(error),
        ExecuteError::Encode(error) => ExecuteError::Encode(error),
    })?;
    Ok(text)
}

/// The moments of the grid behind `from`, up to `until`, that lie in the rule's hours.
fn moments(
    grid: &Grid,
    text: &RuleText,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, TransferError> {
    let mut moments = Vec::new();
    let mut at = from;
    while let Some(next) = grid.next_after(at).filter(|next| next.0 <= until) {
        at = next.0;
        if text.window.contains(at) {
            moments.push(at);
        }
        if moments.len() > WHAT_IF_RUNS_MAX {
            return Err(ExecuteError::Refused(TransferRefusal::TooManyRuns));
        }
    }
    Ok(moments)
}

/// Who of the rule's targets may get leads at all.
async fn takers<B: CommandBus>(stores: Stores<'_, B>, targets: &[StaffId]) -> Result<Vec<Taker>, LoadError> {
    let streams: Vec<StreamId> = targets.iter().map(|person| StreamId::from(*person)).collect();
    let found = stores.bus.load_many::<Staff>(&streams).await?;
    let taker = |(staff, found): (&StaffId, Versioned<Staff>)| {
        Some(Taker { staff: *staff, cap: Some(cap_of(stores, &found.state)?) })
    };
    Ok(targets.iter().zip(found).filter_map(taker).collect())
}

fn everybody(text: &RuleText) -> Vec<StaffId> {
    text.sources.iter().chain(&text.targets).copied().collect()
}

/// Runs the rule at those of these moments, oldest first, that lie in its window. Balances begin at nought and move with
/// every run, as quotas do.
pub async fn what_if(
    past: &dyn Past,
    text: &RuleText,
    takers: &[Taker],
    moments: &[DateTime<Utc>],
    seed: Seed,
) -> Result<WhatIf, LoadError> {
    let mut other = OtherPast::new(text, takers);
    let mut told = WhatIf::default();
    let mut parts: BTreeMap<StaffId, PersonMoves> = BTreeMap::new();
    let mut touched: BTreeSet<CustomerId> = BTreeSet::new();
    let everybody = everybody(text);
    for (n, at) in moments.iter().copied().enumerate().filter(|(_, at)| text.window.contains(*at)) {
        told.runs += 1;
        let leads = past.owned_by(&everybody, at).await?;
        let seed = seed.0.wrapping_add(n as u64); // a number of its own for every run
        let (moves, scene) = other.run(&leads, at, seed);
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
    Ok(told)
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
    fn run(&mut self, leads: &[PastLead], at: DateTime<Utc>, seed: u64) -> (Vec<PlannedMove>, Scene) {
        let criteria = self.text.criteria();
        let (mut idle, mut held, mut ineligible) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        let mut of_sources = 0;
        for lead in leads {
            let facts = self.seen(lead);
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
        // The longest idle first, as a run takes them.
        let candidates: Vec<Candidate> = idle.into_values().take(RUN_LEADS_MAX).collect();
        let targets = self.targets(&held);
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
