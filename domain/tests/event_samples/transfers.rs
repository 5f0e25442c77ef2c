//! Samples of what is said about transfer rules: their texts, their runs, and what rules do to a customer.

use domain::customer::{
    AssignmentSource, ContractStatus, CustomerEvent, CustomerRecycled, CustomerTransferred, FollowUpDue,
    LeadSource, RecycleWarned, RuleRun,
};
use domain::preferences::Zone;
use domain::transfer_rule::plan::{NoPlace, Unplaced};
use domain::transfer_rule::run::{
    PersonMoves, PlannedMove, Seed, Skipped, TransferRunCompleted, TransferRunEvent, TransferRunPlanned,
    TransferRunStarted, Trigger,
};
use domain::transfer_rule::{
    Conditions, CreatedRange, Distribution, RuleText, Strategy, TargetModule, TransferRuleCreated,
    TransferRuleDeleted, TransferRuleDisabled, TransferRuleEnabled, TransferRuleEvent, TransferRuleRevised,
    Window,
};
use domain::{Actor, CustomerId, RecycleRuleId, RecycleRunId, TransferRuleId, TransferRunId};

use super::{at, boss, staff, uuid};

fn rule() -> TransferRuleId {
    TransferRuleId(uuid(70))
}

fn text() -> RuleText {
    RuleText {
        name: "七天未跟进流转".into(),
        description: Some("给还没有签约的线索第二次机会".into()),
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 168,
            cooldown_hours: 24,
            transfer_count_max: 3,
            contract_statuses: vec![ContractStatus::Matching, ContractStatus::Pending],
            lead_sources: vec![LeadSource::Meituan, LeadSource::Douyin],
            created: Some(CreatedRange {
                from: Some("2025-12-01".parse().unwrap()),
                to: Some("2026-01-31".parse().unwrap()),
            }),
        },
        window: Window {
            enabled: true,
            start: "22:00".parse().unwrap(),
            end: "06:00".parse().unwrap(),
            zone: Zone::default(),
        },
        sources: vec![staff(1), staff(2)],
        targets: vec![staff(2), staff(3)],
        distribution: Distribution {
            strategy: Strategy::BalancedRandom,
            enable_compensation: true,
            compensation_priority: 5,
        },
    }
}

pub(crate) fn transfer_rule() -> Vec<TransferRuleEvent> {
    let (by, at) = (boss(), at());
    let distribution = Distribution { strategy: Strategy::RoundRobin, ..text().distribution };
    let revised = RuleText { distribution, ..text() };
    vec![
        TransferRuleCreated { text: text(), enabled: true, by: by.clone(), at }.into(),
        TransferRuleRevised { text: revised, by: by.clone(), at }.into(),
        TransferRuleEnabled { by: by.clone(), at }.into(),
        TransferRuleDisabled { by: by.clone(), at }.into(),
        TransferRuleDeleted { by, at }.into(),
    ]
}

pub(crate) fn transfer_run() -> Vec<TransferRunEvent> {
    let lead = |n| CustomerId(uuid(n));
    let moved = PlannedMove { customer: lead(10), from: staff(1), to: staff(3) };
    let stayed = PlannedMove { customer: lead(11), from: staff(2), to: staff(3) };
    vec![
        TransferRunStarted {
            rule: rule(),
            revision: 2,
            text: text(),
            period: Some(at()),
            trigger: Trigger::Scheduled,
            seed: Seed(18_446_744_073_709_551_615),
            plan_hash: "0123456789abcdef".repeat(4),
            by: Actor::System("scheduler".into()),
            at: at(),
        }
        .into(),
        TransferRunPlanned { moves: vec![moved, stayed], ..TransferRunPlanned::default() }.into(),
        TransferRunCompleted {
            rule: rule(),
            rule_name: text().name,
            moved: vec![moved],
            skipped: vec![Skipped { customer: lead(11), reason: "active".into() }],
            unplaced_more: 0,
            people: vec![
                PersonMoves { staff: staff(1), moved_out: 1, moved_in: 0 },
                PersonMoves { staff: staff(3), moved_out: 0, moved_in: 1 },
            ],
            explanation: Some("every_lead_stayed".into()),
            at: at(),
        }
        .into(),
    ]
}

/// What rules do to a customer; the other samples of it stand with the aggregates.
pub(crate) fn customer() -> Vec<CustomerEvent> {
    let (rule, at) = (RecycleRuleId(uuid(71)), at());
    vec![
        recycled(None).into(),
        RecycleWarned { to: staff(1), rule, due_at: at, offset_hours: 72, at }.into(),
        FollowUpDue { to: staff(1), due: at, at }.into(),
    ]
}

/// A fall; those of a run name it.
fn recycled(run: Option<RecycleRunId>) -> CustomerRecycled {
    let reason = "超过30天未跟进，自动回收".into();
    CustomerRecycled { from: staff(1), rule: RecycleRuleId(uuid(71)), reason, run, at: at() }
}

/// A fall in a run. The sample of the event is of one as it was written before there were runs.
pub(crate) fn recycled_in_a_run() -> CustomerEvent {
    recycled(Some(RecycleRunId(uuid(73)))).into()
}

/// A move by a rule, whose source has more in it than that of a batch.
pub(crate) fn moved_by_a_rule() -> CustomerEvent {
    CustomerTransferred {
        from: staff(1),
        to: staff(3),
        by: Actor::System("transfer_rule".into()),
        reason: Some("自动流转-规则: 七天未跟进流转".into()),
        source: AssignmentSource::Rule(RuleRun { rule: rule(), run: TransferRunId(uuid(72)) }),
        at: at(),
    }
    .into()
}

/// A part of a plan that names leads nobody gets.
pub(crate) fn planned_without_a_place() -> TransferRunEvent {
    let stays = Unplaced { customer: CustomerId(uuid(12)), from: staff(2), reason: NoPlace::NoRoom };
    TransferRunPlanned { unplaced: vec![stays], ..TransferRunPlanned::default() }.into()
}
