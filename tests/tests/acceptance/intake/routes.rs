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
        assert_eq!(app.get("/api/intake/sources").by(person).send().await.status, status);
    }
    app.finish().await;
}
