//! What administrators may do with rules, and what everybody is held to then.

use chrono::TimeDelta;
use domain::pool_rules::PoolRulesText;
use domain::recycle_rule::{RecycleKind, RecycleRule, RecycleRuleError, RecycleText};
use domain::staff::Role;

use super::*;
use crate::bus::CommandBus as _;
use crate::customers::Limits;
use crate::customers::tests::memory::{Memory, ready};

#[test]
fn only_administrators_write_rules() {
    let bus = Memory::default();
    for role in [Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions] {
        let caller = caller(role);
        let no = RecycleRefusal::Forbidden("只有管理员可以管理回收规则和公海规则");
        let id = (rule(0), None);
        let of = || context(day_one());
        assert_eq!(refused(ready(create_rule(&bus, &caller, &of(), rule(0), (text().into(), true)))), no);
        assert_eq!(refused(ready(revise_rule(&bus, &caller, &of(), id, text().into()))), no);
        assert_eq!(refused(ready(switch_rule(&bus, &caller, &of(), id, false))), no);
        assert_eq!(refused(ready(delete_rule(&bus, &caller, &of(), id))), no);
        let pool = PoolRulesText::default();
        assert_eq!(refused(ready(set_pool_rules(&bus, &caller, &of(), &pool, None))), no);
    }
}

#[test]
fn a_rule_is_written_changed_switched_and_deleted() {
    let (bus, admin) = (Memory::default(), caller(Role::Admin));
    let of = || context(day_one());
    ready(create_rule(&bus, &admin, &of(), rule(0), (text().into(), true))).unwrap();
    let longer = RecycleText { kind: RecycleKind::NoFollowUp { days: 9 }, ..text() };
    let outdated = ready(revise_rule(&bus, &admin, &of(), (rule(0), Some(7)), longer.clone().into()));
    assert_eq!(refused(outdated), RecycleRefusal::Stale { sequence: 1 });
    let revised = ready(revise_rule(&bus, &admin, &of(), (rule(0), Some(1)), longer.into())).unwrap();
    assert_eq!(revised.result, RuleReceipt { rule: rule(0), sequence: 2 });
    ready(switch_rule(&bus, &admin, &of(), (rule(0), None), false)).unwrap();
    let again = ready(switch_rule(&bus, &admin, &of(), (rule(0), None), false)).unwrap();
    assert_eq!(again.result.sequence, 3, "already off: nothing happened");
    ready(delete_rule(&bus, &admin, &of(), (rule(0), Some(3)))).unwrap();
    let state = ready(bus.load::<RecycleRule>(&rule(0).into())).unwrap().state;
    assert!(!state.exists());
    ready(delete_rule(&bus, &admin, &of(), (rule(0), Some(3)))).unwrap();
    for result in [
        ready(switch_rule(&bus, &admin, &of(), (rule(0), Some(3)), true)),
        ready(revise_rule(&bus, &admin, &of(), (rule(1), None), text().into())),
    ] {
        assert_eq!(refused(result), RecycleRefusal::Rule(RecycleRuleError::NotFound));
    }
    let wrong = RecycleText { name: " ".into(), priority: 0, ..text() };
    let refusal = refused(ready(create_rule(&bus, &admin, &of(), rule(2), (wrong.into(), true))));
    assert!(matches!(refusal, RecycleRefusal::Rule(RecycleRuleError::Invalid(found)) if found.len() == 2));
}

#[test]
fn a_preview_says_who_would_fall_and_writes_nothing() {
    let office = Office::without_rules(3);
    give(&office.bus, 2, day(2));
    *office.now.lock().unwrap() = day(8);
    let head = office.bus.head();
    let draft = |until| Draft { rule: rule(0), text: Some(text().into()), enabled: true, until };
    let shown = |draft| ready(preview(office.stores(), &caller(Role::Operator), draft)).unwrap();
    let at_once = shown(draft(None));
    assert_eq!((at_once.effective_from, at_once.until), (day(8), day(8)), "what is past means at once");
    assert_eq!(at_once.people, [(staff(OWNER), 2)]);
    let whenever = Draft { rule: rule(0), text: Some(text().beginning(None)), enabled: true, until: None };
    let warned = shown(whenever);
    assert_eq!((warned.effective_from, warned.until), (day(11), day(11)), "when everybody was warned");
    let later = shown(draft(Some(day(9))));
    assert_eq!(later.people, [(staff(OWNER), 2), (staff(COLLEAGUE), 1)]);
    assert_eq!(later.falling.iter().map(|one| one.due.at).max(), Some(day(9)));
    assert_eq!(office.bus.head(), head);

    let employee = ready(preview(office.stores(), &caller(Role::Employee), draft(None)));
    let no = RecycleRefusal::Forbidden("只有管理员、经理或运营可以查看回收规则和公海规则");
    assert_eq!(refused(employee), no);
    let nobody = Draft { rule: rule(7), text: None, enabled: true, until: None };
    let unknown = ready(preview(office.stores(), &caller(Role::Admin), nobody));
    assert_eq!(refused(unknown), RecycleRefusal::Rule(RecycleRuleError::NotFound));
}

