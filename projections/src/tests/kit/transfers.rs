//! Transfer rules of a story, and their runs.

use chrono::{DateTime, Utc};
use domain::customer::{AssignmentSource, ContractStatus, CustomerEvent, CustomerTransferred, RuleRun};
use domain::transfer_rule::run::{
    PlannedMove, Seed, Skipped, TransferRunCompleted, TransferRunEvent, TransferRunPlanned,
    TransferRunStarted, Trigger, people,
};
use domain::transfer_rule::{
    Conditions, Distribution, RuleText, Strategy, TargetModule, TransferRuleCreated, TransferRuleEvent,
    Window,
};
use domain::{Actor, TransferRuleId, TransferRunId};

use super::{World, by, customer, dawn, second, staff};

pub(in crate::tests) fn rule(n: u128) -> TransferRuleId {
    TransferRuleId(uuid::Uuid::from_u128(0x7000 + n))
}

pub(in crate::tests) fn run(n: u128) -> TransferRunId {
    TransferRunId(uuid::Uuid::from_u128(0x8000 + n))
}

/// Leads of persons 1 and 2, idle for two days, go to persons 2 and 3.
pub(in crate::tests) fn rule_text(name: &str) -> RuleText {
    RuleText {
        name: name.to_owned(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![ContractStatus::Matching],
            lead_sources: vec![],
            created: None,
        },
        window: Window { enabled: false, ..Window::default() },
        sources: vec![staff(1), staff(2)],
        targets: vec![staff(2), staff(3)],
        distribution: Distribution { strategy: Strategy::RoundRobin, ..Distribution::default() },
    }
}

pub(in crate::tests) fn rule_written(text: RuleText, at: DateTime<Utc>) -> TransferRuleEvent {
    TransferRuleCreated { text, enabled: true, by: by(1), at }.into()
}

pub(in crate::tests) fn planned(n: u128, from: u128, to: u128) -> PlannedMove {
    PlannedMove { customer: customer(n), from: staff(from), to: staff(to) }
}

pub(in crate::tests) fn run_begun(
    of: TransferRuleId,
    text: RuleText,
    moves: &[PlannedMove],
    at: DateTime<Utc>,
) -> Vec<TransferRunEvent> {
    let started = TransferRunStarted {
        rule: of,
        revision: 1,
        text,
        period: Some(at),
        trigger: Trigger::Scheduled,
        seed: Seed(u64::MAX),
        plan_hash: "0".repeat(64),
        by: Actor::System("transfer_rule".to_owned()),
        at,
    };
    vec![started.into(), TransferRunPlanned { moves: moves.to_vec(), ..TransferRunPlanned::default() }.into()]
}

pub(in crate::tests) fn run_over(
    of: TransferRuleId,
    moved: &[PlannedMove],
    skipped: &[(u128, &str)],
    at: DateTime<Utc>,
) -> TransferRunEvent {
    let skipped =
        skipped.iter().map(|(n, reason)| Skipped { customer: customer(*n), reason: (*reason).to_owned() });
    TransferRunCompleted {
        rule: of,
        rule_name: "闲置流转".to_owned(),
        moved: moved.to_vec(),
        skipped: skipped.collect(),
        unplaced_more: 0,
        people: people(moved),
        explanation: None,
        at,
    }
    .into()
}

pub(in crate::tests) fn moved_by(
    run: TransferRunId,
    of: TransferRuleId,
    one: PlannedMove,
    at: DateTime<Utc>,
) -> CustomerEvent {
    CustomerTransferred {
        from: one.from,
        to: one.to,
        by: Actor::System("transfer_rule".to_owned()),
        reason: Some("自动流转-规则: 闲置流转".to_owned()),
        source: AssignmentSource::Rule(RuleRun { rule: of, run }),
        at,
    }
    .into()
}

impl World {
    /// A rule with one run that is over and one that is under way.
    pub(in crate::tests) async fn rules_at_work(&self, n: u128) {
        let (text, moves) = (rule_text("闲置流转"), [planned(n, 1, 2), planned(n + 1, 1, 3)]);
        self.append(rule(n), &[rule_written(text.clone(), dawn())]).await;
        self.append(run(n), &run_begun(rule(n), text.clone(), &moves, second(60))).await;
        self.append(run(n), &[run_over(rule(n), &moves[..1], &[(n + 1, "active")], second(61))]).await;
        self.append(run(n + 1), &run_begun(rule(n), text, &moves[1..], second(62))).await;
    }
}
