//! The hours and days of a transfer rule are those of its zone, whatever zone the server is in, as the hourly job has
//! them (transfer-and-recycle.md section 1, faults A-26e and A-41).

use chrono::{DateTime, Utc};
use projections::lead_transfer;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::TestApp;
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::clocks::{KATHMANDU, SHANGHAI, march, until};
use super::desk::{Desk, Tally, setup};

const EACH_MINUTE: &str = "* * * * *";

/// A rule that takes leads nobody touched for an hour, with more to say.
async fn rule(app: &TestApp, conditions: &Value, window: &Value) -> String {
    let mut body = json!({
        "ruleName": "夜间流转", "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 1, "transferCooldownHours": 0, "maxTransferCount": 0, "contractStatuses": ["待定"],
        },
        "executionWindow": window,
        "sourceUserIds": [app.team.employee.id], "targetUserIds": [app.team.colleague.id],
        "distributionConfig": { "strategy": "round-robin" },
    });
    let all = body["triggerConditions"].as_object_mut().expect("conditions");
    all.extend(conditions.as_object().expect("conditions").clone());
    let written = app.post("/api/lead-transfer/rules", &body).by(&app.team.manager).send().await;
    assert_eq!(written.status, 201, "{written:?}");
    written.id()
}

/// Whose the leads are, as the read model has it.
async fn moved(app: &TestApp, lead: &str) -> bool {
    let shown = app.get(&format!("/api/customers/{lead}")).by(&app.team.admin).send().await;
    shown.data()["assignedTo"] == json!(app.team.colleague.id)
}

/// The job of one minute; why it moved nothing, if so. A minute outside the hours of the rule leaves no run.
async fn minute(app: &TestApp, desk: &Desk, at: DateTime<Utc>) -> Option<String> {
    until(app, at);
    app.settle().await;
    let before = app.events_named("TransferRunCompleted", 0).await.len();
    assert_eq!(desk.look_at(lead_transfer::NAME).await, Some(at), "its period");
    app.settle().await;
    let ends = app.events_named("TransferRunCompleted", 0).await;
    if ends.len() == before {
        return Some("window_closed".to_owned());
    }
    ends.last().expect("a run").payload["explanation"].as_str().map(str::to_owned)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_the_night_runs_from_ten_to_six_in_shanghai(
    #[values(Sqlite, Postgres)] on: Backend,
    // What the scheduler's own wall clock shows changes nothing.
    #[values(SHANGHAI, KATHMANDU, "UTC")] zone: &str,
) {
    let app = TestApp::start_with(on, setup(march(9, 20, 30))).await;
    let team = app.team.clone();
    let window =
        json!({ "enabled": true, "startTime": "22:00", "endTime": "06:00", "zone": "Asia/Shanghai" });
    rule(&app, &json!({}), &window).await;
    let desk = Desk::with_grid(&app, EACH_MINUTE, zone, &Tally::default()).await;
    let lead = async |n: usize, at: DateTime<Utc>| {
        until(&app, at);
        app.lead_of(&team.admin, &team.employee, n).await
    };
    let closed = Some("window_closed".to_owned());

    let evening = lead(1, march(9, 20, 31)).await;
    assert_eq!(minute(&app, &desk, march(9, 21, 59)).await, closed);
    assert!(!moved(&app, &evening).await);
    assert_eq!(minute(&app, &desk, march(9, 22, 0)).await, None);
    assert!(moved(&app, &evening).await);

    // Idle for an hour at midnight, and not a minute before.
    let midnight = lead(2, march(9, 22, 59)).await;
    assert_eq!(minute(&app, &desk, march(9, 23, 59)).await, Some("none_fits".to_owned()));
    assert!(!moved(&app, &midnight).await);
    assert_eq!(minute(&app, &desk, march(10, 0, 0)).await, None);
    assert!(moved(&app, &midnight).await);

    let dawn = lead(3, march(10, 4, 30)).await;
    let late = lead(4, march(10, 5, 0)).await;
    assert_eq!(minute(&app, &desk, march(10, 6, 0)).await, None, "the last minute is one of them");
    assert!(moved(&app, &dawn).await && !moved(&app, &late).await);
    assert_eq!(minute(&app, &desk, march(10, 6, 1)).await, closed);
    assert_eq!(minute(&app, &desk, march(10, 14, 0)).await, closed, "22:00 to 06:00 in UTC");
    assert_eq!(minute(&app, &desk, march(10, 21, 59)).await, closed);
    assert!(!moved(&app, &late).await);
    assert_eq!(minute(&app, &desk, march(10, 22, 0)).await, None, "another night");
    assert!(moved(&app, &late).await);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_days_of_creation_are_whole_days_in_shanghai(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, setup(march(9, 23, 50))).await;
    let team = app.team.clone();
    let days = json!({ "createdDateRange": { "startDate": "2027-03-10", "endDate": "2027-03-11" } });
    rule(&app, &days, &json!({ "enabled": false })).await;
    // In UTC the first two are of one day, and so are the last two.
    let created = [
        (march(9, 23, 59), false),
        (march(10, 0, 0), true),
        (march(10, 12, 0), true),
        (march(11, 23, 59), true),
        (march(12, 0, 0), false),
    ];
    let mut leads = Vec::new();
    for (n, (at, inside)) in created.into_iter().enumerate() {
        until(&app, at);
        leads.push((at, app.lead_of(&team.admin, &team.employee, n).await, inside));
    }
    let desk = Desk::with_grid(&app, EACH_MINUTE, "UTC", &Tally::default()).await;
    assert_eq!(minute(&app, &desk, march(12, 3, 0)).await, None);
    for (at, lead, inside) in leads {
        assert_eq!(moved(&app, &lead).await, inside, "created {at}");
    }
    app.finish().await;
}
