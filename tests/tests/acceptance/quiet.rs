//! Quiet hours and digests, end to end: the inbox and the sockets hear of everything at once, the phone in the morning
//! and once (notifications.md section 5).

mod late;

use chrono::{FixedOffset, TimeDelta};
use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Held, Merged};
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const OWN: &str = "/api/notifications/preferences";

const EVERY_DAY: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// How long the night of a story goes on, and a moment when it and every spread behind it are over.
const NIGHT: TimeDelta = TimeDelta::hours(2);
const MORNING: TimeDelta = TimeDelta::hours(4);

/// Quiet hours around this moment, wherever in the day the story begins.
fn night(app: &TestApp) -> Value {
    let here = app.now().with_timezone(&FixedOffset::east_opt(8 * 3600).expect("China"));
    let clock = |at: chrono::DateTime<FixedOffset>| at.format("%H:%M").to_string();
    let (from, to) = (clock(here - TimeDelta::hours(1)), clock(here + NIGHT));
    json!({ "windows": [{ "days": EVERY_DAY, "from": from, "to": to }] })
}

async fn prefer(app: &TestApp, person: &Person, document: &Value) {
    let reply = app.put(OWN, document).by(person).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    app.settle().await;
}

/// Where the deliveries through the channel stand, oldest first, digests aside.
async fn states(app: &TestApp, person: &Person) -> Vec<domain::notification::DeliveryState> {
    let rows = app.deliveries(person, Some(Channel::WecomApp)).await;
    rows.iter().rev().filter(|row| row.scene == "CUSTOMER_ASSIGNED").map(|row| row.state).collect()
}

fn on_the_phone(app: &TestApp, person: &Person) -> usize {
    app.received(person, Channel::WecomApp).len()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_at_night_is_one_message_in_the_morning(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let team = app.team.clone();
    prefer(&app, &team.employee, &json!({ "quiet": night(&app) })).await;
    let mut socket = app.socket(&team.employee, "").await;
    socket.up_to("complete_upto").await;
    for n in 1..=2 {
        app.lead_of(&team.manager, &team.employee, n).await;
    }
    app.settle().await;
    assert_eq!(states(&app, &team.employee).await, [Held, Held]);
    assert_eq!(on_the_phone(&app, &team.employee), 0);
    let frames = socket.complete_up_to(2).await;
    let told = frames.iter().filter(|frame| frame["type"] == "notification").count();
    assert_eq!(told, 2, "the inbox does not sleep: {frames:?}");

    app.leap(MORNING);
    eventually("the phone is told", async || (on_the_phone(&app, &team.employee) > 0).then_some(())).await;
    app.settle().await;
    assert_eq!(on_the_phone(&app, &team.employee), 1, "one message for both");
    assert_eq!(states(&app, &team.employee).await, [Merged, Merged]);
    let rows = app.deliveries(&team.employee, Some(Channel::WecomApp)).await;
    let digest = rows.iter().find(|row| row.scene == "NOTICE_DIGEST").expect("a digest");
    assert_eq!(digest.state, Accepted);
    let members: Vec<_> = rows.iter().filter(|row| row.state == Merged).map(|row| row.merged_into).collect();
    assert_eq!(members, [Some(digest.notification); 2], "each points to it");
    assert_eq!(app.told(&team.employee).await.len(), 2, "the digest repeats nothing in the inbox");

    // The next notice is the next one on the socket: the digest was none of its own there.
    prefer(&app, &team.employee, &json!({})).await;
    app.lead_of(&team.manager, &team.employee, 3).await;
    let frames = socket.complete_up_to(3).await;
    let told = frames.iter().filter(|frame| frame["type"] == "notification").count();
    assert_eq!(told, 1, "{frames:?}");
    app.settle().await;
    assert_eq!(on_the_phone(&app, &team.employee), 2);
    drop(socket);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_notice_of_the_night_comes_as_itself(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let team = app.team.clone();
    prefer(&app, &team.employee, &json!({ "quiet": night(&app) })).await;
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.lead_of(&team.manager, &team.colleague, 2).await;
    app.settle().await;
    assert_eq!([&team.employee, &team.colleague].map(|one| on_the_phone(&app, one)), [0, 1]);
    app.leap(MORNING);
    eventually("the phone is told", async || (on_the_phone(&app, &team.employee) > 0).then_some(())).await;
    app.settle().await;
    assert_eq!(states(&app, &team.employee).await, [Accepted]);
    let received = app.received(&team.employee, Channel::WecomApp);
    assert_eq!(received.len(), 1);
    assert!(received[0].data.values().any(|words| words.contains("客户1")), "{received:?}");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_turns_digests_off_gets_what_was_collected_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let team = app.team.clone();
    let digests = json!({
        "rules": [{ "type": "CUSTOMER_ASSIGNED", "mode": "digest" }],
        "digest": { "kind": "burst", "minutes": 60 },
    });
    prefer(&app, &team.employee, &digests).await;
    for n in 1..=3 {
        app.lead_of(&team.manager, &team.employee, n).await;
        app.settle().await;
    }
    assert_eq!(
        states(&app, &team.employee).await,
        [Accepted, Held, Held],
        "the first at once, the rest later"
    );
    prefer(&app, &team.employee, &json!({})).await;
    eventually("what was held is told", async || (on_the_phone(&app, &team.employee) == 2).then_some(()))
        .await;
    app.settle().await;
    assert_eq!(states(&app, &team.employee).await, [Accepted, Merged, Merged], "no orphan");
    app.is_reconciled().await;
    app.finish().await;
}
