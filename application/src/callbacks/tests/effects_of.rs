//! What follows from each message.

use chrono::DateTime;
use domain::contact::OpenId;
use domain::notification::FailureClass;

use super::super::*;

fn message(what: What) -> Message {
    let created_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    Message { to: "gh_1".into(), from: "o1".into(), created_at, what }
}

fn entry(template: &str, status: &str) -> Entry {
    let (template, status) = (template.to_owned(), status.to_owned());
    Entry { template, status, message_id: None, succeeded: false, code: None }
}

#[test]
fn every_accepted_template_of_a_popup_is_a_credit_and_a_no_is_nothing() {
    let openid = OpenId::parse("o1").unwrap();
    let asked =
        message(What::Answered(vec![entry("T1", "accept"), entry("T2", "reject"), entry("T3", "accept")]));
    let grant = |template: &str| Effect::Grant {
        openid: openid.clone(),
        template: template.to_owned(),
        at: asked.created_at,
    };
    assert_eq!(effects(&asked), Ok(vec![grant("T1"), grant("T3")]));
}

#[test]
fn a_changed_setting_takes_every_credit_back() {
    let changed = message(What::Changed(vec![entry("T1", "reject"), entry("T2", "accept")]));
    let effects = effects(&changed).unwrap();
    assert!(matches!(effects.as_slice(), [Effect::Revoke { template, .. }] if template == "T1"));
}

#[test]
fn reports_say_what_became_of_a_message() {
    let sent = |succeeded, code| {
        let entry = Entry { message_id: Some(7), succeeded, code, ..entry("T1", "") };
        message(What::Sent(vec![entry]))
    };
    let ended = |status: &str| message(What::TemplateEnded { message_id: 7, status: status.to_owned() });
    let rows = [
        (sent(true, Some(0)), effects::SENT_EVENT, Some("T1"), None),
        (sent(false, Some(1300)), effects::SENT_EVENT, Some("T1"), Some((FailureClass::Busy, Some(1300)))),
        (ended("success"), effects::TEMPLATE_EVENT, None, None),
        (ended("failed:user block"), effects::TEMPLATE_EVENT, None, Some((FailureClass::Recipient, None))),
        (ended("failed: user block"), effects::TEMPLATE_EVENT, None, Some((FailureClass::Recipient, None))),
        (ended("failed: system failed"), effects::TEMPLATE_EVENT, None, Some((FailureClass::Busy, None))),
    ];
    for (message, proof, template, failure) in rows {
        let effects = effects(&message).unwrap();
        let [Effect::Report(report)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((report.message_id.as_str(), report.proof), ("7", proof));
        assert_eq!(report.template.as_deref(), template);
        assert_eq!(report.failure.as_ref().map(|failure| (failure.class, failure.code)), failure);
    }
}

#[test]
fn nothing_follows_from_anything_else() {
    for what in [What::Other, What::Text("M1".into())] {
        assert_eq!(effects(&message(what)), Ok(vec![]));
    }
}

#[test]
fn whoever_is_nobody_is_refused() {
    let mut nobody = message(What::Sent(vec![]));
    nobody.from = "not an openid".into();
    assert_eq!(effects(&nobody), Err(Unreadable::Field("FromUserName")));
}
