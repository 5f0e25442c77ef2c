//! What a run may claim: only what was planned, every lead once, and an end once.

use uuid::Uuid;

use super::super::run::*;
use super::*;
use crate::ids::{CustomerId, RecycleRuleId};
use crate::planned_leads::{PLANNED_LEADS_MAX, PlanFlaw, RUN_LEADS_MAX};
use crate::testing::staff;

fn by_rule(n: u128) -> RecycleRuleId {
    RecycleRuleId(Uuid::from_u128(50 + n))
}

fn lead(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(1000 + n))
}

fn one(n: u128, from: u128) -> PlannedFall {
    PlannedFall { customer: lead(n), from: staff(from), rule: by_rule(0) }
}

fn falls() -> Vec<PlannedFall> {
    vec![one(1, 1), one(2, 1), one(3, 2)]
}

fn started() -> RecycleRunStarted {
    let rules = vec![NamedRule { rule: by_rule(0), name: "三十天未跟进".to_owned() }];
    RecycleRunStarted { period: at(0), rules, at: at(1) }
}

fn start(falls: Vec<PlannedFall>) -> RecycleRunCommand {
    RecycleRunCommand::Start { started: started(), falls }
}

fn under_way() -> Vec<RecycleRunEvent> {
    vec![started().into(), RecycleRunPlanned { falls: falls() }.into()]
}

fn stays(n: u128) -> Stayed {
    Stayed { customer: lead(n), reason: "touched".to_owned() }
}

fn complete(fallen: Vec<Fallen>, skipped: Vec<Stayed>) -> RecycleRunCommand {
    RecycleRunCommand::Complete { fallen, skipped, at: at(9) }
}

fn over(fallen: Vec<Fallen>, skipped: Vec<Stayed>) -> RecycleRunEvent {
    RecycleRunCompleted { period: at(0), rules: started().rules, fallen, skipped, at: at(9) }.into()
}

#[test]
fn a_run_begins_with_its_whole_plan_in_chunks() {
    given::<RecycleRun>(vec![]).when(start(falls())).then_expect_events(under_way());
    let many: Vec<_> = (0..=PLANNED_LEADS_MAX as u128).map(|n| one(n, 1)).collect();
    let events = RecycleRun::default().decide(start(many.clone())).unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(after::<RecycleRun>(&events).falls, many, "in the order of the plan");
}

#[test]
fn a_run_of_nothing_is_no_run() {
    given::<RecycleRun>(vec![]).when(start(vec![])).then_expect_events(vec![]);
}

#[test]
fn who_comes_second_finds_the_plan_of_the_first() {
    given::<RecycleRun>(under_way()).when(start(vec![one(9, 1)])).then_expect_events(vec![]);
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    let error = |falls| RecycleRun::default().decide(start(falls)).unwrap_err();
    assert_eq!(error(vec![one(1, 1), one(1, 2)]), PlanFlaw::Repeated(lead(1)).into());
    let many: Vec<_> = (0..=RUN_LEADS_MAX as u128).map(|n| one(n, 1)).collect();
    assert_eq!(error(many), PlanFlaw::TooMany { found: RUN_LEADS_MAX + 1 }.into());
}

#[test]
fn the_end_names_what_fell_and_what_stayed() {
    given::<RecycleRun>(under_way())
        .when(complete(vec![one(1, 1), one(3, 2)], vec![stays(2)]))
        .then_expect_events(vec![over(vec![one(1, 1), one(3, 2)], vec![stays(2)])]);
}

#[test]
fn the_end_says_of_every_planned_lead_once_what_became_of_it() {
    let run: RecycleRun = after(&under_way());
    let error = |fallen, skipped| run.decide(complete(fallen, skipped)).unwrap_err();
    assert_eq!(error(falls(), vec![stays(1)]), PlanFlaw::Repeated(lead(1)).into());
    assert_eq!(error(vec![one(1, 2)], vec![]), PlanFlaw::NotPlanned(lead(1)).into(), "it was another's");
    assert_eq!(error(vec![], vec![stays(9)]), PlanFlaw::NotPlanned(lead(9)).into());
    assert_eq!(error(vec![one(1, 1)], vec![stays(2)]), PlanFlaw::Forgotten(1).into());
}

#[test]
fn the_first_end_counts() {
    let ended = [under_way(), vec![over(falls(), vec![])]].concat();
    given::<RecycleRun>(ended).when(complete(vec![], vec![])).then_expect_events(vec![]);
    given::<RecycleRun>(vec![]).when(complete(vec![], vec![])).then_expect_error(RecycleRunError::NotFound);
}

#[test]
fn the_run_of_a_period_is_always_the_same() {
    use crate::ids::{CommandId, RecycleRunId};
    let of = RecycleRunId::of_period;
    assert_eq!(of(at(0)), of(at(0)));
    assert_ne!(of(at(0)), of(at(3600)));
    assert_ne!(CommandId::of_fall(of(at(0)), lead(1)), CommandId::of_fall(of(at(3600)), lead(1)));
}
