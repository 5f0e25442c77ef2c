//! Logging out, wherever it happens: every process refuses the session and closes its sockets.

use reqwest::Method;
use serde_json::json;
use tests::kit::{Node, PASSWORD, Person, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// The person with a session that a log-in began.
async fn log_in(node: &Node, person: &Person) -> Person {
    let body = json!({ "username": person.username, "password": PASSWORD });
    let reply = node.post("/api/auth/login", &body).send().await;
    let token = reply.data()["access_token"].as_str().expect("a token").to_owned();
    Person { token, ..person.clone() }
}

async fn set_password(node: &Node, person: &Person) {
    let password = PASSWORD.into();
    let set = node.app().auth.credentials.set_password(person.id, &password, node.app().clock.now());
    set.await.expect("a password");
}

#[rstest::rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_out_closes_the_sockets_of_its_session_and_no_others(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let app = TestApp::start(backend).await;
    set_password(&app, &app.team.employee).await;
    let [here, phone] = [log_in(&app, &app.team.employee).await, log_in(&app, &app.team.employee).await];
    let mut sockets = [app.socket(&here, "").await, app.socket(&phone, "").await];
    for socket in &mut sockets {
        socket.up_to("complete_upto").await;
    }
    assert_eq!(app.post("/api/auth/logout", &json!({})).by(&here).send().await.status, 200);
    let [mut ended, mut open] = sockets;
    assert_eq!(ended.close_code().await, 4401);
    let lead = app.lead_of(&app.team.manager, &app.team.employee, 1).await;
    let frames = open.complete_up_to(1).await;
    assert!(frames.iter().any(|frame| frame["data"]["data"]["customerId"] == json!(lead)), "{frames:?}");
    assert_eq!(app.try_socket(Some(&here.token), "").await.err(), Some(401));
    drop(open);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_out_at_one_process_counts_at_the_other() {
    let first = TestApp::start(Postgres).await;
    let second = first.second().await;
    set_password(&first, &first.team.employee).await;
    let person = log_in(&first, &first.team.employee).await;
    let other = log_in(&second, &first.team.employee).await;
    let mut socket = second.socket(&person, "").await;
    socket.up_to("complete_upto").await;
    assert_eq!(second.get("/api/auth/me").by(&person).send().await.status, 200);

    assert_eq!(first.post("/api/auth/logout", &json!({})).by(&person).send().await.status, 200);
    assert_eq!(first.get("/api/auth/me").by(&person).send().await.problem(), (401, "SESSION_ENDED"));
    // Nothing else wakes this socket: it is closed as soon as its process has heard of it.
    assert_eq!(socket.close_code().await, 4401);
    assert_eq!(second.get("/api/auth/me").by(&person).send().await.problem(), (401, "SESSION_ENDED"));
    assert_eq!(second.get("/api/auth/me").by(&other).send().await.status, 200);

    // A new password at one ends the sessions at the other.
    let path = format!("/api/users/{}/password", other.id);
    let body = json!({ "password": "set by an admin" });
    assert_eq!(first.post(&path, &body).by(&first.team.admin).send().await.status, 200);
    eventually("the other process refuses the session too", async || {
        let reply = second.get("/api/auth/me").by(&other).send().await;
        (reply.status == 401).then_some(())
    })
    .await;
    second.stop().await;
    first.finish().await;
}

#[rstest::rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_from_before_a_suspension_stays_ended_when_the_account_works_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let app = TestApp::start(backend).await;
    let team = app.team.clone();
    set_password(&app, &team.employee).await;
    let path = format!("/api/users/{}", team.employee.id);
    for (back, body) in [
        (Method::POST, None),
        (Method::PATCH, Some(json!({ "active": true }))),
        (Method::PATCH, Some(json!({ "suspended": false, "department": "销售" }))),
    ] {
        let person = log_in(&app, &team.employee).await;
        // An account that works already keeps its sessions.
        let activate = |method: &Method| match &body {
            Some(body) => app.call(method.clone(), &path).json(body),
            None => app.call(method.clone(), &format!("{path}/activate")),
        };
        assert_eq!(activate(&back).by(&team.admin).send().await.status, 200, "{back} {body:?}");
        assert_eq!(app.get("/api/auth/me").by(&person).send().await.status, 200, "{back} {body:?}");

        let cut_off = app.call(Method::POST, &format!("{path}/suspend")).by(&team.admin).send().await;
        assert_eq!(cut_off.status, 200, "{cut_off:?}");
        assert_eq!(app.get("/api/auth/me").by(&person).send().await.problem(), (401, "ACCOUNT_SUSPENDED"));
        assert_eq!(activate(&back).by(&team.admin).send().await.status, 200, "{back} {body:?}");
        let old = app.get("/api/auth/me").by(&person).send().await;
        assert_eq!(old.problem(), (401, "SESSION_ENDED"), "{back} {body:?}");
        let refreshed = app.post("/api/auth/refresh", &json!({})).by(&person).send().await;
        assert_eq!(refreshed.problem(), (401, "SESSION_ENDED"), "{back} {body:?}");
        let anew = log_in(&app, &team.employee).await;
        assert_eq!(app.get("/api/auth/me").by(&anew).send().await.status, 200, "{back} {body:?}");
    }
    app.finish().await;
}
