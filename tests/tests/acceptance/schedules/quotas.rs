//! A quota of claims begins anew once a day, at midnight in the configured zone, whatever the clocks of the processes say
//! (faults.md F9): nobody gets more than the quota on any day, counted by what was recorded.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Node, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::clocks::{SKEW, march, others, until};
use super::desk::setup;

/// Leads one person may claim on a day.
const QUOTA: usize = 3;

/// Claims at once through each process.
const AT_ONCE: usize = 4;

/// Leads in the pool: more than anybody gets.
const LEADS: usize = 30;

/// Hours that the wall clock of Shanghai is ahead of UTC.
const SHANGHAI_HOURS: i32 = 8;

async fn pooled(app: &TestApp) -> Vec<String> {
    let team = app.team.clone();
    let leads = join_all((0..LEADS).map(|n| app.lead_of(&team.admin, &team.employee, n))).await;
    let body = json!({ "customerIds": leads, "reason": "客户不需要了" });
    let reply = app.post("/api/customers/batch-release-to-pool", &body).by(&team.admin).send().await;
    assert_eq!(reply.data()["success"], json!(LEADS), "{reply:?}");
    leads
}

/// Through every process at once, one person claims whatever is left; how many that gave.
async fn everywhere(app: &TestApp, nodes: &[&Node], leads: &[String]) -> usize {
    let before = app.events_named("CustomerClaimed", 0).await.len();
    let claims = nodes.iter().flat_map(|node| {
        (0..AT_ONCE).map(|n| {
            let body = json!({ "customerIds": [leads[before + n]] });
            node.post("/api/customers/public-pool/claim", &body).by(&app.team.colleague).send()
        })
    });
    for reply in join_all(claims).await {
        let known = reply.status == 200
            || [(409, "CLAIM_QUOTA"), (409, "NOT_IN_POOL"), (409, "VERSION_CONFLICT")]
                .contains(&reply.problem());
        assert!(known, "{reply:?}");
    }
    app.settle().await;
    app.events_named("CustomerClaimed", 0).await.len() - before
}

/// Claims of each day on a wall clock so many hours ahead of UTC, by the moment that each event says.
async fn by_day(app: &TestApp, hours: i32) -> BTreeMap<String, usize> {
    let zone = FixedOffset::east_opt(hours * 3600).expect("a zone");
    let mut days = BTreeMap::new();
    for event in app.events_named("CustomerClaimed", 0).await {
        let at: DateTime<Utc> = event.payload["at"].as_str().expect("a moment").parse().expect("a moment");
        *days.entry(at.with_timezone(&zone).format("%m-%d").to_string()).or_default() += 1;
    }
    days
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_midnight_a_quota_begins_anew_once(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = TestApp::start_with(on, setup(march(9, 23, 40))).await;
    let others = others(&app, on).await;
    let set = app.put("/api/pool-rules", &json!({ "claimsPerDay": QUOTA })).by(&app.team.admin).send().await;
    assert_eq!(set.status, 200, "{set:?}");
    let leads = pooled(&app).await;
    app.settle().await;
    let nodes: Vec<&Node> = std::iter::once(&*app).chain(&others).collect();

    // Ten minutes before midnight everybody's clock shows the old day; ten minutes after it, the new one.
    let midnight = march(10, 0, 0);
    until(&app, midnight - TimeDelta::minutes(2 * SKEW));
    assert_eq!(everywhere(&app, &nodes, &leads).await, QUOTA);
    let mut gained = 0;
    for _ in 0..4 * SKEW {
        gained += everywhere(&app, &nodes, &leads).await;
        app.advance(TimeDelta::minutes(1));
    }
    assert_eq!(gained, QUOTA, "one new quota, although each clock passed midnight at another moment");
    let days = |days: &[&str]| days.iter().map(|day| ((*day).to_owned(), QUOTA)).collect::<BTreeMap<_, _>>();
    assert_eq!(by_day(&app, SHANGHAI_HOURS).await, days(&["03-09", "03-10"]));

    // A whole day passes at once, nobody claimed meanwhile: what was left is not kept.
    app.advance(TimeDelta::days(2));
    assert_eq!(everywhere(&app, &nodes, &leads).await, QUOTA);
    assert_eq!(everywhere(&app, &nodes, &leads).await, 0);
    assert_eq!(by_day(&app, SHANGHAI_HOURS).await, days(&["03-09", "03-10", "03-12"]));

    // The service moves to UTC, where it is the day before: that day's quota is new, and so is none of the day after.
    drop(nodes);
    for node in others {
        node.stop().await;
    }
    app.restart_with("LEADWIRE_LIMITS__ZONE", "UTC").await;
    assert_eq!(everywhere(&app, &[&app], &leads).await, QUOTA);
    until(&app, march(12, 7, 59));
    assert_eq!(everywhere(&app, &[&app], &leads).await, 0);
    until(&app, march(12, 8, 0));
    assert_eq!(everywhere(&app, &[&app], &leads).await, 0, "what was claimed on this day in Shanghai counts");
    until(&app, march(13, 8, 0));
    assert_eq!(everywhere(&app, &[&app], &leads).await, QUOTA);
    let on_a_day = by_day(&app, 0).await.into_values().max();
    assert!(on_a_day <= Some(2 * QUOTA), "the day of the change is the only long one: {on_a_day:?}");
    app.finish().await;
}
