//! Recycle rules of a story.

use chrono::{DateTime, Utc};
use domain::recycle_rule::run::{PlannedFall, RecycleRunEvent, RecycleRunPlanned, RecycleRunStarted};
use domain::recycle_rule::{RecycleKind, RecycleRuleCreated, RecycleRuleEvent, RecycleText};
use domain::{RecycleRuleId, RecycleRunId};

use super::{World, by, customer, staff};

pub(in crate::tests) fn recycle_rule(n: u128) -> RecycleRuleId {
    RecycleRuleId(uuid::Uuid::from_u128(0xa000 + n))
}

/// Seven days without a follow-up; warnings three days and one day before.
pub(in crate::tests) fn seven_days(at: DateTime<Utc>) -> RecycleText {
    RecycleText {
        name: "七天未跟进".to_owned(),
        priority: 10,
        kind: RecycleKind::NoFollowUp { days: 7 },
        days_by_level: <_>::default(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: at,
        warn_before_hours: vec![72, 24],
    }
}

/// The run of a period.
pub(in crate::tests) fn run(period: DateTime<Utc>) -> RecycleRunId {
    RecycleRunId::of_period(period)
}

/// Lead `n` of person 2 is to fall by rule 1.
pub(in crate::tests) fn planned(n: u128) -> PlannedFall {
    PlannedFall { customer: customer(n), from: staff(2), rule: recycle_rule(1) }
}

/// A run of lead `n` that nobody ended.
pub(in crate::tests) fn run_begun(n: u128, period: DateTime<Utc>) -> [RecycleRunEvent; 2] {
    let started = RecycleRunStarted { period, rules: vec![], at: period };
    [started.into(), RecycleRunPlanned { falls: vec![planned(n)] }.into()]
}

impl World {
    /// Somebody writes a recycle rule.
    pub(in crate::tests) async fn recycle_rule(&self, n: u128, text: RecycleText, at: DateTime<Utc>) {
        let written: RecycleRuleEvent = RecycleRuleCreated { text, enabled: true, by: by(1), at }.into();
        self.append(recycle_rule(n), &[written]).await;
    }
}
