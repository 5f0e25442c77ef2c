//! When leads fall, case by case.

use uuid::Uuid;

use super::*;
use crate::customer::{
    AssignmentSource, Customer, CustomerAssigned, CustomerClaimed, CustomerCreated, CustomerEvent,
    CustomerFrozen, CustomerNumber, CustomerReleased, CustomerStatusChanged, FollowUpDue, FollowUpKind,
    FollowUpRecorded, Profile, RecycleWarned,
};
use crate::ids::{FollowUpId, RecycleRuleId};
use crate::testing::staff;

fn id(n: u128) -> RecycleRuleId {
    RecycleRuleId(Uuid::from_u128(n))
}

/// The rules 1, 2, 3… with these texts, written long before.
pub(super) fn policy(texts: &[RecycleText]) -> RecyclePolicy {
    let written = |text: &RecycleText| after(&[written_long_before(text.clone())]);
    let rules: Vec<RecycleRule> = texts.iter().map(written).collect();
    RecyclePolicy::of((1..).map(id).zip(&rules))
}

fn written_long_before(text: RecycleText) -> RecycleRuleEvent {
    RecycleRuleCreated { at: days(-1000), ..created(text) }.into()
}

/// One of the rules alone.
pub(super) fn policy_of(term: &RecycleTerm) -> RecyclePolicy {
    let rule: RecycleRule = after(&[written_long_before(term.text.clone())]);
    RecyclePolicy::of([(term.rule, &rule)])
}

/// An ordinary lead, owned since the first day.
fn facts() -> DueFacts {
    DueFacts {
        owned_since: Some(days(0)),
        given_by_person: false,
        last_follow_up_at: None,
        status: Some(ContractStatus::Pending),
        level: Some(LeadLevel::A),
        source: Some(LeadSource::Douyin),
        frozen: false,
        changed_at: None,
    }
}

fn due(texts: &[RecycleText], facts: DueFacts) -> Option<(DateTime<Utc>, RecycleRuleId)> {
    policy(texts).pool_due(&facts).map(|due| (due.at, due.rule))
}

#[test]
fn the_clock_starts_with_the_last_follow_up_or_with_the_owner() {
    let not_signed = RecycleText { kind: RecycleKind::NotSigned { days: 60 }, ..text() };
    for (text, follow_up, expected) in [
        (text(), None, days(30)),
        (text(), Some(days(4)), days(34)),
        (text(), Some(days(-4)), days(30)),
        (not_signed.clone(), None, days(60)),
        (not_signed, Some(days(4)), days(60)),
    ] {
        let facts = DueFacts { last_follow_up_at: follow_up, ..facts() };
        assert_eq!(due(std::slice::from_ref(&text), facts), Some((expected, id(1))), "{text:?}");
    }
}

#[test]
fn who_is_exempt_never_falls() {
    for exempt in [
        DueFacts { owned_since: None, ..facts() },
        DueFacts { frozen: true, ..facts() },
        DueFacts { status: Some(ContractStatus::Signed), ..facts() },
        DueFacts { source: Some(LeadSource::Referral), ..facts() },
    ] {
        assert_eq!(due(&[text()], exempt), None, "{exempt:?}");
        let named = RecycleText {
            lead_sources: vec![LeadSource::Referral],
            statuses: vec![ContractStatus::Signed],
            ..text()
        };
        assert_eq!(due(&[named], exempt), None, "{exempt:?}");
    }
    assert_eq!(due(&[], facts()), None);
}

#[test]
fn the_first_rule_that_fits_decides_however_late() {
    let slow = RecycleText { priority: 1, lead_sources: vec![LeadSource::Douyin], ..text() };
    let fast = RecycleText { priority: 2, kind: RecycleKind::NoFollowUp { days: 5 }, ..text() };
    let rules = [fast, slow];
    assert_eq!(due(&rules, facts()), Some((days(30), id(2))));
    let elsewhere = DueFacts { source: Some(LeadSource::Meituan), ..facts() };
    assert_eq!(due(&rules, elsewhere), Some((days(5), id(1))));
    let unknown = DueFacts { source: None, ..facts() };
    assert_eq!(due(&rules, unknown), Some((days(5), id(1))));
}

