//! One run of the recycle rules 回收执行: which leads were to fall, and which of them fell (transfer-and-recycle.md
//! section 3).
//!
//! The plan is written down before the first lead falls. Whoever finds a run unfinished goes on with that very plan; its
//! last fact tells every former owner, once. An hour in which nothing is due is no run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, RecycleRuleId, StaffId};
use crate::planned_leads::{PLANNED_LEADS_MAX, PlanFlaw, PlannedLead, require_end, require_plan};
use crate::{Aggregate, stored_events};

pub use crate::planned_leads::Stayed;

stored_events! {
    /// A fact about one run.
    RecycleRunEvent {
        /// It began.
        Started(RecycleRunStarted) = 1,
        /// Some of its leads were planned.
        Planned(RecycleRunPlanned) = 1,
        /// It is over.
        Completed(RecycleRunCompleted) = 1,
    }
}

/// A run began 回收开始.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleRunStarted {
    /// The period it is the run of.
    pub period: DateTime<Utc>,
    /// The rules by which its leads fall, as they were called.
    pub rules: Vec<NamedRule>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule and what it was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRule {
    /// The rule.
    pub rule: RecycleRuleId,
    /// Its name.
    pub name: String,
}

/// Some leads of a run, in the order in which they are to fall; written with its beginning, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleRunPlanned {
    /// The leads.
    pub falls: Vec<PlannedFall>,
}

/// One lead, whose it is, and the rule by which it is to fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlannedFall {
    /// The lead.
    pub customer: CustomerId,
    /// Its owner.
    pub from: StaffId,
    /// The rule.
    pub rule: RecycleRuleId,
}

impl PlannedLead for PlannedFall {
    fn customer(&self) -> CustomerId {
        self.customer
    }
}

/// A planned fall that happened.
pub type Fallen = PlannedFall;

/// A run is over 回收完成. Names only the leads that fell, and those that stayed with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleRunCompleted {
    /// The period it was the run of.
    pub period: DateTime<Utc>,
    /// The rules of its plan, as they were called.
    pub rules: Vec<NamedRule>,
    /// What fell.
    pub fallen: Vec<Fallen>,
    /// What stayed.
    pub skipped: Vec<Stayed>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A run as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecycleRun {
    /// How it began; `None` before it did.
    pub started: Option<RecycleRunStarted>,
    /// Every planned lead, in the order of the plan.
    pub falls: Vec<PlannedFall>,
    /// What came of it; `None` while it is under way.
    pub completed: Option<RecycleRunCompleted>,
}

/// What may be asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum RecycleRunCommand {
    /// Begin it with this plan. Another process may have begun it: then nothing happens, and its plan counts. An empty
    /// plan begins nothing.
    Start {
        /// Everything but the leads.
        started: RecycleRunStarted,
        /// The leads.
        falls: Vec<PlannedFall>,
    },
    /// End it: every planned lead fell or stayed.
    Complete {
        /// What fell, each as it was planned.
        fallen: Vec<Fallen>,
        /// What stayed.
        skipped: Vec<Stayed>,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a run refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecycleRunError {
    /// It did not begin.
    #[error("回收执行不存在")]
    NotFound,
    /// Its plan or its end cannot be.
    #[error(transparent)]
    Flawed(#[from] PlanFlaw),
}

impl RecycleRun {
    fn decide_complete(
        &self,
        started: &RecycleRunStarted,
        (fallen, skipped): (Vec<Fallen>, Vec<Stayed>),
        at: DateTime<Utc>,
    ) -> Result<Vec<RecycleRunEvent>, RecycleRunError> {
        require_end(&self.falls, &fallen, &skipped)?;
        let RecycleRunStarted { period, rules, .. } = started.clone();
        Ok(vec![RecycleRunCompleted { period, rules, fallen, skipped, at }.into()])
    }
}

fn decide_start(
    started: RecycleRunStarted,
    falls: &[PlannedFall],
) -> Result<Vec<RecycleRunEvent>, RecycleRunError> {
    if falls.is_empty() {
        return Ok(vec![]);
    }
    require_plan(&falls.iter().map(|one| one.customer).collect::<Vec<_>>())?;
    let planned = falls.chunks(PLANNED_LEADS_MAX).map(|chunk| RecycleRunPlanned { falls: chunk.to_vec() });
    Ok(std::iter::once(started.into()).chain(planned.map(Into::into)).collect())
}

impl Aggregate for RecycleRun {
    const TYPE: &'static str = "recycle_run";
    type Command = RecycleRunCommand;
    type Event = RecycleRunEvent;
    type Error = RecycleRunError;

    fn decide(&self, command: RecycleRunCommand) -> Result<Vec<RecycleRunEvent>, RecycleRunError> {
        use RecycleRunCommand as C;
        match (command, &self.started) {
            (C::Start { .. }, Some(_)) => Ok(vec![]),
            (C::Start { started, falls }, None) => decide_start(started, &falls),
            (C::Complete { .. }, None) => Err(RecycleRunError::NotFound),
            // The first end counts, whoever wrote it.
            (C::Complete { .. }, Some(_)) if self.completed.is_some() => Ok(vec![]),
            (C::Complete { fallen, skipped, at }, Some(started)) => {
                self.decide_complete(started, (fallen, skipped), at)
            }
        }
    }

    fn evolve(&mut self, event: &RecycleRunEvent) {
        match event {
            RecycleRunEvent::Started(e) => self.started = Some(e.clone()),
            RecycleRunEvent::Planned(e) => self.falls.extend(&e.falls),
            RecycleRunEvent::Completed(e) => self.completed = Some(e.clone()),
        }
    }
}

crate::adapt_to_cqrs_es!(RecycleRun);
