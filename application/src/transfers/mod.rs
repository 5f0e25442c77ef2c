//! Transfer rules at work 自动流转 (transfer-and-recycle.md sections 1 and 2).
//!
//! Reading order: [`predict`] (a preview is the plan), `start` (the plan is written down before the first lead moves),
//! [`continue_run`] (one command a lead, the whole predicate asked again inside each append), [`complete_run`] (one
//! fact from which everybody learns once). A process that dies anywhere leaves a run that whoever comes next goes on
//! with: every step is a command whose id follows from the run, so what was done is met and not done again.
//!
//! Rules are written by [`create_rule`] and its neighbours. [`explain`] says in one sentence what a rule would do or why
//! nothing, [`judged`] how many leads fit it and why the others do not; [`Question`] asks the past.

mod explain;
mod gather;
mod patch;
mod predict;
mod refusal;
mod rules;
mod run;
mod start;
mod steps;
#[cfg(test)]
mod tests;
mod told;
mod what_if;

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::transfer_rule::plan::{Candidate, PlanInputs};
use domain::transfer_rule::{Criteria, Ineligible};
use domain::{StaffId, TransferRuleId};

pub use explain::{Outlook, explain, judged};
pub use patch::{ConditionsPatch, Day, Days, DistributionPatch, RulePatch, WindowPatch};
pub use predict::{Preview, predict};
pub use refusal::{SkipReason, TransferError, TransferRefusal};
pub use rules::{
    Overlap, RuleReceipt, RuleRefusal, RuleResult, create_rule, delete_rule, overlaps, revise_rule,
    toggle_rule,
};
pub use run::{Outcome, complete_run, continue_run, continue_run_told};
pub use start::{Begun, Occasion, begun_by, start_planned, start_run};
pub use told::why_nothing;
pub use what_if::{
    Life, Past, PastLead, PastSize, Question, Taker, Trial, Tried, WHAT_IF_DAYS, WHAT_IF_EVENTS_MAX,
    WHAT_IF_LEADS_MAX, WHAT_IF_LOOKS_MAX, WHAT_IF_MOVES_MAX, WHAT_IF_OFFERS_MAX, WHAT_IF_RUNS_MAX, WhatIf,
    WhatIfMove, what_if,
};

use crate::bus::LoadError;
use crate::customers::Limits;
use crate::ports::Clock;

/// What is read from the read models. They may be late: whatever is planned on them is asked again of each lead inside
/// its append.
#[async_trait]
pub trait Candidates: Send + Sync {
    /// The leads that the criteria let go at `at`, the longest idle first, at most `limit`. Each is judged by
    /// [`Criteria::check`], so that scan and commit cannot differ.
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Candidate>, LoadError>;

    /// How many leads the sources own, and how many of them the criteria refuse for which reason.
    async fn refused(&self, criteria: &Criteria, at: DateTime<Utc>) -> Result<Refused, LoadError>;

    /// Leads moved out of each person's hands minus leads moved in, by this rule, of all its runs. Nobody's entry: 0.
    async fn balances(&self, rule: TransferRuleId) -> Result<HashMap<StaffId, i64>, LoadError>;
}

/// The leads of a rule's sources that stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Leads the sources own.
    pub owned: u64,
    /// How many of them stay, for which reason.
    pub because: Vec<(Ineligible, u64)>,
}

/// Keeps what previews were made of, for as long as somebody may want exactly that plan: operational state, not
/// history. A preview that is gone is refused and made again.
#[async_trait]
pub trait Previews: Send + Sync {
    /// Keeps the inputs under their hash; the same ones twice are kept once.
    async fn keep(&self, hash: &str, inputs: &PlanInputs) -> Result<(), LoadError>;

    /// The inputs of this hash, if they are still kept.
    async fn find(&self, hash: &str) -> Result<Option<PlanInputs>, LoadError>;
}

/// What transfers work with.
pub struct Stores<'s, B> {
    /// Loads and appends.
    pub bus: &'s B,
    /// What the read models know.
    pub candidates: &'s dyn Candidates,
    /// The holding caps; a move by a rule is always held to them.
    pub limits: &'s Limits,
    /// The time: a long run asks the predicate of each lead at the moment it moves.
    pub clock: &'s dyn Clock,
}

impl<B> Clone for Stores<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Stores<'_, B> {}
