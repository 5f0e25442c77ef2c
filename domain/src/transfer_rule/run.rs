//! One run of a transfer rule 流转执行: what was planned, and what came of it (transfer-and-recycle.md section 2).
//!
//! The plan is written down before the first lead moves. Whoever finds a run unfinished goes on with that very plan;
//! its last fact tells everybody it concerns, once.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::RuleText;
use super::plan::Unplaced;
use crate::envelope::Actor;
use crate::ids::{CustomerId, StaffId, TransferRuleId};
use crate::planned_leads::{PLANNED_LEADS_MAX, PlanFlaw, PlannedLead, require_end, require_plan};
use crate::{Aggregate, code_table, stored_events};

pub use crate::planned_leads::RUN_LEADS_MAX;
/// A lead that stayed where it was. The reason is [`Ineligible::code`](super::Ineligible::code), that of a move, or
/// [`NoPlace::as_str`](super::plan::NoPlace::as_str).
pub use crate::planned_leads::Stayed as Skipped;

/// Most leads that a run names although nobody was to get them; of the others it says how many they are. Where all
/// targets are full the same thousands would otherwise be written down every hour.
pub const UNPLACED_NAMED_MAX: usize = 100;

code_table! {
    /// What began a run.
    Trigger {
        /// Its period came.
        Scheduled = "scheduled",
        /// Somebody asked for it.
        Manual = "manual",
    }
}

/// The number a plan's chances are drawn from. Written as text: clients in JavaScript cannot count that far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

stored_events! {
    /// A fact about one run.
    TransferRunEvent {
        /// It began.
        Started(TransferRunStarted) = 1,
        /// Some of its moves were planned.
        Planned(TransferRunPlanned) = 1,
        /// It is over.
        Completed(TransferRunCompleted) = 1,
    }
}

/// A run began 流转开始, with the rule as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRunStarted {
    /// The rule.
    pub rule: TransferRuleId,
    /// Which of its texts.
    pub revision: i64,
    /// What it said.
    pub text: RuleText,
    /// The period it is the run of; `None` when somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<DateTime<Utc>>,
    /// What began it.
    pub trigger: Trigger,
    /// What its chances were drawn from.
    pub seed: Seed,
    /// What the plan was made of, in 64 hexadecimal digits.
    pub plan_hash: String,
    /// Who asked for it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Some moves of a run, in the order of the plan; written with its beginning, in one transaction. The leads that fit and
/// that nobody gets are written down beside them: whoever ends the run says of them, too, why they stayed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransferRunPlanned {
    /// The moves.
    pub moves: Vec<PlannedMove>,
    /// The leads that nobody gets, at most [`UNPLACED_NAMED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<Unplaced>,
    /// How many more nobody gets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unplaced_more: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One lead, whose it is, and who is to get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlannedMove {
    /// The lead.
    pub customer: CustomerId,
    /// Its owner.
    pub from: StaffId,
    /// Who is to get it.
    pub to: StaffId,
}

impl PlannedLead for PlannedMove {
    fn customer(&self) -> CustomerId {
        self.customer
    }
}

/// A planned move that happened.
pub type Moved = PlannedMove;

/// A run is over 流转完成. Names only the leads that changed hands, and those that stayed with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRunCompleted {
    /// The rule.
    pub rule: TransferRuleId,
    /// What it was called.
    pub rule_name: String,
    /// What moved.
    pub moved: Vec<Moved>,
    /// What fitted and stayed: what was touched before it could be moved, then what nobody was to get.
    pub skipped: Vec<Skipped>,
    /// How many more stayed because nobody was to get them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unplaced_more: u32,
    /// How many each person lost and gained, in the order of their ids.
    pub people: Vec<PersonMoves>,
    /// Why nothing moved, as a code; `None` when something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

impl TransferRunCompleted {
    /// How many leads fitted and stayed, also those that are not named.
    pub fn stayed(&self) -> usize {
        self.skipped.len().saturating_add(usize::try_from(self.unplaced_more).unwrap_or(usize::MAX))
    }
}

/// One person's part in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonMoves {
    /// The person.
    pub staff: StaffId,
    /// How many leads they lost.
    pub moved_out: u32,
    /// How many they gained.
    pub moved_in: u32,
}

/// Each person's part in these moves, in the order of their ids.
pub fn people(moved: &[Moved]) -> Vec<PersonMoves> {
    let mut people: BTreeMap<StaffId, PersonMoves> = BTreeMap::new();
    let none = |staff| PersonMoves { staff, moved_out: 0, moved_in: 0 };
    for one in moved {
        people.entry(one.from).or_insert_with(|| none(one.from)).moved_out += 1;
        people.entry(one.to).or_insert_with(|| none(one.to)).moved_in += 1;
    }
    people.into_values().collect()
}

