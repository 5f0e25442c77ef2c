//! What a run may claim: only what was planned, each lead once, and an end once.

use super::super::plan::{NoPlace, Unplaced};
use super::super::run::*;
use super::*;
use crate::ids::TransferRuleId;
use crate::planned_leads::{PLANNED_LEADS_MAX, PlanFlaw};

fn rule() -> TransferRuleId {
    TransferRuleId(Uuid::from_u128(77))
}

fn started() -> TransferRunStarted {
    TransferRunStarted {
        rule: rule(),
        revision: 3,
        text: text(),
        period: Some(at(0)),
        trigger: Trigger::Scheduled,
        seed: Seed(u64::MAX),
        plan_hash: "0f".repeat(32),
        by: crate::Actor::System("scheduler".into()),
        at: at(1),
    }
}

fn one(n: u128, from: u128, to: u128) -> PlannedMove {
    PlannedMove { customer: lead(n), from: staff(from), to: staff(to) }
}

fn moves() -> Vec<PlannedMove> {
    vec![one(1, 1, 2), one(2, 1, 3), one(3, 2, 3)]
}

fn start(moves: Vec<PlannedMove>) -> TransferRunCommand {
    start_without(moves, vec![])
}

fn start_without(moves: Vec<PlannedMove>, unplaced: Vec<Unplaced>) -> TransferRunCommand {
    TransferRunCommand::Start { started: Box::new(started()), moves, unplaced }
}

fn unplaced(n: u128, reason: NoPlace) -> Unplaced {
    Unplaced { customer: lead(n), from: staff(1), reason }
}

fn complete(moved: Vec<Moved>, skipped: Vec<Skipped>) -> TransferRunCommand {
    let explanation = Some("all_ineligible".to_owned());
    TransferRunCommand::Complete { moved, skipped, explanation, at: at(9) }
}

fn under_way() -> Vec<TransferRunEvent> {
    vec![started().into(), TransferRunPlanned { moves: moves(), ..TransferRunPlanned::default() }.into()]
}

fn stays(n: u128) -> Skipped {
    Skipped { customer: lead(n), reason: Ineligible::Active.code().to_owned() }
}

#[test]
fn a_run_begins_with_its_whole_plan_in_chunks() {
    given::<TransferRun>(vec![]).when(start(moves())).then_expect_events(under_way());
    let many: Vec<_> = (0..=PLANNED_LEADS_MAX as u128).map(|n| one(n, 1, 2)).collect();
    let events = TransferRun::default().decide(start(many.clone())).unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(after::<TransferRun>(&events).moves, many, "in the order of the plan");
    let empty = TransferRun::default().decide(start(vec![])).unwrap();
    assert_eq!(empty, vec![started().into()], "a run that moves nothing is a run");
}

#[test]
fn who_comes_second_finds_the_plan_of_the_first() {
    given::<TransferRun>(under_way()).when(start(vec![one(9, 1, 2)])).then_expect_events(vec![]);
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    let error = |moves| TransferRun::default().decide(start(moves)).unwrap_err();
    assert_eq!(error(vec![one(1, 1, 2), one(1, 1, 3)]), PlanFlaw::Repeated(lead(1)).into());
    assert_eq!(error(vec![one(1, 2, 2)]), TransferRunError::ToItsOwner(lead(1)));
    let found = RUN_LEADS_MAX + 1;
    let many = (0..found as u128).map(|n| one(n, 1, 2)).collect();
    assert_eq!(error(many), PlanFlaw::TooMany { found }.into());
    let error = |moves, unplaced| TransferRun::default().decide(start_without(moves, unplaced)).unwrap_err();
    let stays = unplaced(1, NoPlace::NoRoom);
    assert_eq!(error(vec![one(1, 1, 2)], vec![stays]), PlanFlaw::Repeated(lead(1)).into());
    let many = (0..RUN_LEADS_MAX as u128).map(|n| one(n + 2, 1, 2)).collect();
    assert_eq!(error(many, vec![stays]), PlanFlaw::TooMany { found }.into());
}

