//! What a rule would have done 假设分析: a candidate rule on the leads as they were, read-only.
//!
//! The past is asked at every moment of a run that would have been. What the rule would have moved stays moved in this
//! other past until somebody really gave the lead to somebody, which ends its other life: from then on it is again what
//! it was.
//!
//! [`Question::gather`] reads, within bounds, all that an answer takes; [`Question::answer`] computes for seconds and
//! reads nothing, so that whoever calls it can do so where nobody waits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::ContractStatus;
use domain::planned_leads::RUN_LEADS_MAX;
use domain::staff::Staff;
use domain::transfer_rule::plan::{Candidate, Nothing, Scene, Target, plan, sole_taker};
use domain::transfer_rule::run::{PersonMoves, PlannedMove, Seed, people};
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

/// Most runs of one question: every hour of the longest time.
pub const WHAT_IF_RUNS_MAX: usize = 31 * 24;

/// Most leads of one question, counting all that the people named ever had.
pub const WHAT_IF_LEADS_MAX: u64 = 20_000;

/// Most events of those leads, which are all read and folded: some seconds. Fewer than a hundred megabytes hold what is
/// kept of them, one entry for each moment that is asked for at most.
pub const WHAT_IF_EVENTS_MAX: u64 = 400_000;

/// How often a lead is looked at for one question, counting every lead in every run: some seconds.
pub const WHAT_IF_LOOKS_MAX: u64 = 6_000_000;

/// How often a lead is offered to a target of the rule, should nobody ever take one: some seconds again. Where a rule
/// names many targets, leads are looked at less often.
pub const WHAT_IF_OFFERS_MAX: u64 = 600_000_000;

/// Most moves that are kept one by one. All of them are counted.
pub const WHAT_IF_MOVES_MAX: usize = 1000;

/// A question draws the same lots each time it is asked.
const SEED: Seed = Seed(0);

/// The leads as they were.
#[async_trait]
pub trait Past: Send + Sync {
    /// What a question about these people costs.
    async fn size(&self, people: &[StaffId]) -> Result<PastSize, LoadError>;

    /// Every lead that one of these people owned at one of these moments, in any order. The moments come oldest first.
    async fn lives(&self, people: &[StaffId], moments: &[DateTime<Utc>]) -> Result<Vec<Life>, LoadError>;
}

/// What there is to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PastSize {
    /// Leads that these people ever had.
    pub leads: u64,
    /// Events of those leads.
    pub events: u64,
}

/// A lead through the moments of a question. However much happened to it, what is kept is what it was like when it was
/// looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Life {
    /// From which moment on it was like what, the moments counted from 0; `None` while none of the people had it.
    seen: Vec<(usize, Option<PastLead>)>,
}

impl Life {
    /// From this moment on it was like that. Of what is noted of one moment the last counts; moments come in order.
    pub fn note(&mut self, moment: usize, seen: Option<PastLead>) {
        match self.seen.last_mut() {
            Some((last, known)) if *last == moment => *known = seen,
            Some((_, None)) | None if seen.is_none() => {}
            _ => self.seen.push((moment, seen)),
        }
    }

    /// Whether none of the people ever had it at any of the moments.
    pub fn is_empty(&self) -> bool {
        self.seen.iter().all(|(_, seen)| seen.is_none())
    }

    /// The lead at a moment, while one of the people had it.
    pub fn at(&self, moment: usize) -> Option<PastLead> {
        let later = self.seen.partition_point(|(from, _)| *from <= moment);
        self.seen.get(later.checked_sub(1)?)?.1
    }
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

/// A rule that somebody wants tried, with all that the answer takes.
#[derive(Debug)]
pub struct Question {
    text: RuleText,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    moments: Vec<DateTime<Utc>>,
    takers: Vec<Taker>,
    lives: Vec<Life>,
}

impl Question {
    /// A rule on the last `days` of the log, at every moment of `grid`, as if it had been written, and nobody owed anything,
    /// when they began. People are those of today: who is suspended now gets nothing, and the caps are those in force.
    /// Nothing is written.
    pub async fn gather<B: CommandBus>(
        stores: Stores<'_, B>,
        past: &dyn Past,
        caller: &Caller,
        tried: &Tried,
        (days, grid): (u32, &Grid),
    ) -> Result<Self, TransferError> {
        may_view(caller)?;
        let text = text(stores.bus, tried).await?;
        let until = stores.clock.now();
        let from = until - TimeDelta::days(days.into());
        let moments = moments(grid, &text, from, until)?;
        let takers = takers(stores, &text.targets).await?;
        let people = everybody(&text);
        within_bounds(past.size(&people).await?, moments.len() as u64, text.targets.len() as u64)?;
        let lives = past.lives(&people, &moments).await?;
        Ok(Self { text, from, until, moments, takers, lives })
    }

    /// What the rule would have done. Takes seconds, and waits for nothing.
    pub fn answer(self) -> Trial {
        let told = what_if(&self.lives, &self.text, &self.takers, &self.moments, SEED);
        Trial { text: self.text, from: self.from, until: self.until, told }
    }
}

pub(in crate::transfers) fn within_bounds(
    PastSize { leads, events }: PastSize,
    runs: u64,
    targets: u64,
) -> Result<(), TransferError> {
    let max = WHAT_IF_LOOKS_MAX.min(WHAT_IF_OFFERS_MAX / targets.max(1));
    let refusal = if leads > WHAT_IF_LEADS_MAX {
        TransferRefusal::TooMuchPast { leads }
    } else if events > WHAT_IF_EVENTS_MAX {
        TransferRefusal::TooMuchHappened { events }
    } else if leads * runs > max {
        TransferRefusal::TooManyLooks { leads, runs, max }
    } else {
        return Ok(());
    };
    Err(ExecuteError::Refused(refusal))
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
