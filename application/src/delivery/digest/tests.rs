//! What a digest says, and through which channel.

use domain::contact::{OpenId, WecomUserId};
use domain::template::{NoticeTemplate, TemplatePublished};
use domain::{Actor, Aggregate};
use uuid::Uuid;

use super::*;
use crate::channels::{wechat_cloud, wechat_subscribe, wecom_app};

const APP: &str = "wx-app";

fn at() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn settings() -> ChannelSettings {
    let fields = [("thing1", "title"), ("number2", "count"), ("name3", "customer_name")];
    let wechat = wechat_subscribe::Settings {
        app: APP.to_owned(),
        template: "template".to_owned(),
        page: "pages/notices".to_owned(),
        fields: fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        miniprogram_state: "formal".to_owned(),
    };
    ChannelSettings { wechat_subscribe: Some(wechat), ..ChannelSettings::default() }
}

fn staff() -> Staff {
    let openids = BTreeMap::from([(APP.to_owned(), OpenId::parse("o-1").unwrap())]);
    Staff { openids, ..Staff::default() }
}

fn collected(count: u128) -> Collected {
    let recipient = StaffId(Uuid::from_u128(1));
    let (notification, cause) = Collected::id(DeliveryId(Uuid::from_u128(100)), recipient);
    let members: Vec<NotificationId> = (0..count).map(|n| NotificationId(Uuid::from_u128(200 + n))).collect();
    let first = members.iter().take(LISTED_MAX).enumerate();
    let first = first.map(|(n, notification)| Member {
        notification: *notification,
        title: format!("标题{n}"),
        content: "内容".to_owned(),
    });
    Collected {
        notification,
        recipient,
        channel: Channel::WechatSubscribe,
        behind: vec![],
        first: first.collect(),
        members,
        priority: Priority::High,
        cause,
        at: at(),
    }
}

fn written(count: u128, language: Language) -> Written {
    let book = TemplateBook::default();
    write(&collected(count), &settings(), &book, (&staff(), language)).unwrap().unwrap()
}

#[test]
fn it_lists_the_first_notices_and_counts_all() {
    let message = written(3, Language::ZhCn).message;
    assert_eq!(message.title, "通知汇总");
    assert_eq!(message.content, "您有 3 条通知：\n1. 标题0：内容\n2. 标题1：内容\n3. 标题2：内容");
    assert_eq!(message.data["noticeCount"], 3);
    assert_eq!(message.data["notices"][0]["title"], "标题0");
    assert_eq!(written(3, Language::En).message.title, "Your notices");
    let message = written(10_000, Language::ZhCn).message;
    assert!(message.content.ends_with("以及另外 9990 条"), "{}", message.content);
    assert_eq!(message.data["notices"].as_array().map(Vec::len), Some(LISTED_MAX));
    assert_eq!(message.data["noticeCount"], 10_000);
}

#[test]
fn its_channel_alone_delivers_it() {
    let collected = collected(2);
    let request = collected.request(&written(2, Language::ZhCn));
    let how: Vec<(Channel, Decision)> =
        request.deliveries.iter().map(|planned| (planned.channel, planned.decision.clone())).collect();
    let suppress = |reason: &str| Decision::Suppress { reason: reason.to_owned() };
    assert_eq!(how.len(), Channel::ALL.len());
    for (channel, decision) in how {
        let expected = match channel {
            Channel::WechatSubscribe => Decision::Deliver,
            Channel::InApp => suppress("told_one_by_one"),
            _ => suppress("not_routed"),
        };
        assert_eq!(decision, expected, "{channel}");
    }
    assert_eq!(request.digest_of, collected.members);
    assert_eq!(request.notification, NotificationId::of(request.cause, request.recipient, &request.scene));
    assert_eq!((request.template.as_str(), request.rendered_hash.len()), ("DIGEST", 64));
}

