//! Previews of transfer rules: kept as they were made, and not for ever.

use std::sync::Arc;

use application::transfers::Previews as _;
use chrono::{DateTime, TimeDelta, Utc};
use domain::transfer_rule::plan::{Candidate, PlanInputs, Target};
use domain::transfer_rule::run::Seed;
use domain::transfer_rule::{Conditions, Distribution, RuleText, TargetModule, Window};
use domain::{CustomerId, StaffId, TransferRuleId};
use infrastructure::clock::TestClock;
use infrastructure::transfer_previews::{KEPT, PREVIEWS_MAX, StoredPreviews};
use infrastructure::with_pool;
use rstest::rstest;
use uuid::Uuid;

use crate::kit::{Backend, TestDb};

/// With nanoseconds: a preview that lost them would not have its hash any more.
const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap();

fn inputs(seed: u64) -> PlanInputs {
    let (giver, taker) = (StaffId(Uuid::from_u128(1)), StaffId(Uuid::from_u128(2)));
    let text = RuleText {
        name: "闲置流转".to_owned(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![],
            lead_sources: vec![],
            created: None,
        },
        window: Window::default(),
        sources: vec![giver],
        targets: vec![taker],
        distribution: Distribution::default(),
    };
    PlanInputs {
        rule: TransferRuleId(Uuid::from_u128(9)),
        revision: 3,
        text,
        candidates: vec![Candidate { customer: CustomerId(Uuid::from_u128(7)), owner: giver, sequence: 4 }],
        targets: vec![Target { staff: taker, room: Some(5), balance: -2 }],
        seed: Seed(seed),
        at: NOW,
    }
}

#[rstest]
#[tokio::test]
async fn a_preview_is_what_it_was_until_it_expires(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let clock = Arc::new(TestClock::at(NOW));
    let previews = StoredPreviews::new(test.db.clone(), clock.clone());
    let made = inputs(u64::MAX);
    previews.keep(&made.hash(), &made).await.unwrap();
    let found = previews.find(&made.hash()).await.unwrap().unwrap();
    assert_eq!((found.hash(), &found), (made.hash(), &made));
    assert_eq!(previews.find("0").await.unwrap(), None);

    clock.advance(KEPT - TimeDelta::seconds(1));
    assert!(previews.find(&made.hash()).await.unwrap().is_some());
    // Made again: kept from now on.
    previews.keep(&made.hash(), &made).await.unwrap();
    clock.advance(TimeDelta::seconds(1));
    assert!(previews.find(&made.hash()).await.unwrap().is_some());
    clock.advance(KEPT);
    assert_eq!(previews.find(&made.hash()).await.unwrap(), None);
    let other = inputs(1);
    previews.keep(&other.hash(), &other).await.unwrap();
    assert_eq!(rows(&test).await, 1, "what expired is gone");
}

#[rstest]
#[tokio::test]
async fn the_oldest_previews_make_room(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let clock = Arc::new(TestClock::at(NOW));
    let previews = StoredPreviews::new(test.db.clone(), clock.clone());
    let most = u64::try_from(PREVIEWS_MAX).unwrap();
    for seed in 0..=most {
        let made = inputs(seed);
        previews.keep(&made.hash(), &made).await.unwrap();
        clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(rows(&test).await, PREVIEWS_MAX);
    assert_eq!(previews.find(&inputs(0).hash()).await.unwrap(), None);
    assert!(previews.find(&inputs(most).hash()).await.unwrap().is_some());
}

async fn rows(test: &TestDb) -> i64 {
    let count = "SELECT count(*) FROM transfer_previews";
    with_pool!(&test.db, pool => sqlx::query_scalar(count).fetch_one(pool).await).unwrap()
}
