//! A rule to plan with.

use crate::customer::ContractStatus;
use crate::preferences::{TimeOfDay, Zone};
use crate::transfer_rule::{Conditions, Distribution, RuleText, TargetModule, Window};

use super::staff;

pub(super) fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

/// System A's defaults: person 100 gives, persons 0 and 1 receive.
pub(super) fn text() -> RuleText {
    RuleText {
        name: "闲置线索".to_owned(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![ContractStatus::Pending, ContractStatus::Matching],
            lead_sources: vec![],
            created: None,
        },
        window: Window { enabled: true, start: time("09:30"), end: time("18:30"), zone: Zone::default() },
        sources: vec![staff(100)],
        targets: vec![staff(0), staff(1)],
        distribution: Distribution::default(),
    }
}
