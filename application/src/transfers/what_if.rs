//! What a rule would have done 假设分析: a candidate rule on the leads as they were, read-only.
//!
//! The past is asked at every moment of a run that would have been. What the rule would have moved stays moved in this
//! other past until somebody really gave the lead to somebody, which ends its other life: from then on it is again what
//! it was.
//!
//! [`Question::gather`] reads, within bounds, all that an answer takes; [`Question::answer`] computes for seconds and
//! reads nothing, so that whoever calls it can do so where nobody waits.

mod other_past;

use std::ops::RangeInclusive;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::staff::Staff;
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::{PersonMoves, PlannedMove, Seed};
use domain::transfer_rule::{LeadFacts, RuleText, TargetModule};
use domain::{CustomerId, StaffId, StreamId, TransferRuleId};

use super::gather::{Rule, cap_of};
use super::predict::may_view;
use super::{RulePatch, RuleRefusal, Stores, TransferError, TransferRefusal, rules};
use crate::access::Caller;
use crate::bus::{CommandBus, ExecuteError, LoadError};
use crate::customers::Cap;
use crate::fates::load_each;
use crate::schedules::Grid;

pub use other_past::what_if;

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

/// What is said when no moment of the schedule lay in the rule's hours.
const NO_RUNS: (&str, &str) = (
    "这段时间内没有处于规则执行时段的执行时刻",
    "No run of the schedule lay in the rule's hours during that time",
);

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
    /// Targets whose accounts cannot be read, so that they got nothing.
    pub unreadable: Vec<StaffId>,
}

impl Trial {
    /// Why nothing would have moved, and who could not be asked for; Chinese and English. `None`: leads would have moved, to
    /// everybody who may get some.
    pub fn explanation(&self) -> Option<(String, String)> {
        let mut told = Vec::new();
        if self.told.runs == 0 {
            told.push((NO_RUNS.0.to_owned(), NO_RUNS.1.to_owned()));
        } else if let Some(nothing) = &self.told.nothing {
            told.push((nothing.zh(), nothing.en()));
        }
        if !self.unreadable.is_empty() {
            let count = self.unreadable.len();
            told.push((
                format!("{count}名流入人员的账号记录无法读取，视为不能接收线索，请联系管理员"),
                format!(
                    "The accounts of {count} of the people who may get leads cannot be read, so they got none; ask an administrator"
                ),
            ));
        }
        let (zh, en): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        (!zh.is_empty()).then(|| (zh.join("；"), en.join(". ")))
    }
}

/// A rule that somebody wants tried, with all that the answer takes.
#[derive(Debug)]
pub struct Question {
    text: RuleText,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    moments: Vec<DateTime<Utc>>,
    takers: Vec<Taker>,
    unreadable: Vec<StaffId>,
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
        let (takers, unreadable) = takers(stores, &text.targets).await?;
        let people = everybody(&text);
        within_bounds(past.size(&people).await?, moments.len() as u64, text.targets.len() as u64)?;
        let lives = past.lives(&people, &moments).await?;
        Ok(Self { text, from, until, moments, takers, unreadable, lives })
    }

    /// What the rule would have done. Takes seconds, and waits for nothing.
    pub fn answer(self) -> Trial {
        let told = what_if(&self.lives, &self.text, &self.takers, &self.moments, SEED);
        Trial { text: self.text, from: self.from, until: self.until, told, unreadable: self.unreadable }
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

/// Who of the rule's targets may get leads at all, and whose accounts cannot be read, so that they may not.
async fn takers<B: CommandBus>(
    stores: Stores<'_, B>,
    targets: &[StaffId],
) -> Result<(Vec<Taker>, Vec<StaffId>), LoadError> {
    let streams: Vec<StreamId> = targets.iter().map(|person| StreamId::from(*person)).collect();
    let found = load_each::<_, Staff>(stores.bus, &streams).await?;
    let (mut takers, mut unreadable) = (Vec::new(), Vec::new());
    for (staff, found) in targets.iter().copied().zip(found) {
        match found {
            Some(found) => {
                takers.extend(cap_of(stores, &found.state).map(|cap| Taker { staff, cap: Some(cap) }));
            }
            None => unreadable.push(staff),
        }
    }
    Ok((takers, unreadable))
}

fn everybody(text: &RuleText) -> Vec<StaffId> {
    text.sources.iter().chain(&text.targets).copied().collect()
}
