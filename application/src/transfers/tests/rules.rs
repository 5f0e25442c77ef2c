//! Who may write rules, with whom in them, and which others they meet.

use domain::transfer_rule::{RuleFault, TransferRule};
use domain::{Sequence, TransferRuleId};
use uuid::Uuid;

use super::*;
use crate::bus::CommandBus as _;

fn manager() -> domain::Actor {
    domain::Actor::Staff(staff(9))
}

fn other() -> TransferRuleId {
    TransferRuleId(Uuid::from_u128(51))
}

/// The office's own rule as a patch, with other people.
fn wanted(sources: &[u128], targets: &[u128]) -> RulePatch {
    let text = text();
    let people = |people: &[u128]| Some(people.iter().copied().map(staff).collect());
    RulePatch {
        name: Some("另一条".into()),
        conditions: ConditionsPatch {
            contract_statuses: Some(text.conditions.contract_statuses),
            ..ConditionsPatch::default()
        },
        sources: people(sources),
        targets: people(targets),
        ..RulePatch::default()
    }
}

fn create(office: &Office, role: Role, wanted: &RulePatch) -> RuleResult {
    let context = context(manager(), period());
    ready(create_rule(&office.bus, &context, &caller(role), other(), wanted))
}

fn revise(office: &Office, wanted: &RulePatch, expected: Option<Sequence>) -> RuleResult {
    let context = context(manager(), period());
    ready(revise_rule(&office.bus, &context, &caller(Role::Manager), rule(), wanted, expected))
}

