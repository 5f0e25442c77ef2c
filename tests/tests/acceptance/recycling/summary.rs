//! Thirty leads of two people fall in one hour: each of them reads of it once.

use chrono::TimeDelta;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::RULES;

const LEADS: usize = 30;

/// How many of them are the employee's; the others are the colleague's.
const OF_EMPLOYEE: usize = 18;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_former_owner_of_a_run_reads_one_summary(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for n in 0..LEADS {
        let owner = if n < OF_EMPLOYEE { &team.employee } else { &team.colleague };
        app.lead_of(&team.admin, owner, n).await;
    }
    let rule = json!({ "name": "两天未跟进", "kind": "no_follow_up", "days": 2, "warnBeforeHours": [] });
    let written = app.post(RULES, &rule).by(&team.admin).key("rule").send().await;
    assert_eq!(written.status, 201, "{written:?}");
    app.settle().await;

    app.advance(TimeDelta::hours(49));
    let ended = eventually("the end of the run", async || {
        app.events_named("RecycleRunCompleted", 0).await.into_iter().next()
    })
    .await;
    assert_eq!(ended.payload["fallen"].as_array().map(Vec::len), Some(LEADS), "{ended:?}");
    app.settle().await;
    assert_eq!(app.events_named("CustomerRecycled", 0).await.len(), LEADS);
    assert_eq!(app.events_named("RecycleRunStarted", 0).await.len(), 1);

    let mut told = Vec::new();
    for notice in app.events_named("NotificationRequested", 0).await {
        if notice.payload["scene"] == json!("CUSTOMER_RECLAIMED") {
            told.push((notice.payload["recipient"].clone(), notice.payload["message"]["content"].clone()));
        }
    }
    let text = |n: usize| json!(format!("您的 {n} 个客户已被回收到公海，原因：两天未跟进，自动回收"));
    let mut expected = vec![
        (json!(team.employee.id), text(OF_EMPLOYEE)),
        (json!(team.colleague.id), text(LEADS - OF_EMPLOYEE)),
    ];
    expected.sort_by_key(|(person, _)| person.to_string());
    assert_eq!(told, expected, "in the order of their ids");
    app.is_reconciled().await;
    app.finish().await;
}
