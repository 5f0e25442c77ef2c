//! Who learns what of members.

use domain::contact::WecomUserId;
use domain::member::{
    FieldChange, FieldValue, MemberActivated, MemberEvent, MemberField, MemberFields, MemberKind,
    MemberRegistered, MemberRevoked, MemberSource, MemberStatus, MemberUpdated, MemberUpgraded,
};
use domain::member_notices::{
    MemberNoticeTested, MemberNoticesEvent, MemberNoticesSet, MemberNoticesText, WecomAudience,
};
use domain::{MemberId, StaffId};

use super::*;
use crate::channels::wecom_app;
use crate::member_notices::{DIGEST_WINDOW, OFF_HELD_MAX, audience, tested_person};
use crate::preferences::HoldReason;

const MEMBER: MemberId = MemberId(Uuid::from_u128(300));

fn channels() -> ChannelSettings {
    let settings = wecom_app::Settings {
        corp: "ww1".to_owned(),
        agent: 7,
        kind: wecom_app::Kind::Textcard,
        public_url: Some("https://crm.example.com".to_owned()),
    };
    ChannelSettings { wecom_app: Some(settings), ..ChannelSettings::default() }
}

fn settings() -> MemberNoticesText {
    let users = vec!["ZhangSan".to_owned(), "LiSi".to_owned()];
    let audience = WecomAudience { users, ..WecomAudience::default() };
    MemberNoticesText { audience, roles: vec![Role::Admin, Role::Operator], ..MemberNoticesText::default() }
}

fn backdrop(text: MemberNoticesText) -> Backdrop {
    let mut backdrop = Backdrop::of(&channels());
    let set = MemberNoticesSet { text, by: Actor::Staff(ADMIN), at: at() };
    backdrop.member_notices.evolve(&set.into());
    backdrop
}

fn by() -> Actor {
    Actor::System("intake".to_owned())
}

