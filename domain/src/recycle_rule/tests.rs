use chrono::TimeDelta;

use super::*;
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

fn revised(text: RecycleText, at: DateTime<Utc>) -> RecycleRuleRevised {
    RecycleRuleRevised { text, by: boss(), at }
}

fn enabled(at: DateTime<Utc>) -> RecycleRuleEnabled {
    RecycleRuleEnabled { by: boss(), at }
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
    rule(vec![]).when(C::Create(created(text()))).then_expect_events(there());
    rule(there()).when(C::Create(created(text()))).then_expect_events(vec![]);
    let other = RecycleText { name: "另一条".to_owned(), ..text() };
    rule(there()).when(C::Create(created(other))).then_expect_error_message("规则已存在");
    rule(there()).when(C::Delete(deleted())).then_expect_events(vec![deleted().into()]);
    let gone = || vec![created(text()).into(), deleted().into()];
    rule(gone()).when(C::Delete(deleted())).then_expect_events(vec![]);
    for command in [C::Revise(revised(text(), at(1))), C::Enable(enabled(at(1))), C::Disable(disabled(at(1)))]
    {
        rule(gone()).when(command.clone()).then_expect_error_message("规则不存在");
        rule(vec![]).when(command).then_expect_error_message("规则不存在");
    }
    rule(vec![]).when(C::Delete(deleted())).then_expect_error_message("规则不存在");
}

#[test]
fn a_rule_is_switched_once_and_begins_anew_when_it_counts_again() {
    use RecycleRuleCommand as C;
    let there = || vec![created(text()).into()];
    rule(there()).when(C::Enable(enabled(at(1)))).then_expect_events(vec![]);
    rule(there()).when(C::Disable(disabled(at(1)))).then_expect_events(vec![disabled(at(1)).into()]);
    let off = || vec![created(text()).into(), disabled(at(1)).into()];
    rule(off()).when(C::Disable(disabled(at(2)))).then_expect_events(vec![]);
    rule(off()).when(C::Enable(enabled(days(40)))).then_expect_events(vec![enabled(days(40)).into()]);
    let again: RecycleRule =
        after(&[created(text()).into(), disabled(at(1)).into(), enabled(days(40)).into()]);
    assert_eq!(again.text.map(|text| text.effective_from), Some(days(40)));
}

#[test]
fn other_terms_count_from_the_change_at_the_earliest() {
    let base = text();
    let check = |asked: RecycleText, expected: Option<DateTime<Utc>>| {
        let decided = after::<RecycleRule>(&[created(base.clone()).into()])
            .decide(RecycleRuleCommand::Revise(revised(asked.clone(), days(5))))
            .unwrap();
        let from = decided.first().map(|event| match event {
            RecycleRuleEvent::Revised(e) => e.text.effective_from,
            other => panic!("{other:?}"),
        });
        assert_eq!(from, expected, "{asked:?}");
    };
    let shorter = RecycleText { kind: RecycleKind::NoFollowUp { days: 10 }, ..text() };
    check(text(), None);
    check(RecycleText { name: "改名".to_owned(), ..text() }, Some(at(0)));
    check(RecycleText { warn_before_hours: vec![24], ..text() }, Some(at(0)));
    check(shorter.clone(), Some(days(5)));
    check(RecycleText { effective_from: days(9), ..shorter }, Some(days(9)));
    check(RecycleText { effective_from: days(9), ..text() }, Some(days(9)));
    check(RecycleText { effective_from: at(-9), ..text() }, None);
}

#[test]
fn a_new_rule_never_reaches_back() {
    let past = RecycleText { effective_from: days(-100), ..text() };
    let decided = RecycleRule::default().decide(RecycleRuleCommand::Create(created(past))).unwrap();
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
    assert_eq!(state.decide(RecycleRuleCommand::Revise(revised(untidy, at(3)))), Ok(vec![]));
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
    assert_eq!(state.decide(RecycleRuleCommand::Revise(revised(bad.clone(), at(1)))), refused);
    assert_eq!(RecycleRule::default().decide(RecycleRuleCommand::Create(created(bad))), refused);
}
