//! Samples of what is said about the public pool: when leads fall into it, and what people are held to.

use std::collections::BTreeMap;

use domain::customer::{ContractStatus, LeadLevel, LeadSource};
use domain::pool_rules::{PoolRulesEvent, PoolRulesSet, PoolRulesText};
use domain::recycle_rule::run::{
    NamedRule, PlannedFall, RecycleRunCompleted, RecycleRunEvent, RecycleRunPlanned, RecycleRunStarted,
    Stayed,
};
use domain::recycle_rule::{
    RecycleKind, RecycleRuleCreated, RecycleRuleDeleted, RecycleRuleDisabled, RecycleRuleEnabled,
    RecycleRuleEvent, RecycleRuleRevised, RecycleText,
};
use domain::staff::Role;
use domain::{CustomerId, RecycleRuleId};

use super::{at, boss, staff, uuid};

pub(crate) fn recycle_rule() -> Vec<RecycleRuleEvent> {
    let text = RecycleText {
        name: "三十天未跟进".into(),
        priority: 10,
        kind: RecycleKind::NoFollowUp { days: 30 },
        days_by_level: BTreeMap::from([(LeadLevel::A, 15), (LeadLevel::D, 60)]),
        lead_sources: vec![LeadSource::Meituan, LeadSource::Douyin],
        statuses: vec![ContractStatus::Matching, ContractStatus::Pending],
        protected_hours: 48,
        effective_from: at(),
        warn_before_hours: vec![72, 24],
    };
    let revised = RecycleText { kind: RecycleKind::NotSigned { days: 90 }, ..text.clone() };
    let (by, at) = (boss(), at());
    vec![
        RecycleRuleCreated { text, enabled: true, by: by.clone(), at }.into(),
        RecycleRuleRevised { text: revised, by: by.clone(), at }.into(),
        RecycleRuleEnabled { effective_from: at + chrono::TimeDelta::days(3), by: by.clone(), at }.into(),
        RecycleRuleDisabled { by: by.clone(), at }.into(),
        RecycleRuleDeleted { by, at }.into(),
    ]
}

pub(crate) fn recycle_run() -> Vec<RecycleRunEvent> {
    let rules = vec![NamedRule { rule: RecycleRuleId(uuid(71)), name: "三十天未跟进".into() }];
    let one =
        |n| PlannedFall { customer: CustomerId(uuid(n)), from: staff(1), rule: RecycleRuleId(uuid(71)) };
    let stayed = Stayed { customer: CustomerId(uuid(11)), reason: "touched".into() };
    vec![
        RecycleRunStarted { period: at(), rules: rules.clone(), at: at() }.into(),
        RecycleRunPlanned { falls: vec![one(10), one(11)] }.into(),
        RecycleRunCompleted { period: at(), rules, fallen: vec![one(10)], skipped: vec![stayed], at: at() }
            .into(),
    ]
}

pub(crate) fn pool_rules() -> Vec<PoolRulesEvent> {
    let text = PoolRulesText {
        claims_per_day: Some(10),
        claim_gap_seconds: Some(60),
        cool_off_hours: Some(24),
        holding_cap: Some(80),
        holding_cap_by_role: Some(BTreeMap::from([(Role::Dispatch, 200)])),
        cap_ignores_signed: Some(true),
        assignments_held_to_cap: Some(false),
    };
    vec![PoolRulesSet { text, by: boss(), at: at() }.into()]
}
