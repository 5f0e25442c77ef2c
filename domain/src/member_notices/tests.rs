use super::*;
use crate::testing::{at, boss, given};

fn set(text: MemberNoticesText) -> MemberNoticesSet {
    MemberNoticesSet { text, by: boss(), at: at(1) }
}

fn to(users: &[&str]) -> WecomAudience {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    WecomAudience { users, ..WecomAudience::default() }
}

fn base() -> MemberNoticesText {
    MemberNoticesText { audience: to(&["ZhangSan"]), ..MemberNoticesText::default() }
}

#[test]
fn settings_replace_those_before_and_the_same_ones_change_nothing() {
    let command = |text| MemberNoticesCommand::Set(set(text));
    given::<MemberNotices>(vec![]).when(command(base())).then_expect_events(vec![set(base()).into()]);
    given::<MemberNotices>(vec![set(base()).into()]).when(command(base())).then_expect_events(vec![]);
    // The very first word counts even when it says what holds anyway.
    let nobody = MemberNoticesText::default;
    given::<MemberNotices>(vec![]).when(command(nobody())).then_expect_events(vec![set(nobody()).into()]);
}

#[test]
fn a_test_is_wanted_each_time_and_changes_nothing() {
    let to = WecomUserId::parse("ZhangSan").unwrap();
    let test = MemberNoticeTested { to, by: boss(), at: at(2) };
    given::<MemberNotices>(vec![set(base()).into(), test.clone().into()])
        .when(MemberNoticesCommand::Test(test.clone()))
        .then_expect_events(vec![test.into()]);
}

#[test]
fn another_secret_replaces_the_last_one_and_the_same_one_changes_nothing() {
    let set = |sealed: &str| WecomSecretSet { sealed: sealed.to_owned(), by: boss(), at: at(1) };
    let command = |sealed| MemberNoticesCommand::SetSecret(set(sealed));
    given::<MemberNotices>(vec![]).when(command("a")).then_expect_events(vec![set("a").into()]);
    given::<MemberNotices>(vec![set("a").into()]).when(command("a")).then_expect_events(vec![]);
    given::<MemberNotices>(vec![set("a").into()])
        .when(command("b"))
        .then_expect_events(vec![set("b").into()]);
}

#[test]
fn nobody_is_told_before_somebody_chose_whom_and_everybody_only_when_chosen() {
    let text = MemberNoticesText::default();
    assert!(!text.has_audience() && !text.audience.everybody && text.enabled);
    assert!(base().has_audience());
    assert!(MemberNoticesText { roles: vec![Role::Admin], ..text }.has_audience());
}

#[test]
fn what_breaks_a_rule_is_named() {
    use MemberNoticesViolation as V;
    let with = |audience| MemberNoticesText { audience, ..base() };
    let all = WecomAudience { everybody: true, ..WecomAudience::default() };
    for (text, expected) in [
        (base(), vec![]),
        (with(all.clone()), vec![]),
        (with(to(&["@all"])), vec![V::User]),
        (with(to(&["a|b"])), vec![V::User]),
        (
            with(WecomAudience { users: vec!["a".into(); USERS_MAX + 1], ..all.clone() }),
            vec![V::TooManyUsers, V::EverybodyAndSome],
        ),
        (with(WecomAudience { parties: vec![0], tags: vec![-1], ..to(&[]) }), vec![V::Party, V::Tag]),
        (with(WecomAudience { parties: vec![1; GROUPS_MAX + 1], ..to(&[]) }), vec![V::TooManyParties]),
        (with(WecomAudience { tags: vec![1; GROUPS_MAX + 1], ..to(&[]) }), vec![V::TooManyTags]),
        (with(WecomAudience { tags: vec![1], ..all }), vec![V::EverybodyAndSome]),
        (MemberNoticesText { template: Some("字".repeat(TEMPLATE_CHARS_MAX)), ..base() }, vec![]),
        (
            MemberNoticesText { template: Some("字".repeat(TEMPLATE_CHARS_MAX + 1)), ..base() },
            vec![V::Template],
        ),
        (MemberNoticesText { digest_from: -1, ..base() }, vec![V::DigestFrom]),
        (MemberNoticesText { digest_from: 1001, ..base() }, vec![V::DigestFrom]),
    ] {
        let found: Vec<_> = text.violations().into_iter().collect();
        assert_eq!(found, expected, "{:?}", text.audience);
    }
}
