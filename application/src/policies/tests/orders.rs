//! What another system ordered is told like everything else.

use domain::notice_order::{NoticeOrdered, OrderedWords};
use domain::notification::Priority;
use domain::preferences::{Document, Language, PreferencesSet, Whose};
use serde_json::{Map, json};

use super::super::ReactError;
use super::*;
use crate::channels::Routes;

const SIGNED: &str = kinds::CONTRACT_SIGNED;

fn order(scene: &str, recipients: &[StaffId], words: OrderedWords) -> Fact {
    let order = NoticeOrdered {
        scene: scene.to_owned(),
        recipients: recipients.to_vec(),
        words,
        data: json!({ "days": 30 }).as_object().cloned().unwrap(),
        by: Actor::System("service:contracts".to_owned()),
        at: at(),
    };
    Fact::Order(Box::new(order.into()))
}

fn own_words() -> OrderedWords {
    OrderedWords::Own {
        title: "合同即将到期".to_owned(),
        content: "还有30天".to_owned(),
        priority: Priority::High,
        action_url: None,
        action_text: None,
    }
}

fn text() -> OrderedWords {
    let variables = json!({ "customerName": "王女士", "contractNumber": "HT7", "contractId": "7" });
    OrderedWords::Text { variables: variables.as_object().cloned().unwrap() }
}

#[test]
fn everybody_in_an_order_is_told_and_nobody_else() {
    check(order(SIGNED, &[NEW, UNBOUND], text()), &[(NEW, SIGNED, INBOX), (UNBOUND, SIGNED, INBOX)]);
    let cut_off = "both: recipient_inactive";
    check(order(SIGNED, &[SUSPENDED], own_words()), &[(SUSPENDED, SIGNED, cut_off)]);
}

#[test]
fn it_goes_the_ways_that_are_configured_for_its_type() {
    let mut channels = wechat();
    channels.routes = Routes::parse([(SIGNED, vec![Channel::WechatSubscribe])]).unwrap();
    for words in [text(), own_words()] {
        let happened = order(SIGNED, &[NEW], words).into();
        let (_, reactions) = answer(happened, &channels);
        assert_eq!(told(&reactions[0]), BOTH);
    }
    assert_eq!(sent(&order(SIGNED, &[NEW, UNBOUND], own_words()).into(), &channels).len(), 1);
}

#[test]
fn the_published_text_is_filled_in_each_persons_language() {
    let mut backdrop = Backdrop::of(&wechat());
    let document = Document { locale: Some(Language::En), ..Document::default() };
    let by = Actor::Staff(OLD);
    let set = PreferencesSet { whose: Whose::Staff(OLD), document, by, at: at() };
    backdrop.preferences.evolve(&set.into());
    let (reactions, _) = backdrop.answer_at(&order(SIGNED, &[NEW, OLD], text()).into(), at());
    let notices: Vec<_> = reactions.iter().map(|reaction| reaction.notice.clone().unwrap()).collect();
    assert_eq!(notices[0].message.content, "客户 王女士 的合同已签署完成，合同编号：HT7");
    assert_eq!(notices[1].message.content, "The contract of 王女士 was signed, number HT7");
    assert_eq!(notices[0].template, "CONTRACT_SIGNED");
    assert_eq!(notices[0].message.action_url, "/contracts/7");
    let data = json!({ "customerName": "王女士", "contractNumber": "HT7", "contractId": "7", "days": 30 });
    assert_eq!(serde_json::Value::Object(notices[0].message.data.clone()), data);

    let own = order(kinds::CONTRACT_EXPIRING_SOON, &[NEW, OLD], own_words());
    let (reactions, _) = backdrop.answer_at(&own.into(), at());
    let notices: Vec<_> = reactions.iter().map(|reaction| reaction.notice.clone().unwrap()).collect();
    assert!(
        notices
            .iter()
            .all(|notice| notice.message.title == "合同即将到期" && notice.priority == Priority::High)
    );
    let buttons = notices.iter().map(|notice| notice.message.action_text.as_str());
    assert_eq!(buttons.collect::<Vec<_>>(), ["查看详情", "View"]);
    assert_eq!((notices[0].template.as_str(), notices[0].template_version), ("OWN_WORDS", 1));
}

#[test]
fn an_order_that_this_program_has_no_words_for_waits_for_one_that_has() {
    let unknown = order("LUNCH_IS_READY", &[NEW], own_words());
    let empty = order(SIGNED, &[NEW], OrderedWords::Text { variables: Map::new() });
    let without = order(kinds::RESUME_CREATED, &[NEW], text());
    let backdrop = Backdrop::of(&wechat());
    let refused = |fact: Fact| {
        let happened = Happened::from(fact.clone());
        react(&PolicyEvent { id: EVENT, fact, at: at() }, &backdrop.view(&happened, at())).unwrap_err()
    };
    assert_eq!(refused(unknown), ReactError::UnknownKind("LUNCH_IS_READY".to_owned()));
    assert!(matches!(refused(empty), ReactError::Text(_)));
    assert_eq!(refused(without), ReactError::UnknownKind(kinds::RESUME_CREATED.to_owned()));
}