#[test]
fn what_nobody_gets_is_written_down_with_the_plan_and_told_at_the_end() {
    let stay: Vec<_> =
        (100..100 + UNPLACED_NAMED_MAX as u128).map(|n| unplaced(n, NoPlace::NoRoom)).collect();
    let begun = TransferRun::default().decide(start_without(moves(), stay.clone())).unwrap();
    assert_eq!(begun.len(), 3, "its start, its moves, and an event of leads that stay");
    let run: TransferRun = after(&begun);
    assert_eq!((&run.moves, &run.unplaced), (&moves(), &stay));
    let ended = run.decide(complete(vec![one(1, 1, 2)], vec![stays(2), stays(3)])).unwrap();
    let [TransferRunEvent::Completed(ended)] = &ended[..] else { panic!("{ended:?}") };
    let told: Vec<_> = ended.skipped.iter().map(|one| (one.customer, one.reason.as_str())).collect();
    let expected = [(lead(2), "active"), (lead(3), "active")].into_iter();
    let expected = expected.chain(stay.iter().map(|one| (one.customer, "no_room")));
    assert_eq!(told, expected.collect::<Vec<_>>());
    let claims = run.decide(complete(moves(), vec![stays(100)]));
    assert_eq!(claims, Err(PlanFlaw::NotPlanned(lead(100)).into()), "of those the run speaks itself");
}

#[test]
fn of_thousands_that_nobody_gets_some_are_named_and_all_are_counted() {
    let stay: Vec<_> =
        (100..100 + 7 * UNPLACED_NAMED_MAX as u128).map(|n| unplaced(n, NoPlace::NoRoom)).collect();
    let begun = TransferRun::default().decide(start_without(vec![], stay.clone())).unwrap();
    let run: TransferRun = after(&begun);
    assert_eq!(run.unplaced, stay[..UNPLACED_NAMED_MAX]);
    let ended = run.decide(complete(vec![], vec![])).unwrap();
    let [TransferRunEvent::Completed(ended)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((ended.skipped.len(), ended.stayed()), (UNPLACED_NAMED_MAX, stay.len()));
}

#[test]
fn the_end_names_what_moved_what_stayed_and_each_persons_part() {
    let (moved, skipped) = (vec![one(1, 1, 2), one(3, 2, 3)], vec![stays(2)]);
    let person = |n, moved_out, moved_in| PersonMoves { staff: staff(n), moved_out, moved_in };
    let completed = TransferRunCompleted {
        rule: rule(),
        rule_name: text().name,
        moved: moved.clone(),
        skipped: skipped.clone(),
        unplaced_more: 0,
        people: vec![person(1, 1, 0), person(2, 1, 1), person(3, 0, 1)],
        explanation: None,
        at: at(9),
    };
    given::<TransferRun>(under_way())
        .when(complete(moved, skipped))
        .then_expect_events(vec![completed.into()]);
}

#[test]
fn only_an_end_without_moves_is_explained() {
    let decide =
        |moved, skipped| after::<TransferRun>(&under_way()).decide(complete(moved, skipped)).unwrap();
    let explanation = |events: Vec<TransferRunEvent>| match &events[..] {
        [TransferRunEvent::Completed(completed)] => completed.explanation.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(explanation(decide(vec![], [1, 2, 3].map(stays).to_vec())), Some("all_ineligible".to_owned()));
    assert_eq!(explanation(decide(vec![one(1, 1, 2)], [2, 3].map(stays).to_vec())), None);
}

#[test]
fn a_run_ends_once() {
    let ended = TransferRun::default();
    let mut ended = under_way().iter().fold(ended, |mut run, event| {
        run.evolve(event);
        run
    });
    for event in ended.decide(complete(moves(), vec![])).unwrap() {
        ended.evolve(&event);
    }
    assert_eq!(ended.decide(complete(vec![], vec![])), Ok(vec![]));
    assert_eq!(ended.decide(start(vec![])), Ok(vec![]));
    given::<TransferRun>(vec![]).when(complete(vec![], vec![])).then_expect_error(TransferRunError::NotFound);
}

#[test]
fn nothing_can_have_moved_that_was_not_planned_so() {
    let run: TransferRun = after(&under_way());
    let refused = |moved, skipped| run.decide(complete(moved, skipped)).unwrap_err();
    assert_eq!(refused(vec![one(8, 1, 2)], vec![]), PlanFlaw::NotPlanned(lead(8)).into());
    assert_eq!(refused(vec![one(1, 1, 3)], vec![]), PlanFlaw::NotPlanned(lead(1)).into());
    assert_eq!(refused(vec![], vec![stays(8)]), PlanFlaw::NotPlanned(lead(8)).into());
    assert_eq!(refused(vec![one(1, 1, 2)], vec![stays(2)]), PlanFlaw::Forgotten(1).into());
    assert_eq!(refused(vec![one(1, 1, 2)], vec![stays(1)]), PlanFlaw::Repeated(lead(1)).into());
}

#[test]
fn a_seed_is_written_as_text() {
    assert_eq!(serde_json::to_string(&Seed(u64::MAX)).unwrap(), "\"18446744073709551615\"");
    assert_eq!(serde_json::from_str::<Seed>("\"7\"").unwrap(), Seed(7));
    assert!(serde_json::from_str::<Seed>("\"-1\"").is_err());
}
