//! What a reader does with notices besides reading them: looking at one, putting aside, putting off, taking back.

use chrono::TimeDelta;
use domain::inbox::{SNOOZE_DAYS_MAX, UNDO_SECONDS};
use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const UNDO: &str = "/api/notifications/undo";
const MARK_ALL: &str = "/api/notifications/mark-all-read";

/// A service whose employee was told `count` times.
async fn told(on: Backend, count: usize) -> TestApp {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for n in 0..count {
        app.lead_of(&team.manager, &team.employee, n).await;
    }
    app.settle().await;
    app
}

/// Ids of the employee's notices, oldest first.
async fn ids(app: &TestApp) -> Vec<String> {
    let notices = app.inbox(&app.team.employee).await;
    notices.iter().rev().map(|one| one["_id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Numbers on a list of the employee's, newest first.
async fn seqs(app: &TestApp, query: &str) -> Vec<i64> {
    let reply = app.get(&format!("/api/notifications?{query}")).by(&app.team.employee).send().await;
    let items = reply.data()["items"].as_array().cloned().unwrap_or_default();
    let seqs: Vec<_> = items.iter().filter_map(|one| one["seq"].as_i64()).collect();
    assert_eq!(reply.data()["total"], seqs.len());
    seqs
}

/// Puts something to a route; the count and the token of the answer.
async fn put(app: &TestApp, path: &str, body: &Value) -> (i64, Option<String>) {
    let reply = app.put(path, body).by(&app.team.employee).send().await;
    let data = reply.data();
    (data["count"].as_i64().unwrap_or(-1), data["undoToken"].as_str().map(str::to_owned))
}

async fn undo(app: &TestApp, by: &Person, token: &str) -> (u16, Value) {
    let reply = app.post(UNDO, &json!({ "token": token })).by(by).send().await;
    if reply.status == 200 {
        (200, reply.data()["undone"].clone())
    } else {
        (reply.status, reply.body["code"].clone())
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_looks_at_one_of_the_own_notices(#[values(Sqlite, Postgres)] on: Backend) {
    let app = told(on, 1).await;
    let team = app.team.clone();
    let id = ids(&app).await.remove(0);
    let path = format!("/api/notifications/{id}");
    let shown = app.get(&path).by(&team.employee).send().await;
    let listed = app.inbox(&team.employee).await.remove(0);
    assert_eq!(shown.data(), &listed);
    // What system A's record has.
    assert_eq!((&listed["retryCount"], &listed["errorMessage"]), (&json!(0), &Value::Null));
    assert_eq!(listed["createdBy"], team.manager.id.to_string(), "who assigned the lead");
    assert_eq!(listed["metadata"]["customerIds"].as_array().map(Vec::len), Some(1));
    assert!(listed["metadata"]["cause"].is_string());
    assert_eq!((&listed["archivedAt"], &listed["snoozedUntil"]), (&Value::Null, &Value::Null));
    for (path, by) in [
        (path.as_str(), &team.colleague),
        (path.as_str(), &team.admin),
        ("/api/notifications/0190a1b2-0000-7000-8000-000000000000", &team.employee),
        ("/api/notifications/nonsense", &team.employee),
    ] {
        let reply = app.get(path).by(by).send().await;
        assert_eq!(reply.problem(), (404, "NOTIFICATION_NOT_FOUND"), "{path}");
    }
    let until = json!({ "until": app.now() + TimeDelta::hours(1) });
    for (route, body) in [("archive", json!({})), ("unarchive", json!({})), ("snooze", until)] {
        let reply = app.put(&format!("{path}/{route}"), &body).by(&team.colleague).send().await;
        assert_eq!(reply.problem(), (404, "NOTIFICATION_NOT_FOUND"), "{route}");
    }
    assert_eq!(app.inbox(&team.employee).await, [listed], "nobody else changes it");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_aside_leaves_the_list_and_the_count(#[values(Sqlite, Postgres)] on: Backend) {
    let app = told(on, 3).await;
    let reader = app.team.employee.clone();
    let id = ids(&app).await.remove(1);
    let path = |route: &str| format!("/api/notifications/{id}/{route}");
    let bare = app.call(Method::PUT, &path("archive")).by(&reader).send().await;
    assert_eq!((bare.message(), &bare.data()["count"]), ("通知已归档", &json!(1)));
    assert!(bare.data()["undoToken"].is_string());
    assert_eq!((seqs(&app, "").await, app.unread(&reader).await), (vec![3, 1], 2), "at once");
    assert_eq!(seqs(&app, "archived=true").await, [2]);
    let again = put(&app, &path("archive"), &json!({})).await;
    assert_eq!(again, (0, None), "it was");
    assert_eq!(put(&app, &path("unarchive"), &json!({})).await, (1, None));
    assert_eq!((seqs(&app, "").await, app.unread(&reader).await), (vec![3, 2, 1], 3));
    assert_eq!(put(&app, &path("unarchive"), &json!({})).await, (0, None));
    for (body, status, at) in [(json!({ "all": true }), 400, "all"), (json!([]), 400, "")] {
        let reply = app.put(&path("archive"), &body).by(&reader).send().await;
        assert_eq!(
            (reply.status, &reply.body["error"]["details"]["errors"][0]["path"]),
            (status, &json!(at))
        );
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_comes_back_when_its_time_has_come(#[values(Sqlite, Postgres)] on: Backend) {
    let app = told(on, 3).await;
    let reader = app.team.employee.clone();
    let id = ids(&app).await.remove(1);
    let path = format!("/api/notifications/{id}/snooze");
    let (count, token) = put(&app, &path, &json!({ "until": app.now() + TimeDelta::hours(2) })).await;
    assert!(count == 1 && token.is_some());
    assert_eq!((seqs(&app, "").await, app.unread(&reader).await), (vec![3, 1], 2), "at once");
    assert_eq!(seqs(&app, "snoozed=true").await, [2]);
    // All are read meanwhile; this one is not among them.
    assert_eq!(put(&app, MARK_ALL, &json!({})).await.0, 2);
    assert_eq!(app.unread(&reader).await, 0);
    let head = app.head().await;
    app.advance(TimeDelta::hours(2));
    assert_eq!(app.unread(&reader).await, 1, "by the clock alone");
    assert_eq!((seqs(&app, "").await, seqs(&app, "status=SENT").await), (vec![3, 2, 1], vec![2]));
    assert_eq!(seqs(&app, "snoozed=true").await, [] as [i64; 0]);
    assert_eq!(app.head().await, head, "no event brought it back");
    assert_eq!(put(&app, MARK_ALL, &json!({})).await.0, 1, "up to the same number as before");

    let late = app.now() + TimeDelta::days(SNOOZE_DAYS_MAX) + TimeDelta::minutes(1);
    for (body, status) in [
        (json!({ "until": app.now() - TimeDelta::seconds(1) }), 422),
        (json!({ "until": late }), 422),
        (json!({ "until": "tomorrow" }), 422),
        (json!({}), 422),
        (json!({ "until": 5 }), 400),
        (json!({ "until": app.now() + TimeDelta::hours(1), "days": 1 }), 400),
    ] {
        let reply = app.put(&path, &body).by(&reader).send().await;
        assert_eq!(reply.problem(), (status, "VALIDATION_FAILED"), "{body}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_is_taken_back_once_soon_and_by_the_reader(#[values(Sqlite, Postgres)] on: Backend) {
    let app = told(on, 4).await;
    let team = app.team.clone();
    let reader = &team.employee;
    let ids = ids(&app).await;
    let some = |id: &str| json!({ "notificationIds": [id] });
    assert_eq!(put(&app, "/api/notifications/mark-read", &some(&ids[0])).await.0, 1);
    let (count, token) = put(&app, MARK_ALL, &json!({})).await;
    let token = token.expect("something was read");
    assert_eq!(count, 3);
    // Read once more by itself, which stands.
    let (count, again) = put(&app, "/api/notifications/mark-read", &some(&ids[1])).await;
    assert!(count == 0 && again.is_some());
    assert_eq!(undo(&app, &team.colleague, &token).await, (404, json!("UNDO_TOKEN_UNKNOWN")));
    assert_eq!(undo(&app, reader, "nonsense").await, (404, json!("UNDO_TOKEN_UNKNOWN")));
    assert_eq!(undo(&app, reader, &token).await, (200, json!("mark-all-read")));
    assert_eq!(seqs(&app, "status=SENT").await, [4, 3], "1 was read before, 2 again since");
    assert_eq!(undo(&app, reader, &token).await, (409, json!("ALREADY_UNDONE")));
    assert_eq!(app.unread(reader).await, 2);

    let path = |route: &str| format!("/api/notifications/{}/{route}", ids[3]);
    let until = json!({ "until": app.now() + TimeDelta::hours(1) });
    for (route, body) in [("archive", json!({})), ("snooze", until)] {
        let (_, token) = put(&app, &path(route), &body).await;
        assert_eq!(app.unread(reader).await, 1);
        assert_eq!(undo(&app, reader, &token.expect("a token")).await, (200, json!(route)));
        assert_eq!((app.unread(reader).await, seqs(&app, "").await), (2, vec![4, 3, 2, 1]), "{route}");
    }

    let (_, token) = put(&app, MARK_ALL, &json!({})).await;
    app.advance(TimeDelta::seconds(UNDO_SECONDS + 1));
    let late = app.post(UNDO, &json!({ "token": token })).by(reader).send().await;
    assert_eq!(late.problem(), (410, "UNDO_TOO_LATE"));
    assert_eq!(late.message(), "只能在10秒内撤销");
    assert_eq!(app.unread(reader).await, 0);
    for (body, status) in [(json!({}), 422), (json!({ "token": 5 }), 400), (json!({ "tokens": [] }), 400)] {
        assert_eq!(app.post(UNDO, &body).by(reader).send().await.status, status, "{body}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_takings_back_at_once_one_happens(#[values(Sqlite, Postgres)] on: Backend) {
    let app = told(on, 3).await;
    let reader = app.team.employee.clone();
    let ids = ids(&app).await;
    // The same notice, read in parallel: it is read, and the count is right.
    let body = json!({ "notificationIds": [ids[0]] });
    let marks =
        join_all((0..10).map(|_| app.put("/api/notifications/mark-read", &body).by(&reader).send())).await;
    assert!(marks.iter().all(|reply| reply.status == 200));
    app.settle().await;
    assert_eq!(app.unread(&reader).await, 2);
    let (_, token) = put(&app, MARK_ALL, &json!({})).await;
    let token = token.expect("a token");
    let undone = join_all((0..10).map(|_| undo(&app, &reader, &token))).await;
    let done = undone.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(done, 1, "{undone:?}");
    assert!(undone.iter().all(|(status, _)| [200, 409].contains(status)), "{undone:?}");
    app.settle().await;
    assert_eq!(seqs(&app, "status=SENT").await, [3, 2]);
    // With a key the first answer comes again, token and all.
    let keyed = async || app.put(MARK_ALL, &json!({})).by(&reader).key("all-1").send().await;
    let (first, second) = (keyed().await, keyed().await);
    assert!(second.is_replay() && first.data() == second.data(), "{first:?} {second:?}");
    assert_eq!(first.data()["count"], 2);
    app.finish().await;
}
