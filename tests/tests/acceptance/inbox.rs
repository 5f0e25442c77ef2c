//! The inbox over HTTP: system A's four routes, and nobody else's notices. What readers do besides is `readers`.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::TestApp;
use tests::scratch::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_every_notice_once_newest_first(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    join_all((0..25).map(|n| app.lead_of(&team.manager, &team.employee, n))).await;
    app.settle().await;
    let mut seen = Vec::new();
    for page in 1..=4 {
        let path = format!("/api/notifications?page={page}&pageSize=10");
        let reply = app.get(&path).by(&team.employee).send().await;
        assert_eq!(reply.message(), "获取通知列表成功");
        let data = reply.data();
        let numbers = (&data["total"], &data["page"], &data["pageSize"], &data["totalPages"]);
        assert_eq!(numbers, (&json!(25), &json!(page), &json!(10), &json!(3)));
        let items = data["items"].as_array().cloned().unwrap_or_default();
        seen.extend(items.iter().filter_map(|item| item["seq"].as_i64()));
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    let default = app.get("/api/notifications").by(&team.employee).send().await;
    assert_eq!(default.data()["items"].as_array().map(Vec::len), Some(20));
    for (query, status) in [
        ("pageSize=100", 200),
        ("pageSize=101", 400),
        ("pageSize=0", 400),
        ("page=0", 400),
        ("page=-1", 400),
        ("page=1000001", 400),
        ("page=999999", 200),
        ("status=UNREAD", 400),
        ("type=CUSTOMER_ASSIGNED&status=SENT", 200),
        ("startDate=2020-01-01&endDate=2030-01-01T00:00:00Z", 200),
        ("startDate=yesterday", 400),
        ("archived=true&snoozed=false", 200),
        ("archived=yes", 400),
        ("colour=red", 400),
    ] {
        let reply = app.get(&format!("/api/notifications?{query}")).by(&team.employee).send().await;
        assert_eq!(reply.status, status, "{query}");
    }
    let none = app.get("/api/notifications?type=CUSTOMER_CREATED").by(&team.employee).send().await;
    assert_eq!(none.data()["total"], 0);
    let before = app.get("/api/notifications?endDate=2020-01-01").by(&team.employee).send().await;
    assert_eq!(before.data()["total"], 0);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marking_touches_the_own_notices_only(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for n in 0..3 {
        app.lead_of(&team.manager, &team.employee, n).await;
        app.lead_of(&team.manager, &team.colleague, 10 + n).await;
    }
    app.settle().await;
    let ids = |notices: &[Value]| notices.iter().map(|notice| notice["_id"].clone()).collect::<Vec<_>>();
    let mine = ids(&app.inbox(&team.employee).await);
    let theirs = ids(&app.inbox(&team.colleague).await);
    let unknown = json!("0190a1b2-0000-7000-8000-000000000000");

    let body = json!({ "notificationIds": [mine[0], theirs[0], unknown, mine[0]] });
    let marked = app.put("/api/notifications/mark-read", &body).by(&team.employee).send().await;
    assert_eq!((marked.message(), &marked.data()["count"]), ("成功标记 1 条通知为已读", &json!(1)));
    assert_eq!(app.unread(&team.employee).await, 2, "at once, for whoever marked");
    let again = app.put("/api/notifications/mark-read", &body).by(&team.employee).send().await;
    assert_eq!(again.data()["count"], 0, "read is read");
    app.settle().await;
    assert_eq!(app.unread(&team.colleague).await, 3, "theirs are untouched");
    let shown = &app.inbox(&team.employee).await[0];
    assert_eq!(shown["status"], "READ");
    assert!(shown["readAt"].is_string());
    assert!(app.inbox(&team.colleague).await.iter().all(|notice| notice["status"] == "SENT"));

    for (body, status, path) in [
        (json!({ "notificationIds": ["nonsense"] }), 422, "notificationIds[0]"),
        (json!({ "notificationIds": "all" }), 400, "notificationIds"),
        (json!({}), 422, "notificationIds"),
        (json!({ "notificationIds": [], "all": true }), 400, "all"),
        (json!({ "notificationIds": vec![unknown; 1001] }), 422, "notificationIds"),
    ] {
        let reply = app.put("/api/notifications/mark-read", &body).by(&team.employee).send().await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], path);
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marking_all_up_to_a_bound_leaves_what_came_later(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for n in 0..5 {
        app.lead_of(&team.manager, &team.employee, n).await;
    }
    app.settle().await;
    let path = "/api/notifications/mark-all-read";
    let mark = async |body: &Value| {
        let reply = app.put(path, body).by(&team.employee).send().await;
        reply.data()["count"].as_i64().unwrap_or(-1)
    };
    assert_eq!(mark(&json!({ "upTo": 0 })).await, 0);
    assert_eq!(mark(&json!({ "upTo": 3 })).await, 3);
    assert_eq!(app.unread(&team.employee).await, 2);
    assert_eq!(mark(&json!({ "upTo": 2 })).await, 0);
    let unread: Vec<_> =
        app.inbox(&team.employee).await.into_iter().filter(|one| one["status"] == "SENT").collect();
    assert_eq!(unread.iter().map(|one| one["seq"].clone()).collect::<Vec<_>>(), [5, 4]);
    // A bound beyond the newest is the newest: what comes later stays unread.
    assert_eq!(mark(&json!({ "upTo": 1_000_000 })).await, 2);
    app.lead_of(&team.manager, &team.employee, 6).await;
    app.settle().await;
    assert_eq!(app.unread(&team.employee).await, 1);
    let bare = app.call(reqwest::Method::PUT, path).by(&team.employee).send().await;
    assert_eq!(bare.data()["count"], 1, "system A sends no body");
    assert_eq!(app.unread(&team.employee).await, 0);
    assert_eq!(app.unread(&team.admin).await, 6, "nobody else's are touched");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_is_a_recount_whatever_happens_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let reader = &team.employee;
    for round in 0..4 {
        let ids: Vec<_> =
            app.inbox(reader).await.iter().step_by(2).map(|notice| notice["_id"].clone()).collect();
        let some = json!({ "notificationIds": ids });
        let bound = json!({ "upTo": round * 2 });
        let arrive = join_all((0..5).map(|n| app.lead_of(&team.manager, reader, round * 10 + n)));
        let mark_some = app.put("/api/notifications/mark-read", &some).by(reader).send();
        let mark_all = app.put("/api/notifications/mark-all-read", &bound).by(reader).send();
        let (_, some, all) = tokio::join!(arrive, mark_some, mark_all);
        assert_eq!((some.status, all.status), (200, 200));
        app.settle().await;
        let unread = app.inbox(reader).await.iter().filter(|notice| notice["status"] == "SENT").count();
        assert_eq!(app.unread(reader).await, i64::try_from(unread).unwrap_or(-1), "round {round}");
    }
    assert_eq!(app.inbox(reader).await.len(), 20);
    app.finish().await;
}
