//! What a transfer rule says, whom it takes leads from, when it runs, and what a run may claim.

mod bounds;
mod criteria;
mod properties;
mod rule;
mod runs;
mod window;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::customer::{ContractStatus, LeadSource};
use crate::ids::CustomerId;
use crate::preferences::{TimeOfDay, Zone};
use crate::testing::{after, at, boss, given, play, staff};

/// Seconds of an hour.
const HOUR: i64 = 3600;

fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn window(start: &str, end: &str, zone_name: &str) -> Window {
    Window { enabled: true, start: time(start), end: time(end), zone: zone(zone_name) }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn lead(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(1000 + n))
}

/// The defaults of system A, from 1 and 2 to 2 and 3.
fn text() -> RuleText {
    RuleText {
        name: "七天未跟进流转".into(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![ContractStatus::Matching, ContractStatus::Pending],
            lead_sources: vec![],
            created: None,
        },
        window: window("09:30", "18:30", "Asia/Shanghai"),
        sources: vec![staff(1), staff(2)],
        targets: vec![staff(2), staff(3)],
        distribution: Distribution::default(),
    }
}