/// A run as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransferRun {
    /// How it began; `None` before it did.
    pub started: Option<TransferRunStarted>,
    /// Every planned move, in the order of the plan.
    pub moves: Vec<PlannedMove>,
    /// The leads that fitted and that nobody was to get, as far as they are named.
    pub unplaced: Vec<Unplaced>,
    /// How many more there were.
    pub unplaced_more: u32,
    /// What came of it; `None` while it is under way.
    pub completed: Option<TransferRunCompleted>,
}

/// What may be asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferRunCommand {
    /// Begin it with this plan. Another process may have begun it: then nothing happens, and its plan counts.
    Start {
        /// Everything but the moves.
        started: Box<TransferRunStarted>,
        /// The moves.
        moves: Vec<PlannedMove>,
        /// The leads that nobody gets.
        unplaced: Vec<Unplaced>,
    },
    /// End it: every planned lead moved or stayed.
    Complete {
        /// What moved, each as it was planned.
        moved: Vec<Moved>,
        /// Which of the planned leads stayed. The ones that nobody was to get the run knows.
        skipped: Vec<Skipped>,
        /// Why nothing moved.
        explanation: Option<String>,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a run refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferRunError {
    /// It did not begin.
    #[error("流转执行不存在")]
    NotFound,
    /// Its plan or its end cannot be.
    #[error(transparent)]
    Flawed(#[from] PlanFlaw),
    /// A lead would go to whom it belongs.
    #[error("线索{0}不能流转给其负责人")]
    ToItsOwner(CustomerId),
}

impl TransferRun {
    fn decide_complete(
        &self,
        started: &TransferRunStarted,
        (moved, mut skipped): (Vec<Moved>, Vec<Skipped>),
        explanation: Option<String>,
        at: DateTime<Utc>,
    ) -> Result<Vec<TransferRunEvent>, TransferRunError> {
        require_end(&self.moves, &moved, &skipped)?;
        let unplaced = self.unplaced.iter();
        skipped.extend(unplaced.map(|Unplaced { customer, reason, .. }| Skipped {
            customer: *customer,
            reason: reason.as_str().to_owned(),
        }));
        let completed = TransferRunCompleted {
            rule: started.rule,
            rule_name: started.text.name.clone(),
            people: people(&moved),
            explanation: explanation.filter(|_| moved.is_empty()),
            moved,
            skipped,
            unplaced_more: self.unplaced_more,
            at,
        };
        Ok(vec![completed.into()])
    }
}

fn decide_start(
    started: TransferRunStarted,
    moves: &[PlannedMove],
    unplaced: &[Unplaced],
) -> Result<Vec<TransferRunEvent>, TransferRunError> {
    let leads = moves.iter().map(|one| one.customer).chain(unplaced.iter().map(|one| one.customer));
    require_plan(&leads.collect::<Vec<_>>())?;
    if let Some(own) = moves.iter().find(|one| one.from == one.to) {
        return Err(TransferRunError::ToItsOwner(own.customer));
    }
    let planned = TransferRunPlanned::default;
    let moves = moves
        .chunks(PLANNED_LEADS_MAX)
        .map(|chunk| TransferRunPlanned { moves: chunk.to_vec(), ..planned() });
    let (named, others) = unplaced.split_at(unplaced.len().min(UNPLACED_NAMED_MAX));
    let unplaced = (!named.is_empty()).then(|| TransferRunPlanned {
        unplaced: named.to_vec(),
        unplaced_more: u32::try_from(others.len()).unwrap_or(u32::MAX),
        ..planned()
    });
    Ok(std::iter::once(started.into()).chain(moves.chain(unplaced).map(Into::into)).collect())
}

impl Aggregate for TransferRun {
    const TYPE: &'static str = "transfer_run";
    type Command = TransferRunCommand;
    type Event = TransferRunEvent;
    type Error = TransferRunError;

    fn decide(&self, command: TransferRunCommand) -> Result<Vec<TransferRunEvent>, TransferRunError> {
        use TransferRunCommand as C;
        match (command, &self.started) {
            (C::Start { .. }, Some(_)) => Ok(vec![]),
            (C::Start { started, moves, unplaced }, None) => decide_start(*started, &moves, &unplaced),
            (C::Complete { .. }, None) => Err(TransferRunError::NotFound),
            // The first end counts, whoever wrote it.
            (C::Complete { .. }, Some(_)) if self.completed.is_some() => Ok(vec![]),
            (C::Complete { moved, skipped, explanation, at }, Some(started)) => {
                self.decide_complete(started, (moved, skipped), explanation, at)
            }
        }
    }

    fn evolve(&mut self, event: &TransferRunEvent) {
        match event {
            TransferRunEvent::Started(e) => self.started = Some(e.clone()),
            TransferRunEvent::Planned(e) => {
                self.moves.extend(&e.moves);
                self.unplaced.extend(&e.unplaced);
                self.unplaced_more = self.unplaced_more.saturating_add(e.unplaced_more);
            }
            TransferRunEvent::Completed(e) => self.completed = Some(e.clone()),
        }
    }
}

crate::adapt_to_cqrs_es!(TransferRun);
