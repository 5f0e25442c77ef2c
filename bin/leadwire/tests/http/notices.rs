//! The inbox over HTTP.

use domain::CustomerId;
use domain::staff::Role;
use serde_json::json;

use crate::kit::Service;

#[tokio::test]
async fn a_reader_lists_counts_and_marks_the_own_notices() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    for _ in 0..3 {
        service.notice(&employee, CustomerId(service.running.app().ids.next())).await;
    }
    service.settle().await;
    let list = service.get("/api/notifications?pageSize=2&status=SENT").by(&employee).send().await;
    assert_eq!(list.body["message"], "获取通知列表成功");
    assert_eq!(list.data()["total"], 3);
    assert_eq!(list.data()["totalPages"], 2);
    let items = list.data()["items"].as_array().unwrap();
    assert_eq!(items[0]["type"], "CUSTOMER_TRANSFERRED");
    assert_eq!((&items[0]["seq"], &items[1]["seq"]), (&json!(3), &json!(2)));
    assert_eq!(items[0]["userId"], employee.id.to_string());

    let count = async |who| {
        service.get("/api/notifications/unread-count").by(who).send().await.data()["count"].clone()
    };
    let body = json!({ "notificationIds": [items[0]["_id"], items[0]["_id"], manager.id] });
    let marked = service.put("/api/notifications/mark-read", &body).by(&employee).send().await;
    assert_eq!(marked.body["message"], "成功标记 1 条通知为已读");
    assert_eq!(count(&employee).await, 2);
    let stolen =
        service.put("/api/notifications/mark-read", &json!({ "notificationIds": [items[1]["_id"]] }));
    assert_eq!(stolen.by(&manager).send().await.data()["count"], 0);

    let up_to =
        service.put("/api/notifications/mark-all-read", &json!({ "upTo": 1 })).by(&employee).send().await;
    assert_eq!(up_to.data()["count"], 1);
    assert_eq!(count(&employee).await, 1);
    let all =
        service.call(axum::http::Method::PUT, "/api/notifications/mark-all-read").by(&employee).send().await;
    assert_eq!(all.data()["count"], 1);
    assert_eq!(count(&employee).await, 0);
    service.stop().await;
}

#[tokio::test]
async fn ids_that_are_none_are_refused_not_an_error_of_ours() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let body = json!({ "notificationIds": ["nonsense"] });
    let reply = service.put("/api/notifications/mark-read", &body).by(&employee).send().await;
    assert_eq!(reply.problem(), (422, "VALIDATION_FAILED"));
    assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], "notificationIds[0]");
    service.stop().await;
}

#[tokio::test]
async fn a_reader_puts_aside_puts_off_and_takes_back() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    for _ in 0..2 {
        service.notice(&employee, CustomerId(service.running.app().ids.next())).await;
    }
    service.settle().await;
    let list = service.get("/api/notifications").by(&employee).send().await;
    let id = list.data()["items"][0]["_id"].as_str().unwrap().to_owned();
    let path = |route: &str| format!("/api/notifications/{id}{route}");
    let shown = service.get(&path("")).by(&employee).send().await;
    assert_eq!(shown.data(), &list.data()["items"][0]);
    assert_eq!((&shown.data()["retryCount"], &shown.data()["errorMessage"]), (&json!(0), &json!(null)));
    let stranger = service.get(&path("")).by(&manager).send().await;
    assert_eq!(stranger.problem(), (404, "NOTIFICATION_NOT_FOUND"));
    let total = async |query: &str| {
        let reply = service.get(&format!("/api/notifications?{query}")).by(&employee).send().await;
        reply.data()["total"].clone()
    };
    let until = service.running.app().clock.now() + chrono::TimeDelta::hours(1);
    for (route, body, query) in
        [("/archive", json!({}), "archived=true"), ("/snooze", json!({ "until": until }), "snoozed=true")]
    {
        let done = service.put(&path(route), &body).by(&employee).send().await;
        assert_eq!(done.data()["count"], 1);
        assert_eq!((total("").await, total(query).await), (json!(1), json!(1)), "{route}");
        let token = json!({ "token": done.data()["undoToken"] });
        let foreign = service.post("/api/notifications/undo", &token).by(&manager).send().await;
        assert_eq!(foreign.problem(), (404, "UNDO_TOKEN_UNKNOWN"));
        let undone = service.post("/api/notifications/undo", &token).by(&employee).send().await;
        assert_eq!(undone.data()["undone"], route.trim_start_matches('/'));
        assert_eq!((total("").await, total(query).await), (json!(2), json!(0)), "{route}");
        let again = service.post("/api/notifications/undo", &token).by(&employee).send().await;
        assert_eq!(again.problem(), (409, "ALREADY_UNDONE"));
    }
    service.stop().await;
}