#[test]
fn the_channels_behind_it_stand_by_with_the_same_words() {
    let wecom = wecom_app::Settings {
        corp: "ww1".to_owned(),
        agent: 7,
        kind: wecom_app::Kind::Text,
        public_url: None,
    };
    let cloud =
        wechat_cloud::Settings { app: APP.to_owned(), env: "prod".to_owned(), function: "f".to_owned() };
    let settings = ChannelSettings { wecom_app: Some(wecom), wechat_cloud: Some(cloud), ..settings() };
    let mut staff = staff();
    let behind = vec![Channel::WechatOfficial, Channel::WecomApp, Channel::WechatCloud];
    let collected = Collected { behind, ..collected(2) };
    let decisions = |staff: &Staff| {
        let book = TemplateBook::default();
        let written = write(&collected, &settings, &book, (staff, Language::ZhCn)).unwrap().unwrap();
        let bodies: Vec<(Channel, bool)> = written
            .standbys
            .iter()
            .map(|(channel, rendered)| (*channel, rendered.body.contains("您有 2 条通知")))
            .collect();
        let of = |wanted: Channel| {
            let request = collected.request(&written);
            let planned = request.deliveries.iter().find(|planned| planned.channel == wanted);
            planned.map(|planned| planned.decision.clone()).unwrap()
        };
        let decided = [Channel::WechatOfficial, Channel::WecomApp, Channel::WechatCloud].map(of);
        (bodies, decided)
    };
    let suppress = |reason: &str| Decision::Suppress { reason: reason.to_owned() };
    let after = |after| Decision::Standby { after };
    staff.wecom.insert("ww1".to_owned(), WecomUserId::parse("li").unwrap());
    let (bodies, decided) = decisions(&staff);
    assert_eq!(
        bodies.iter().map(|(channel, _)| *channel).collect::<Vec<_>>(),
        [Channel::WecomApp, Channel::WechatCloud]
    );
    assert!(bodies[0].1, "WeCom says what the first channel says");
    let expected =
        [suppress("channel_not_configured"), after(Channel::WechatSubscribe), after(Channel::WecomApp)];
    assert_eq!(decided, expected);
    staff.wecom.clear();
    let expected =
        [suppress("channel_not_configured"), suppress("no_binding"), after(Channel::WechatSubscribe)];
    assert_eq!(decisions(&staff).1, expected, "who is not reached any more is left out");
}

#[test]
fn the_provider_gets_the_same_words() {
    let rendered = written(3, Language::ZhCn).rendered;
    let body: Json = serde_json::from_str(&rendered.body).unwrap();
    assert_eq!((rendered.app.as_str(), rendered.receiver.as_str()), (APP, "o-1"));
    assert_eq!(rendered.template.as_deref(), Some("template"));
    assert_eq!(body["data"]["thing1"]["value"], "通知汇总");
    assert_eq!(body["data"]["number2"]["value"], "3");
    assert_eq!(body["data"]["name3"]["value"], "多条通知");
}

#[test]
fn published_words_are_read_and_pinned() {
    let mut state = NoticeTemplate::default();
    let mut wording = texts::DIGEST.wording();
    wording.zh_cn.title = "早安".to_owned();
    let (key, by) = (texts::DIGEST.key.to_owned(), Actor::System("cli".to_owned()));
    state.evolve(&TemplatePublished { key, version: 1001, wording, by, at: at() }.into());
    let mut book = TemplateBook::default();
    book.insert(texts::DIGEST.key, state);
    let read = write(&collected(2), &settings(), &book, (&staff(), Language::ZhCn)).unwrap().unwrap();
    assert_eq!((read.message.title.as_str(), read.template_version), ("早安", 1001));
}

#[test]
fn who_cannot_be_reached_any_more_gets_no_digest() {
    let book = TemplateBook::default();
    let unbound = Staff::default();
    let nobody = write(&collected(2), &settings(), &book, (&unbound, Language::ZhCn));
    assert_eq!(nobody, Ok(None));
    let nothing = ChannelSettings::default();
    let nowhere = write(&collected(2), &nothing, &book, (&staff(), Language::ZhCn));
    assert_eq!(nowhere, Ok(None));
}