fn refusal(result: RuleResult) -> RuleRefusal {
    match result {
        Err(ExecuteError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn seen(office: &Office, id: TransferRuleId) -> TransferRule {
    ready(office.bus.load::<TransferRule>(&id.into())).unwrap().state
}

#[test]
fn a_rule_that_is_written_runs_unless_said_otherwise() {
    for (said, on) in [(None, true), (Some(true), true), (Some(false), false)] {
        let office = Office::with(0);
        let wanted = RulePatch { enabled: said, ..wanted(&[GIVER], &TAKERS) };
        let done = create(&office, Role::Manager, &wanted).unwrap();
        assert_eq!(done.result, RuleReceipt { rule: other(), sequence: 1 });
        let rule = seen(&office, other());
        assert_eq!((rule.enabled, rule.created_by, rule.revision), (on, Some(manager()), 1));
    }
}

#[test]
fn only_admins_and_managers_write_rules() {
    for role in [Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions] {
        let office = Office::with(0);
        let forbidden = RuleRefusal::Forbidden("只有管理员或经理可以管理流转规则");
        let head = office.bus.head();
        assert_eq!(refusal(create(&office, role, &wanted(&[GIVER], &TAKERS))), forbidden, "{role}");
        let (bus, who) = (&office.bus, caller(role));
        let now = || context(manager(), period());
        assert_eq!(refusal(ready(revise_rule(bus, &now(), &who, rule(), &<_>::default(), None))), forbidden);
        assert_eq!(refusal(ready(toggle_rule(bus, &now(), &who, rule(), false, None))), forbidden);
        assert_eq!(refusal(ready(delete_rule(bus, &now(), &who, rule(), None))), forbidden);
        assert_eq!(office.bus.head(), head, "nothing was written");
    }
    for role in [Role::Admin, Role::Manager] {
        assert!(create(&Office::with(0), role, &wanted(&[GIVER], &TAKERS)).is_ok());
    }
}

#[test]
fn everybody_in_a_rule_is_there_and_those_who_get_leads_can_log_in() {
    let office = Office::with(0);
    let unknown = create(&office, Role::Admin, &wanted(&[GIVER, 77], &[TAKERS[0], 78]));
    assert_eq!(refusal(unknown), RuleRefusal::UnknownPeople(vec![staff(77), staff(78)]));
    office.suspend(COLLEAGUE);
    let inactive = create(&office, Role::Admin, &wanted(&[GIVER], &[COLLEAGUE]));
    assert_eq!(refusal(inactive), RuleRefusal::InactiveTargets(vec![staff(COLLEAGUE)]));
    // Leads of somebody who left are exactly those that lie about.
    assert!(create(&office, Role::Admin, &wanted(&[COLLEAGUE], &TAKERS)).is_ok());
}

#[test]
fn a_target_who_was_cut_off_does_not_stand_in_the_way_of_an_edit() {
    let office = Office::with(0);
    office.suspend(TAKERS[1]);
    let renamed = RulePatch {
        name: Some("新名字".into()),
        targets: Some(TAKERS.map(staff).to_vec()),
        ..<_>::default()
    };
    assert!(revise(&office, &renamed, None).is_ok());
    assert_eq!(seen(&office, rule()).text.unwrap().name, "新名字");
    let without = RulePatch { targets: Some(vec![staff(TAKERS[0])]), ..RulePatch::default() };
    assert!(revise(&office, &without, None).is_ok());
    let back = RulePatch { targets: Some(TAKERS.map(staff).to_vec()), ..RulePatch::default() };
    assert_eq!(refusal(revise(&office, &back, None)), RuleRefusal::InactiveTargets(vec![staff(TAKERS[1])]));
}

#[test]
fn bounds_are_told_with_their_place() {
    let mut wanted = wanted(&[GIVER], &TAKERS);
    wanted.conditions.inactive_hours = Some(0);
    wanted.distribution.compensation_priority = Some(11);
    let RuleRefusal::Invalid(found) = refusal(create(&Office::with(0), Role::Admin, &wanted)) else {
        panic!("refused otherwise")
    };
    let found: Vec<_> = found.iter().map(|violation| (violation.path, violation.fault)).collect();
    assert_eq!(
        found,
        [
            ("triggerConditions.inactiveHours", RuleFault::OutOfRange { min: 1, max: 720 }),
            ("distributionConfig.compensationPriority", RuleFault::OutOfRange { min: 1, max: 10 }),
        ]
    );
}

#[test]
fn a_change_of_text_and_switch_is_one_append_and_the_same_again_is_none() {
    let office = Office::with(0);
    let wanted = RulePatch { name: Some("新名字".into()), enabled: Some(false), ..RulePatch::default() };
    assert_eq!(revise(&office, &wanted, Some(1)).unwrap().result.sequence, 3);
    let events = ["TransferRuleCreated", "TransferRuleRevised", "TransferRuleDisabled"];
    assert_eq!(office.bus.events(rule()), events);
    assert_eq!(revise(&office, &wanted, None).unwrap().result.sequence, 3);
    assert_eq!(office.bus.events(rule()), events);
    assert_eq!(refusal(revise(&office, &wanted, Some(1))), RuleRefusal::Stale { sequence: 3 });
}

#[test]
fn a_rule_is_switched_and_deleted_and_then_not_found() {
    let office = Office::with(0);
    let (bus, chief) = (&office.bus, caller(Role::Admin));
    let now = || context(manager(), period());
    ready(toggle_rule(bus, &now(), &chief, rule(), false, None)).unwrap();
    ready(toggle_rule(bus, &now(), &chief, rule(), false, None)).unwrap();
    ready(delete_rule(bus, &now(), &chief, rule(), None)).unwrap();
    ready(delete_rule(bus, &now(), &chief, rule(), None)).unwrap();
    let events = ["TransferRuleCreated", "TransferRuleDisabled", "TransferRuleDeleted"];
    assert_eq!(office.bus.events(rule()), events);
    assert_eq!(refusal(ready(toggle_rule(bus, &now(), &chief, rule(), true, None))), RuleRefusal::NotFound);
    assert_eq!(refusal(revise(&office, &RulePatch::default(), None)), RuleRefusal::NotFound);
    assert_eq!(refusal(ready(delete_rule(bus, &now(), &chief, other(), None))), RuleRefusal::NotFound);
}

#[test]
fn a_key_writes_one_rule() {
    let office = Office::with(0);
    let mut context = context(manager(), period());
    context.fingerprint = Some("f".into());
    let chief = caller(Role::Admin);
    let wanted = wanted(&[GIVER], &TAKERS);
    let first = ready(create_rule(&office.bus, &context, &chief, other(), &wanted)).unwrap();
    let another = TransferRuleId(Uuid::from_u128(52));
    let again = ready(create_rule(&office.bus, &context, &chief, another, &wanted)).unwrap();
    assert_eq!((again.result, again.replayed), (first.result, true));
}

#[test]
fn rules_that_want_the_same_leads_are_named() {
    let office = Office::with(0);
    let met = |sources: &[u128]| {
        let text = wanted(sources, &TAKERS).written();
        ready(overlaps(&office.bus, other(), &text, &[rule(), other()])).unwrap()
    };
    let same = Overlap {
        rule: rule(),
        name: "闲置线索".into(),
        sources: vec![staff(GIVER)],
        statuses: text().conditions.contract_statuses,
    };
    assert_eq!(met(&[COLLEAGUE, GIVER]), [same]);
    assert_eq!(met(&[COLLEAGUE]), []);
    let itself = ready(overlaps(&office.bus, rule(), &text(), &[rule()])).unwrap();
    assert_eq!(itself, []);
    office.switch_off();
    assert_eq!(met(&[GIVER]), [], "a rule that is off takes nothing");
}
