//! System A's console: npm's own `socket.io-client` on the namespace `/notifications`, over WebSocket and long polling
//! (existing-systems.md section 4.5, http-api.md section 5).

use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{JsClients, Person, TestApp};
use tests::people;
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// What the console allows: it begins with polling and goes on with a WebSocket.
const AS_THE_CONSOLE: &str = "polling+websocket";

/// The numbers of the notices among what a client saw.
fn numbers(seen: &[(String, Value)]) -> Vec<i64> {
    let notices = seen.iter().filter(|(event, _)| event == "notification");
    notices.filter_map(|(_, data)| data["seq"].as_i64()).collect()
}

fn data<'s>(seen: &'s [(String, Value)], event: &str) -> Vec<&'s Value> {
    seen.iter().filter(|(name, _)| name == event).map(|(_, data)| data).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_told_what_happens(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values("websocket", "polling", AS_THE_CONSOLE)] transport: &str,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut console = JsClients::start();
    for (name, person) in [("desk", &team.employee), ("other", &team.colleague)] {
        console.connect(name, &app, person, transport, &json!({})).await;
        let seen = console.up_to(name, "completeUpto").await;
        assert!(transport.contains(seen[0].1["transport"].as_str().unwrap_or("none")), "{seen:?}");
        if transport == AS_THE_CONSOLE {
            assert_eq!(console.until(&format!("{name}, upgraded"), "upgraded").await, "websocket");
        }
        let expected = [
            ("connect".to_owned(), seen[0].1.clone()),
            ("unreadCount".to_owned(), json!(0)),
            ("completeUpto".to_owned(), json!({ "seq": 0 })),
        ];
        assert_eq!(seen, expected, "{name}");
    }

    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    let mut seen = console.complete_up_to("desk", 1).await;
    let inbox = app.inbox(&team.employee).await;
    assert_eq!(data(&seen, "notification"), [&inbox[0]], "the whole record, as the list shows it");
    assert_eq!(data(&seen, "unreadCount"), [&json!(1)], "a bare number");
    if data(&seen, "refresh").is_empty() {
        seen = console.up_to("desk", "refresh").await;
    }
    let refresh = data(&seen, "refresh")[0].clone();
    assert_eq!(
        (&refresh["eventType"], &refresh["data"]["customerId"]),
        (&json!("customerList"), &json!(lead))
    );
    assert!(refresh["data"]["action"].is_string() && refresh["timestamp"].is_string(), "{refresh}");

    console.emit("desk", "getUnreadCount").await;
    assert_eq!(console.until("desk", "unreadCount").await, json!(1), "asked for, told again");
    app.put("/api/notifications/mark-all-read", &json!({})).by(&team.employee).send().await;
    assert_eq!(console.until("desk", "unreadCount").await, json!(0));

    // The other one was told nothing of all that.
    app.lead_of(&team.manager, &team.colleague, 2).await;
    let seen = console.complete_up_to("other", 1).await;
    assert_eq!(data(&seen, "notification").len(), 1, "{seen:?}");
    assert!(seen.iter().all(|(_, data)| data["data"]["customerId"] != json!(lead)), "{seen:?}");
    console.close("desk").await;
    assert_eq!(console.until("desk", "disconnect").await, "io client disconnect");
    console.finish().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_somebody_who_may_use_the_system_stays(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values("websocket", "polling")] transport: &str,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut console = JsClients::start();
    let header = format!("Bearer {}", team.dispatch.token);
    // As in system A: connected, and ended by the server, without an error event.
    for (name, extra) in [
        ("nonsense", json!({ "token": "a.b.c" })),
        ("nobody", json!({ "token": null })),
        ("number", json!({ "token": 7 })),
    ] {
        console.connect(name, &app, &team.employee, transport, &extra).await;
        let seen = console.up_to(name, "disconnect").await;
        let events: Vec<&str> = seen.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, ["connect", "disconnect"], "{name}");
        assert_eq!(seen[1].1, "io server disconnect", "{name}");
    }
    console
        .connect("header", &app, &team.dispatch, transport, &json!({ "token": null, "header": header }))
        .await;
    assert_eq!(console.until("header", "completeUpto").await, json!({ "seq": 0 }));

    // Logged out: this session and no other one. A token of another second is another session.
    app.advance(TimeDelta::seconds(1));
    let other = people::token(app.app(), team.dispatch.id, &team.dispatch.username, team.dispatch.role);
    let other = json!({ "token": other.expect("a token") });
    console.connect("other session", &app, &team.dispatch, transport, &other).await;
    console.until("other session", "completeUpto").await;
    let out = app.post("/api/auth/logout", &json!({})).by(&team.dispatch).send().await;
    assert!(out.status < 300, "{out:?}");
    assert_eq!(console.until("header", "disconnect").await, "io server disconnect");
    console.emit("other session", "getUnreadCount").await;
    assert_eq!(console.next("other session").await.0, "unreadCount", "still there");

    console.connect("suspended", &app, &team.employee, transport, &json!({})).await;
    console.until("suspended", "completeUpto").await;
    app.suspend(&team.employee).await;
    assert_eq!(console.until("suspended", "disconnect").await, "io server disconnect");
    console.connect("again", &app, &team.employee, transport, &json!({})).await;
    let seen = console.up_to("again", "disconnect").await;
    assert_eq!(data(&seen, "unreadCount"), Vec::<&Value>::new(), "a suspended account is told nothing");

    console.connect("outlived", &app, &team.colleague, transport, &json!({})).await;
    console.until("outlived", "completeUpto").await;
    app.advance(TimeDelta::days(2));
    assert_eq!(console.until("outlived", "disconnect").await, "io server disconnect", "the token has ended");
    console.finish().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_misses_nothing_and_is_told_nothing_twice(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values("websocket", "polling")] transport: &str,
) {
    let mut app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut console = JsClients::start();
    console.connect("desk", &app, &team.employee, transport, &json!({ "resume": true, "cursor": 0 })).await;
    console.complete_up_to("desk", 0).await;
    app.lead_of(&team.manager, &team.employee, 1).await;
    assert_eq!(numbers(&console.complete_up_to("desk", 1).await), [1]);

    // The network is gone for a moment: the client comes back by itself.
    console.break_off("desk").await;
    app.lead_of(&team.manager, &team.employee, 2).await;
    let seen = console.complete_up_to("desk", 2).await;
    assert_eq!(numbers(&seen), [2], "{seen:?}");

    // Away for longer.
    console.close("desk").await;
    app.lead_of(&team.manager, &team.employee, 3).await;
    app.lead_of(&team.manager, &team.employee, 4).await;
    app.settle().await;
    app.advance(TimeDelta::minutes(1));
    console.connect("back", &app, &team.employee, transport, &json!({ "resume": true, "cursor": 2 })).await;
    assert_eq!(numbers(&console.complete_up_to("back", 4).await), [3, 4]);

    // The service starts anew under the client.
    app.restart().await;
    app.lead_of(&team.manager, &team.employee, 5).await;
    let seen = console.complete_up_to("back", 5).await;
    assert_eq!(numbers(&seen), [5], "{seen:?}");
    assert_eq!(data(&seen, "resync"), Vec::<&Value>::new());

    // A cursor from nowhere.
    console.connect("lost", &app, &team.employee, transport, &json!({ "cursor": 99 })).await;
    let seen = console.up_to("lost", "completeUpto").await;
    let events: Vec<&str> = seen.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["connect", "resync", "unreadCount", "completeUpto"]);
    assert_eq!(seen[3].1, json!({ "seq": 5 }));
    console.finish().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_again_by_those_who_see_the_change(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let mut console = JsClients::start();
    let watching = [
        ("owner", &team.employee),
        ("next", &team.colleague),
        ("manager", &team.manager),
        ("stranger", &team.dispatch),
    ];
    for (name, person) in watching {
        console.connect(name, &app, person, "websocket", &json!({})).await;
        console.until(name, "completeUpto").await;
    }
    assert_eq!(app.assign(&lead, &team.colleague).by(&team.manager).send().await.status, 200);
    for name in ["owner", "next", "manager"] {
        let refresh = console.until(name, "refresh").await;
        assert_eq!(refresh["eventType"], "customerList", "{name}");
        assert_eq!(refresh["data"], json!({ "customerId": lead, "action": "assign", "count": 1 }), "{name}");
    }

    // Into the pool: everybody sees it there, and the first thing the stranger hears is that.
    let reason = json!({ "reason": "客户暂时不考虑" });
    let released = app.post(&format!("/api/customers/{lead}/release-to-pool"), &reason);
    let released = released.by(&team.manager).send().await;
    assert!(released.status < 300, "{released:?}");
    let refresh = console.until("stranger", "refresh").await;
    assert_eq!(refresh["eventType"], "publicPool");
    assert_eq!(refresh["data"], json!({ "customerId": lead, "action": "release", "count": 1 }));
    let refresh = console.until("next", "refresh").await;
    assert_eq!(
        (&refresh["eventType"], &refresh["data"]["action"]),
        (&json!("customerList"), &json!("release"))
    );
    assert_eq!(console.until("next", "refresh").await["eventType"], "publicPool");
    console.finish().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_written_by_one_process_reaches_clients_of_the_other() {
    let first = TestApp::start(Postgres).await;
    let second = first.second().await;
    let team = first.team.clone();
    let mut console = JsClients::start();
    let desks = [
        ("first socket", &*first, "websocket"),
        ("second socket", &second, "websocket"),
        ("first polls", &*first, "polling"),
        ("second polls", &second, "polling"),
    ];
    for (name, node, transport) in desks {
        console.connect(name, node, &team.employee, transport, &json!({})).await;
        console.until(name, "completeUpto").await;
    }
    let mut expected = 0;
    for (n, writer) in [&*first, &second].into_iter().enumerate() {
        let lead = writer.lead_of(&team.manager, &team.employee, n).await;
        expected += 1;
        for (name, _, _) in desks {
            let mut seen = console.complete_up_to(name, expected).await;
            assert_eq!(numbers(&seen), [expected], "{name}");
            if data(&seen, "refresh").is_empty() {
                seen.extend(console.up_to(name, "refresh").await);
            }
            let refresh = data(&seen, "refresh")[0];
            assert_eq!(refresh["data"]["customerId"], json!(lead), "{name}");
        }
    }

    // A log-out at the one ends what the session has open at the other.
    first.advance(TimeDelta::seconds(1));
    let token = people::token(first.app(), team.employee.id, &team.employee.username, team.employee.role);
    let phone = Person { token: token.expect("a token"), ..team.employee.clone() };
    console.connect("phone", &second, &phone, "websocket", &json!({})).await;
    console.until("phone", "completeUpto").await;
    let out = first.post("/api/auth/logout", &json!({})).by(&phone).send().await;
    assert!(out.status < 300, "{out:?}");
    assert_eq!(console.until("phone", "disconnect").await, "io server disconnect");
    console.finish().await;
    second.stop().await;
    first.finish().await;
}
