//! What is told of runs by hand: rule by rule, and in one sentence.

use std::collections::BTreeMap;

use application::transfers::{Begun, SkipReason, why_nothing};
use domain::transfer_rule::run::{PersonMoves, Skipped, TransferRunCompleted};
use domain::{CustomerId, StaffId, TransferRuleId, TransferRunId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::text::{Language, Text};

/// Leads that stayed which are named one by one; all of them stand in the records.
const SKIPPED_TOLD_MAX: usize = 100;

/// What came of it, in system A's shape and more.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferExecutionDocument {
    /// Leads that moved.
    transferred_count: usize,
    /// Each person's part.
    user_stats: Vec<TransferUserStats>,
    /// For people.
    message: String,
    /// Whether every run is over; otherwise they go on after this answer.
    completed: bool,
    /// Moves that were planned.
    planned_count: usize,
    /// Each rule, in the order in which they ran.
    runs: Vec<TransferRunDocument>,
}

/// One person's part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferUserStats {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// Leads that went out of their hands.
    transferred_out: u32,
    /// Leads that came into them.
    transferred_in: u32,
}

/// One rule of the request, and its run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRunDocument {
    /// The rule.
    #[schema(value_type = Uuid)]
    rule_id: TransferRuleId,
    /// What it is called.
    rule_name: String,
    /// The run; its moves stand in the records. `null` when the rule could not be run: `explanation` says why.
    #[schema(value_type = Option<Uuid>)]
    run_id: Option<TransferRunId>,
    /// Whether it is over.
    completed: bool,
    /// Moves that were planned.
    planned_count: usize,
    /// Leads that moved.
    transferred_count: usize,
    /// Leads that fitted and stayed.
    skipped_count: usize,
    /// The first of them, with the reason.
    skipped: Vec<TransferSkippedDocument>,
    /// Why nothing moved, or why it could not be run, in one sentence.
    explanation: Option<String>,
}

/// A lead that fitted and stayed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferSkippedDocument {
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Why, for programs.
    reason: String,
    /// The same for people.
    message: String,
}

/// One rule of the request with what is known of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) rule: TransferRuleId,
    pub(super) name: String,
    /// Its run; `None` when it could not be run.
    pub(super) begun: Option<Begun>,
    /// Why it could not be run, or stopped on the way.
    pub(super) problem: Option<Problem>,
    /// What came of it; `None` while it goes on.
    pub(super) end: Option<TransferRunCompleted>,
}

impl Outcome {
    /// Each person's part.
    pub(super) fn people(&self) -> &[PersonMoves] {
        self.end.as_ref().map_or(&[], |end| &end.people)
    }

    fn planned(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| begun.planned)
    }

    fn moved(&self) -> usize {
        self.end.as_ref().map_or(0, |end| end.moved.len())
    }

    /// How many leads fitted and stayed, also those that the run does not name.
    fn stayed(&self) -> usize {
        self.end.as_ref().map_or(0, TransferRunCompleted::stayed)
    }

    fn skipped(&self) -> &[Skipped] {
        self.end.as_ref().map_or(&[], |end| &end.skipped)
    }

    /// Why nothing moved, or why it could not be run: with the counts of its moment when it just began, else as it is
    /// remembered.
    fn why(&self) -> Option<Text> {
        if let Some(problem) = &self.problem {
            return Some(problem.text.clone());
        }
        if let Some(nothing) = self.begun.as_ref().and_then(|begun| begun.nothing.as_ref()) {
            return Some(Text::with(nothing.zh(), nothing.en()));
        }
        let (zh, en) = why_nothing(self.end.as_ref()?)?;
        Some(Text::with(zh, en))
    }
}

/// What is said of runs that go on.
pub(super) fn going_on(planned: usize) -> Text {
    Text::with(
        format!("已开始流转{planned}条线索，完成后通知相关人员"),
        format!("{planned} leads are being moved; everybody concerned is told at the end"),
    )
}

/// What came of it, in one sentence.
pub(super) fn summary(outcomes: &[Outcome]) -> Text {
    let nothing = || Text::new("没有流转任何线索", "Nothing moved");
    let moved: usize = outcomes.iter().map(Outcome::moved).sum();
    let skipped: usize = outcomes.iter().map(Outcome::stayed).sum();
    let failed = outcomes.iter().filter(|one| one.problem.is_some()).count();
    let (mut zh, mut en) = match (moved, outcomes) {
        (0, []) => {
            ("当前没有处于执行时段的启用规则".to_owned(), "No rule is on and within its hours".to_owned())
        }
        (0, [one]) => return one.why().unwrap_or_else(nothing),
        (0, _) => ("没有流转任何线索".to_owned(), "Nothing moved".to_owned()),
        _ => (format!("成功流转{moved}条线索"), format!("{moved} leads moved")),
    };
    if moved > 0 && skipped > 0 {
        zh = format!("{zh}，{skipped}条未流转");
        en = format!("{en}, and {skipped} stayed");
    }
    if failed > 0 {
        zh = format!("{zh}，{failed}条规则未能执行");
        en = format!("{en}; {failed} rules could not be run");
    }
    Text::with(zh, en)
}

impl TransferExecutionDocument {
    pub(super) fn of(outcomes: &[Outcome], people: &People, text: &Text, language: Language) -> Self {
        let mut parts: BTreeMap<StaffId, (u32, u32)> = BTreeMap::new();
        for part in outcomes.iter().flat_map(Outcome::people) {
            let (out, into) = parts.entry(part.staff).or_default();
            (*out, *into) = (*out + part.moved_out, *into + part.moved_in);
        }
        let stats = |(user_id, (transferred_out, transferred_in))| TransferUserStats {
            user_id,
            user_name: people.shown(user_id),
            transferred_out,
            transferred_in,
        };
        Self {
            transferred_count: outcomes.iter().map(Outcome::moved).sum(),
            user_stats: parts.into_iter().map(stats).collect(),
            message: text.get(language).to_owned(),
            completed: outcomes.iter().all(|one| one.begun.is_none() || one.end.is_some()),
            planned_count: outcomes.iter().map(Outcome::planned).sum(),
            runs: outcomes.iter().map(|one| TransferRunDocument::of(one, language)).collect(),
        }
    }
}

