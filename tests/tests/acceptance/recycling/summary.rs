//! Fifty-two leads of two people fall in one hour: each of them reads of it once.

use chrono::TimeDelta;
use domain::staff::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{RULES, moment, token};

const RUNS: &str = "/api/recycle-runs";

/// More than `explain` prints unless it is asked for all.
const LEADS: usize = 52;

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
    the_run_explains_itself(&app, &ended.payload["period"]).await;
    app.is_reconciled().await;
    app.finish().await;
}

/// Over HTTP, and on the command line beside the service.
async fn the_run_explains_itself(app: &TestApp, period: &Value) {
    let team = app.team.clone();
    let operator = token(app, &team.operator, Role::Operator);
    let listed = app.get(RUNS).token(&operator).send().await;
    let runs = listed.data()["runs"].as_array().expect("runs").clone();
    assert_eq!((runs.len(), &listed.data()["total"]), (1, &json!(1)), "{listed:?}");
    assert_eq!(moment(&runs[0]["period"]), moment(period));
    assert_eq!(runs[0]["rules"][0]["ruleName"], json!("两天未跟进"));
    let counts = ["plannedCount", "recycledCount", "skippedCount"].map(|name| runs[0][name].clone());
    assert_eq!(counts, [json!(LEADS), json!(LEADS), json!(0)]);
    let id = runs[0]["_id"].as_str().expect("an id");
    let told = app.get(&format!("{RUNS}/{id}")).token(&operator).send().await;
    let told = told.data();
    let lost = [(&team.colleague, LEADS - OF_EMPLOYEE), (&team.employee, OF_EMPLOYEE)];
    let lost = lost.map(|(one, count)| json!({ "staffId": one.id, "name": one.name, "count": count }));
    assert_eq!(told["people"], json!(lost), "who lost most comes first");
    let leads = told["leads"].as_array().expect("leads");
    assert_eq!(leads.iter().filter(|lead| lead["state"] == "recycled").count(), LEADS, "{told}");
    let all = told["leads"].as_array().expect("leads").clone();
    for (page, expected) in [(1, &all[..20]), (2, &all[20..40]), (3, &all[40..]), (4, &[])] {
        let path = format!("{RUNS}/{id}?limit=20&page={page}");
        let part = app.get(&path).token(&operator).send().await;
        assert_eq!((&part.data()["leads"], &part.data()["totalPages"]), (&json!(expected), &json!(3)));
        assert_eq!(part.data()["people"], told["people"], "what each owner lost is that of the whole run");
    }
    let refused = app.get(&format!("{RUNS}/{id}?limit=1001")).token(&operator).send().await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let employee = token(app, &team.employee, Role::Employee);
    for path in [RUNS.to_owned(), format!("{RUNS}/{id}")] {
        let refused = app.get(&path).token(&employee).send().await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{path}");
    }

    let line = app.command_line().await;
    assert_eq!(line.json(&["recycle", "runs"]).await, json!(runs));
    let mut spoken = line.json(&["recycle", "explain", id]).await;
    assert_eq!(spoken["people"].take(), told["people"]);
    let text = line.done(&["recycle", "explain", id, "--all"]).await;
    for part in ["fell      52 leads", "18 by 李雷", "两天未跟进: 52 leads planned", "CUS", "recycled"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("CUS").count(), LEADS);
    let first = line.run(&["recycle", "explain", id]).await;
    assert_eq!((first.code, first.out.matches("CUS").count()), (0, 50), "{first:?}");
    assert!(first.err.contains("2 more leads are left out; `--all` shows them too."), "{first:?}");
    let table = line.done(&["recycle", "runs", "--limit", "1"]).await;
    assert!(table.contains(id), "{table}");
    let shown = spoken["leads"].as_array().expect("leads").len();
    assert_eq!((shown, &spoken["totalPages"]), (LEADS, &json!(1)));
    assert_eq!(line.json(&["recycle", "explain", id, "--all"]).await["leads"], spoken["leads"]);
    let unknown = line.refused(1, &["recycle", "explain", &uuid::Uuid::nil().to_string()]).await;
    assert!(unknown.contains("leadwire recycle runs"), "{unknown}");
    line.refused(2, &["recycle", "runs", "--limit", "51"]).await;
    line.refused(2, &["recycle", "explain", "x"]).await;
}
