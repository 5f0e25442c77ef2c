//! What happens to members reaches the people of the corporation and the inboxes of roles: once each, in the words of
//! system S, held while switched off, together when there are many (member-intake.md section 3, existing-systems.md
//! sections 7.6 to 7.8).

mod example;
mod leaving;
mod settings;

use application::member_notices::audience;
use application::members::{observation_context, observe, read_observation};
use chrono::TimeDelta;
use domain::member::SourceKey;
use domain::notification::{Channel, DeliveryState};
use projections::queries::deliveries::{self, DeliveryFilter, DeliveryRow};
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Reply, Setup, TestApp};
use tests::people as accounts;
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::Received;

const CONFIG: &str = "/api/wecom/config";
const PHONE: &str = "13812348999";

/// The end of a digest's time, and the minutes by which full and half hours are avoided.
pub(super) const AFTER_DIGEST: TimeDelta = TimeDelta::minutes(14);

async fn start(on: Backend) -> TestApp {
    TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await
}

/// Says who hears of members.
pub(super) async fn set(app: &TestApp, body: &Value) -> Reply {
    let reply = app.put(CONFIG, body).by(&app.team.admin).send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

/// Two people of the corporation.
fn people(app: &TestApp) -> String {
    format!("{}|{}", app.team.manager.wecom_user(), app.team.operator.wecom_user())
}

/// A row of the table as somebody sees it for the `n`-th time.
async fn seen(app: &TestApp, key: &str, n: usize, more: &[(&str, &str)]) {
    let key = SourceKey { source: "crm".to_owned(), table: "members".to_owned(), key: key.to_owned() };
    let number = format!("M{}", key.key);
    let phone = format!("138{:0>8}", key.key);
    let mut columns = vec![("member_no", number.as_str()), ("nickname", "小王"), ("phone", phone.as_str())];
    columns.extend(more);
    let columns = columns.iter().map(|(name, text)| (*name, Some(*text)));
    let row = read_observation(key.clone(), columns, false, None).observation;
    let context = observation_context(&key, &n.to_string(), format!("story-{n}"), app.now());
    observe(&app.app().bus, &context, row).await.expect("the row is taken in");
}

async fn registers(app: &TestApp, key: &str) {
    seen(app, key, 1, &[("status", "ACTIVE")]).await;
}

/// What a person of the corporation really got.
pub(super) fn cards(app: &TestApp, person: &Person) -> Vec<Received> {
    app.received(person, Channel::WecomApp)
}

pub(super) fn titles(app: &TestApp, person: &Person) -> Vec<String> {
    cards(app, person).iter().map(|card| card.data["title"].clone()).collect()
}

/// The messages to the audience, newest first.
async fn messages(app: &TestApp) -> Vec<DeliveryRow> {
    let filter = DeliveryFilter {
        channel: Some(Channel::WecomApp),
        recipient: Some(audience()),
        ..DeliveryFilter::default()
    };
    deliveries::list(&app.app().db, &filter, 100).await.expect("deliveries")
}

async fn states(app: &TestApp) -> Vec<DeliveryState> {
    messages(app).await.iter().map(|row| row.state).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_a_member_is_one_card_for_the_audience_and_one_line_in_the_inboxes(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    registers(&app, "1").await;
    app.settle().await;
    assert!(messages(&app).await.is_empty(), "before somebody chose an audience nobody is told");

    set(&app, &json!({ "notification_recipients": people(&app), "notification_roles": ["employee"] })).await;
    seen(&app, "2", 1, &[("status", "PENDING"), ("phone", PHONE)]).await;
    app.settle().await;
    assert!(titles(&app, &app.team.manager).is_empty(), "who does not take part is not announced");

    let row =
        [("status", "ACTIVE"), ("phone", PHONE), ("gender", "female"), ("id_card", "330106199501011234")];
    seen(&app, "2", 2, &row).await;
    app.settle().await;
    let row = [("status", "ACTIVE"), ("phone", PHONE), ("gender", "female"), ("education", "PHD")];
    seen(&app, "2", 3, &row).await;
    // The same row, seen again: nothing has happened.
    seen(&app, "2", 4, &row).await;
    seen(
        &app,
        "2",
        5,
        &[("status", "REVOKED"), ("phone", PHONE), ("gender", "female"), ("education", "PHD")],
    )
    .await;
    app.settle().await;

    for person in [&app.team.manager, &app.team.operator] {
        let got = cards(&app, person);
        let shown: Vec<_> = got.iter().map(|card| card.data["title"].as_str()).collect();
        assert_eq!(shown, ["✅ 会员激活通知", "用户资料更新通知", "⚠️ 会员撤销通知"]);
        let everything = format!("{got:?}");
        assert!(everything.contains("M2") && everything.contains("学历：（空） → 博士"), "{everything}");
        for secret in [PHONE, "33010619950101"] {
            assert!(!everything.contains(secret), "{secret}: {everything}");
        }
    }
    assert!(titles(&app, &app.team.employee).is_empty(), "whose role is chosen reads it in the inbox");
    let told = app.told(&app.team.employee).await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["MEMBER_ACTIVATED", "MEMBER_UPDATED", "MEMBER_REVOKED"]);
    assert!(told[1].1.contains("小王（编号 M2）") && told[1].1.contains("学历：（空） → 博士"), "{told:?}");
    assert!(states(&app).await.iter().all(|state| *state == DeliveryState::Accepted));
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switched_off_messages_are_held_and_switched_on_they_are_told(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let manager = &app.team.manager;
    set(&app, &json!({ "notification_recipients": people(&app), "member_notification_enabled": false }))
        .await;
    registers(&app, "1").await;
    app.settle().await;
    assert_eq!((titles(&app, manager).len(), states(&app).await), (0, vec![DeliveryState::Held]));

    set(&app, &json!({ "member_notification_enabled": true })).await;
    app.settle().await;
    assert_eq!(titles(&app, manager), ["🎉 新会员登记通知"], "one is told as it is");

    set(&app, &json!({ "member_notification_enabled": false })).await;
    for key in ["2", "3", "4"] {
        registers(&app, key).await;
    }
    app.settle().await;
    assert_eq!(titles(&app, manager).len(), 1);
    set(&app, &json!({ "member_notification_enabled": true })).await;
    app.settle().await;
    assert_eq!(titles(&app, manager), ["🎉 新会员登记通知", "📋 会员通知汇总"], "several are told together");
    let digest = &cards(&app, manager)[1].data["description"];
    assert!(digest.contains("共 3 条会员通知"), "{digest}");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_for_too_long_is_given_up(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    set(&app, &json!({ "notification_recipients": people(&app), "member_notification_enabled": false }))
        .await;
    registers(&app, "1").await;
    app.settle().await;
    app.advance(TimeDelta::days(7) + TimeDelta::minutes(5));
    app.settle().await;
    assert_eq!(states(&app).await, [DeliveryState::Rejected]);
    // A token does not live for a week.
    let Person { id, username, role, .. } = app.team.admin.clone();
    let token = accounts::token(app.app(), id, &username, role).expect("a token");
    let on = json!({ "member_notification_enabled": true });
    assert_eq!(app.put(CONFIG, &on).token(&token).send().await.status, 200);
    app.settle().await;
    assert!(titles(&app, &app.team.manager).is_empty(), "nobody is greeted by last week's registrations");
    registers(&app, "2").await;
    app.settle().await;
    assert_eq!(titles(&app, &app.team.manager).len(), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_a_few_cards_and_one_digest_and_leads_do_not_wait(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let (manager, owner) = (&app.team.manager, &app.team.employee);
    set(&app, &json!({ "notification_recipients": people(&app), "digest_from": 3 })).await;
    for key in 1..=20 {
        registers(&app, &key.to_string()).await;
    }
    app.lead_of(&app.team.admin, owner, 1).await;
    app.settle().await;
    assert_eq!(titles(&app, manager), vec!["🎉 新会员登记通知"; 3]);
    assert_eq!(titles(&app, owner).len(), 1, "a fresh lead goes past the members");
    app.advance(AFTER_DIGEST);
    app.settle().await;
    let cards = cards(&app, manager);
    assert_eq!(cards.len(), 4, "the others are told together");
    assert!(cards[3].data["description"].contains("共 17 条会员通知"), "{:?}", cards[3].data);
    let merged = states(&app).await.iter().filter(|state| **state == DeliveryState::Merged).count();
    assert_eq!(merged, 17);
    app.is_reconciled().await;
    app.finish().await;
}
