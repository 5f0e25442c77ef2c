//! Samples of what people and administrators set: preferences and the words of templates.

use std::collections::BTreeMap;

use domain::channel_control::{ChannelControlEvent, ChannelPaused, ChannelResumed};
use domain::notification::Channel;
use domain::preferences::{
    Day, Digest, Document, Language, Mode, PreferencesEvent, PreferencesSet, QuietHours, Rule, Whose, Window,
    Zone,
};
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
