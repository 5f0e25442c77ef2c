//! A run as it is told: what was planned, what became of each lead, each person's part, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use application::transfers::{SkipReason, why_nothing};
use chrono::{DateTime, Utc};
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::{Seed, TransferRun, TransferRunCompleted, Trigger, people as parts};
use domain::{Actor, CustomerId, StaffId, TransferRuleId, TransferRunId};
use serde::Serialize;

use super::super::{moment, say};
use crate::http::people::People;

/// A run, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunDocument {
    run_id: TransferRunId,
    rule_id: TransferRuleId,
    rule_name: String,
    revision: i64,
    trigger: Trigger,
    /// The hour it is the run of.
    period: Option<DateTime<Utc>>,
    /// A person's name, or the part of the program.
    started_by: String,
    started_at: DateTime<Utc>,
    /// `null`: it is under way, or was left and is carried on.
    completed_at: Option<DateTime<Utc>>,
    plan_hash: String,
    seed: Seed,
    planned_count: usize,
    transferred_count: usize,
    skipped_count: usize,
    /// Each reason for which planned leads stayed, the most frequent first.
    skipped: Vec<Reason>,
    user_stats: Vec<Part>,
    /// Every planned move, in the order of the plan.
    moves: Vec<Move>,
    /// Why nothing moved, in one sentence.
    explanation: Option<String>,
}

#[derive(Debug, Serialize)]
struct Reason {
    reason: String,
    message: String,
    count: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    user_id: StaffId,
    user_name: String,
    transferred_out: u32,
    transferred_in: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    customer_id: CustomerId,
    from_user_id: StaffId,
    to_user_id: StaffId,
    /// `moved`, `stayed` or `planned`.
    state: &'static str,
    /// Why it stayed.
    reason: Option<String>,
}

/// Everybody whom a run names.
pub(super) fn named(run: &TransferRun) -> BTreeSet<StaffId> {
    let by = run.started.as_ref().and_then(|started| match started.by {
        Actor::Staff(staff) => Some(staff),
        Actor::System(_) => None,
    });
    run.moves.iter().flat_map(|one| [one.from, one.to]).chain(by).collect()
}

impl RunDocument {
    /// `None` when the run did not begin. `nothing`: why its plan was empty, from the one who began it; later only the code
    /// is known.
    pub(super) fn of(
        id: TransferRunId,
        run: TransferRun,
        nothing: Option<&Nothing>,
        people: &People,
    ) -> Option<Self> {
        let started = run.started?;
        let completed = run.completed.as_ref();
        let stayed: HashMap<CustomerId, &str> = completed
            .iter()
            .flat_map(|end| end.skipped.iter().map(|one| (one.customer, one.reason.as_str())))
            .collect();
        let moved = completed.map(|end| end.moved.as_slice()).unwrap_or_default();
        let remembered = completed.and_then(why_nothing);
        let explanation = match nothing {
            Some(nothing) => Some(nothing.en()),
            None => remembered.map(|(_, en)| format!("Nothing moved: {en}")),
        };
        let user_stats = parts(moved).into_iter().map(|part| Part {
            user_id: part.staff,
            user_name: people.shown(part.staff),
            transferred_out: part.moved_out,
            transferred_in: part.moved_in,
        });
        let planned = run.moves.iter().map(|one| {
            let reason = stayed.get(&one.customer).map(|reason| (*reason).to_owned());
            let state = match (completed, &reason) {
                (None, _) => "planned",
                (Some(_), None) => "moved",
                (Some(_), Some(_)) => "stayed",
            };
            Move { customer_id: one.customer, from_user_id: one.from, to_user_id: one.to, state, reason }
        });
        Some(Self {
            run_id: id,
            rule_id: started.rule,
            rule_name: started.text.name,
            revision: started.revision,
            trigger: started.trigger,
            period: started.period,
            started_by: match started.by {
                Actor::Staff(staff) => people.shown(staff),
                Actor::System(part) => part,
            },
            started_at: started.at,
            completed_at: completed.map(|end| end.at),
            plan_hash: started.plan_hash,
            seed: started.seed,
            planned_count: run.moves.len(),
            transferred_count: moved.len(),
            skipped_count: completed.map_or(0, TransferRunCompleted::stayed),
            skipped: reasons(stayed.values().copied()),
            user_stats: user_stats.collect(),
            moves: planned.collect(),
            explanation,
        })
    }

    /// Prints what came of it.
    pub(super) fn print_outcome(&self) -> Result<()> {
        let Self { rule_name, run_id, transferred_count, skipped_count, .. } = self;
        match &self.explanation {
            Some(explanation) => say::line(format_args!("{rule_name}: {explanation}."))?,
            None => say::line(format_args!(
                "{rule_name}: {transferred_count} leads moved, {skipped_count} stayed."
            ))?,
        }
        self.print_parts()?;
        say::line(format_args!("`leadwire transfer explain {run_id}` shows it again."))
    }

    /// Prints everything but the leads one by one.
    pub(super) fn print_whole(&self) -> Result<()> {
        let line = |name: &str, text: &str| say::line(format_args!("{name:<10}{text}"));
        line("run", &self.run_id.to_string())?;
        line("rule", &format!("{} ({}), text {}", self.rule_name, self.rule_id, self.revision))?;
        let began = match self.period {
            Some(period) => format!("by the schedule, for {}", moment::shown(period)),
            None => format!("by {}", self.started_by),
        };
        line("began", &format!("{} {began}", moment::shown(self.started_at)))?;
        let ended = self.completed_at.map(moment::shown);
        line("ended", ended.as_deref().unwrap_or("not yet: a running worker carries it on"))?;
        line("plan", &format!("{}, seed {}", self.plan_hash, self.seed))?;
        line("planned", &format!("{} leads", self.planned_count))?;
        if self.completed_at.is_some() {
            line("moved", &format!("{} leads", self.transferred_count))?;
        }
        if let Some(explanation) = &self.explanation {
            line("why", explanation)?;
        }
        self.print_parts()
    }

    fn print_parts(&self) -> Result<()> {
        for Reason { message, count, .. } in &self.skipped {
            say::line(format_args!("{count} stayed: {message}"))?;
        }
        if self.user_stats.is_empty() {
            return Ok(());
        }
        let rows: Vec<[String; 3]> = self
            .user_stats
            .iter()
            .map(|part| {
                [part.user_name.clone(), part.transferred_out.to_string(), part.transferred_in.to_string()]
            })
            .collect();
        say::table(["PERSON", "OUT", "IN"], &rows)
    }
}

fn reasons<'r>(codes: impl Iterator<Item = &'r str>) -> Vec<Reason> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for code in codes {
        *counts.entry(code).or_default() += 1;
    }
    let reason = |(code, count): (&str, usize)| {
        let message = SkipReason::texts(code).map_or(code, |(_, en)| en).to_owned();
        Reason { reason: code.to_owned(), message, count }
    };
    let mut reasons: Vec<Reason> = counts.into_iter().map(reason).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}