fn fields(status: &str) -> MemberFields {
    let mut fields = MemberFields::default();
    for (column, text) in [
        ("member_no", "M12345"),
        ("nickname", "小王"),
        ("phone", NUMBER),
        ("gender", "female"),
        ("status", status),
    ] {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    fields
}

fn registered(status: &str) -> MemberEvent {
    MemberRegistered {
        source: MemberSource::Public,
        fields: Box::new(fields(status)),
        row: None,
        registered_at: None,
        by: by(),
        at: at(),
    }
    .into()
}

fn activated() -> MemberEvent {
    MemberActivated { from: Some(MemberStatus::Pending.into()), row: None, by: by(), at: at() }.into()
}

fn updated(field: MemberField) -> MemberEvent {
    let change = |old: &str, new: &str| FieldChange {
        field,
        old: Some(FieldValue::Text(old.to_owned())),
        new: Some(FieldValue::Text(new.to_owned())),
    };
    MemberUpdated { changed: vec![change("甲", "乙")], row: None, by: by(), at: at() }.into()
}

fn upgraded() -> MemberEvent {
    MemberUpgraded {
        from: None,
        to: MemberKind::Annual,
        remaining_matches: Some(5),
        paid_at: None,
        expires_at: None,
        notes: None,
        row: None,
        by: Actor::Staff(ADMIN),
        at: at(),
    }
    .into()
}

fn revoked() -> MemberEvent {
    MemberRevoked { from: None, reason: None, row: None, by: by(), at: at() }.into()
}

/// A member's events; the last one is what happened.
fn member(events: Vec<MemberEvent>) -> Happened {
    let mut member = Member::default();
    for event in &events {
        member.evolve(event);
    }
    let last = events.into_iter().next_back().unwrap();
    let fact = Fact::Member(MEMBER, Box::new(last));
    Happened { fact, customer: None, member: Some(member), owner_after_command: None }
}

fn wecom(reaction: &Reaction) -> Decision {
    let (_, decision) = reaction.decisions.iter().find(|(c, _)| *c == Channel::WecomApp).unwrap();
    decision.clone()
}

/// Who is told: the audience by WeCom, people in their inbox.
fn told(backdrop: &Backdrop, happened: &Happened) -> Vec<(StaffId, &'static str)> {
    let (reactions, outgoing) = backdrop.answer_at(happened, at());
    for reaction in &reactions {
        assert_eq!(reaction.decisions.len(), Channel::ALL.len(), "one decision for every channel");
        let inbox = &reaction.decisions[0];
        assert_eq!(
            inbox.1 == Decision::Deliver,
            reaction.recipient != audience() && reaction.notice.is_some()
        );
    }
    assert_eq!(
        outgoing.len(),
        usize::from(reactions.iter().any(|r| r.recipient == audience() && r.notice.is_some()))
    );
    reactions.iter().filter(|r| r.notice.is_some()).map(|r| (r.recipient, r.scene)).collect()
}

#[test]
fn what_happens_to_a_member_tells_the_audience_and_the_roles_unless_they_did_it() {
    let backdrop = backdrop(settings());
    let active = || registered("ACTIVE");
    let all = |scene| vec![(audience(), scene), (ADMIN, scene), (OPERATOR, scene)];
    for (events, expected) in [
        (vec![active()], all(kinds::MEMBER_REGISTERED)),
        (vec![registered("PENDING")], vec![]),
        (vec![registered("PENDING"), updated(MemberField::Nickname)], vec![]),
        (vec![registered("PENDING"), activated()], all(kinds::MEMBER_ACTIVATED)),
        (vec![active(), updated(MemberField::Nickname)], all(kinds::MEMBER_UPDATED)),
        (vec![active(), updated(MemberField::IdCard)], vec![]),
        (
            vec![active(), upgraded()],
            vec![(audience(), kinds::MEMBER_UPGRADED), (OPERATOR, kinds::MEMBER_UPGRADED)],
        ),
        (vec![active(), revoked()], all(kinds::MEMBER_REVOKED)),
    ] {
        assert_eq!(told(&backdrop, &member(events.clone())), expected, "{events:?}");
    }
}

#[test]
fn whoever_is_written_down_now_is_news_however_long_ago_the_person_registered() {
    let MemberEvent::Registered(mut event) = registered("ACTIVE") else { panic!("a registration") };
    event.registered_at = Some(at() - chrono::TimeDelta::days(3 * 365));
    let happened = member(vec![event.into()]);
    let (_, outgoing) = backdrop(settings()).answer_at(&happened, at());
    let [sent] = &outgoing[..] else { panic!("one message, not {}", outgoing.len()) };
    let year = (at() - chrono::TimeDelta::days(3 * 365)).format("%Y").to_string();
    assert!(sent.body.contains(&format!("登记时间：{year}-")), "{}", sent.body);
}

#[test]
fn before_an_audience_is_chosen_nobody_is_told() {
    let mut nobody = Backdrop::of(&channels());
    assert_eq!(nobody.answer_at(&member(vec![registered("ACTIVE")]), at()), (vec![], vec![]));
    nobody.channels = ChannelSettings::default();
    assert_eq!(nobody.answer_at(&member(vec![registered("ACTIVE"), revoked()]), at()), (vec![], vec![]));
}

#[test]
fn the_audience_gets_one_card_and_no_whole_phone() {
    let backdrop = backdrop(settings());
    let (reactions, outgoing) = backdrop.answer_at(&member(vec![registered("ACTIVE")]), at());
    let [sent] = &outgoing[..] else { panic!("one message, not {}", outgoing.len()) };
    assert_eq!((sent.app.as_str(), sent.receiver.as_str(), &sent.held), ("ww1/7", "members", &None));
    assert!(
        sent.body.starts_with(r#"{"touser":"ZhangSan|LiSi","msgtype":"textcard","agentid":7"#),
        "{}",
        sent.body
    );
    assert!(
        sent.body.contains("🎉 新会员登记通知") && sent.body.contains("会员编号：M12345"),
        "{}",
        sent.body
    );
    for reaction in &reactions {
        let said = serde_json::to_string(&reaction.notice.as_ref().unwrap().message).unwrap();
        assert!(!said.contains(NUMBER) && said.contains("M12345"), "{said}");
    }
    let again = backdrop.answer_at(&member(vec![registered("ACTIVE")]), at());
    assert_eq!(again.0, reactions, "the same event is answered alike, with the same ids");
}

#[test]
fn without_wecom_the_decision_says_so() {
    let mut backdrop = backdrop(settings());
    backdrop.channels = ChannelSettings::default();
    let (reactions, outgoing) = backdrop.answer_at(&member(vec![registered("ACTIVE")]), at());
    assert_eq!(wecom(&reactions[0]), Decision::Suppress { reason: "channel_not_configured".to_owned() });
    assert!(reactions[0].notice.is_none() && outgoing.is_empty());
}

#[test]
fn switched_off_it_is_held_and_switched_on_it_is_let_go() {
    let off = backdrop(MemberNoticesText { enabled: false, ..settings() });
    let (reactions, outgoing) = off.answer_at(&member(vec![registered("ACTIVE")]), at());
    let reason = HoldReason::MemberNoticesOff.as_str().to_owned();
    assert_eq!(wecom(&reactions[0]), Decision::Hold { until: at() + OFF_HELD_MAX, reason });
    assert_eq!(outgoing.len(), 1, "its bytes are ready");
    assert_eq!(reactions[1].decisions[0].1, Decision::Deliver, "the inbox is no WeCom");

    let set =
        |text| -> MemberNoticesEvent { MemberNoticesSet { text, by: Actor::Staff(ADMIN), at: at() }.into() };
    let due = |text| {
        let fact = Fact::MemberNotices(Box::new(set(text)));
        assert!(super::super::changes_wishes(&fact));
        let event = PolicyEvent { id: EVENT, fact, at: at() };
        let due = super::super::hastened(&event, &directory(), &PreferenceBook::default());
        due.into_iter().map(|one| (one.recipient, one.reason, one.due_at)).collect::<Vec<_>>()
    };
    assert_eq!(due(settings()), [(audience(), HoldReason::MemberNoticesOff, at())]);
    assert_eq!(due(MemberNoticesText { enabled: false, ..settings() }), []);
    let alone = MemberNoticesText { digest_from: 0, ..settings() };
    assert_eq!(due(alone).len(), 2, "and nothing waits for a digest any more");
}

#[test]
fn so_many_at_once_are_told_together() {
    let mut backdrop = backdrop(MemberNoticesText { digest_from: 2, roles: vec![], ..settings() });
    let decide = |backdrop: &mut Backdrop, at| {
        let (reactions, _) = backdrop.answer_at(&member(vec![registered("ACTIVE")]), at);
        for reaction in &reactions {
            backdrop.recent.take_in(reaction, at);
        }
        wecom(&reactions[0])
    };
    let minute = |n| at() + chrono::TimeDelta::minutes(n);
    let held = |until| Decision::Hold { until, reason: HoldReason::MemberDigest.as_str().to_owned() };
    assert_eq!(decide(&mut backdrop, minute(0)), Decision::Deliver);
    assert_eq!(decide(&mut backdrop, minute(3)), Decision::Deliver);
    assert_eq!(decide(&mut backdrop, minute(4)), held(at() + DIGEST_WINDOW));
    assert_eq!(decide(&mut backdrop, minute(9)), held(at() + DIGEST_WINDOW), "all wait for the same moment");
    assert_eq!(decide(&mut backdrop, minute(10)), Decision::Deliver, "then there is room again");
    assert_eq!(decide(&mut backdrop, minute(11)), held(minute(13)));
    backdrop.member_notices.text.digest_from = 0;
    assert_eq!(decide(&mut backdrop, minute(11)), Decision::Deliver, "never told together");
}

#[test]
fn a_test_goes_to_one_person_also_while_the_switch_is_off() {
    let off = backdrop(MemberNoticesText { enabled: false, ..settings() });
    let to = WecomUserId::parse("WangWu").unwrap();
    let test = MemberNoticeTested { to: to.clone(), by: Actor::Staff(ADMIN), at: at() };
    let happened = Happened::from(Fact::MemberNotices(Box::new(test.into())));
    let (reactions, outgoing) = off.answer_at(&happened, at());
    assert_eq!(reactions[0].recipient, tested_person(&to));
    assert_eq!(wecom(&reactions[0]), Decision::Deliver);
    assert_eq!(outgoing[0].receiver, "WangWu");
    assert!(outgoing[0].body.starts_with(r#"{"touser":"WangWu","#) && outgoing[0].body.contains("【测试】"));
}
