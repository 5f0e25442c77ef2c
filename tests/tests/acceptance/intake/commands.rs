//! `leadwire intake …`, from the triggers to their removal.

use application::intake::Engine;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::TestApp;
use tests::scratch::Backend::{Postgres, Sqlite};
use tests::sources::SourceDatabase;

use super::{draining, story_of};

/// A password that must never be printed; the servers of the tests ask for none.
const PASSWORD: &str = "hunter2";

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_captured_worked_off_and_left_as_it_was(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let database = SourceDatabase::create(engine).await;
    let app = TestApp::start_with(Postgres, draining(database.url(), &[Role::Api])).await;
    let line = app.command_line().await;
    let planned = line.done(&["intake", "install", "--source", "crm", "--dry-run"]).await;
    assert!(planned.contains("leadwire_capture"), "{planned}");
    let missing = line.refused(1, &["intake", "run", "--once"]).await;
    assert_eq!(missing, "", "an outage is told in the run's own line");
    let missing = line.run(&["intake", "run", "--once"]).await.out;
    let missing: Value = serde_json::from_str(&missing).expect("one line of JSON");
    assert!(missing["error"].as_str().expect("an error").contains("leadwire intake install"), "{missing}");

    line.done(&["intake", "install", "--source", "crm"]).await;
    let again = line.done(&["intake", "install", "--source", "crm"]).await;
    assert!(again.contains("nothing to do"), "{again}");
    let check = line.json(&["intake", "check"]).await;
    assert_ne!(check["verdict"], "failed", "{check}");

    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    somebody.insert(2, "ASLEEP").await;
    let waiting = line.run(&["intake", "status", "--json"]).await;
    assert_eq!(waiting.code, 1, "the last run failed, and somebody should look: {waiting:?}");
    let waiting: Value = serde_json::from_str(&waiting.out).expect("JSON");
    assert_eq!((&waiting[0]["source"], &waiting[0]["waiting"]), (&json!("crm"), &json!(2)));
    let kept = line.refused(1, &["intake", "uninstall"]).await;
    assert!(kept.contains("2 captured rows are not finished") && kept.contains("--discard"), "{kept}");

    let printed = line.done(&["intake", "run"]).await;
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let run: Value = serde_json::from_str(&printed).expect("one line of JSON");
    assert_eq!((&run["rows"]["registered"], &run["rows"]["parked"]), (&json!(2), &json!(1)));
    assert_eq!((&run["error"], &run["level"]), (&Value::Null, &json!("info")));
    assert!(!printed.contains("会员") && !printed.contains("138"), "{printed}");
    assert_eq!(story_of(&app, 1).await, ["MemberRegistered"]);

    let parked = line.json(&["intake", "parked"]).await;
    assert!(parked["rows"][0]["reason"].as_str().expect("a reason").starts_with("status"), "{parked}");
    somebody.run("UPDATE members SET status = 'ACTIVE' WHERE member_no = 'M2'").await;
    let number = parked["rows"][0]["number"].to_string();
    assert_eq!(line.json(&["intake", "retry", &number]).await["released"], 1);
    let none = line.refused(1, &["intake", "retry", &number]).await;
    assert!(none.contains("leadwire intake parked"), "{none}");
    line.done(&["intake", "run", "--once", "--debug"]).await;
    assert_eq!(story_of(&app, 2).await, ["MemberRegistered", "MemberActivated"]);
    assert_eq!(line.json(&["intake", "parked"]).await["total"], 0);
    let status = line.json(&["intake", "status"]).await;
    assert_eq!((&status[0]["waiting"], &status[0]["sums"]["registered"]), (&json!(0), &json!(2)), "{status}");

    let compared = line.done(&["intake", "reconcile"]).await;
    assert!(compared.contains("2 rows compared, 0 members registered"), "{compared}");
    line.done(&["intake", "uninstall"]).await;
    let gone = line.done(&["intake", "uninstall"]).await;
    assert!(gone.contains("nothing to do"), "{gone}");
    app.drain().await;
    app.finish().await;
}

/// More members than a comparison finds gone without asking.
const MANY: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_deletions_are_made_when_somebody_says_so() {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    database.installed().await;
    let app = TestApp::start_with(Postgres, draining(database.url(), &[Role::Api])).await;
    let line = app.command_line().await;
    let mut somebody = database.session().await;
    for number in 1..=MANY {
        somebody.insert(number, if number > 3 { "ACTIVE" } else { "ASLEEP" }).await;
    }
    line.done(&["intake", "run", "--once"]).await;
    let page = async |skip: &str| {
        let page = line.json(&["intake", "parked", "--limit", "2", "--skip", skip]).await;
        (page["total"].clone(), page["rows"].as_array().expect("rows").len())
    };
    assert_eq!([page("0").await, page("2").await, page("3").await], [2, 1, 0].map(|rows| (json!(3), rows)));

    somebody.run("DELETE FROM members").await;
    let held = line.refused(1, &["intake", "reconcile"]).await;
    assert!(held.contains("60 of 60 known members") && held.contains("--accept-deletions"), "{held}");
    assert!(app.events_named("MemberDeleted", 0).await.is_empty());
    let status = line.run(&["intake", "status", "--json"]).await;
    assert_eq!(status.code, 1, "somebody should look: {status:?}");
    let status: Value = serde_json::from_str(&status.out).expect("JSON");
    assert_eq!(status[0]["held"], json!({ "gone": MANY, "known": MANY }));
    let done = line.done(&["intake", "reconcile", "--accept-deletions"]).await;
    assert!(done.contains("60 changed"), "{done}");
    assert_eq!(app.events_named("MemberDeleted", 0).await.len(), MANY);
    let status = line.json(&["intake", "status"]).await;
    assert_eq!((&status[0]["held"], &status[0]["alarm"]), (&Value::Null, &json!(false)));
    app.drain().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_say_what_to_do_and_no_password() {
    let app = TestApp::start(Sqlite).await;
    let line = app.command_line().await;
    let nowhere = format!("mysql://somebody:{PASSWORD}@127.0.0.1:1/crm");
    for (arguments, expected) in [
        (vec!["intake", "install"], "no source is configured"),
        (vec!["intake", "install", "--source", "crm"], "no source is configured"),
        (vec!["intake", "install", "--source", "oracle://h/crm"], "begins with mysql://"),
        (vec!["intake", "check", "--source", &nowhere], "check that it runs"),
        (vec!["intake", "check", "--source", &nowhere, "--name", "staff"], "choose another name"),
        (vec!["intake", "install", "--source", &nowhere, "--mode", "poll"], "nothing to install"),
        (vec!["intake", "check", "--source", &nowhere, "--mapping", "no.toml"], "no.toml cannot be read"),
        // The service has the file.
        (vec!["intake", "run", "--source", &nowhere], "Stop the service"),
    ] {
        let said = line.refused(1, &arguments).await;
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let wrong = line.refused(2, &["intake", "run", "--once", "--daemon"]).await;
    assert!(wrong.contains("cannot be used with"), "{wrong}");
    let configured =
        line.with("LEADWIRE_INTAKE__CRM__URL", &nowhere).with("LEADWIRE_INTAKE__CRM__BATCH", "0");
    let wrong = configured.refused(2, &["intake", "status"]).await;
    assert!(
        wrong.contains("intake.crm.batch: is 1 to 2000 rows, not 0") && !wrong.contains(PASSWORD),
        "{wrong}"
    );
    app.finish().await;
}
