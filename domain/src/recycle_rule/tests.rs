use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;
use crate::customer::{ContractStatus, LeadLevel, LeadSource};
use crate::testing::{after, at, boss, given};

mod due;
mod properties;
mod runs;

const DAY: i64 = 86_400;

fn days(n: i64) -> DateTime<Utc> {
    at(n * DAY)
}

/// Thirty days without a follow-up, from the first second on.
fn text() -> RecycleText {
    RecycleText {
        name: "三十天未跟进".to_owned(),
        priority: 10,
        kind: RecycleKind::NoFollowUp { days: 30 },
        days_by_level: BTreeMap::new(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: at(0),
        warn_before_hours: WARN_BEFORE_HOURS_DEFAULT.to_vec(),
    }
}

fn created(text: RecycleText) -> RecycleRuleCreated {
    RecycleRuleCreated { text, enabled: true, by: boss(), at: at(0) }
}

fn create(text: impl Into<RecycleWish>) -> RecycleRuleCommand {
    RecycleRuleCommand::Create { text: text.into(), enabled: true, by: boss(), at: at(0) }
}

fn revise(text: impl Into<RecycleWish>, at: DateTime<Utc>) -> RecycleRuleCommand {
    RecycleRuleCommand::Revise { text: text.into(), by: boss(), at }
}

fn enable(at: DateTime<Utc>) -> RecycleRuleCommand {
    RecycleRuleCommand::Enable { by: boss(), at }
}

/// Without a word on when it begins.
fn whenever(text: RecycleText) -> RecycleWish {
    text.beginning(None)
}

fn enabled(from: DateTime<Utc>, at: DateTime<Utc>) -> RecycleRuleEnabled {
    RecycleRuleEnabled { effective_from: from, by: boss(), at }
}

fn disabled(at: DateTime<Utc>) -> RecycleRuleDisabled {
    RecycleRuleDisabled { by: boss(), at }
}

fn deleted() -> RecycleRuleDeleted {
    RecycleRuleDeleted { by: boss(), at: at(9) }
}

fn rule(past: Vec<RecycleRuleEvent>) -> cqrs_es::test::AggregateTestExecutor<RecycleRule> {
    given::<RecycleRule>(past)
}

#[test]
fn a_rule_is_written_once_and_gone_once() {
    use RecycleRuleCommand as C;
    let there = || vec![created(text()).into()];
    rule(vec![]).when(create(text())).then_expect_events(there());
    rule(there()).when(create(text())).then_expect_events(vec![]);
    let other = RecycleText { name: "另一条".to_owned(), ..text() };
    rule(there()).when(create(other)).then_expect_error_message("规则已存在");
    rule(there()).when(C::Delete(deleted())).then_expect_events(vec![deleted().into()]);
    let gone = || vec![created(text()).into(), deleted().into()];
    rule(gone()).when(C::Delete(deleted())).then_expect_events(vec![]);
    for command in [revise(text(), at(1)), enable(at(1)), C::Disable(disabled(at(1)))] {
        rule(gone()).when(command.clone()).then_expect_error_message("规则不存在");
        rule(vec![]).when(command).then_expect_error_message("规则不存在");
    }
    rule(vec![]).when(C::Delete(deleted())).then_expect_error_message("规则不存在");
}

#[test]
fn a_rule_is_switched_once_and_begins_as_a_new_one_when_it_counts_again() {
    use RecycleRuleCommand as C;
    let there = || vec![created(text()).into()];
    rule(there()).when(enable(at(1))).then_expect_events(vec![]);
    rule(there()).when(C::Disable(disabled(at(1)))).then_expect_events(vec![disabled(at(1)).into()]);
    let off = || vec![created(text()).into(), disabled(at(1)).into()];
    rule(off()).when(C::Disable(disabled(at(2)))).then_expect_events(vec![]);
    rule(off()).when(enable(days(40))).then_expect_events(vec![enabled(days(43), days(40)).into()]);
    let from = |enabled: RecycleRuleEnabled| {
        let again: RecycleRule = after(&[created(text()).into(), disabled(at(1)).into(), enabled.into()]);
        again.text.map(|text| text.effective_from)
    };
    assert_eq!(from(enabled(days(43), days(40))), Some(days(43)));
    assert_eq!(from(enabled(at(-5), days(40))), Some(at(0)), "never earlier than its words say");
    // One that is to begin later still does.
    let later = RecycleText { effective_from: days(90), ..text() };
    let waiting = vec![created(later).into(), disabled(at(1)).into()];
    rule(waiting).when(enable(days(40))).then_expect_events(vec![enabled(days(90), days(40)).into()]);
    // Nobody is to be warned.
    let silent = RecycleText { warn_before_hours: vec![], ..text() };
    let silent = vec![created(silent).into(), disabled(at(1)).into()];
    rule(silent).when(enable(days(40))).then_expect_events(vec![enabled(days(40), days(40)).into()]);
}

/// From when on a rule counts that was revised on the fifth day; `None`: nothing happened.
fn revised_from(base: &RecycleText, asked: impl Into<RecycleWish>) -> Option<DateTime<Utc>> {
    let asked = asked.into();
    let state = after::<RecycleRule>(&[created(base.clone()).into()]);
    let decided = state.decide(revise(asked.clone(), days(5))).unwrap();
    let from = decided.first().map(|event| match event {
        RecycleRuleEvent::Revised(e) => e.text.effective_from,
        other => panic!("{other:?}"),
    })?;
    let again: RecycleRule = after(&[vec![created(base.clone()).into()], decided].concat());
    assert_eq!(again.decide(revise(asked, days(5))), Ok(vec![]), "said twice is said once");
    Some(from)
}

#[test]
fn other_terms_count_when_everybody_was_warned_unless_a_moment_is_named() {
    let check = |asked: RecycleWish, expected: Option<DateTime<Utc>>| {
        assert_eq!(revised_from(&text(), asked.clone()), expected, "{asked:?}");
    };
    let shorter = RecycleText { kind: RecycleKind::NoFollowUp { days: 10 }, ..text() };
    let from = |text: &RecycleText, from: DateTime<Utc>| text.clone().beginning(Some(from));
    check(text().into(), None);
    check(whenever(text()), None);
    check(RecycleText { name: "改名".to_owned(), ..text() }.into(), Some(at(0)));
    check(whenever(RecycleText { name: "改名".to_owned(), ..text() }), Some(at(0)));
    check(whenever(RecycleText { warn_before_hours: vec![24], ..text() }), Some(at(0)));
    // Three days of warning. What the page showed and sends back says nothing of its own.
    check(whenever(shorter.clone()), Some(days(8)));
    check(from(&shorter, at(0)), Some(days(8)));
    check(whenever(RecycleText { warn_before_hours: vec![24], ..shorter.clone() }), Some(days(6)));
    check(whenever(RecycleText { warn_before_hours: vec![], ..shorter.clone() }), Some(days(5)));
    // At once, and later.
    check(from(&shorter, days(1)), Some(days(5)));
    check(from(&shorter, days(6)), Some(days(6)));
    check(from(&text(), days(9)), Some(days(9)));
    check(from(&text(), at(-9)), None);
}

#[test]
fn a_rule_that_is_yet_to_begin_stays_so_unless_a_moment_to_come_is_named() {
    let fraction = TimeDelta::microseconds(345_678);
    let base = RecycleText { effective_from: days(9) + fraction, ..text() };
    let shown = days(9) + TimeDelta::milliseconds(345);
    let renamed = RecycleText { name: "改名".to_owned(), ..base.clone() };
    let shorter = RecycleText { kind: RecycleKind::NoFollowUp { days: 10 }, ..base.clone() };
    let from = |text: &RecycleText, from: DateTime<Utc>| text.clone().beginning(Some(from));
    for (asked, expected) in [
        (whenever(base.clone()), None),
        (from(&base, shown), None),
        (from(&base, days(1)), None),
        (from(&base, days(7)), Some(days(7))),
        (from(&renamed, shown), Some(days(9) + fraction)),
        (whenever(shorter.clone()), Some(days(9) + fraction)),
        (from(&shorter, shown), Some(days(9) + fraction)),
        (from(&shorter, days(1)), Some(days(5))),
    ] {
        assert_eq!(revised_from(&base, asked.clone()), expected, "{asked:?}");
    }
}

#[test]
fn a_new_rule_begins_when_everybody_was_warned_unless_a_moment_is_named() {
    let check = |asked: RecycleWish, expected: DateTime<Utc>| {
        let decided = RecycleRule::default().decide(create(asked.clone())).unwrap();
        let text = asked.beginning(expected);
        assert_eq!(decided, vec![created(text).into()]);
    };
    check(whenever(text()), days(3));
    check(whenever(RecycleText { warn_before_hours: vec![48, 12], ..text() }), days(2));
    check(whenever(RecycleText { warn_before_hours: vec![], ..text() }), at(0));
    check(RecycleText { effective_from: days(1), ..text() }.into(), days(1));
}

#[test]
fn a_new_rule_never_reaches_back() {
    let past = RecycleText { effective_from: days(-100), ..text() };
    let decided = RecycleRule::default().decide(create(past)).unwrap();
    assert_eq!(decided, vec![created(text()).into()]);
}

#[test]
fn the_same_text_written_differently_is_the_same() {
    let tidy = RecycleText { lead_sources: vec![LeadSource::Meituan, LeadSource::Douyin], ..text() };
    let untidy = RecycleText {
        name: format!(" {} ", text().name),
        lead_sources: vec![LeadSource::Douyin, LeadSource::Meituan, LeadSource::Douyin],
        warn_before_hours: vec![24, 72, 24],
        ..text()
    };
    let state: RecycleRule = after(&[created(tidy).into()]);
    assert_eq!(state.decide(revise(untidy, at(3))), Ok(vec![]));
}

#[test]
fn every_place_that_breaks_a_rule_is_named() {
    use RecycleFault as F;
    let check = |text: RecycleText, expected: &[(&str, RecycleFault)]| {
        let found = text.violations();
        let found: Vec<_> = found.iter().map(|v| (v.path.as_str(), v.fault)).collect();
        assert_eq!(found, expected, "{text:?}");
    };
    check(text(), &[]);
    check(RecycleText { name: " ".to_owned(), ..text() }, &[("name", F::Blank)]);
    check(RecycleText { name: "长".repeat(101), ..text() }, &[("name", F::TooManyChars(NAME_CHARS_MAX))]);
    check(RecycleText { name: "长".repeat(100), ..text() }, &[]);
    check(RecycleText { priority: 0, ..text() }, &[("priority", F::OutOfRange { min: 1, max: 1000 })]);
    let of_days =
        |days| RecycleText { kind: RecycleKind::NotSigned { days }, warn_before_hours: vec![], ..text() };
    check(of_days(0), &[("days", F::OutOfRange { min: 1, max: 3650 })]);
    check(of_days(3651), &[("days", F::OutOfRange { min: 1, max: 3650 })]);
    check(of_days(3650), &[]);
    let level = BTreeMap::from([(LeadLevel::A, 0)]);
    check(
        RecycleText { days_by_level: level, warn_before_hours: vec![], ..text() },
        &[("daysByLevel.A类", F::OutOfRange { min: 1, max: 3650 })],
    );
    check(
        RecycleText { protected_hours: 8761, ..text() },
        &[("protectedHours", F::OutOfRange { min: 0, max: 8760 })],
    );
    let warns = |warn_before_hours| RecycleText { warn_before_hours, ..text() };
    check(warns(vec![0]), &[("warnBeforeHours[0]", F::OutOfRange { min: 1, max: 720 })]);
    check(warns(vec![24, 721]), &[("warnBeforeHours[1]", F::OutOfRange { min: 1, max: 720 })]);
    check(warns(vec![1, 2, 3, 4, 5, 6]), &[("warnBeforeHours", F::TooMany(WARNINGS_MAX))]);
    let short = RecycleText { days_by_level: BTreeMap::from([(LeadLevel::C, 3)]), ..text() };
    check(short, &[("warnBeforeHours[0]", F::WarnsTooEarly { shortest_hours: 72 })]);
}

#[test]
fn a_rule_that_breaks_a_rule_is_not_kept() {
    let bad = RecycleText { priority: 0, ..text() };
    let violations = bad.violations();
    let refused = Err(RecycleRuleError::Invalid(violations));
    let state: RecycleRule = after(&[created(text()).into()]);
    assert_eq!(state.decide(revise(bad.clone(), at(1))), refused);
    assert_eq!(RecycleRule::default().decide(create(bad)), refused);
}
