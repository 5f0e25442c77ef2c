//! Members whom somebody writes into a database of another program become known, once each, whatever dies or is away
//! meanwhile (member-intake.md sections 1, 2 and 4).

mod cards;
mod commands;
mod files;
mod kills;
mod outages;
mod routes;

use application::intake::Engine;
use domain::notification::Channel;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::log::Event;
use tests::kit::{Node, Person, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Sqlite};
use tests::sources::SourceDatabase;

use super::member_notices::{cards, set};

/// What the configuration calls the source of every story.
const SOURCE: &str = "crm";

/// A service that drains this source.
fn draining(url: &str, roles: &[Role]) -> Setup {
    Setup {
        roles: roles.to_vec(),
        more: vec![
            ("LEADWIRE_INTAKE__CRM__URL", url.to_owned()),
            ("LEADWIRE_INTAKE__CRM__INTERVAL_SECONDS", "1".to_owned()),
            // What a dead process has claimed is free soon.
            ("LEADWIRE_INTAKE__CRM__LEASE_SECONDS", "3".to_owned()),
        ],
        ..Setup::default()
    }
}

/// A service that tells one person of members through `WeCom`, and that person. `digest_from` as in the settings: 0 tells of
/// each by itself.
async fn telling(own: Backend, setup: Setup, digest_from: usize) -> (TestApp, Person) {
    let Setup { wechat, channels, more, .. } = Setup::through(&[Channel::WecomApp]);
    let more = [setup.more, more].concat();
    let app = TestApp::start_with(own, Setup { wechat, channels, more, ..setup }).await;
    let reader = app.team.manager.clone();
    let audience = json!({ "notification_recipients": reader.wecom_user(), "digest_from": digest_from });
    set(&app, &audience).await;
    (app, reader)
}

/// Titles and texts of the cards about members that a person got.
fn told(app: &TestApp, reader: &Person) -> Vec<(String, String)> {
    let cards = cards(app, reader).into_iter();
    cards.map(|card| (card.data["title"].clone(), card.data["description"].clone())).collect()
}

/// The number of the member that a card is about.
fn number_on(card: &str) -> String {
    let behind = card.split_once("会员编号：").expect("a number").1;
    behind.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Every event about a member, in order.
async fn about_members(node: &Node) -> Vec<Event> {
    let mut events = Vec::new();
    for name in ["MemberRegistered", "MemberUpdated", "MemberActivated", "MemberDeleted"] {
        events.extend(node.events_named(name, 0).await);
    }
    events.sort_by_key(|event| event.position);
    events
}

/// The names of the events of the member with this number.
async fn story_of(node: &Node, number: usize) -> Vec<String> {
    let events = about_members(node).await;
    let number = json!(format!("M{number}"));
    let registered = events.iter().find(|event| event.payload["fields"]["member_no"] == number);
    let Some(stream) = registered.map(|event| event.stream.clone()) else { return Vec::new() };
    events.into_iter().filter(|event| event.stream == stream).map(|event| event.event_type).collect()
}

/// Waits until the member's story is this one.
async fn until_told(node: &Node, number: usize, expected: &[&str]) {
    eventually("the member's story is told", async || {
        (story_of(node, number).await == expected).then_some(())
    })
    .await;
}

/// The columns that an event names as changed, each with its new value.
fn changed(event: &Event) -> Vec<(Value, Value)> {
    let changed = event.payload["changed"].as_array().expect("changes").iter();
    changed.map(|one| (one["field"].clone(), one["new"].clone())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_listed_and_an_activation_is_an_event_of_its_own(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let database = SourceDatabase::create(engine).await;
    let source = database.installed().await;
    let app = TestApp::start_with(Sqlite, draining(database.url(), &[Role::Api])).await;
    let mut somebody = database.session().await;
    somebody.insert(1, "PENDING").await;
    app.drain().await;
    assert_eq!(story_of(&app, 1).await, ["MemberRegistered"]);
    for change in ["city = '杭州'", "city = NULL", "status = 'ACTIVE'"] {
        somebody.run(&format!("UPDATE members SET {change}")).await;
        app.drain().await;
    }
    let expected = ["MemberRegistered", "MemberUpdated", "MemberUpdated", "MemberActivated"];
    assert_eq!(story_of(&app, 1).await, expected);
    let events = about_members(&app).await;
    assert_eq!(changed(&events[1]), [(json!("city"), json!("杭州"))], "a value that came");
    assert_eq!(changed(&events[2]), [(json!("city"), Value::Null)], "a value that went");
    assert_eq!(events[0].metadata.actor, domain::Actor::System("intake".to_owned()));

    // A column that no screen shows moves nothing.
    somebody.run("UPDATE members SET updated_at = NULL").await;
    app.drain().await;
    assert_eq!(story_of(&app, 1).await, expected);
    assert_eq!(source.backlog().await.expect("a backlog").waiting, 0);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_gone_before_anybody_looked_is_put_aside_with_the_reason(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let database = SourceDatabase::create(engine).await;
    let source = database.installed().await;
    let app = TestApp::start_with(Sqlite, draining(database.url(), &[Role::Api])).await;
    let mut somebody = database.session().await;
    for number in 1..=3 {
        somebody.insert(number, "ACTIVE").await;
    }
    somebody.run("DELETE FROM members WHERE member_no = 'M1'").await;
    somebody.run("UPDATE members SET status = 'ASLEEP' WHERE member_no = 'M2'").await;
    app.drain().await;
    let parked = source.parked(i64::MIN, 10).await.expect("what is put aside");
    let reasons: Vec<&str> = parked.iter().map(|row| row.reason.as_str()).collect();
    assert!(reasons[0].starts_with("会员不存在或已删除"), "{reasons:?}");
    assert!(reasons[1..].iter().all(|reason| reason.starts_with("status")), "{reasons:?}");
    assert_eq!(source.backlog().await.expect("a backlog").waiting, 0, "nobody waits behind them");
    assert!(story_of(&app, 1).await.is_empty());
    assert_eq!(story_of(&app, 3).await, ["MemberRegistered"]);

    // Repaired and tried again.
    somebody.run("UPDATE members SET status = 'ACTIVE' WHERE member_no = 'M2'").await;
    assert_eq!(source.retry(None).await.expect("a retry"), 3);
    app.drain().await;
    assert_eq!(story_of(&app, 2).await, ["MemberRegistered", "MemberActivated"]);
    let left = source.parked(i64::MIN, 10).await.expect("what is put aside");
    assert_eq!(left.len(), 1, "{left:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_triggers_is_polled_from_its_beginning(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let database = SourceDatabase::create(engine).await;
    let mut somebody = database.session().await;
    for number in 1..=5 {
        somebody.insert(number, "ACTIVE").await;
    }
    let mut setup = draining(database.url(), &[Role::Api]);
    setup.more.push(("LEADWIRE_INTAKE__CRM__MODE", "poll".to_owned()));
    setup.more.push(("LEADWIRE_INTAKE__CRM__BATCH", "2".to_owned()));
    let app = TestApp::start_with(Sqlite, setup).await;
    app.drain().await;
    somebody
        .run("UPDATE members SET city = '杭州', updated_at = '2099-01-01 00:00:00' WHERE member_no = 'M4'")
        .await;
    app.drain().await;
    app.drain().await;
    assert_eq!(about_members(&app).await.len(), 6);
    assert_eq!(story_of(&app, 4).await, ["MemberRegistered", "MemberUpdated"]);
    app.finish().await;
}
