//! Consents and rejections: each counts once, whatever happens to the callbacks that tell of it.

use chrono::TimeDelta;
use domain::StreamId;
use domain::subscription::SubscriptionLedger;
use infrastructure::event_log::Until;
use rstest::rstest;
use serde_json::json;
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE, ReleaseOrder, TurnOffOrder};

use super::{CREDITS, answers, day, encrypted, event, keys, plain, push, success, told};

fn accept(app: &tests::kit::TestApp, openid: &str) {
    app.wechat().popup(DEMO_APPID, openid, DEMO_TEMPLATE, true).expect("a popup");
}

fn turn_off(app: &tests::kit::TestApp, openid: &str) {
    let template_ids = vec![DEMO_TEMPLATE.to_owned()];
    app.wechat()
        .turn_off(&TurnOffOrder { appid: None, openid: openid.to_owned(), template_ids })
        .expect("settings");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_is_told_three_times_is_one_credit(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values("encrypted", "plain")] mode: &str,
) {
    let app = if mode == "plain" { plain(on).await } else { encrypted(on).await };
    let person = app.team.employee.clone();
    day(&app, |day| day.copies = 3);
    accept(&app, &person.openid);
    told(&app).await;
    assert_eq!(answers(&app), [success(), success(), success()]);
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));

    // Another consent is another credit; a no to a popup is nothing.
    app.advance(TimeDelta::seconds(1));
    accept(&app, &person.openid);
    app.advance(TimeDelta::seconds(1));
    app.wechat().popup(DEMO_APPID, &person.openid, DEMO_TEMPLATE, false).unwrap();
    told(&app).await;
    assert_eq!(app.credits(&person).await, (CREDITS + 2, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_consent_is_no_credit_and_nothing_else_suffers(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let team = app.team.clone();
    day(&app, |day| day.lost = true);
    accept(&app, &team.employee.openid);
    app.lead_of(&team.manager, &team.employee, 1).await;
    told(&app).await;
    assert_eq!(app.credits(&team.employee).await, (CREDITS - 1, 0));
    assert_eq!(app.messages(&team.employee).len(), 1);
    app.finish().await;
}

#[rstest]
#[case::told_in_order(ReleaseOrder::Queued)]
#[case::told_backwards(ReleaseOrder::Reversed)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_last_counts_in_whatever_order_it_is_told(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] order: ReleaseOrder,
) {
    let app = encrypted(on).await;
    let (off, on_again) = (app.team.employee.clone(), app.team.colleague.clone());
    day(&app, |day| (day.held, day.copies) = (true, 3));
    accept(&app, &off.openid);
    turn_off(&app, &on_again.openid);
    app.advance(TimeDelta::seconds(5));
    turn_off(&app, &off.openid);
    accept(&app, &on_again.openid);
    app.advance(TimeDelta::seconds(5));
    app.wechat().release_callbacks(order);
    told(&app).await;
    assert_eq!(answers(&app), vec![success(); 12]);
    assert_eq!(app.credits(&off).await, (0, 0));
    // Told backwards the old credits go with the old rejection, and the new consent stays.
    assert_eq!(app.credits(&on_again).await, (1, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_template_of_a_popup_has_a_credit_of_its_own(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let person = app.team.employee.clone();
    let list = json!([
        { "TemplateId": DEMO_TEMPLATE, "SubscribeStatusString": "accept", "PopupScene": "0" },
        { "TemplateId": "another", "SubscribeStatusString": "accept", "PopupScene": "0" },
        { "TemplateId": "third", "SubscribeStatusString": "reject", "PopupScene": "0" },
    ]);
    let body = event(&app, &person, "subscribe_msg_popup_event", &list);
    for nonce in ["1", "2", "3"] {
        assert_eq!(push(&app, &keys(Some(super::AES_KEY)), nonce, &body).await, success());
    }
    app.settle().await;
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));
    for (template, expected) in [("another", 1), ("third", 0)] {
        let stream = StreamId::subscription(DEMO_APPID, &person.openid, template);
        let ledger = app.state::<SubscriptionLedger>(&stream, Until::Now).await;
        assert_eq!(ledger.available, expected, "{template}");
    }
    app.finish().await;
}
