//! The two routes of system S, and what an operator sees.

use application::intake::Engine;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, eventually, http_client};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use tests::sources::SourceDatabase;

use super::{draining, until_told};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_lets_the_worker_begin_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    let source = database.installed().await;
    let mut setup = draining(database.url(), &Role::ALL);
    // By itself it would come too late for this story.
    setup.more.push(("LEADWIRE_INTAKE__CRM__INTERVAL_SECONDS", "86400".to_owned()));
    let app = TestApp::start_with(on, setup).await;
    let admin = app.team.admin.clone();
    eventually("the first run is over", async || {
        let sources = app.get("/api/intake/sources").by(&admin).send().await;
        (!sources.data()[0]["endedAt"].is_null()).then_some(())
    })
    .await;
    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    somebody.insert(2, "ASLEEP").await;
    let told = app.get("/api/wecom/process-queue").by(&admin).send().await.body;
    assert_eq!((&told["success"], &told["message"]), (&json!(true), &json!("处理完成")));
    let counted = &told["statistics"];
    assert_eq!(
        (&counted["total"], &counted["success"], &counted["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    until_told(&app, 1, &["MemberRegistered"]).await;

    // Somebody switches the triggers off, and what was missed is found.
    source.uninstall(application::intake::Unfinished::Discard).await.expect("the triggers are gone");
    somebody.insert(3, "ACTIVE").await;
    source.install().await.expect("the triggers are back");
    let told = app.post("/api/wecom/manual-check", &json!({})).by(&admin).send().await.body;
    assert_eq!((&told["success"], &told["message"]), (&json!(true), &json!("检查完成")), "{told}");
    let counted = &told["statistics"];
    assert_eq!(
        (&counted["checked"], &counted["success"], &counted["failed"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert!(counted["timestamp"].is_string());
    until_told(&app, 3, &["MemberRegistered"]).await;
    let again = app.get("/api/wecom/manual-check").by(&admin).send().await.body;
    assert_eq!(again, json!({ "success": true, "message": "没有遗漏的会员", "checked": 0 }));

    let sources = app.get("/api/intake/sources").by(&admin).send().await;
    let one = &sources.data()[0];
    assert_eq!((&one["registered"], &one["waiting"], &one["alarm"]), (&json!(3), &json!(0), &json!(false)));
    assert!(one["reconciledAt"].is_string());
    let metrics = http_client().get(app.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for name in ["oldest_age_seconds", "waiting", "parked", "ended_seconds", "alarm"] {
        assert!(metrics.contains(&format!("leadwire_intake_{name}{{source=\"crm\"}} ")), "{name}: {metrics}");
    }
    assert!(metrics.contains("leadwire_intake_rows{source=\"crm\",outcome=\"registered\"} 3"), "{metrics}");
    app.finish().await;
}

/// How many members a comparison may find gone without asking, and some more.
const TOO_MANY: usize = 60;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_empty_for_a_moment_deletes_nobody(#[values(Sqlite, Postgres)] on: Backend) {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    database.installed().await;
    let app = TestApp::start_with(on, draining(database.url(), &Role::ALL)).await;
    let admin = app.team.admin.clone();
    let mut somebody = database.session().await;
    for number in 1..=TOO_MANY {
        somebody.insert(number, "ACTIVE").await;
    }
    eventually("everybody is known", async || {
        (app.events_named("MemberRegistered", 0).await.len() == TOO_MANY).then_some(())
    })
    .await;
    app.settle().await;
    somebody.run("CREATE TABLE kept AS SELECT * FROM members").await;
    somebody.run("DELETE FROM members").await;
    let held = app.post("/api/wecom/manual-check", &json!({})).by(&admin).send().await.body;
    let message = held["message"].as_str().expect("a message");
    assert!(message.contains("60 名会员（已知 60 名）") && message.contains("--accept-deletions"), "{held}");
    assert_eq!(held["success"], false);
    let source = app.get("/api/intake/sources").by(&admin).send().await.data()[0].clone();
    assert_eq!(source["held"], json!({ "gone": TOO_MANY, "known": TOO_MANY }));
    assert_eq!(source["alarm"], true);
    assert!(source["alarmReason"].as_str().expect("a reason").contains("nobody was deleted"), "{source}");
    assert!(app.events_named("MemberDeleted", 0).await.is_empty());

    // The table is whole again, but for a few of them.
    somebody.run("INSERT INTO members SELECT * FROM kept WHERE id > 3").await;
    let told = app.post("/api/wecom/manual-check", &json!({})).by(&admin).send().await.body;
    assert_eq!((&told["success"], &told["statistics"]["checked"]), (&json!(true), &json!(3)), "{told}");
    assert_eq!(app.events_named("MemberDeleted", 0).await.len(), 3);
    let source = app.get("/api/intake/sources").by(&admin).send().await.data()[0].clone();
    assert_eq!((&source["held"], &source["alarm"]), (&json!(null), &json!(false)));
    app.finish().await;
}

/// Members come by many ways, and each of them is counted.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_that_members_come_by_is_counted(#[values(Sqlite, Postgres)] on: Backend) {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    database.installed().await;
    let app = TestApp::start_with(on, draining(database.url(), &Role::ALL)).await;
    let admin = app.team.admin.clone();
    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    somebody.insert(2, "ACTIVE").await;
    somebody.run("UPDATE members SET education = 'MBA', gender = 'X'").await;
    let typed =
        json!({ "member_no": "M900", "wechat": "wang_900", "phone": "13800000900", "nickname": "小王" });
    assert_eq!(app.post("/api/members", &typed).by(&admin).send().await.status, 201);
    let form = json!({ "wechat": "wang_901", "phone": "13800000901", "nickname": "小李" });
    assert_eq!(app.post("/api/members/register", &form).key("1").send().await.status, 201);
    let counted = eventually("all of them are counted", async || {
        app.settle().await;
        let reply = app.get("/api/intake/statistics").by(&admin).send().await;
        let sources = reply.data()["sources"].as_array().expect("sources").len();
        (sources == 3 && reply.data()["unknownCodes"][1]["members"] == 2).then(|| reply.data().clone())
    })
    .await;
    let ways: Vec<_> = counted["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .map(|one| (one["source"].clone(), one["way"].clone(), one["members"].clone()))
        .collect();
    let way = |source: &str, way: &str, members: u32| (json!(source), json!(way), json!(members));
    assert_eq!(ways, [way("crm", "database", 2), way("public", "public", 1), way("staff", "staff", 1)]);
    let code = |field: &str, code: &str| json!({ "field": field, "code": code, "members": 2 });
    assert_eq!(counted["unknownCodes"], json!([code("education", "MBA"), code("gender", "X")]));

    let line = app.command_line().await;
    let shown = line.done(&["intake", "statistics"]).await;
    assert!(shown.contains("MBA") && shown.contains("public"), "{shown}");
    assert_eq!(line.json(&["intake", "statistics"]).await["sources"][0]["members"], 2);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_ring(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for path in ["/api/wecom/manual-check", "/api/wecom/process-queue"] {
        assert_eq!(app.get(path).send().await.status, 401, "{path}");
        assert_eq!(app.get(path).by(&team.manager).send().await.status, 403, "{path}");
        for (scope, status) in [("queue:process", 200), ("intake:write", 403)] {
            let token = app.service_token(scope).await;
            assert_eq!(app.get(path).token(&token).send().await.status, status, "{path} {scope}");
            assert_eq!(
                app.post(path, &json!({})).token(&token).send().await.status,
                status,
                "{path} {scope}"
            );
        }
    }
    let none = app.get("/api/wecom/manual-check").by(&team.admin).send().await.body;
    assert_eq!(none, json!({ "success": true, "message": "没有遗漏的会员", "checked": 0 }));
    for (person, status) in [(&team.manager, 200), (&team.employee, 403)] {
        for path in ["/api/intake/sources", "/api/intake/statistics"] {
            assert_eq!(app.get(path).by(person).send().await.status, status, "{path}");
        }
    }
    app.finish().await;
}
