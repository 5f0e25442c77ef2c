//! The life of a rule, one sentence each.

use super::*;

fn created(text: RuleText) -> TransferRuleEvent {
    TransferRuleCreated { text, enabled: true, by: boss(), at: at(0) }.into()
}

fn revise(text: RuleText) -> TransferRuleCommand {
    TransferRuleCommand::Revise(Box::new(TransferRuleRevised { text, by: boss(), at: at(10) }))
}

fn create(text: RuleText) -> TransferRuleCommand {
    let enabled = true;
    TransferRuleCommand::Create(Box::new(TransferRuleCreated { text, enabled, by: boss(), at: at(0) }))
}

fn enable() -> TransferRuleCommand {
    TransferRuleCommand::Enable(TransferRuleEnabled { by: boss(), at: at(30) })
}

fn disable() -> TransferRuleCommand {
    TransferRuleCommand::Disable(TransferRuleDisabled { by: boss(), at: at(20) })
}

fn delete() -> TransferRuleCommand {
    TransferRuleCommand::Delete(TransferRuleDeleted { by: boss(), at: at(40) })
}

#[test]
fn a_rule_is_written_once() {
    given::<TransferRule>(vec![]).when(create(text())).then_expect_events(vec![created(text())]);
    given::<TransferRule>(vec![created(text())]).when(create(text())).then_expect_events(vec![]);
    let other = RuleText { name: "另一条".into(), ..text() };
    given::<TransferRule>(vec![created(text())])
        .when(create(other))
        .then_expect_error(TransferRuleError::AlreadyExists);
}

#[test]
fn what_is_kept_is_tidy_and_keeps_the_order_in_which_leads_are_dealt() {
    let untidy = RuleText {
        name: " 七天未跟进流转 ".into(),
        description: Some("  ".into()),
        targets: vec![staff(3), staff(2), staff(3)],
        conditions: Conditions {
            contract_statuses: vec![
                ContractStatus::Pending,
                ContractStatus::Matching,
                ContractStatus::Pending,
            ],
            created: Some(CreatedRange { from: None, to: None }),
            ..text().conditions
        },
        ..text()
    };
    let tidy = RuleText { targets: vec![staff(3), staff(2)], ..text() };
    given::<TransferRule>(vec![]).when(create(untidy)).then_expect_events(vec![created(tidy)]);
}

#[test]
fn a_rule_is_revised_only_when_it_says_something_else() {
    given::<TransferRule>(vec![created(text())]).when(revise(text())).then_expect_events(vec![]);
    let stricter = RuleText { conditions: Conditions { inactive_hours: 72, ..text().conditions }, ..text() };
    let revised: TransferRuleEvent =
        TransferRuleRevised { text: stricter.clone(), by: boss(), at: at(10) }.into();
    given::<TransferRule>(vec![created(text())])
        .when(revise(stricter.clone()))
        .then_expect_events(vec![revised.clone()]);

    let rule: TransferRule = after(&[created(text()), revised]);
    assert_eq!((rule.revision, rule.text, rule.enabled), (2, Some(stricter), true));
    assert_eq!((rule.created_at, rule.updated_at), (Some(at(0)), Some(at(10))));
}

#[test]
fn switching_a_rule_leaves_its_text_and_its_revision() {
    let off: TransferRuleEvent = TransferRuleDisabled { by: boss(), at: at(20) }.into();
    let on: TransferRuleEvent = TransferRuleEnabled { by: boss(), at: at(30) }.into();
    given::<TransferRule>(vec![created(text())]).when(enable()).then_expect_events(vec![]);
    given::<TransferRule>(vec![created(text())]).when(disable()).then_expect_events(vec![off.clone()]);
    given::<TransferRule>(vec![created(text()), off.clone()]).when(disable()).then_expect_events(vec![]);
    given::<TransferRule>(vec![created(text()), off.clone()])
        .when(enable())
        .then_expect_events(vec![on.clone()]);
    let rule: TransferRule = after(&[created(text()), off, on]);
    assert_eq!((rule.revision, rule.enabled), (1, true));
}

#[test]
fn nothing_happens_to_a_rule_that_is_gone_or_was_never_there() {
    let gone = vec![created(text()), TransferRuleDeleted { by: boss(), at: at(40) }.into()];
    given::<TransferRule>(vec![created(text())]).when(delete()).then_expect_events(vec![gone[1].clone()]);
    given::<TransferRule>(gone.clone()).when(delete()).then_expect_events(vec![]);
    for command in [revise(text()), enable(), disable()] {
        given::<TransferRule>(gone.clone()).when(command.clone()).then_expect_error_message("规则不存在");
        given::<TransferRule>(vec![]).when(command).then_expect_error_message("规则不存在");
    }
    given::<TransferRule>(gone.clone()).when(create(text())).then_expect_error_message("规则已存在");
    assert!(!after::<TransferRule>(&gone).exists());
}

#[test]
fn a_rule_under_another_name_acts_like_before_and_any_other_change_counts() {
    let rows = [
        ("its name", RuleText { name: "另一个名字".into(), ..text() }, true),
        ("what it is for", RuleText { description: Some("说明".into()), ..text() }, true),
        ("its hours", RuleText { window: Window { enabled: false, ..text().window }, ..text() }, false),
        ("who gives", RuleText { sources: vec![staff(7)], ..text() }, false),
        ("who gets", RuleText { targets: vec![staff(7)], ..text() }, false),
        (
            "which leads",
            RuleText { conditions: Conditions { inactive_hours: 720, ..text().conditions }, ..text() },
            false,
        ),
    ];
    for (what, other, alike) in rows {
        assert_ne!(text(), other, "{what}");
        assert_eq!(text().acts_like(&other), alike, "{what}");
    }
}

#[test]
fn rules_overlap_when_a_lead_can_meet_both() {
    let day = |text: &str| Some(text.parse().unwrap());
    let created = |from, to| Some(CreatedRange { from, to });
    let of = |conditions: Conditions| RuleText { conditions, ..text() };
    let rows = [
        ("the same rule", text(), true),
        ("a source in common", RuleText { sources: vec![staff(2)], ..text() }, true),
        ("no source in common", RuleText { sources: vec![staff(3)], ..text() }, false),
        ("another module", RuleText { target_module: TargetModule::Training, ..text() }, false),
        (
            "no status in common",
            of(Conditions { contract_statuses: vec![ContractStatus::Lost], ..text().conditions }),
            false,
        ),
        (
            "one takes any lead source",
            of(Conditions { lead_sources: vec![LeadSource::Douyin], ..text().conditions }),
            true,
        ),
        (
            "one takes any day",
            of(Conditions { created: created(day("2026-01-01"), None), ..text().conditions }),
            true,
        ),
    ];
    for (why, other, overlaps) in rows {
        assert_eq!(text().overlaps(&other), overlaps, "{why}");
        assert_eq!(other.overlaps(&text()), overlaps, "{why}");
    }
    let january = of(Conditions { created: created(None, day("2026-01-31")), ..text().conditions });
    for (from, overlaps) in [("2026-01-31", true), ("2026-02-01", false)] {
        let later = of(Conditions { created: created(day(from), None), ..text().conditions });
        assert_eq!(january.overlaps(&later), overlaps, "{from}");
        assert_eq!(later.overlaps(&january), overlaps, "{from}");
    }
    let meituan = of(Conditions { lead_sources: vec![LeadSource::Meituan], ..text().conditions });
    let douyin = of(Conditions { lead_sources: vec![LeadSource::Douyin], ..text().conditions });
    assert!(!meituan.overlaps(&douyin), "no lead source in common");
}