#[test]
fn a_preview_asks_the_other_rules_first() {
    let office = Office::with(2);
    *office.now.lock().unwrap() = day(8);
    let behind = RecycleText { priority: 99, kind: RecycleKind::NotSigned { days: 9 }, ..text() };
    let draft = Draft { rule: rule(1), text: Some(behind.into()), enabled: true, until: Some(day(90)) };
    let shown = ready(preview(office.stores(), &caller(Role::Admin), draft)).unwrap();
    assert_eq!(shown.falling, [], "the rule before it fits every lead");
    let kept = Draft { rule: rule(0), text: None, enabled: true, until: None };
    let shown = ready(preview(office.stores(), &caller(Role::Admin), kept)).unwrap();
    assert_eq!(shown.falling.len(), 2);
}

/// Nobody falls by the first rule for ninety days; the one behind it would have taken everybody long ago.
#[test]
fn a_preview_of_a_rule_that_goes_or_moves_says_who_falls_by_those_behind_it() {
    let (office, admin) = (Office::without_rules(2), caller(Role::Admin));
    let gentle = RecycleText { kind: RecycleKind::NoFollowUp { days: 90 }, priority: 10, ..text() };
    let strict = RecycleText { kind: RecycleKind::NoFollowUp { days: 5 }, priority: 20, ..text() };
    office.write(0, gentle.clone());
    office.write(1, strict);
    *office.now.lock().unwrap() = day(8);
    let head = office.bus.head();
    let shown = |text: Option<RecycleText>, enabled| {
        let draft = Draft { rule: rule(0), text: text.map(Into::into), enabled, until: None };
        ready(preview(office.stores(), &admin, draft)).unwrap()
    };
    let stays = shown(None, true);
    assert_eq!((stays.falling.len(), stays.behind.len()), (0, 0));
    let goes = shown(None, false);
    assert_eq!((goes.falling.len(), goes.until, goes.effective_from), (0, day(8), day(8)));
    let by: Vec<_> = goes.behind.iter().map(|one| (one.due.rule, one.due.at)).collect();
    assert_eq!(by, [(rule(1), day(5)), (rule(1), day(5))]);
    assert_eq!(goes.behind_people(), [(staff(OWNER), 2)]);
    assert_eq!(goes.names.len(), 2);
    let moved = shown(Some(RecycleText { priority: 30, ..gentle }), true);
    assert_eq!((moved.falling.len(), moved.behind.len()), (0, 2));
    // One that does not count keeps nobody.
    ready(switch_rule(&office.bus, &admin, &context(day(8)), (rule(0), None), false)).unwrap();
    assert_eq!((shown(None, false).behind.len(), office.bus.head()), (0, head + 1));
}

#[test]
fn the_rules_of_the_pool_say_what_the_configuration_leaves_to_them() {
    let (bus, admin) = (Memory::default(), caller(Role::Admin));
    let configured = Limits { claims_per_day: Some(3), ..Limits::default() };
    let now = || ready(limits_in_force(&bus, &configured)).unwrap();
    assert_eq!(now(), configured);
    let text = PoolRulesText {
        claims_per_day: Some(0),
        claim_gap_seconds: Some(30),
        cool_off_hours: Some(24),
        holding_cap: Some(80),
        holding_cap_by_role: Some([(Role::Dispatch, 5)].into()),
        cap_ignores_signed: Some(true),
        assignments_held_to_cap: Some(true),
    };
    let set = ready(set_pool_rules(&bus, &admin, &context(day_one()), &text, Some(0))).unwrap();
    assert_eq!(set.result.sequence, 1);
    let expected = Limits {
        holding_cap: 80,
        holding_cap_by_role: [(Role::Dispatch, 5)].into(),
        cap_ignores_signed: true,
        assignments_held_to_cap: true,
        claims_per_day: None,
        claim_gap: Some(TimeDelta::seconds(30)),
        cool_off: Some(TimeDelta::hours(24)),
        zone: configured.zone,
    };
    assert_eq!(now(), expected);
    let empty = PoolRulesText::default();
    let stale = ready(set_pool_rules(&bus, &admin, &context(day_one()), &empty, Some(0)));
    assert_eq!(refused(stale), RecycleRefusal::Stale { sequence: 1 });
    ready(set_pool_rules(&bus, &admin, &context(day_one()), &empty, Some(1))).unwrap();
    assert_eq!(now(), configured, "as the configuration says again");
    let wrong = PoolRulesText { holding_cap: Some(0), ..empty };
    let refusal = refused(ready(set_pool_rules(&bus, &admin, &context(day_one()), &wrong, None)));
    assert!(matches!(refusal, RecycleRefusal::Pool(_)));
}
