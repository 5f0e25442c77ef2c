//! Runs by hand that are longer than anybody waits: they go on after the answer, a stop waits for them, a crash leaves
//! them to the schedule, and a request for every rule says of each what came of it.

use leadwire::wiring::Role;
use tests::kit::{eventually, log};

use super::*;

/// A service whose requests wait for so many moves.
fn waits_for(moves: usize) -> Setup {
    let more = vec![("LEADWIRE_LIMITS__AWAITED_MOVES", moves.to_string())];
    Setup { wechat: Wechat::Unconfigured, more, ..Setup::default() }
}

/// Records of the run with this status.
async fn records(app: &TestApp, run: &Value, status: &str) -> Value {
    let run = run.as_str().expect("a run");
    let path = format!("/api/lead-transfer/records?runId={run}&status={status}");
    let reply = app.get(&path).by(&app.team.manager).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.data()["total"].clone()
}

async fn all_moved(app: &TestApp, run: &Value, leads: &[String]) {
    eventually("the run moved every lead", async || {
        (records(app, run, "success").await == json!(leads.len())).then_some(())
    })
    .await;
    assert_eq!((records(app, run, "planned").await, records(app, run, "failed").await), (json!(0), json!(0)));
    for lead in leads {
        let expected = ["CustomerCreated", "CustomerAssigned", "CustomerTransferred"];
        assert_eq!(log::types(&app.history(lead).await), expected, "moved once");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_moves_go_on_after_the_answer(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, waits_for(2)).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague, &team.dispatch])).await.id();
    let leads = idle_leads(&app, 5).await;

    let few = json!({ "ruleId": id, "batchSize": 2 });
    let waited = app.post(EXECUTE, &few).by(&team.manager).send().await;
    assert_eq!(
        (waited.status, &waited.data()["completed"]),
        (200, &json!(true)),
        "as many as are waited for"
    );
    app.settle().await;

    let run = json!({ "ruleId": id });
    let begun = app.post(EXECUTE, &run).by(&team.manager).key("many").send().await;
    assert_eq!((begun.status, begun.message()), (202, "已开始流转3条线索，完成后通知相关人员"), "{begun:?}");
    let told = begun.data().clone();
    assert_eq!((&told["completed"], &told["plannedCount"]), (&json!(false), &json!(3)));
    let part = &told["runs"][0];
    assert_eq!((&part["ruleId"], &part["ruleName"]), (&json!(id), &json!("闲置线索")));
    let run_id = part["runId"].clone();
    eventually("the run is over", async || {
        (records(&app, &run_id, "success").await == json!(3)).then_some(())
    })
    .await;
    app.settle().await;
    for lead in &leads {
        assert_ne!(owner(&app, lead).await, json!(team.employee.id));
    }
    // The same request again asks what became of it.
    let ended = app.post(EXECUTE, &run).by(&team.manager).key("many").send().await;
    assert_eq!((ended.status, ended.message()), (200, "成功流转3条线索"), "{ended:?}");
    assert_eq!((&ended.data()["runs"][0]["runId"], ended.is_replay()), (&run_id, true));
    assert_eq!(ended.data()["completed"], json!(true));
    let told = app.inbox(&team.employee).await;
    assert_eq!(told.iter().filter(|one| one["type"] == "LEAD_AUTO_TRANSFER_OUT").count(), 2, "{told:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_a_run_that_goes_on(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = TestApp::start_with(on, waits_for(0)).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague, &team.dispatch])).await.id();
    let leads = idle_leads(&app, 30).await;
    let begun = app.post(EXECUTE, &json!({ "ruleId": id })).by(&team.manager).send().await;
    assert_eq!(begun.status, 202, "{begun:?}");
    app.restart().await;
    app.settle().await;
    // No full hour has passed: nobody but the request's own process can have ended it.
    all_moved(&app, &begun.data()["runs"][0]["runId"], &leads).await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_hand_that_died_is_carried_on_by_the_schedule(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = TestApp::start_with(on, Setup { mortal: true, ..waits_for(0) }).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague, &team.dispatch])).await.id();
    let leads = idle_leads(&app, 30).await;
    let begun = app.post(EXECUTE, &json!({ "ruleId": id })).by(&team.manager).send().await;
    assert_eq!(begun.status, 202, "{begun:?}");
    app.kill();
    app.revive().await;
    // The rule itself has no hours now: whatever is left is left to the job that looks for such runs.
    app.advance(TimeDelta::hours(2));
    all_moved(&app, &begun.data()["runs"][0]["runId"], &leads).await;
    app.settle().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_open_rule_runs_the_oldest_first_and_none_holds_up_another(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    // No worker: at a full hour the schedule would be faster.
    let app = TestApp::start_with(on, Setup { roles: vec![Role::Api], ..waits_for(1000) }).await;
    let team = app.team.clone();
    let mut leads = Vec::new();
    for n in 0..3 {
        leads.push(app.lead_of(&team.manager, &team.employee, n).await);
    }
    app.advance(TimeDelta::minutes(90));
    app.drain().await;
    let any_time = json!({ "enabled": false });
    let mut ids = Vec::new();
    for (name, source, target) in [
        ("甲", &team.employee, &team.colleague),
        ("乙", &team.employee, &team.dispatch),
        ("丙", &team.employee, &team.admissions),
        ("丁", &team.dispatch, &team.colleague),
        ("戊", &team.employee, &team.colleague),
    ] {
        let mut body = rule(&app, &[source], &[target]);
        (body["ruleName"], body["executionWindow"]) = (json!(name), any_time.clone());
        if name == "戊" {
            body["enabled"] = json!(false);
        }
        ids.push(write(&app, &body).await.id());
    }
    app.suspend(&team.admissions).await;
    app.drain().await;

    let ran = app.post(EXECUTE, &json!({})).by(&team.manager).key("all").send().await;
    assert_eq!((ran.status, &ran.data()["completed"]), (200, &json!(true)), "{ran:?}");
    let runs = ran.data()["runs"].as_array().expect("runs").clone();
    let told: Vec<_> = runs.iter().map(|run| (&run["ruleName"], &run["transferredCount"])).collect();
    let expected =
        [("甲", 3), ("乙", 0), ("丙", 0), ("丁", 0)].map(|(name, moved)| (json!(name), json!(moved)));
    assert_eq!(told, expected.iter().map(|(name, moved)| (name, moved)).collect::<Vec<_>>(), "oldest first");
    let why: Vec<_> = runs.iter().map(|run| run["explanation"].clone()).collect();
    let expected = [
        Value::Null,
        json!("计划流转的线索在执行前都已变动：3条线索的负责人已变更"),
        json!("规则没有在职的流入人员，因此线索无人可接"),
        json!("流出人员名下没有线索"),
    ];
    assert_eq!(why, expected, "an empty rule says why");
    assert!(runs[1]["skipped"].as_array().expect("leads").iter().all(|one| one["reason"] == "owner_changed"));
    app.drain().await;
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.colleague.id), "where the oldest rule sends it");
        let history = app.history(lead).await;
        let types = log::types(&history);
        assert_eq!(types.iter().filter(|one| **one == "CustomerTransferred").count(), 1, "{types:?}");
    }
    let again = app.post(EXECUTE, &json!({})).by(&team.manager).key("all").send().await;
    let ids_of = |runs: &Value| -> Vec<Value> {
        runs.as_array().expect("runs").iter().map(|run| run["runId"].clone()).collect()
    };
    assert_eq!(ids_of(&again.data()["runs"]), ids_of(&ran.data()["runs"]), "the same runs");
    assert!(again.is_replay());
    app.finish().await;
}
