//! Many people give one lead to different people at once: exactly one wins, and nobody hears of it who lost
//! (product.md G3).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Person, Reply, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// How many try at once.
const RIVALS: usize = 50;

/// Changes of one lead at once that all succeed: fewer than a command is decided again.
const UPDATES: usize = 6;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_saw_the_same_version_one_wins(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let rivals = app.hire(RIVALS).await;
    let id = app.own_lead(&team.manager, 1).await;
    app.settle().await;
    let before = app.wechat().ledger().len();
    let tries = rivals.iter().map(|rival| app.assign(&id, rival).by(&team.manager).if_match(2).send());
    let replies = join_all(tries).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        rivals.iter().zip(&replies).partition(|(_, reply)| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, RIVALS - 1));
    let winner: &Person = won[0].0;
    for (_, reply) in &lost {
        assert_eq!(reply.problem(), (409, "VERSION_CONFLICT"));
        assert_eq!(reply.message(), "客户已被其他人修改，请刷新后重试");
        let expected = json!({ "currentOwner": { "id": winner.id, "name": winner.name }, "version": 3 });
        assert_eq!(reply.body["error"]["details"], expected);
    }
    app.settle().await;
    assert_eq!(app.history(&id).await.len(), 3);
    let received: Vec<_> = app.messages_after(before).into_iter().map(|message| message.openid).collect();
    assert_eq!(received, std::slice::from_ref(&winner.openid), "one message in all");
    assert_eq!(app.told(winner).await.len(), 1);
    for (loser, _) in lost {
        assert_eq!(app.told(loser).await, [], "{}", loser.username);
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_version_every_success_is_an_event_and_every_loser_hears_nothing(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let rivals = app.hire(RIVALS).await;
    let id = app.own_lead(&team.manager, 1).await;
    app.settle().await;
    let replies: Vec<Reply> =
        join_all(rivals.iter().map(|rival| app.assign(&id, rival).by(&team.manager).send())).await;
    app.settle().await;
    let history = app.history(&id).await;
    let owners: BTreeMap<i64, _> =
        history[2..].iter().map(|event| (event.position, event.payload["to"].clone())).collect();
    let mut wins = 0;
    for (rival, reply) in rivals.iter().zip(&replies) {
        let told = app.told(rival).await;
        let gained = told.iter().filter(|(kind, _)| kind == "CUSTOMER_TRANSFERRED").count();
        assert_eq!(gained, usize::from(reply.status == 200), "{}: {told:?}", rival.username);
        if reply.status == 200 {
            assert_eq!(owners.get(&reply.position()), Some(&json!(rival.id)), "a success has its event");
            wins += 1;
        } else {
            assert_eq!(reply.problem(), (409, "VERSION_CONFLICT"));
        }
        // A message that had not left when the lead went on to the next one is taken back.
        assert!(app.messages(rival).len() <= gained, "{}", rival.username);
        if owners.values().next_back() == Some(&json!(rival.id)) {
            assert_eq!(app.messages(rival).len(), 1, "who has it in the end is told");
        }
    }
    assert!(wins >= 1);
    assert_eq!(wins, owners.len(), "every event has its success");
    let owner = app.get(&format!("/api/customers/{id}")).by(&team.manager).send().await;
    assert_eq!(Some(&owner.data()["assignedTo"]), owners.values().next_back());
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_and_an_assignment_at_once_both_happen(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    let path = format!("/api/customers/{id}");
    // Changed fields do not change who owns the lead, so they are no reason to refuse an assignment.
    let updates = (0..UPDATES)
        .map(|n| app.patch(&path, &json!({ "remarks": format!("第{n}次") })).by(&team.admin).send());
    let (assigned, updated) =
        tokio::join!(app.assign(&id, &team.employee).by(&team.manager).send(), join_all(updates),);
    assert_eq!(assigned.status, 200, "{assigned:?}");
    for reply in &updated {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    app.settle().await;
    assert_eq!(app.history(&id).await.len(), 2 + 1 + UPDATES);
    assert_eq!(app.messages(&team.employee).len(), 1);
    app.finish().await;
}