#[test]
fn a_rule_that_is_yet_to_begin_shields_no_lead_from_one_that_has_begun() {
    // Asked before the other: gentle, but only from the twentieth day on.
    let gentle = RecycleText {
        priority: 1,
        kind: RecycleKind::NoFollowUp { days: 60 },
        effective_from: days(20),
        ..text()
    };
    let strict = |days| RecycleText { kind: RecycleKind::NoFollowUp { days }, ..text() };
    let since = |day| DueFacts { owned_since: Some(days(day)), ..facts() };
    for (strict_days, owned, expected) in [
        (5, 0, (days(5), 2)),
        (19, 0, (days(19), 2)),
        // When it would fall, the gentle one decides.
        (20, 0, (days(60), 1)),
        (5, 16, (days(76), 1)),
        (5, 14, (days(19), 2)),
    ] {
        let policy = policy(&[gentle.clone(), strict(strict_days)]);
        let due = policy.pool_due(&since(owned)).map(|due| (due.at, due.rule));
        let (at, rule) = expected;
        assert_eq!(due, Some((at, id(rule))), "{strict_days} days, owned since {owned}");
    }
    // One that lets leads fall the moment it begins, and one behind it that would have taken them later.
    let sudden = RecycleText { kind: RecycleKind::NoFollowUp { days: 2 }, ..gentle.clone() };
    assert_eq!(due(&[sudden, strict(30)], facts()), Some((days(20), id(1))));
    // Of two that are yet to begin, the one that begins first.
    let soon = RecycleText { priority: 5, effective_from: days(10), ..strict(3) };
    assert_eq!(due(&[gentle, soon, strict(15)], facts()), Some((days(10), id(2))));
}

/// It was due on the fifth day, and nobody came to let it fall before the gentle rule began on the twentieth.
#[test]
fn what_was_due_stays_due_however_late_somebody_looks_until_something_happens() {
    let gentle = RecycleText {
        priority: 1,
        kind: RecycleKind::NoFollowUp { days: 60 },
        effective_from: days(20),
        ..text()
    };
    let strict = RecycleText { kind: RecycleKind::NoFollowUp { days: 5 }, ..text() };
    for (lead_changed, expected) in [
        (None, (days(5), 2)),
        (Some(days(3)), (days(5), 2)),
        // It lay frozen, say, and the strict rule still decided when it was let go.
        (Some(days(19)), (days(5), 2)),
        // And the gentle one did.
        (Some(days(20)), (days(60), 1)),
        (Some(days(300)), (days(60), 1)),
    ] {
        let facts = DueFacts { changed_at: lead_changed, ..facts() };
        let (at, rule) = expected;
        let expected = Some((at, id(rule)));
        assert_eq!(due(&[gentle.clone(), strict.clone()], facts), expected, "changed {lead_changed:?}");
        // The same of the rules: one was taken away on that day.
        let long_ago = |text: &RecycleText| after::<RecycleRule>(&[written_long_before(text.clone())]);
        let (first, second) = (long_ago(&gentle), long_ago(&strict));
        let gone = RecycleRuleDeleted { by: boss(), at: lead_changed.unwrap_or(days(-9)) };
        let third: RecycleRule = after(&[written_long_before(text()), gone.into()]);
        let policy = RecyclePolicy::of([(id(1), &first), (id(2), &second), (id(3), &third)]);
        let due = policy.pool_due(&super::due::facts()).map(|due| (due.at, due.rule));
        assert_eq!(due, expected, "a rule went {lead_changed:?}");
    }
}

