//! What leaves later than it was decided, end to end: a pause that ends at night, a channel that fails at night, a digest
//! that its channel refuses (docs/adr/0021).

use chrono::TimeDelta;
use domain::Actor;
use domain::contact::WecomUserId;
use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Cancelled, Held, Merged, Pending, Rejected};
use domain::staff::StaffCommand;
use projections::queries::deliveries::DeliveryRow;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Endpoint, Fault, FaultRule};

use super::{MORNING, OWN, night, on_the_phone, prefer};
use crate::channels::{accepted, sending, unbind};

/// The word of the policy is no longer fresh.
const A_WHILE: TimeDelta = TimeDelta::seconds(60);

const ROUTE: [Channel; 2] = [Channel::WecomApp, Channel::WechatOfficial];

async fn pause(app: &TestApp) {
    let path = "/api/deliveries/channels/wecom_app/pause";
    let reply = app.post(path, &json!({ "reason": "维护" })).by(&app.team.admin).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn resume(app: &TestApp) {
    let path = "/api/deliveries/channels/wecom_app/resume";
    assert_eq!(app.post(path, &json!({})).by(&app.team.admin).send().await.status, 200);
}

/// A lead whose message waits for a paused channel, and then it is night.
async fn a_message_waits_when_the_night_begins(app: &TestApp, person: &Person) {
    pause(app).await;
    app.lead_of(&app.team.manager, person, 1).await;
    let waiting = eventually("the message waits", async || {
        app.sendings_through(person, Channel::WecomApp).await.into_iter().find(|row| row.state == Pending)
    });
    waiting.await;
    let reply = app.put(OWN, &json!({ "quiet": night(app) })).by(person).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    app.advance(A_WHILE);
}

/// Why the API says that a delivery waits.
async fn waiting(app: &TestApp, row: &DeliveryRow) -> Value {
    let reply = app.get(&format!("/api/deliveries/{}", row.id)).by(&app.team.admin).send().await;
    reply.data()["waiting"].clone()
}

/// Waits until the delivery is put off.
async fn put_off(app: &TestApp, person: &Person, channel: Channel) -> Value {
    eventually("the message is put off", async || {
        let found = waiting(app, &sending(app, person, channel).await).await;
        (found["reason"] == "quiet_hours").then_some(found)
    })
    .await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_pause_does_not_ring_at_night_and_what_is_critical_does(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut setup = Setup::through(&[Channel::WecomApp]);
    setup.more.push(("LEADWIRE_ROUTES__ACCOUNT_SECURITY", "wecom_app".to_owned()));
    let app = TestApp::start_with(on, setup).await;
    let person = app.team.employee.clone();
    a_message_waits_when_the_night_begins(&app, &person).await;
    let (user, by, at) =
        (WecomUserId::parse("li").expect("a userid"), Actor::System("test".to_owned()), app.now());
    app.staff_command(&person, StaffCommand::BindWecom { corp: "another".to_owned(), user, by, at }).await;
    let state = async |scene: &str| {
        let rows = app.deliveries(&person, Some(Channel::WecomApp)).await;
        rows.into_iter().find(|row| row.scene == scene).map(|row| row.state)
    };
    eventually("both wait", async || (state("ACCOUNT_SECURITY").await == Some(Pending)).then_some(())).await;
    app.advance(A_WHILE);
    resume(&app).await;
    eventually("the account's owner is told", async || {
        (state("ACCOUNT_SECURITY").await == Some(Accepted)).then_some(())
    })
    .await;
    let lead = eventually("the lead waits", async || {
        let rows = app.deliveries(&person, Some(Channel::WecomApp)).await;
        let lead = rows.into_iter().find(|row| row.scene == "CUSTOMER_ASSIGNED")?;
        let why = waiting(&app, &lead).await;
        (why["reason"] == "quiet_hours").then_some((lead, why))
    })
    .await;
    assert_eq!(lead.1["because"], "held", "{:?}", lead.1);
    assert_eq!((lead.0.attempts, on_the_phone(&app, &person)), (0, 1), "no attempt is used up");
    let channels = app.get("/api/deliveries/channels").by(&app.team.admin).send().await;
    assert!(channels.data().to_string().contains("\"held\""), "it is no backlog: {}", channels.data());

    app.leap(MORNING);
    eventually("the lead is told", async || {
        (state("CUSTOMER_ASSIGNED").await == Some(Accepted)).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(on_the_phone(&app, &person), 2);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_channel_behind_one_that_fails_at_night_speaks_in_the_morning(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup::through(&ROUTE)).await;
    let person = app.team.employee.clone();
    a_message_waits_when_the_night_begins(&app, &person).await;
    unbind(&app, &person).await;
    resume(&app).await;
    let why = put_off(&app, &person, Channel::WechatOfficial).await;
    assert_eq!(why["because"], "held", "{why:?}");
    let standby = eventually("the standby is called", async || {
        let row = sending(&app, &person, Channel::WechatOfficial).await;
        (row.state == Pending).then_some(row)
    })
    .await;
    assert_eq!(standby.attempts, 0);
    assert_eq!(sending(&app, &person, Channel::WecomApp).await.state, Rejected);
    assert_eq!(app.received(&person, Channel::WechatOfficial).len(), 0, "the phone is silent");

    app.leap(MORNING);
    accepted(&app, &person, Channel::WechatOfficial).await;
    app.settle().await;
    assert_eq!(app.received(&person, Channel::WechatOfficial).len(), 1);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_the_night_hears_of_what_was_put_off_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&ROUTE)).await;
    let person = app.team.employee.clone();
    a_message_waits_when_the_night_begins(&app, &person).await;
    resume(&app).await;
    put_off(&app, &person, Channel::WecomApp).await;
    prefer(&app, &person, &json!({})).await;
    accepted(&app, &person, Channel::WecomApp).await;
    app.settle().await;
    assert_eq!(sending(&app, &person, Channel::WechatOfficial).await.state, Cancelled);
    assert_eq!(on_the_phone(&app, &person), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_that_its_channel_refuses_goes_through_the_next_one(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup::through(&ROUTE)).await;
    let (team, person) = (app.team.clone(), app.team.employee.clone());
    prefer(&app, &person, &json!({ "quiet": night(&app) })).await;
    for n in 1..=2 {
        app.lead_of(&team.manager, &person, n).await;
    }
    app.settle().await;
    let states = super::states(&app, &person).await;
    assert_eq!(states, [Held, Held]);
    let refuse = Fault::Errcode { errcode: 81013, errmsg: None, process: false };
    let rule = FaultRule::once(Endpoint::WecomSend, refuse).to(&person.wecom_user());
    app.wechat().add_fault(rule).expect("a rule");

    app.leap(MORNING);
    let digest = eventually("the digest is told", async || {
        let rows = app.deliveries(&person, Some(Channel::WechatOfficial)).await;
        rows.into_iter().find(|row| row.scene == "NOTICE_DIGEST" && row.state == Accepted)
    })
    .await;
    app.settle().await;
    assert_eq!(digest.after, Some(Channel::WecomApp));
    assert_eq!(super::states(&app, &person).await, [Merged, Merged]);
    assert_eq!(on_the_phone(&app, &person), 0);
    assert_eq!(app.received(&person, Channel::WechatOfficial).len(), 1, "one message for both");
    app.is_reconciled().await;
    app.finish().await;
}