impl TransferRunDocument {
    fn of(outcome: &Outcome, language: Language) -> Self {
        Self {
            rule_id: outcome.rule,
            rule_name: outcome.name.clone(),
            run_id: outcome.begun.as_ref().map(|begun| begun.run),
            completed: outcome.end.is_some(),
            planned_count: outcome.planned(),
            transferred_count: outcome.moved(),
            skipped_count: outcome.stayed(),
            skipped: skipped(outcome.skipped(), language),
            explanation: outcome.why().map(|why| why.get(language).to_owned()),
        }
    }
}

fn skipped(skipped: &[Skipped], language: Language) -> Vec<TransferSkippedDocument> {
    let document = |skipped: &Skipped| {
        let text = SkipReason::texts(&skipped.reason).map(|(zh, en)| Text::new(zh, en));
        TransferSkippedDocument {
            customer_id: skipped.customer,
            reason: skipped.reason.clone(),
            message: text.map_or_else(|| skipped.reason.clone(), |text| text.get(language).to_owned()),
        }
    };
    skipped.iter().take(SKIPPED_TOLD_MAX).map(document).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::http::problem;

    fn outcome(n: u128) -> Outcome {
        let run = TransferRunId(Uuid::from_u128(n));
        Outcome {
            rule: TransferRuleId(Uuid::from_u128(n)),
            name: format!("规则{n}"),
            begun: Some(Begun { run, planned: 2, completed: false, nothing: None }),
            problem: None,
            end: None,
        }
    }

    fn ended(n: u128, moved: u128, skipped: &[&str]) -> Outcome {
        let lead = |n| CustomerId(Uuid::from_u128(n));
        let staff = |n| StaffId(Uuid::from_u128(n));
        let moved: Vec<_> = (0..moved)
            .map(|one| domain::transfer_rule::run::Moved {
                customer: lead(one),
                from: staff(1),
                to: staff(2),
            })
            .collect();
        let stayed =
            |(one, reason): (u128, &&str)| Skipped { customer: lead(one), reason: (*reason).to_owned() };
        let end = TransferRunCompleted {
            rule: TransferRuleId(Uuid::from_u128(n)),
            rule_name: format!("规则{n}"),
            people: domain::transfer_rule::run::people(&moved),
            explanation: moved.is_empty().then(|| "no_leads".to_owned()),
            moved,
            skipped: (100..).zip(skipped).map(stayed).collect(),
            unplaced_more: 0,
            at: chrono::DateTime::UNIX_EPOCH,
        };
        Outcome { end: Some(end), ..outcome(n) }
    }

    fn failed(n: u128) -> Outcome {
        Outcome { begun: None, problem: Some(Problem::of(&problem::TRANSFER_RULE_OFF)), ..outcome(n) }
    }

    #[test]
    fn one_sentence_sums_up_every_rule() {
        for (outcomes, zh, en) in [
            (vec![], "当前没有处于执行时段的启用规则", "No rule is on and within its hours"),
            (vec![ended(1, 0, &[])], "流出人员名下没有线索", "the people named as sources owned no lead"),
            (vec![ended(1, 0, &[]), ended(2, 0, &[])], "没有流转任何线索", "Nothing moved"),
            (vec![ended(1, 2, &[]), ended(2, 1, &[])], "成功流转3条线索", "3 leads moved"),
            (
                vec![ended(1, 2, &["active"]), ended(2, 0, &["no_room"])],
                "成功流转2条线索，2条未流转",
                "2 leads moved, and 2 stayed",
            ),
            (
                vec![failed(1), ended(2, 1, &[])],
                "成功流转1条线索，1条规则未能执行",
                "1 leads moved; 1 rules could not be run",
            ),
            (
                vec![failed(1), ended(2, 0, &[])],
                "没有流转任何线索，1条规则未能执行",
                "Nothing moved; 1 rules could not be run",
            ),
        ] {
            let text = summary(&outcomes);
            assert_eq!((text.get(Language::Chinese), text.get(Language::English)), (zh, en));
        }
    }

    #[test]
    fn each_rule_says_what_came_of_it_and_why_not() {
        let outcomes = [ended(1, 2, &["active"]), ended(2, 0, &[]), failed(3), outcome(4)];
        let text = summary(&outcomes);
        let document = TransferExecutionDocument::of(&outcomes, &People::default(), &text, Language::English);
        assert_eq!((document.transferred_count, document.planned_count, document.completed), (2, 6, false));
        let told: Vec<_> = document
            .runs
            .iter()
            .map(|run| (run.run_id.is_some(), run.completed, run.transferred_count, run.skipped_count))
            .collect();
        let expected = [(true, true, 2, 1), (true, true, 0, 0), (false, false, 0, 0), (true, false, 0, 0)];
        assert_eq!(told, expected);
        assert_eq!(document.runs[0].rule_name, "规则1");
        assert_eq!(document.runs[0].skipped[0].reason, "active");
        let why: Vec<_> = document.runs.iter().map(|run| run.explanation.is_some()).collect();
        assert_eq!(why, [false, true, true, false]);
        assert_eq!(document.user_stats.iter().map(|one| one.transferred_out).collect::<Vec<_>>(), [2, 0]);
    }
}