#[test]
fn whom_a_rule_spares_it_spares_while_its_new_words_wait() {
    let strict = RecycleText { kind: RecycleKind::NoFollowUp { days: 5 }, ..text() };
    let strict: RecycleRule = after(&[written_long_before(strict)]);
    let gentle = |days, priority| RecycleText { priority, kind: RecycleKind::NoFollowUp { days }, ..text() };
    let revised = |text: RecycleText, on| RecycleRuleRevised { text, by: boss(), at: days(on) };
    let written = created(RecycleText { effective_from: days(2), ..gentle(60, 1) });
    let later = RecycleText { effective_from: days(20), ..gentle(90, 1) };
    let due = |events: &[RecycleRuleEvent]| {
        let first: RecycleRule = after(events);
        let policy = RecyclePolicy::of([(id(1), &first), (id(2), &strict)]);
        policy.pool_due(&facts()).map(|due| (due.at, due.rule))
    };
    let gentler: &[RecycleRuleEvent] = &[written.clone().into(), revised(later.clone(), 10).into()];
    assert_eq!(due(gentler), Some((days(90), id(1))));
    // Twice, and then a shorter one: it falls by these words at their beginning, and by nobody else's before.
    let sooner = RecycleText { effective_from: days(25), ..gentle(8, 1) };
    let twice = &[gentler, &[revised(sooner, 12).into()]].concat();
    assert_eq!(due(twice), Some((days(25), id(1))));
    // One that had not begun spared nobody, and one that was off does not either.
    let early: &[RecycleRuleEvent] = &[written.clone().into(), revised(later.clone(), 1).into()];
    assert_eq!(due(early), Some((days(5), id(2))));
    let off = disabled(at(1)).into();
    let on = enabled(days(20), days(11)).into();
    assert_eq!(due(&[written.into(), off, revised(later, 10).into(), on]), Some((days(5), id(2))));
}

#[test]
fn of_the_same_place_the_rule_written_first_decides() {
    let late = RecycleRuleCreated { at: at(9), ..created(text()) };
    let (first, second): (RecycleRule, RecycleRule) =
        (after(&[late.into()]), after(&[created(text()).into()]));
    let policy = RecyclePolicy::of([(id(1), &first), (id(2), &second)]);
    assert_eq!(policy.pool_due(&facts()).map(|due| due.rule), Some(id(2)));
}

#[test]
fn rules_that_are_off_or_gone_do_not_count() {
    let off: RecycleRule = after(&[created(text()).into(), disabled(at(1)).into()]);
    let gone: RecycleRule = after(&[created(text()).into(), deleted().into()]);
    let never = RecycleRule::default();
    let policy = RecyclePolicy::of([(id(1), &off), (id(2), &gone), (id(3), &never)]);
    assert_eq!(policy.terms(), []);
    assert_eq!(policy.pool_due(&facts()), None);
}

#[test]
fn a_status_and_a_level_are_asked_for() {
    let rule = RecycleText {
        statuses: vec![ContractStatus::Pending, ContractStatus::Matching],
        days_by_level: BTreeMap::from([(LeadLevel::A, 7), (LeadLevel::D, 90)]),
        ..text()
    };
    for (status, level, expected) in [
        (Some(ContractStatus::Pending), Some(LeadLevel::A), Some(7)),
        (Some(ContractStatus::Matching), Some(LeadLevel::D), Some(90)),
        (Some(ContractStatus::Matching), Some(LeadLevel::B), Some(30)),
        (Some(ContractStatus::Matching), None, Some(30)),
        (Some(ContractStatus::Lost), Some(LeadLevel::A), None),
        (None, Some(LeadLevel::A), None),
    ] {
        let found = due(std::slice::from_ref(&rule), DueFacts { status, level, ..facts() });
        assert_eq!(found.map(|(at, _)| at), expected.map(days), "{status:?} {level:?}");
    }
}

#[test]
fn nothing_falls_before_the_rule_applies_or_while_it_is_protected() {
    let later = RecycleText { effective_from: days(45), ..text() };
    assert_eq!(due(std::slice::from_ref(&later), facts()), Some((days(45), id(1))));
    let fresh = DueFacts { owned_since: Some(days(40)), ..facts() };
    assert_eq!(due(&[later], fresh), Some((days(70), id(1))));

    let protecting = RecycleText { protected_hours: 50 * 24, ..text() };
    let given = DueFacts { given_by_person: true, ..facts() };
    assert_eq!(due(std::slice::from_ref(&protecting), given), Some((days(50), id(1))));
    assert_eq!(due(&[protecting], facts()), Some((days(30), id(1))));
}

