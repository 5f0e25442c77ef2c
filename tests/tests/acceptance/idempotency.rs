//! The same key is the same command: one event, one notice, one message, and the first answer again (product.md G4).

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Reply, TestApp, lead, log, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// How often a person presses the button.
const PRESSES: usize = 10;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_same_assignment_is_one(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    app.settle().await;
    let press = || app.assign(&id, &team.employee).by(&team.manager).key("assign-1").send();
    let mut answers: Vec<Reply> = join_all((0..PRESSES).map(|_| press())).await;
    for _ in 0..PRESSES {
        answers.push(press().await);
    }
    for answer in &answers {
        assert_eq!((answer.status, answer.but_for_time()), (200, answers[0].but_for_time()));
        assert_eq!((answer.position(), answer.version()), (answers[0].position(), 3));
    }
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    assert!(answers[PRESSES..].iter().all(Reply::is_replay));
    app.settle().await;
    let expected = ["CustomerCreated", "CustomerAssigned", "CustomerTransferred"];
    assert_eq!(log::types(&app.history(&id).await), expected);
    assert_eq!(app.told(&team.employee).await.len(), 1);
    assert_eq!(app.messages(&team.employee).len(), 1);

    let other = app.assign(&id, &team.colleague).by(&team.manager).key("assign-1").send().await;
    assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(other.message(), "该幂等键已用于其他请求");
    let elsewhere = app.own_lead(&team.manager, 2).await;
    let elsewhere = app.assign(&elsewhere, &team.employee).by(&team.manager).key("assign-1").send().await;
    assert_eq!(elsewhere.problem(), (422, "IDEMPOTENCY_KEY_REUSED"), "another lead is another request");

    let theirs = app.assign(&id, &team.colleague).by(&team.admin).key("assign-1").send().await;
    assert_eq!(theirs.data()["assignedTo"], json!(team.colleague.id), "somebody else's key is another key");
    assert!(!theirs.is_replay());
    let late = press().await;
    assert_eq!(late.but_for_time(), answers[0].but_for_time(), "as it was then, although it was handed on");
    assert!(late.is_replay());
    app.settle().await;
    assert_eq!(app.history(&id).await.len(), 4);
    assert_eq!(app.messages(&team.employee).len(), 1);
    assert_eq!(app.messages(&team.colleague).len(), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_can_be_repeated(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let body = lead("王女士", &phone(1));
    let create = || app.post("/api/customers", &body).by(&team.manager).key("create-1").send();
    let created = join_all((0..PRESSES).map(|_| create())).await;
    assert!(created.iter().all(|reply| reply.but_for_time() == created[0].but_for_time()), "{created:?}");
    assert!(created.iter().all(|reply| reply.status == 201));
    assert_eq!(created.iter().filter(|reply| !reply.is_replay()).count(), 1);
    let id = created[0].id();

    let path = format!("/api/customers/{id}");
    let change = json!({ "remarks": "改约周六", "contractStatus": "签约中" });
    let update = || app.patch(&path, &change).by(&team.manager).key("update-1").if_match(2).send();
    let updated = join_all((0..PRESSES).map(|_| update())).await;
    assert!(updated.iter().all(|reply| reply.but_for_time() == updated[0].but_for_time()), "{updated:?}");
    assert_eq!((updated[0].status, updated[0].version()), (200, 4));

    let batch = json!({ "customerIds": [id], "assignedTo": team.employee.id });
    let assign = || app.post("/api/customers/batch-assign", &batch).by(&team.manager).key("batch-1").send();
    let assigned = join_all((0..PRESSES).map(|_| assign())).await;
    assert!(assigned.iter().all(|reply| reply.but_for_time() == assigned[0].but_for_time()), "{assigned:?}");
    app.settle().await;
    assert_eq!(app.history(&id).await.len(), 5);
    assert_eq!(app.messages(&team.employee).len(), 1);

    let read =
        || app.put("/api/notifications/mark-all-read", &json!({})).by(&team.employee).key("read-1").send();
    let marked = join_all((0..PRESSES).map(|_| read())).await;
    assert!(marked.iter().all(|reply| reply.data()["count"] == 1), "{marked:?}");
    let path = "/api/notifications/mark-read";
    let none = json!({ "notificationIds": [] });
    for replayed in [false, true] {
        let reply = app.put(path, &none).by(&team.employee).key("read-2").send().await;
        assert_eq!((&reply.data()["count"], reply.is_replay()), (&json!(0), replayed));
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_uses_no_key_up(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    app.suspend(&team.employee).await;
    let press = || app.assign(&id, &team.employee).by(&team.manager).key("later").send();
    assert_eq!(press().await.problem(), (422, "STAFF_INACTIVE"));
    app.activate(&team.employee).await;
    let done = press().await;
    assert_eq!((done.status, done.is_replay()), (200, false));
    // What is refused now was done then: the first answer counts.
    app.suspend(&team.employee).await;
    let again = press().await;
    assert_eq!((again.but_for_time(), again.is_replay()), (done.but_for_time(), true));
    app.activate(&team.employee).await;
    app.finish().await;
}
