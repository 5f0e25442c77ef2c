//! A preview is the plan, or the refusal says what changed.

use chrono::TimeDelta;
use domain::Actor;
use domain::customer::LeadSource;
use domain::transfer_rule::RuleText;
use domain::transfer_rule::plan::{Change, Target};
use domain::transfer_rule::run::Seed;

use super::*;
use crate::transfers::gather::candidates;

fn previewed(office: &Office) -> Preview {
    ready(predict(office.stores(), office, &caller(Role::Operator), rule(), Seed(7))).unwrap()
}

fn asked() -> Occasion {
    Occasion::Asked { caller: caller(Role::Manager), context: context(Actor::Staff(staff(9)), period()) }
}

/// What is refused when somebody did this after the preview.
fn refused_after(happened: impl FnOnce(&mut Office)) -> Vec<Change> {
    let mut office = Office::with(4);
    let preview = previewed(&office);
    happened(&mut office);
    let head = office.bus.head();
    let refusal = refused(ready(start_planned(office.stores(), &office, &asked(), &preview.hash)));
    assert_eq!(office.bus.head(), head, "nothing was begun");
    match refusal {
        TransferRefusal::PlanChanged(changes) => changes,
        other => panic!("refused otherwise: {other:?}"),
    }
}

#[test]
fn the_plan_that_was_shown_is_the_plan_that_runs() {
    let office = Office::with(6);
    let preview = previewed(&office);
    assert_eq!((preview.plan.moves.len(), preview.nothing.clone(), preview.window_open), (6, None, true));
    assert_eq!(previewed(&office).hash, preview.hash, "looking twice changes nothing");
    let begun = ready(start_planned(office.stores(), &office, &asked(), &preview.hash)).unwrap();
    assert_eq!(office.run(begun.run).moves, preview.plan.moves);
    let started = office.run(begun.run).started.unwrap();
    assert_eq!((started.plan_hash, started.seed), (preview.hash, Seed(7)));
    assert_eq!(office.finish(begun.run).moved, preview.plan.moves);
}

#[test]
fn another_seed_is_another_preview() {
    let office = Office::with(6);
    let other = ready(predict(office.stores(), &office, &caller(Role::Admin), rule(), Seed(8))).unwrap();
    let preview = previewed(&office);
    assert_ne!((other.hash, other.plan), (preview.hash, preview.plan));
}

#[test]
fn time_alone_changes_no_plan() {
    let mut office = Office::with(2);
    let preview = previewed(&office);
    // A lead that is touched, and idle again two days later, is no lead of the preview either way.
    office.lead(30, COLLEAGUE, LeadSource::Other);
    *office.now.lock().unwrap() = period() + TimeDelta::hours(3);
    let begun = ready(start_planned(office.stores(), &office, &asked(), &preview.hash)).unwrap();
    assert_eq!(office.finish(begun.run).moved, preview.plan.moves);
}

#[test]
fn what_changed_in_between_is_named() {
    let customer = lead(1);
    let owner = staff(GIVER);
    let left = vec![Change::LeadLeft { customer, owner }];
    assert_eq!(refused_after(|office| follow_up(&office.bus, 1)), left);
    assert_eq!(refused_after(|office| give(&office.bus, 1, COLLEAGUE)), left);
    let came = vec![Change::LeadCame { customer: lead(9), owner }];
    assert_eq!(refused_after(|office| office.lead(9, GIVER, LeadSource::Other)), came);
    let gone = vec![Change::TargetLeft { staff: staff(TAKERS[1]) }];
    assert_eq!(refused_after(|office| office.suspend(TAKERS[1])), gone);
    let staff = staff(TAKERS[0]);
    let balance = vec![Change::BalanceChanged { staff, from: 0, to: -3 }];
    assert_eq!(refused_after(|office| office.balances.extend([(staff, -3)])), balance);
    let full = vec![Change::TargetFull { staff }, Change::TargetFull { staff: super::staff(TAKERS[1]) }];
    assert_eq!(refused_after(|office| office.limits.holding_cap = 0), full);
    let revised = refused_after(|office| office.revise(RuleText { name: "新名称".into(), ..text() }));
    assert_eq!(revised, [Change::RuleRevised { from: 1, to: 2 }]);
}

