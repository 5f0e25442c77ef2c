//! The live socket: everything once, in order, from any cursor (product.md G10).

use chrono::TimeDelta;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// More than the service reads at once.
const NOTICES: usize = 130;

/// Notices behind which a cursor is too old, and some more.
const BACKLOG: usize = 1050;
/// Leads created at once.
const CHUNK: usize = 105;

/// The numbers of the notices among some frames.
fn numbers(frames: &[Value]) -> Vec<i64> {
    let notices = frames.iter().filter(|frame| frame["type"] == "notification");
    notices.filter_map(|frame| frame["seq"].as_i64()).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_comes_back_misses_nothing_and_reads_nothing_twice(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    join_all((0..NOTICES).map(|n| app.own_lead(&team.manager, n))).await;
    app.settle().await;
    let last = i64::try_from(NOTICES).unwrap_or(0);

    // An administrator hears of every new lead.
    let mut socket = app.socket(&team.admin, "?cursor=7").await;
    let frames = socket.up_to("complete_upto").await;
    assert_eq!(numbers(&frames), (8..=last).collect::<Vec<_>>());
    assert_eq!(frames.last(), Some(&json!({ "type": "complete_upto", "seq": last })));
    let counts: Vec<_> = frames.iter().filter(|frame| frame["type"] == "unread_count").collect();
    assert_eq!(counts, [&json!({ "type": "unread_count", "data": last })]);
    let list = app.inbox(&team.admin).await;
    let newest = frames.iter().rfind(|frame| frame["type"] == "notification").map(|frame| &frame["data"]);
    assert_eq!(newest, list.first(), "the socket and the list show the same");

    // What comes while the socket is open follows without a gap, also when much comes at once.
    let more = 20;
    join_all((0..more).map(|n| app.own_lead(&team.manager, NOTICES + n))).await;
    let last_now = last + i64::try_from(more).unwrap_or(0);
    let frames = socket.complete_up_to(last_now).await;
    assert_eq!(numbers(&frames), (last + 1..=last_now).collect::<Vec<_>>());

    // Cut off and back again, twice from the same place: the same once more.
    drop(socket);
    app.own_lead(&team.manager, NOTICES + more).await;
    app.settle().await;
    for _ in 0..2 {
        let mut again = app.socket(&team.admin, &format!("?cursor={last_now}")).await;
        assert_eq!(numbers(&again.up_to("complete_upto").await), [last_now + 1]);
    }
    let mut fresh = app.socket(&team.admin, "").await;
    assert_eq!(
        numbers(&fresh.up_to("complete_upto").await),
        Vec::<i64>::new(),
        "without a cursor: what is new"
    );
    assert!(fresh.is_silent().await);
    drop(fresh);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_cut_for_a_moment_a_minute_and_over_a_restart(#[values(Sqlite, Postgres)] on: Backend) {
    let mut app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut told = 0;
    let mut socket = app.socket(&team.employee, "?cursor=0").await;
    socket.complete_up_to(told).await;
    for away in ["a moment", "a minute", "a restart"] {
        // One that the reader still hears, and two that it does not.
        app.lead_of(&team.manager, &team.employee, 3 * usize::try_from(told).unwrap_or(0)).await;
        assert_eq!(numbers(&socket.complete_up_to(told + 1).await), [told + 1], "{away}");
        drop(socket);
        for n in 1..3 {
            app.lead_of(&team.manager, &team.employee, 3 * usize::try_from(told).unwrap_or(0) + n).await;
        }
        match away {
            "a minute" => app.advance(TimeDelta::minutes(1)),
            "a restart" => app.restart().await,
            _ => {}
        }
        socket = app.socket(&team.employee, &format!("?cursor={}", told + 1)).await;
        let frames = socket.complete_up_to(told + 3).await;
        assert_eq!(numbers(&frames), [told + 2, told + 3], "{away}");
        assert!(frames.iter().all(|frame| frame["type"] != "resync"), "{away}: {frames:?}");
        told += 3;
    }
    let mut open = app.socket(&team.employee, "").await;
    open.up_to("complete_upto").await;
    app.restart().await;
    assert_eq!(open.close_code().await, 1001, "the service stops");
    drop(socket);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_changed_is_read_again_by_those_who_see_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let mut owner = app.socket(&team.employee, "").await;
    let mut stranger = app.socket(&team.dispatch, "").await;
    for socket in [&mut owner, &mut stranger] {
        socket.up_to("complete_upto").await;
    }
    let renamed = json!({ "name": "王太太" });
    let renamed = app.patch(&format!("/api/customers/{lead}"), &renamed).by(&team.manager).send().await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let refresh = owner.up_to("refresh").await.pop().unwrap_or_default();
    assert_eq!(refresh["eventType"], "customerList");
    assert_eq!(refresh["data"], json!({ "customerId": lead, "action": "update", "count": 1 }));
    assert!(refresh["timestamp"].is_string(), "{refresh}");
    app.settle().await;
    assert!(stranger.is_silent().await, "it is not on the stranger's list");
    drop((owner, stranger));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_is_too_old_gets_a_resync_and_no_flood(#[values(Sqlite, Postgres)] on: Backend) {
    // A thousand messages to one phone go out one after the other; they are not what this story is about.
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let team = app.team.clone();
    for chunk in 0..BACKLOG / CHUNK {
        join_all((0..CHUNK).map(|n| app.own_lead(&team.manager, chunk * CHUNK + n))).await;
    }
    app.settle().await;
    let last = i64::try_from(BACKLOG).unwrap_or(0);
    let mut behind = app.socket(&team.operator, "?cursor=0").await;
    let frames = behind.up_to("complete_upto").await;
    let unread = json!({ "type": "unread_count", "data": last });
    assert_eq!(
        frames,
        [json!({ "type": "resync" }), unread, json!({ "type": "complete_upto", "seq": last })]
    );
    let mut near = app.socket(&team.operator, &format!("?cursor={}", last - 1000)).await;
    assert_eq!(numbers(&near.up_to("complete_upto").await).len(), 1000);
    drop((behind, near));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_from_nowhere_gets_a_resync(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    for cursor in ["2", "999999", "9223372036854775807"] {
        let mut socket = app.socket(&team.employee, &format!("?cursor={cursor}")).await;
        let frames = socket.up_to("complete_upto").await;
        assert_eq!(frames[0], json!({ "type": "resync" }), "{cursor}");
        assert_eq!(frames.last(), Some(&json!({ "type": "complete_upto", "seq": 1 })), "{cursor}");
        assert_eq!(numbers(&frames), Vec::<i64>::new());
    }
    let mut socket = app.socket(&team.employee, "?cursor=0").await;
    let frames = socket.up_to("complete_upto").await;
    assert_eq!(numbers(&frames), [1]);
    let gained =
        frames.iter().find(|frame| frame["type"] == "customer_assigned").cloned().unwrap_or_default();
    assert_eq!((&gained["seq"], &gained["data"]["customerId"]), (&json!(1), &json!(lead)));
    assert_eq!(gained["data"]["customerPhone"], "138****0001");
    for (query, status) in
        [("?cursor=-1", 400), ("?cursor=x", 400), ("?cursor=9223372036854775808", 400), ("?page=1", 400)]
    {
        assert_eq!(app.try_socket(Some(&team.employee.token), query).await.err(), Some(status), "{query}");
    }
    drop(socket);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_changes_the_count_on_every_socket_of_the_reader(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for n in 0..3 {
        app.lead_of(&team.manager, &team.employee, n).await;
    }
    app.settle().await;
    let mut phone = app.socket(&team.employee, "").await;
    let mut desk = app.socket(&team.employee, "").await;
    let mut other = app.socket(&team.colleague, "").await;
    for (socket, unread) in [(&mut phone, 3), (&mut desk, 3), (&mut other, 0)] {
        let frames = socket.up_to("complete_upto").await;
        assert_eq!(frames[0], json!({ "type": "unread_count", "data": unread }));
    }
    let newest = app.inbox(&team.employee).await[0]["_id"].clone();
    let one = json!({ "notificationIds": [newest] });
    assert_eq!(
        app.put("/api/notifications/mark-read", &one).by(&team.employee).send().await.data()["count"],
        1
    );
    for socket in [&mut phone, &mut desk] {
        assert_eq!(socket.frame().await, json!({ "type": "unread_count", "data": 2 }));
    }
    let all = app.put("/api/notifications/mark-all-read", &json!({})).by(&team.employee).send().await;
    assert_eq!(all.data()["count"], 2);
    for socket in [&mut phone, &mut desk] {
        assert_eq!(socket.frame().await, json!({ "type": "unread_count", "data": 0 }));
    }
    assert!(other.is_silent().await, "it is nobody else's business");
    drop((phone, desk, other));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_somebody_who_may_use_the_system_keeps_a_socket(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    for token in ["nonsense", "a.b.c"] {
        assert_eq!(app.try_socket(Some(token), "").await.err(), Some(401), "{token}");
    }
    for (frame, code) in [("{}", 4400), ("a.b.c", 4401), (r#"{"token":"a.b.c"}"#, 4401)] {
        let mut socket = app.try_socket(None, "").await.expect("a socket that waits for a token");
        socket.say(frame).await;
        assert_eq!(socket.close_code().await, code, "{frame}");
    }
    let mut late = app.try_socket(None, "").await.expect("a socket that waits for a token");
    late.say(&team.employee.token).await;
    assert_eq!(late.up_to("complete_upto").await.len(), 2);

    let mut suspended = app.socket(&team.employee, "").await;
    suspended.up_to("complete_upto").await;
    app.suspend(&team.employee).await;
    assert_eq!(suspended.close_code().await, 4401);
    assert_eq!(late.close_code().await, 4401);
    assert_eq!(app.try_socket(Some(&team.employee.token), "").await.err(), Some(401));

    let mut left = app.socket(&team.dispatch, "").await;
    left.up_to("complete_upto").await;
    let out = app.post("/api/auth/logout", &json!({})).by(&team.dispatch).send().await;
    assert!(out.status < 300, "{out:?}");
    assert_eq!(left.close_code().await, 4401, "logged out");

    let mut outlived = app.socket(&team.colleague, "").await;
    outlived.up_to("complete_upto").await;
    app.advance(TimeDelta::days(2));
    assert_eq!(outlived.close_code().await, 4401, "the token has ended");
    app.finish().await;
}