#[test]
fn the_last_warning_whose_moment_has_come_is_told_and_none_after_the_fall() {
    let policy = policy(&[text()]);
    let due = policy.pool_due(&facts()).unwrap();
    let hours_before = |hours: i64| days(30) - TimeDelta::hours(hours);
    for (at, warning, next) in [
        (days(0), None, Some(hours_before(72))),
        (hours_before(72) - TimeDelta::seconds(1), None, Some(hours_before(72))),
        (hours_before(72), Some(72), Some(hours_before(24))),
        (hours_before(25), Some(72), Some(hours_before(24))),
        (hours_before(24), Some(24), None),
        (hours_before(1), Some(24), None),
        (days(30), None, None),
        (days(99), None, None),
    ] {
        assert_eq!((policy.warning(&due, at), policy.next_warning(&due, at)), (warning, next), "{at}");
    }
    assert_eq!(policy.reason(&due).as_deref(), Some("超过30天未跟进，自动回收"));
}

#[test]
fn a_reason_that_was_kept_is_read_in_english_too() {
    for (kind, english) in [
        (RecycleKind::NoFollowUp { days: 7 }, "not followed up for 7 days, taken back by a rule"),
        (RecycleKind::NotSigned { days: 30 }, "not signed within 30 days, taken back by a rule"),
    ] {
        let kept = kind.reason(kind.days());
        assert_eq!(RecycleKind::reason_in_english(&kept).as_deref(), Some(english), "{kept}");
    }
    for other in [
        "",
        "7",
        "客户不需要了",
        "超过7天未跟进",
        "超过7天未跟进，自动回收。",
        "超过99999999999天未跟进，自动回收",
    ] {
        assert_eq!(RecycleKind::reason_in_english(other), None, "{other}");
    }
}

/// The same lead as its events and as its facts.
#[test]
fn a_lead_tells_its_own_facts() {
    let create = CustomerCreated {
        number: CustomerNumber::nth(1),
        profile: Profile { lead_source: Some(LeadSource::Douyin), ..Profile::default() },
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        pooled: None,
        import: None,
        by: boss(),
        at: days(-1),
    };
    let assign = |to| CustomerAssigned {
        to: staff(to),
        by: boss(),
        reason: None,
        source: AssignmentSource::Manual,
        out_of_pool: false,
        at: days(0),
    };
    let owned = || vec![CustomerEvent::from(create.clone()), assign(1).into()];
    let with = |event: CustomerEvent| {
        let mut events = owned();
        events.push(event);
        events
    };
    let follow_up = FollowUpRecorded {
        id: FollowUpId(Uuid::from_u128(1)),
        kind: FollowUpKind::Phone,
        content: "约了周六".to_owned(),
        next_follow_up_at: None,
        by: boss(),
        at: days(3),
    };
    let release =
        CustomerReleased {
            from: staff(1), by: boss(), reason: "换人".to_owned(), batch: None, at: days(1)
        };
    let claim = CustomerClaimed { by: staff(1), at: days(0) };
    let freeze = CustomerFrozen { reason: None, by: boss(), at: days(1) };
    let warn = RecycleWarned { to: staff(1), rule: id(1), due_at: days(30), offset_hours: 24, at: days(29) };
    let remind = FollowUpDue { to: staff(1), due: days(2), at: days(2) };
    let sign = CustomerStatusChanged {
        from: ContractStatus::Pending,
        to: ContractStatus::Signed,
        by: boss(),
        at: days(1),
    };
    let changed = |day, facts| DueFacts { changed_at: Some(days(day)), ..facts };
    let given = DueFacts { given_by_person: true, ..facts() };
    for (events, expected) in [
        (owned(), changed(0, given)),
        (vec![create.clone().into(), assign(99).into()], changed(0, facts())), // the boss took it
        (vec![create.clone().into(), claim.into()], changed(0, facts())),
        (with(follow_up.into()), DueFacts { last_follow_up_at: Some(days(3)), ..changed(3, given) }),
        (with(release.into()), DueFacts { owned_since: None, ..changed(1, facts()) }),
        (with(freeze.into()), DueFacts { frozen: true, ..changed(1, given) }),
        (with(sign.into()), DueFacts { status: Some(ContractStatus::Signed), ..changed(1, given) }),
        // That its owner is warned or reminded changes nothing about a lead.
        (with(warn.into()), changed(0, given)),
        (with(remind.into()), changed(0, given)),
        (vec![], DueFacts { owned_since: None, status: None, level: None, source: None, ..facts() }),
    ] {
        assert_eq!(DueFacts::from(&after::<Customer>(&events)), expected, "{events:?}");
    }
}