#[test]
fn a_lead_that_came_and_went_is_touched() {
    use domain::customer::{Customer, CustomerCommand};
    let changes = refused_after(|office| {
        for enabled in [false, true] {
            let (by, at) = (Actor::Staff(staff(9)), period());
            let switch = CustomerCommand::SetAutoTransfer { enabled, by, at };
            write::<Customer>(&office.bus, lead(3), switch, vec![]);
        }
    });
    assert_eq!(changes, [Change::LeadTouched { customer: lead(3) }]);
}

#[test]
fn an_unknown_plan_and_a_foreign_role_are_refused() {
    let office = Office::with(1);
    let refusal = refused(ready(start_planned(office.stores(), &office, &asked(), "nothing")));
    assert_eq!(refusal, TransferRefusal::UnknownPlan);
    let hash = previewed(&office).hash;
    let operator = Occasion::Asked {
        caller: caller(Role::Operator),
        context: context(Actor::Staff(staff(9)), period()),
    };
    let refusal = refused(ready(start_planned(office.stores(), &office, &operator, &hash)));
    assert!(matches!(refusal, TransferRefusal::Forbidden(_)));
    for role in [Role::Dispatch, Role::Employee, Role::Admissions] {
        let refusal = refused(ready(predict(office.stores(), &office, &caller(role), rule(), Seed(7))));
        assert!(matches!(refusal, TransferRefusal::Forbidden(_)));
    }
}

#[test]
fn a_rule_that_is_off_can_be_looked_at_and_not_run() {
    let office = Office::with(2);
    office.switch_off();
    let preview = previewed(&office);
    assert_eq!((preview.enabled, preview.plan.moves.len()), (false, 2));
    let refusal = refused(ready(start_planned(office.stores(), &office, &asked(), &preview.hash)));
    assert_eq!(refusal, TransferRefusal::RuleDisabled);
}

#[test]
fn the_same_request_again_finds_its_run_though_its_leads_have_moved() {
    let office = Office::with(3);
    let hash = previewed(&office).hash;
    let occasion = asked();
    let begun = ready(start_planned(office.stores(), &office, &occasion, &hash)).unwrap();
    office.finish(begun.run);
    let again = ready(start_planned(office.stores(), &office, &occasion, &hash)).unwrap();
    assert_eq!((again.run, again.completed), (begun.run, true));
    let refusal = refused(ready(start_planned(office.stores(), &office, &asked(), &hash)));
    let TransferRefusal::PlanChanged(changes) = refusal else { panic!("{refusal:?}") };
    assert_eq!(changes.len(), 3, "another request for the same plan comes too late: {changes:?}");
}

/// Whose leads a plan of at most three takes, and which they are, when these people may get some.
fn taken(takers: &[u128], room: Option<u32>) -> Vec<u128> {
    let rule_text = RuleText { sources: vec![staff(GIVER), staff(TAKERS[0])], ..text() };
    let mut office = Office::under(rule_text.clone(), 0);
    for n in 0..5 {
        // The first taker's leads lie about the longest.
        office.lead(n, if n < 3 { TAKERS[0] } else { GIVER }, LeadSource::Other);
    }
    let targets: Vec<_> =
        takers.iter().map(|n| Target { staff: staff(*n), room: None, balance: 0 }).collect();
    let full = Target { staff: staff(TAKERS[1]), room, balance: 0 };
    let targets = [targets, vec![full]].concat();
    let criteria = rule_text.criteria();
    let found = ready(candidates(office.stores(), &criteria, &targets, (period(), 3))).unwrap();
    found.iter().map(|one| one.customer.0.as_u128() - lead(0).0.as_u128()).collect()
}

#[test]
fn leads_that_can_go_nowhere_keep_no_others_from_being_looked_at() {
    assert_eq!(
        taken(&[TAKERS[0]], Some(0)),
        [3, 4, 0],
        "of the only one who has room, when there is room in the plan"
    );
    assert_eq!(taken(&[TAKERS[0]], Some(1)), [0, 1, 2], "two have room");
    assert_eq!(taken(&[COLLEAGUE], Some(0)), [0, 1, 2], "whoever takes them all has none");
}
