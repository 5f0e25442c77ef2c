//! The bounds of existing-systems.md section 5.1: `check(a text, what is wrong with it)`.

use super::*;

fn conditions(change: impl FnOnce(&mut Conditions)) -> RuleText {
    let mut changed = text();
    change(&mut changed.conditions);
    changed
}

fn priority(compensation_priority: u32) -> RuleText {
    RuleText { distribution: Distribution { compensation_priority, ..Distribution::default() }, ..text() }
}

fn check(text: RuleText, expected: &[(&'static str, RuleFault)]) {
    let violations: Vec<_> = text.violations().into_iter().map(|v| (v.path, v.fault)).collect();
    assert_eq!(violations, expected, "{text:?}");
    let created = TransferRuleCreated { text, enabled: true, by: boss(), at: at(0) };
    let decided = TransferRule::default().decide(TransferRuleCommand::Create(Box::new(created)));
    assert_eq!(decided.is_ok(), expected.is_empty());
}

#[test]
fn what_lies_within_the_bounds_is_kept() {
    check(text(), &[]);
    for hours in [1, 720] {
        check(conditions(|c| c.inactive_hours = hours), &[]);
    }
    for hours in [0, 720] {
        check(conditions(|c| c.cooldown_hours = hours), &[]);
    }
    for count in [0, 99] {
        check(conditions(|c| c.transfer_count_max = count), &[]);
    }
    for number in [1, 10] {
        check(priority(number), &[]);
    }
    let day = Some("2026-01-01".parse().unwrap());
    check(conditions(|c| c.created = Some(CreatedRange { from: day, to: day })), &[]);
    check(RuleText { sources: vec![], targets: vec![], ..text() }, &[]);
    check(RuleText { name: "名".repeat(NAME_CHARS_MAX), ..text() }, &[]);
}

#[test]
fn every_place_outside_its_bounds_is_named() {
    let outside = |min, max| RuleFault::OutOfRange { min, max };
    for hours in [0, 721] {
        let rule = conditions(|c| c.inactive_hours = hours);
        check(rule, &[("triggerConditions.inactiveHours", outside(1, 720))]);
    }
    let rule = conditions(|c| c.cooldown_hours = 721);
    check(rule, &[("triggerConditions.transferCooldownHours", outside(0, 720))]);
    let rule = conditions(|c| c.transfer_count_max = 100);
    check(rule, &[("triggerConditions.maxTransferCount", outside(0, 99))]);
    for number in [0, 11] {
        check(priority(number), &[("distributionConfig.compensationPriority", outside(1, 10))]);
    }
    let rule = conditions(|c| c.contract_statuses.clear());
    check(rule, &[("triggerConditions.contractStatuses", RuleFault::Empty)]);
    let (from, to) = ("2026-01-02".parse().unwrap(), "2026-01-01".parse().unwrap());
    let rule = conditions(|c| c.created = Some(CreatedRange { from: Some(from), to: Some(to) }));
    check(rule, &[("triggerConditions.createdDateRange", RuleFault::EndsBeforeItBegins)]);
    check(RuleText { name: "  ".into(), ..text() }, &[("ruleName", RuleFault::Blank)]);
    let long = "名".repeat(NAME_CHARS_MAX + 1);
    check(RuleText { name: long, ..text() }, &[("ruleName", RuleFault::TooManyChars(NAME_CHARS_MAX))]);
    let long = Some("说".repeat(DESCRIPTION_CHARS_MAX + 1));
    let fault = RuleFault::TooManyChars(DESCRIPTION_CHARS_MAX);
    check(RuleText { description: long, ..text() }, &[("description", fault)]);
    let crowd: Vec<_> = (0..=PEOPLE_MAX as u128).map(staff).collect();
    let rule = RuleText { sources: crowd.clone(), targets: crowd, ..text() };
    let fault = RuleFault::TooMany(PEOPLE_MAX);
    check(rule, &[("sourceUserIds", fault), ("targetUserIds", fault)]);
}

#[test]
fn all_of_them_are_named_at_once() {
    let mut rule = conditions(|c| c.inactive_hours = 0);
    rule.name = String::new();
    let outside = RuleFault::OutOfRange { min: 1, max: 720 };
    check(rule, &[("ruleName", RuleFault::Blank), ("triggerConditions.inactiveHours", outside)]);
}
