//! What another system ordered is told like everything else.

use domain::notice_order::{NoticeOrdered, ORDER_RECIPIENTS_MAX, OrderedWords};
use domain::notification::Priority;
use domain::preferences::{Document, Language, PreferencesSet, Whose};
use serde_json::{Map, json};

use super::super::ReactError;
use super::*;
use crate::channels::Routes;
use crate::forms::{
    ORDER_ACTION_TEXT_CHARS_MAX, ORDER_ACTION_URL_CHARS_MAX, ORDER_CONTENT_CHARS_MAX, ORDER_DATA_CHARS_MAX,
    ORDER_TITLE_CHARS_MAX, ORDER_VALUE_CHARS_MAX, OrderNotice,
};

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

/// The log takes 8 MiB of one command, and everybody of an order is told by one.
#[test]
fn the_longest_order_to_the_most_people_can_be_told() {
    const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;
    // What a notice has beside its message: ids, a decision for each channel, who asked.
    const REST_BYTES: usize = 3 * 1024;
    let long = |chars: usize| "🧧".repeat(chars);
    // Twenty members of 200 characters are as many as may be in all.
    let data: Map<String, serde_json::Value> =
        (10..30).map(|n| (format!("{n}{}", long(62)), long(136).into())).collect();
    let url = || format!("/{}", long(ORDER_ACTION_URL_CHARS_MAX - 1));
    let own = json!({
        "title": long(ORDER_TITLE_CHARS_MAX),
        "content": long(ORDER_CONTENT_CHARS_MAX),
        "actionUrl": url(),
        "actionText": long(ORDER_ACTION_TEXT_CHARS_MAX),
    });
    let chars = |(name, value): (&String, &serde_json::Value)| {
        name.chars().count() + value.as_str().unwrap().chars().count()
    };
    assert!(data.iter().map(chars).sum::<usize>() > ORDER_DATA_CHARS_MAX - 64);
    for scene in kinds::orderable() {
        let mut body = match crate::texts::of_kind(scene) {
            None => own.clone(),
            Some(template) => {
                let value = |name: &&str| match *name {
                    "content" => long(ORDER_CONTENT_CHARS_MAX),
                    "actionUrl" => url(),
                    _ => long(ORDER_VALUE_CHARS_MAX),
                };
                let variables: Map<_, _> =
                    template.variables.iter().map(|name| ((*name).to_owned(), value(name).into())).collect();
                json!({ "variables": variables })
            }
        };
        body["type"] = json!(scene);
        body["recipients"] = json!([NEW]);
        body["data"] = data.clone().into();
        let OrderNotice { words, data, .. } = OrderNotice::parse(body).unwrap();
        let by = Actor::System("service:contracts".to_owned());
        let placed =
            NoticeOrdered { scene: scene.to_owned(), recipients: vec![NEW], words, data, by, at: at() };
        let (_, reactions) = answer(Fact::Order(Box::new(placed.into())).into(), &wechat());
        let message = serde_json::to_string(&reactions[0].notice.as_ref().unwrap().message).unwrap();
        let all = (message.len() + REST_BYTES) * ORDER_RECIPIENTS_MAX;
        assert!(all <= APPEND_BYTES_MAX, "{scene}: {all}");
    }
    // Published words are as long as they may become.
    let words = crate::texts::inbox_bytes_max() + url().len();
    let data = serde_json::to_string(&data).unwrap();
    assert!((words + data.len() + REST_BYTES) * ORDER_RECIPIENTS_MAX <= APPEND_BYTES_MAX);
}
