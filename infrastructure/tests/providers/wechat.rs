//! A service account's messages and a cloud function's.

use application::channels::{wechat_official, wecom_app};
use domain::notification::Channel;
use domain::notification::FailureClass::{Config, Consent, Recipient};
use infrastructure::dispatcher::Provider as _;
use rstest::rstest;
use wechat_simulator::{
    CreditGrant, DEMO_APPID, DEMO_CLOUD_ENV, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_TEMPLATE, DEMO_TEMPLATE,
    Endpoint, Fault, Switches, Times, TokenEnd,
};

use crate::database::Backend;
use crate::kit::{Ended, World, body, body_as, recipient};

const OPENID: &str = "openid-of-zhang";

fn bizsend(n: u128) -> String {
    let (official, card) = (wechat_official::Kind::Subscribe, wecom_app::Kind::Text);
    body_as(Channel::WechatOfficial, OPENID, n, official, card)
}

fn grant(world: &World, app: &str, template: &str, count: u32) {
    let grant = CreditGrant {
        appid: Some(app.to_owned()),
        openid: OPENID.to_owned(),
        template_id: Some(template.to_owned()),
        count,
    };
    world.simulator().grant(&grant).unwrap();
}

#[rstest]
#[tokio::test]
async fn a_template_message_sent_again_in_its_window_reaches_the_follower_once(
    #[values(false, true)] same_msgid: bool,
) {
    let world = World::new(Backend::Sqlite).await;
    let switches = Switches { template_duplicate_same_msgid: same_msgid, ..Switches::default() };
    world.simulator().set_switches(switches);
    world.simulator().follow(DEMO_OFFICIAL_APPID, OPENID).unwrap();
    let official = world.official(wechat_official::Kind::Template);
    let one = body(Channel::WechatOfficial, OPENID, 1);
    world.fault(Endpoint::TemplateSend, Fault::ResetAfter {}, Times::Count(1));
    assert_eq!(world.send(&official, &one).await, Ended::Unknown);
    let window = official.contract().dedupe.unwrap();
    world.advance(i64::try_from(window.as_secs()).unwrap());
    assert_eq!(world.send(&official, &one).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(OPENID).len(), 1);
    assert_eq!(world.send(&official, &body(Channel::WechatOfficial, OPENID, 2)).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(OPENID).len(), 2);
}

#[tokio::test]
async fn who_does_not_follow_gets_no_template_message() {
    let world = World::new(Backend::Sqlite).await;
    let official = world.official(wechat_official::Kind::Template);
    world.simulator().follow(DEMO_OFFICIAL_APPID, OPENID).unwrap();
    let stranger = world.send(&official, &body(Channel::WechatOfficial, "openid-of-nobody", 1)).await;
    assert!(matches!(stranger, Ended::Rejected(Recipient, Some(40003 | 43004))), "{stranger:?}");
    assert!(world.simulator().ledger().is_empty());
}

#[tokio::test]
async fn a_subscribe_message_costs_a_consent_and_nothing_recognises_it() {
    let world = World::new(Backend::Sqlite).await;
    let official = world.official(wechat_official::Kind::Subscribe);
    assert_eq!(official.contract().dedupe, None);
    grant(&world, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_TEMPLATE, 1);
    assert_eq!(world.send(&official, &bizsend(1)).await, Ended::Accepted);
    assert_eq!(world.send(&official, &bizsend(2)).await, Ended::Rejected(Consent, Some(43101)));
    assert_eq!(world.simulator().received_by(OPENID).len(), 1);
}

#[tokio::test]
async fn a_mini_programs_body_is_refused_by_a_service_account_and_a_dead_token_is_replaced() {
    let world = World::new(Backend::Sqlite).await;
    world.simulator().follow(DEMO_OFFICIAL_APPID, OPENID).unwrap();
    let official = world.official(wechat_official::Kind::Template);
    assert_eq!(world.send(&official, &body(Channel::WechatOfficial, OPENID, 1)).await, Ended::Accepted);
    world.simulator().end_tokens(None, TokenEnd::Superseded);
    assert_eq!(world.send(&official, &body(Channel::WechatOfficial, OPENID, 2)).await, Ended::Accepted);
    assert_eq!(world.calls(Endpoint::StableToken), 2);
    assert_eq!(world.simulator().received_by(OPENID).len(), 2);
}

#[rstest]
#[case(Fault::ResetAfter {})]
#[case(Fault::Http502Html { process: true })]
#[case(Fault::TruncatedJson { process: true })]
#[case(Fault::Errcode { errcode: -504_002, errmsg: None, process: true })]
#[case(Fault::Errcode { errcode: -501_002, errmsg: None, process: true })]
#[case(Fault::Errcode { errcode: -1, errmsg: None, process: true })]
#[tokio::test]
async fn a_cloud_function_asked_again_with_its_key_tells_the_person_once(#[case] fault: Fault) {
    let world = World::new(Backend::Sqlite).await;
    world.simulator().cloud_user(&recipient().to_string(), OPENID);
    grant(&world, DEMO_APPID, DEMO_TEMPLATE, 3);
    let cloud = world.cloud(DEMO_CLOUD_ENV);
    let one = body(Channel::WechatCloud, "", 1);
    world.fault(Endpoint::CloudFunction, fault, Times::Count(1));
    assert_eq!(world.send(&cloud, &one).await, Ended::Unknown);
    assert_eq!(world.send(&cloud, &one).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(OPENID).len(), 1);
    assert_eq!(world.send(&cloud, &body(Channel::WechatCloud, "", 2)).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(OPENID).len(), 2);
}

#[tokio::test]
async fn what_the_cloud_function_says_counts_and_not_that_it_returned() {
    let world = World::new(Backend::Sqlite).await;
    let cloud = world.cloud(DEMO_CLOUD_ENV);
    let one = body(Channel::WechatCloud, "", 1);
    assert_eq!(world.send(&cloud, &one).await, Ended::Rejected(Recipient, None), "no such user");
    world.simulator().cloud_user(&recipient().to_string(), OPENID);
    assert_eq!(world.send(&cloud, &one).await, Ended::Rejected(Consent, Some(43101)));
    grant(&world, DEMO_APPID, DEMO_TEMPLATE, 1);
    assert_eq!(world.send(&cloud, &one).await, Ended::Accepted, "a no is not kept");
    let elsewhere = world.cloud("another-env");
    assert_eq!(world.send(&elsewhere, &one).await, Ended::Rejected(Config, Some(-501_000)));
    let received = world.simulator().received_by(OPENID);
    assert_eq!(received.len(), 1);
    assert_eq!(
        received[0].page.as_deref(),
        Some("pages/customer/detail?id=00000000-0000-0000-0000-000000000005")
    );
}
