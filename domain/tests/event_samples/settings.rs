//! Samples of what people, administrators and other systems say about notices: preferences, the words of templates,
//! orders.

use std::collections::BTreeMap;

use domain::channel_control::{ChannelControlEvent, ChannelPaused, ChannelResumed};
use domain::contact::WecomUserId;
use domain::member_notices::{
    MemberNoticeTested, MemberNoticesEvent, MemberNoticesSet, MemberNoticesText, MessageType, WecomAudience,
    WecomSecretSet,
};
use domain::notice_order::{NoticeOrderEvent, NoticeOrdered, OrderedWords};
use domain::notification::{Channel, Priority};
use domain::preferences::{
    Day, Digest, Document, Language, Mode, PreferencesEvent, PreferencesSet, QuietHours, Rule, Whose, Window,
    Zone,
};
use domain::staff::Role;
use domain::template::{
    TemplateDrafted, TemplateEvent, TemplatePublished, TemplateRolledBack, Wording, Words,
};

use super::{at, boss, staff};

pub(crate) fn channel_control() -> Vec<ChannelControlEvent> {
    let channel = Channel::WecomApp;
    vec![
        ChannelPaused { channel, by: boss(), reason: "平台维护".into(), at: at() }.into(),
        ChannelResumed { channel, by: boss(), at: at() }.into(),
    ]
}

pub(crate) fn member_notices() -> Vec<MemberNoticesEvent> {
    let audience = WecomAudience {
        everybody: false,
        users: vec!["ZhangSan".into(), "LiSi".into()],
        parties: vec![2],
        tags: vec![7],
    };
    let text = MemberNoticesText {
        enabled: false,
        audience,
        roles: vec![Role::Admin, Role::Manager],
        message_type: MessageType::Markdown,
        template: Some("{{event}}：{{nickname}}".into()),
        digest_from: 20,
    };
    let to = WecomUserId::parse("ZhangSan").unwrap();
    vec![
        MemberNoticesSet { text, by: boss(), at: at() }.into(),
        WecomSecretSet { sealed: "c2VhbGVk".into(), by: boss(), at: at() }.into(),
        MemberNoticeTested { to, by: boss(), at: at() }.into(),
    ]
}

pub(crate) fn preferences() -> Vec<PreferencesEvent> {
    let rule = Rule {
        scene: Some("CUSTOMER_ASSIGNED".into()),
        channel: Some(Channel::WecomApp),
        mode: Mode::Digest,
    };
    let window = Window {
        days: Day::ALL.iter().copied().collect(),
        from: "22:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
    };
    let document = Document {
        rules: vec![rule],
        quiet: Some(QuietHours { zone: Zone::default(), windows: vec![window] }),
        digest: Some(Digest::Daily { at: "09:00".parse().unwrap() }),
        routes: BTreeMap::from([(
            "CUSTOMER_ASSIGNED".into(),
            vec![Channel::WechatSubscribe, Channel::WecomApp],
        )]),
        locale: Some(Language::En),
    };
    vec![PreferencesSet { whose: Whose::Staff(staff(1)), document, by: boss(), at: at() }.into()]
}

pub(crate) fn template() -> Vec<TemplateEvent> {
    let words = |title: &str| Words {
        title: title.into(),
        content: "{{customerName}}".into(),
        action_text: "查看".into(),
    };
    let wording = || Wording { zh_cn: words("客户分配通知"), en: words("Customer assigned") };
    let key = || "ASSIGNED".to_owned();
    vec![
        TemplateDrafted { key: key(), wording: wording(), by: boss(), at: at() }.into(),
        TemplatePublished { key: key(), version: 1001, wording: wording(), by: boss(), at: at() }.into(),
        TemplateRolledBack { key: key(), to: Some(1001), by: boss(), at: at() }.into(),
    ]
}

pub(crate) fn notice_order() -> Vec<NoticeOrderEvent> {
    let words = OrderedWords::Own {
        title: "合同即将到期".into(),
        content: "合同 HT20260115001 将于 2026-02-15 到期".into(),
        priority: Priority::High,
        action_url: Some("/contracts/7".into()),
        action_text: Some("查看合同".into()),
    };
    vec![order("CONTRACT_EXPIRING_SOON", words)]
}

pub(crate) fn order_of_a_text() -> NoticeOrderEvent {
    let variables =
        serde_json::json!({ "contractId": "7", "contractNumber": "HT7", "customerName": "王女士" });
    let variables = variables.as_object().cloned().unwrap();
    order("CONTRACT_SIGNED", OrderedWords::Text { variables })
}

fn order(scene: &str, words: OrderedWords) -> NoticeOrderEvent {
    let data = serde_json::json!({ "contractId": "7", "days": 30 });
    NoticeOrdered {
        scene: scene.into(),
        recipients: vec![staff(1), staff(2)],
        words,
        data: data.as_object().cloned().unwrap(),
        by: domain::Actor::System("service:contracts".into()),
        at: at(),
    }
    .into()
}
