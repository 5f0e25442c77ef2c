//! Whether a lead may be handed on: `check(what is changed about a lead, the answer)`.

use super::*;

/// When it is asked.
const NOW: i64 = 1000 * HOUR;

/// A lead that the rule hands on: of 1, 匹配中, from 美团, 100 hours old and untouched since.
fn facts() -> LeadFacts {
    LeadFacts {
        owner: Some(staff(1)),
        in_pool: false,
        frozen: false,
        opted_out: false,
        deleted: false,
        status: Some(ContractStatus::Matching),
        source: Some(LeadSource::Meituan),
        transfer_count: 0,
        last_transferred_at: None,
        last_activity_at: Some(at(NOW - 100 * HOUR)),
        created_at: Some(at(NOW - 100 * HOUR)),
    }
}

fn answer(rule: &RuleText, change: impl FnOnce(&mut LeadFacts)) -> Result<(), Ineligible> {
    let mut lead = facts();
    change(&mut lead);
    rule.criteria().check(&lead, at(NOW))
}

fn check(change: impl FnOnce(&mut LeadFacts), expected: Result<(), Ineligible>) {
    assert_eq!(answer(&text(), change), expected);
}

#[test]
fn a_lead_that_meets_everything_is_handed_on() {
    check(|_| {}, Ok(()));
    check(|lead| lead.owner = Some(staff(2)), Ok(()));
    check(|lead| lead.source = None, Ok(()));
    check(|lead| lead.transfer_count = 1_000, Ok(()));
}

#[test]
fn each_term_alone_keeps_a_lead() {
    check(|lead| lead.deleted = true, Err(Ineligible::Deleted));
    check(|lead| lead.in_pool = true, Err(Ineligible::InPool));
    check(|lead| lead.owner = None, Err(Ineligible::NotOwned));
    check(|lead| lead.owner = Some(staff(3)), Err(Ineligible::NotSource));
    check(|lead| lead.frozen = true, Err(Ineligible::Frozen));
    check(|lead| lead.opted_out = true, Err(Ineligible::OptedOut));
    check(|lead| lead.status = Some(ContractStatus::Signed), Err(Ineligible::Status));
    check(|lead| lead.status = None, Err(Ineligible::Status));
    check(|lead| lead.source = Some(LeadSource::Referral), Err(Ineligible::Referral));
    check(|lead| lead.last_activity_at = Some(at(NOW)), Err(Ineligible::Active));
}

#[test]
fn a_lead_is_idle_when_more_than_the_hours_have_passed() {
    let edge = at(NOW - 48 * HOUR);
    let second = chrono::TimeDelta::seconds(1);
    check(|lead| lead.last_activity_at = Some(edge), Err(Ineligible::Active));
    check(|lead| lead.last_activity_at = Some(edge - second), Ok(()));
    check(|lead| lead.last_activity_at = Some(at(NOW + HOUR)), Err(Ineligible::Active));
    check(|lead| (lead.last_activity_at, lead.created_at) = (None, Some(edge)), Err(Ineligible::Active));
}

#[test]
fn a_lead_rests_after_a_move() {
    let edge = at(NOW - 24 * HOUR);
    let second = chrono::TimeDelta::seconds(1);
    check(|lead| lead.last_transferred_at = Some(edge), Err(Ineligible::Cooldown));
    check(|lead| lead.last_transferred_at = Some(edge - second), Ok(()));
    let mut restless = text();
    restless.conditions.cooldown_hours = 0;
    assert_eq!(answer(&restless, |lead| lead.last_transferred_at = Some(at(NOW))), Ok(()));
}

#[test]
fn a_lead_moves_as_often_as_the_rule_allows() {
    let mut twice = text();
    twice.conditions.transfer_count_max = 2;
    for (count, expected) in
        [(1, Ok(())), (2, Err(Ineligible::CountReached)), (3, Err(Ineligible::CountReached))]
    {
        assert_eq!(answer(&twice, |lead| lead.transfer_count = count), expected, "{count}");
    }
}

#[test]
fn referrals_stay_even_where_the_rule_names_them() {
    let mut rule = text();
    rule.conditions.lead_sources = vec![LeadSource::Referral, LeadSource::Douyin];
    let of = |source| answer(&rule, |lead| lead.source = source);
    assert_eq!(of(Some(LeadSource::Referral)), Err(Ineligible::Referral));
    assert_eq!(of(Some(LeadSource::Douyin)), Ok(()));
    assert_eq!(of(Some(LeadSource::Meituan)), Err(Ineligible::Source));
    assert_eq!(of(None), Err(Ineligible::Source));
}

#[test]
fn days_of_creation_are_those_of_the_zone_and_the_last_one_counts() {
    let day = |text: &str| Some(text.parse().unwrap());
    let mut rule = text();
    rule.conditions.created = Some(CreatedRange { from: day("2026-01-02"), to: day("2026-01-03") });
    let rows = [
        // Midnight in Shanghai is four in the afternoon of the day before in UTC.
        ("2026-01-01T15:59:59Z", Err(Ineligible::CreatedOutside)),
        ("2026-01-01T16:00:00Z", Ok(())),
        ("2026-01-03T15:59:59Z", Ok(())),
        ("2026-01-03T16:00:00Z", Err(Ineligible::CreatedOutside)),
    ];
    let now = utc("2026-06-01T00:00:00Z");
    for (created, expected) in rows {
        let lead = LeadFacts { created_at: Some(utc(created)), last_activity_at: None, ..facts() };
        assert_eq!(rule.criteria().check(&lead, now), expected, "{created}");
    }
    assert_eq!(answer(&rule, |lead| lead.created_at = None), Err(Ineligible::CreatedOutside));
    rule.conditions.created = Some(CreatedRange { from: None, to: day("2025-12-31") });
    rule.window.zone = zone("UTC");
    let lead = |created| LeadFacts { created_at: Some(utc(created)), last_activity_at: None, ..facts() };
    assert_eq!(rule.criteria().check(&lead("2025-12-31T23:59:59Z"), now), Ok(()));
    let late = rule.criteria().check(&lead("2026-01-01T00:00:00Z"), now);
    assert_eq!(late, Err(Ineligible::CreatedOutside));
}

#[test]
fn every_reason_has_a_code_and_words_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for reason in Ineligible::ALL {
        assert!(seen.insert(reason.code()) && seen.insert(reason.zh()) && seen.insert(reason.en()));
        assert_eq!(reason.code().parse(), Ok(*reason));
    }
}
