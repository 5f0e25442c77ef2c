//! What operations look at: is it alive, is it ready, what does it offer.

mod routes;

use std::collections::BTreeSet;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::TestApp;
use tests::scratch::Backend::{self, Postgres, Sqlite};

use routes::ROUTES;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_public_and_its_details_are_for_admins(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    app.settle().await;
    let live = app.get("/health/live").send().await;
    assert_eq!(live.data(), &json!({ "status": "up" }));
    let ready = app.get("/health/ready").send().await;
    assert_eq!((ready.data(), ready.message()), (&json!({ "status": "ready" }), "服务已就绪"));
    for person in team.of_every_role() {
        let seen = app.get("/health/ready").by(person).send().await;
        let is_admin = person.username == "admin";
        assert_eq!(seen.data().get("checks").is_some(), is_admin, "{}", person.username);
    }
    let nonsense = app.get("/health/ready").token("a.b.c").send().await;
    assert_eq!(nonsense.data(), ready.data());
    let details = app.get("/health/ready").by(&team.admin).send().await;
    let checks = &details.data()["checks"];
    assert_eq!(
        (&checks["writable"], &checks["appender"], &checks["migrated"]),
        (&json!(true), &json!(true), &json!(true))
    );
    let consumers: BTreeSet<_> =
        checks["consumers"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    let expected = [
        "assignment_log",
        "consents",
        "customer_list",
        "deliveries",
        "follow_ups",
        "inbox",
        "members",
        "next_follow_ups",
        "open_imports",
        "open_recycle_runs",
        "policy",
        "pool_log",
        "recycle_rules",
        "staff_directory",
        "transfer_quotas",
        "transfer_records",
        "transfer_rules",
    ];
    assert_eq!(consumers, BTreeSet::from(expected));
    let text = details.body.to_string();
    assert!(!text.contains("postgres://") && !text.contains(".db"), "no address of the database: {text}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_stopped_turns_readiness_red(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    app.settle().await;
    let consumers = app.app().projections.consumers();
    let lease = tests::kit::eventually("the lease of the inbox", async || {
        consumers.pause("inbox").await.ok()?;
        consumers.resume("inbox").await.ok()?;
        consumers.acquire("inbox").await.ok()?
    });
    consumers.fail(&lease.await, "on purpose").await.expect("the consumer's row");
    let ready = app.get("/health/ready").send().await;
    assert_eq!((ready.status, &ready.body["success"]), (503, &json!(false)));
    assert_eq!(ready.body["data"]["status"], "not_ready");
    assert!(consumers.resume("inbox").await.expect("the consumer's row"));
    tests::kit::eventually("readiness recovers", async || {
        (app.get("/health/ready").send().await.status == 200).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_describes_every_route_there_is() {
    let app = TestApp::start(Sqlite).await;
    let team = app.team.clone();
    let reply = app.get("/api/openapi.json").send().await;
    let document = &reply.body;
    assert_eq!((reply.status, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(document["info"]["title"], "Leadwire");
    let empty = serde_json::Map::new();
    let paths = document["paths"].as_object().unwrap_or(&empty);
    let mut described = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap_or(&empty) {
            described.insert(format!("{} {path}", method.to_uppercase()));
            check_operation(path, operation);
        }
    }
    // None is missing, none is undescribed.
    assert_eq!(described, ROUTES.iter().map(|route| (*route).to_owned()).collect());
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
    }
    // And the other way round: what is described answers, and not with "no such route" or "no such method".
    // In a session of its own, which one of the routes ends.
    // A token of the same second would be the very same token.
    app.advance(chrono::TimeDelta::seconds(2));
    let tokens = &app.app().auth.tokens;
    let token = tokens.issue(team.admin.id, "admin", domain::staff::Role::Admin, app.now()).expect("a token");
    for route in ROUTES {
        let (method, path) = route.split_once(' ').unwrap_or_default();
        let path = path.replace("{id}", "0190a1b2-0000-7000-8000-000000000000");
        let path = path.replace("{customerId}", "CUS00000000001").replace("{phone}", "13800000000");
        let method: Method = method.parse().expect("a method");
        let reply = app.call(method, &path).token(&token).send().await;
        assert!(!matches!(reply.problem(), (404, "ROUTE_NOT_FOUND") | (405, _)), "{route}: {reply:?}");
    }
    let page = app.get("/api/docs").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    app.finish().await;
}

fn check_operation(path: &str, operation: &Value) {
    assert!(operation["summary"].is_string(), "{path} has no summary");
    assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{path}");
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
    let named: Vec<_> = in_path.filter_map(|parameter| parameter["name"].as_str()).collect();
    assert_eq!(path.matches('{').count(), named.len(), "{path} names its parameters: {named:?}");
}
