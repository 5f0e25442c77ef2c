//! The member's rules, one sentence each.

mod fields;
mod properties;
mod rows;

use super::*;
use crate::contact::WechatId;
use crate::testing::{after, at, boss, given};

/// A person with everything that a registration needs.
fn person() -> MemberFields {
    fields(&[
        ("member_no", "M1001"),
        ("nickname", "小王"),
        ("wechat", "wang_88"),
        ("phone", "13812348999"),
        ("type", "NORMAL"),
        ("status", "ACTIVE"),
        ("gender", "female"),
        ("remaining_matches", "1"),
    ])
}

/// Columns as a row has them.
fn fields(columns: &[(&str, &str)]) -> MemberFields {
    with(MemberFields::default(), columns)
}

/// The same row with some columns set anew; a blank is a NULL.
fn with(mut fields: MemberFields, columns: &[(&str, &str)]) -> MemberFields {
    for (column, text) in columns {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    fields
}

fn change(field: MemberField, old: &str, new: &str) -> FieldChange {
    let value = |text: &str| (!text.is_empty()).then(|| FieldValue::Text(text.into()));
    FieldChange { field, old: value(old), new: value(new) }
}

fn register(fields: MemberFields) -> MemberCommand {
    MemberCommand::Register { source: MemberSource::Staff, fields: Box::new(fields), by: boss(), at: at(0) }
}

fn registered(fields: MemberFields) -> MemberEvent {
    let (source, row, registered_at) = (MemberSource::Staff, None, None);
    let fields = Box::new(fields);
    MemberRegistered { source, fields, row, registered_at, by: boss(), at: at(0) }.into()
}

fn update(changes: MemberPatch) -> MemberCommand {
    MemberCommand::Update { changes: Box::new(changes), by: boss(), at: at(10) }
}

fn upgrade(to: MemberKind) -> MemberCommand {
    let upgrade = Upgrade { to, remaining_matches: None, paid_at: None, expires_at: None, notes: None };
    MemberCommand::Upgrade { upgrade, by: boss(), at: at(10) }
}

fn activate() -> MemberCommand {
    MemberCommand::Activate { by: boss(), at: at(10) }
}

fn revoke() -> MemberCommand {
    MemberCommand::Revoke { reason: Some("资料不实".into()), by: boss(), at: at(10) }
}

fn delete() -> MemberCommand {
    MemberCommand::Delete { by: boss(), at: at(10) }
}

fn with_status(status: &str) -> Vec<MemberEvent> {
    vec![registered(with(person(), &[("status", status)]))]
}

#[test]
fn a_member_is_registered_once() {
    given::<Member>(vec![]).when(register(person())).then_expect_events(vec![registered(person())]);
    given::<Member>(vec![registered(person())])
        .when(register(person()))
        .then_expect_error(MemberError::AlreadyExists);
}

#[test]
fn a_registration_needs_number_wechat_and_phone() {
    for column in ["member_no", "wechat", "phone"] {
        given::<Member>(vec![])
            .when(register(with(person(), &[(column, " ")])))
            .then_expect_error_message("请填写会员编号、微信号和手机号");
    }
}

#[test]
fn an_update_names_what_changed_also_from_nothing_and_to_nothing() {
    let city = Some(Some("杭州".to_owned()));
    let same = Some(person().phone);
    let patch = MemberPatch { city, nickname: Some(None), phone: same, ..MemberPatch::default() };
    let changed = vec![change(MemberField::Nickname, "小王", ""), change(MemberField::City, "", "杭州")];
    given::<Member>(vec![registered(person())])
        .when(update(patch))
        .then_expect_events(vec![MemberUpdated { changed, row: None, by: boss(), at: at(10) }.into()]);
}

#[test]
fn an_update_that_changes_nothing_is_no_event() {
    let changes = MemberPatch { phone: Some(person().phone), city: Some(None), ..MemberPatch::default() };
    given::<Member>(vec![registered(person())]).when(update(changes)).then_expect_events(vec![]);
}

#[test]
fn an_update_takes_neither_the_identity_away_nor_moves_type_or_status() {
    let member = || given::<Member>(vec![registered(person())]);
    let gone = MemberPatch { wechat: Some(None), ..MemberPatch::default() };
    member().when(update(gone)).then_expect_error(MemberError::MissingIdentity);
    let kind = MemberPatch { kind: Some(Some(MemberKind::Annual.into())), ..MemberPatch::default() };
    member().when(update(kind)).then_expect_error(MemberError::NotAField);
    let status = MemberPatch { status: Some(None), ..MemberPatch::default() };
    member().when(update(status)).then_expect_error(MemberError::NotAField);
}

#[test]
fn whoever_does_not_take_part_is_activated_once() {
    let from = Some(MemberStatus::Pending.into());
    given::<Member>(with_status("PENDING"))
        .when(activate())
        .then_expect_events(vec![MemberActivated { from, row: None, by: boss(), at: at(10) }.into()]);
    given::<Member>(with_status("ACTIVE")).when(activate()).then_expect_events(vec![]);
}

#[test]
fn a_membership_is_taken_back_once_with_its_reason_and_given_back() {
    let from = Some(MemberStatus::Active.into());
    let reason = Some("资料不实".to_owned());
    let revoked: MemberEvent = MemberRevoked { from, reason, row: None, by: boss(), at: at(10) }.into();
    let history = vec![registered(person()), revoked.clone()];
    given::<Member>(vec![registered(person())]).when(revoke()).then_expect_events(vec![revoked]);
    given::<Member>(history.clone()).when(revoke()).then_expect_events(vec![]);
    given::<Member>(history.clone())
        .when(upgrade(MemberKind::Annual))
        .then_expect_error(MemberError::Revoked);

    let mut member: Member = after(&history);
    assert_eq!((member.is_active(), member.revoked_because.as_deref()), (false, Some("资料不实")));
    let back = member.decide(activate()).unwrap();
    member.evolve(&back[0]);
    assert_eq!((member.is_active(), member.revoked_because), (true, None));
}

#[test]
fn an_upgrade_goes_up_and_brings_its_matches() {
    for (from, left, to, matches) in [
        ("NORMAL", "1", MemberKind::OneTime, Some(1)),
        ("NORMAL", "1", MemberKind::Annual, Some(6)),
        ("ONE_TIME", "", MemberKind::Annual, Some(5)),
        ("", "3", MemberKind::Vip, Some(3)),
        ("SILVER", "", MemberKind::Vip, None),
    ] {
        let fields = with(person(), &[("type", from), ("remaining_matches", left)]);
        let mut member: Member = after(&[registered(fields)]);
        let events = member.decide(upgrade(to)).unwrap();
        let [MemberEvent::Upgraded(upgraded)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((upgraded.to, upgraded.remaining_matches), (to, matches), "{from}");
        member.evolve(&events[0]);
        assert_eq!(member.fields.kind, Some(to.into()));
        assert_eq!(member.fields.remaining_matches, matches);
    }
}

#[test]
fn an_upgrade_to_the_same_is_no_event_and_to_less_is_refused() {
    let annual = || given::<Member>(vec![registered(with(person(), &[("type", "ANNUAL")]))]);
    annual().when(upgrade(MemberKind::Annual)).then_expect_events(vec![]);
    annual().when(upgrade(MemberKind::OneTime)).then_expect_error(MemberError::NotAnUpgrade);
}

#[test]
fn the_same_paid_for_once_more_holds_until_a_later_day() {
    let until = |days: i64| {
        let expires_at = Some(at(days * 86_400));
        let to = MemberKind::Annual;
        let upgrade = Upgrade { to, remaining_matches: None, paid_at: None, expires_at, notes: None };
        MemberCommand::Upgrade { upgrade, by: boss(), at: at(10) }
    };
    let mut member: Member = after(&[registered(with(person(), &[("type", "ANNUAL")]))]);
    for (days, matches) in [(365, 6), (730, 11)] {
        let events = member.decide(until(days)).unwrap();
        let [MemberEvent::Upgraded(renewed)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(renewed.from, Some(MemberKind::Annual.into()));
        assert_eq!((renewed.remaining_matches, renewed.expires_at), (Some(matches), Some(at(days * 86_400))));
        member.evolve(&events[0]);
        assert_eq!(member.decide(until(days)), Ok(vec![]), "the same payment again");
    }
    assert_eq!(member.decide(until(365)), Err(MemberError::NotARenewal));
}

#[test]
fn a_member_that_is_not_there_cannot_be_changed() {
    let gone = MemberDeleted { row: None, by: boss(), at: at(5) };
    for history in [vec![], vec![registered(person()), gone.into()]] {
        for command in
            [update(MemberPatch::default()), activate(), upgrade(MemberKind::Vip), revoke(), delete()]
        {
            given::<Member>(history.clone()).when(command).then_expect_error_message("会员不存在");
        }
    }
}

#[test]
fn a_member_knows_when_it_registered_and_when_we_learnt_of_it() {
    let mut event = MemberRegistered {
        source: MemberSource::Public,
        fields: Box::new(MemberFields { wechat: WechatId::parse("w").unwrap(), ..MemberFields::default() }),
        row: None,
        registered_at: Some(at(-60)),
        by: boss(),
        at: at(0),
    };
    let told: Member = after(&[event.clone().into()]);
    event.registered_at = None;
    let untold: Member = after(&[event.into()]);
    let when = |member: Member| member.registered.map(|r| (r.at, r.learnt_at));
    assert_eq!(when(told), Some((at(-60), at(0))));
    assert_eq!(when(untold), Some((at(0), at(0))));
}
