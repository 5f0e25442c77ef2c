//! A socket that is cut while a digest is made (F12): the reader who comes back, to another process and from any cursor,
//! has every notice once, and the digest is no notice of its own there.

use chrono::TimeDelta;
use domain::notification::Channel;
use domain::notification::DeliveryState::Merged;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Node, Person, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Notices before the cut, and while nobody listens.
const HEARD: i64 = 2;
const MISSED: i64 = 3;

/// When everything collected in the story is due.
const COLLECTED: TimeDelta = TimeDelta::minutes(90);

async fn prefer(app: &TestApp, person: &Person, document: &Value) {
    let reply = app.put("/api/notifications/preferences", document).by(person).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    app.settle().await;
}

async fn leads(app: &TestApp, from: i64, count: i64) {
    for n in from..from + count {
        let n = usize::try_from(n).expect("a number");
        app.lead_of(&app.team.manager, &app.team.employee, n).await;
    }
}

/// The numbers and texts of the notices up to `seq`, in the order in which they come.
async fn read(node: &Node, person: &Person, cursor: i64, seq: i64) -> Vec<(i64, Value)> {
    let mut socket = node.socket(person, &format!("?cursor={cursor}")).await;
    let frames = socket.complete_up_to(seq).await;
    assert!(frames.iter().all(|frame| frame["type"] != "resync"), "{frames:?}");
    assert!(socket.is_silent().await, "and nothing else");
    let notices = frames.iter().filter(|frame| frame["type"] == "notification");
    notices.map(|one| (one["seq"].as_i64().expect("a number"), one["data"]["_id"].clone())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_was_cut_off_while_a_digest_was_made_misses_nothing_and_reads_nothing_twice(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let person = app.team.employee.clone();
    let digests = json!({
        "rules": [{ "type": "CUSTOMER_ASSIGNED", "mode": "digest" }],
        "digest": { "kind": "burst", "minutes": 60 },
    });
    prefer(&app, &person, &digests).await;
    let mut socket = app.socket(&person, "?cursor=0").await;
    socket.complete_up_to(0).await;
    leads(&app, 0, HEARD).await;
    socket.complete_up_to(HEARD).await;
    drop(socket); // without a word

    leads(&app, HEARD, MISSED).await;
    app.settle().await;
    app.leap(COLLECTED);
    let digest = eventually("the digest is on the phone", async || {
        let rows = app.deliveries(&person, Some(Channel::WecomApp)).await;
        let digest = rows.into_iter().find(|row| row.scene == "NOTICE_DIGEST")?;
        digest.accepted_at.map(|_| digest)
    });
    let digest = digest.await;
    app.settle().await;
    let rows = app.deliveries(&person, Some(Channel::WecomApp)).await;
    let merged: Vec<_> = rows.iter().filter(|row| row.state == Merged).map(|row| row.merged_into).collect();
    let collected = usize::try_from(HEARD + MISSED - 1).expect("a few"); // the first one came at once
    assert_eq!(merged, vec![Some(digest.notification); collected]);

    // Back from where it was cut, from before, and from the beginning: at a process that never saw this reader.
    let second = match on {
        Postgres => Some(app.second().await),
        Sqlite => None, // belongs to one process, so it is that one started anew
    };
    if second.is_none() {
        app.restart().await;
    }
    let node = second.as_ref().unwrap_or(&app);
    let last = HEARD + MISSED;
    let everything = read(node, &person, 0, last).await;
    for cursor in [HEARD, HEARD - 1, 0, HEARD] {
        let came = read(node, &person, cursor, last).await;
        let numbers: Vec<i64> = came.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (cursor + 1..=last).collect::<Vec<_>>(), "from {cursor}");
        let from = usize::try_from(cursor).expect("a place");
        assert_eq!(came, everything[from..], "the same ones, whoever is asked");
    }
    assert_eq!(app.told(&person).await.len(), everything.len(), "the inbox has as many");
    assert_eq!(app.received(&person, Channel::WecomApp).len(), 2, "the first one, and the digest");

    // What comes next is the next one.
    let mut open = node.socket(&person, &format!("?cursor={last}")).await;
    open.complete_up_to(last).await;
    leads(&app, last, 1).await;
    let frames = open.complete_up_to(last + 1).await;
    let next: Vec<_> = frames.iter().filter(|frame| frame["type"] == "notification").collect();
    assert_eq!((next.len(), &next[0]["seq"]), (1, &json!(last + 1)), "{frames:?}");
    drop(open);
    prefer(&app, &person, &json!({})).await;
    app.settle().await;
    app.is_reconciled().await;
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}
