//! What a run does, and what it leaves alone and says so.

use chrono::TimeDelta;
use domain::customer::{AssignmentSource, CustomerEvent, CustomerTransferred, LeadSource, RuleRun};
use domain::transfer_rule::run::{PersonMoves, Seed, Trigger};
use domain::transfer_rule::{RuleText, TargetModule, Window};
use domain::{Actor, TransferRunId};

use super::*;

fn scheduled(office: &Office) -> Begun {
    ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap()
}

/// Begins and ends the run of the period.
fn whole(office: &Office) -> TransferRunCompleted {
    office.finish(scheduled(office).run)
}

/// Which lead was skipped for which reason, by number.
fn skipped(completed: &TransferRunCompleted) -> Vec<(u128, &str)> {
    let number = |id: domain::CustomerId| id.0.as_u128() - lead(0).0.as_u128();
    let mut skipped: Vec<_> =
        completed.skipped.iter().map(|one| (number(one.customer), one.reason.as_str())).collect();
    skipped.sort_unstable();
    skipped
}

#[test]
fn idle_leads_change_hands_once_and_the_end_counts_them() {
    let office = Office::with(5);
    let begun = scheduled(&office);
    assert_eq!(
        (begun.planned, begun.completed, begun.run),
        (5, false, TransferRunId::of_period(rule(), period()))
    );
    let completed = office.finish(begun.run);
    assert_eq!(
        office.bus.events(begun.run),
        ["TransferRunStarted", "TransferRunPlanned", "TransferRunCompleted"]
    );
    assert_eq!(office.transfers(), [1; 5]);
    assert_eq!((completed.moved.len(), completed.skipped.len(), completed.explanation), (5, 0, None));
    assert_eq!(completed.moved, office.run(begun.run).moves, "the very plan");

    let dealt = [TAKERS[0], TAKERS[1]].map(|n| office.held(n));
    assert_eq!((office.held(GIVER), dealt.iter().sum::<i64>(), dealt.iter().max()), (0, 5, Some(&3)));
    let lost = PersonMoves { staff: staff(GIVER), moved_out: 5, moved_in: 0 };
    assert_eq!((completed.people[0], completed.people.len()), (lost, 3));
}

#[test]
fn the_system_and_its_rule_moved_the_lead_and_its_idle_clock_starts_again() {
    let office = Office::with(1);
    let run = scheduled(&office).run;
    office.finish(run);
    let CustomerEvent::Transferred(CustomerTransferred { from, to, by, reason, source, at }) =
        office.bus.last(lead(0))
    else {
        panic!("the last thing that happened was the move");
    };
    assert_eq!((from, by), (staff(GIVER), Actor::System("transfer_rule".into())));
    assert_eq!(source, AssignmentSource::Rule(RuleRun { rule: rule(), run }));
    assert_eq!((reason.as_deref(), at), (Some("自动流转-规则: 闲置线索"), period()));
    let moved = office.customer(lead(0));
    assert_eq!((moved.owner(), moved.last_activity_at, moved.transfer_count), (Some(to), Some(at), 1));
}

#[test]
fn the_start_says_what_the_plan_was_made_of() {
    let office = Office::with(3);
    let run = scheduled(&office).run;
    let TransferRunStarted {
        rule: of, revision, text: said, period: when, trigger, seed, plan_hash, by, ..
    } = office.run(run).started.unwrap();
    assert_eq!((of, revision, said, when), (rule(), 1, text(), Some(period())));
    assert_eq!((trigger, by), (Trigger::Scheduled, Actor::System("transfer_rule".into())));
    assert_eq!((seed, plan_hash.len()), (Seed(run.0.as_u64_pair().0), 64));
}

#[test]
fn a_period_is_run_once_however_often_it_is_begun() {
    let office = Office::with(4);
    let first = scheduled(&office);
    assert_eq!(scheduled(&office), first, "begun by two processes");
    office.finish(first.run);
    let again = scheduled(&office);
    assert_eq!((again.run, again.planned, again.completed), (first.run, 4, true));
    let head = office.bus.head();
    assert_eq!(office.finish(first.run).moved.len(), 4, "the first end again");
    assert_eq!((office.bus.head(), office.transfers()), (head, vec![1; 4]));
}

#[test]
fn of_two_processes_that_begin_at_once_the_first_plan_counts() {
    let office = std::sync::Arc::new(Office::with(4));
    let other = std::sync::Arc::clone(&office);
    office.bus.meanwhile(move |_| {
        scheduled(&other);
    });
    let begun = scheduled(&office);
    assert_eq!(begun.planned, 4);
    assert_eq!(office.bus.events(begun.run), ["TransferRunStarted", "TransferRunPlanned"]);
    assert_eq!(office.finish(begun.run).moved.len(), 4);
}

#[test]
fn a_lead_that_was_followed_up_between_scan_and_move_stays_and_the_run_says_so() {
    let office = Office::with(4);
    let run = scheduled(&office).run;
    follow_up(&office.bus, 2);
    let completed = office.finish(run);
    assert_eq!((completed.moved.len(), skipped(&completed)), (3, vec![(2, "active")]));
    assert_eq!(
        (office.customer(lead(2)).owner(), office.transfers()),
        (Some(staff(GIVER)), vec![1, 1, 0, 1])
    );
}

#[test]
fn even_between_the_last_look_and_the_append() {
    let office = Office::with(1);
    let run = scheduled(&office).run;
    office.bus.meanwhile(|bus| follow_up(bus, 0));
    let completed = office.finish(run);
    assert_eq!((skipped(&completed), office.transfers()), (vec![(0, "active")], vec![0]));
    assert_eq!(completed.explanation.as_deref(), Some("all_touched"));
}

#[test]
fn every_touch_has_its_reason() {
    use domain::customer::{Customer, CustomerCommand, ProfilePatch};
    let by = || Actor::Staff(staff(9));
    let at = period();
    let office = Office::with(6);
    let run = scheduled(&office).run;
    let write = |n, command| write::<Customer>(&office.bus, lead(n), command, vec![]);
    write(0, CustomerCommand::Freeze { reason: None, by: by(), at });
    write(1, CustomerCommand::SetAutoTransfer { enabled: false, by: by(), at });
    write(2, CustomerCommand::Delete { by: by(), at });
    let signed = Some(domain::customer::ContractStatus::Signed);
    let changes = Box::new(ProfilePatch::default());
    write(3, CustomerCommand::Update { changes, contract_status: signed, lead_level: None, by: by(), at });
    give(&office.bus, 4, COLLEAGUE);
    give(&office.bus, 5, TAKERS[0]);
    give(&office.bus, 5, TAKERS[1]);
    let completed = office.finish(run);
    let expected = [
        (0, "frozen"),
        (1, "opted_out"),
        (2, "deleted"),
        (3, "status"),
        (4, "owner_changed"),
        (5, "owner_changed"), // whoever was to get it: this run did not give it
    ];
    assert_eq!((completed.moved.len(), skipped(&completed)), (0, expected.to_vec()));
    assert!(expected.iter().all(|(_, code)| SkipReason::texts(code).is_some()));
}

#[test]
fn whoever_was_suspended_gets_nothing() {
    let office = Office::with(4);
    let run = scheduled(&office).run;
    office.suspend(TAKERS[0]);
    let completed = office.finish(run);
    assert_eq!(completed.moved.len(), 2);
    assert!(skipped(&completed).iter().all(|(_, code)| *code == "target_inactive"));
    assert_eq!(office.held(TAKERS[0]), 0);

    let office = Office::with(4);
    office.suspend(TAKERS[0]);
    whole(&office);
    assert_eq!((office.held(TAKERS[0]), office.held(TAKERS[1])), (0, 4), "nobody plans for the suspended");
}

#[test]
fn the_holding_cap_is_planned_for_and_held_in_the_append() {
    let capped = |leads| {
        let mut office = Office::with(leads);
        office.limits.holding_cap = 3;
        office
    };
    let office = capped(8);
    let completed = whole(&office);
    assert_eq!(completed.moved.len(), 6, "two people with room for three");
    assert_eq!(TAKERS.map(|n| office.held(n)), [3, 3]);
    let stayed: Vec<_> = skipped(&completed).into_iter().map(|(_, code)| code).collect();
    assert_eq!(stayed, ["no_room", "no_room"], "the run says of whom nobody had room for, too");
    assert!(SkipReason::texts("no_room").is_some());

    let mut office = capped(4);
    let run = scheduled(&office).run;
    for n in 10..13 {
        office.lead(n, TAKERS[0], LeadSource::Other);
    }
    let completed = office.finish(run);
    assert_eq!((completed.moved.len(), TAKERS.map(|n| office.held(n))), (2, [3, 2]));
    assert!(skipped(&completed).iter().all(|(_, code)| *code == "target_full"), "{:?}", completed.skipped);
}

#[test]
fn a_run_that_found_nobody_for_its_leads_names_each_of_them() {
    let office = Office::with(2);
    for taker in TAKERS {
        office.suspend(taker);
    }
    let begun = scheduled(&office);
    assert_eq!((begun.planned, begun.completed), (0, true));
    let completed = office.finish(begun.run);
    assert_eq!(completed.explanation.as_deref(), Some("no_targets"));
    assert_eq!(skipped(&completed), [(0, "no_targets"), (1, "no_targets")]);
    let events = ["TransferRunStarted", "TransferRunPlanned", "TransferRunCompleted"];
    assert_eq!(office.bus.events(begun.run), events);
}

#[test]
fn a_rule_that_is_switched_off_stops_its_run() {
    let office = Office::with(3);
    let run = scheduled(&office).run;
    office.switch_off();
    let completed = office.finish(run);
    assert_eq!(skipped(&completed), [(0, "rule_off"), (1, "rule_off"), (2, "rule_off")]);
    assert_eq!(office.transfers(), [0; 3]);
}

#[test]
fn what_cannot_run_is_refused_with_its_reason() {
    let asked =
        |role| Occasion::Asked { caller: caller(role), context: context(Actor::Staff(staff(9)), period()) };
    let office = Office::with(1);
    for role in [Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions] {
        let refusal = refused(ready(start_run(office.stores(), rule(), &asked(role))));
        assert_eq!(refusal, TransferRefusal::Forbidden("只有管理员或经理可以管理流转规则"));
    }
    let unknown = domain::TransferRuleId(uuid::Uuid::from_u128(51));
    let refusal = refused(ready(start_run(office.stores(), unknown, &asked(Role::Admin))));
    assert_eq!(refusal, TransferRefusal::RuleNotFound);
    office.switch_off();
    for occasion in [asked(Role::Manager), Occasion::Period(period())] {
        let refusal = refused(ready(start_run(office.stores(), rule(), &occasion)));
        assert_eq!(refusal, TransferRefusal::RuleDisabled);
    }
    let training = RuleText { target_module: TargetModule::Training, ..text() };
    let office = Office::under(training, 1);
    let refusal = refused(ready(start_run(office.stores(), rule(), &asked(Role::Admin))));
    assert_eq!(refusal, TransferRefusal::OtherModule);
    assert_eq!(refused(ready(continue_run(office.stores(), begun_nowhere()))).to_string(), "流转执行不存在");
}

fn begun_nowhere() -> TransferRunId {
    TransferRunId(uuid::Uuid::from_u128(99))
}

#[test]
fn the_window_holds_the_schedule_and_not_the_manager() {
    let night = Window { start: "22:00".parse().unwrap(), end: "06:00".parse().unwrap(), ..text().window };
    let office = Office::under(RuleText { window: night, ..text() }, 2);
    let head = office.bus.head();
    let begun = scheduled(&office);
    assert_eq!((begun.planned, begun.completed), (0, true), "10:00 in Shanghai is no night");
    assert_eq!(begun.nothing, Some(domain::transfer_rule::plan::Nothing::WindowClosed));
    assert_eq!(office.bus.head(), head, "an hour outside the window is not worth an event");

    // 05:00 in Shanghai is 21:00 of the day before where the server runs.
    *office.now.lock().unwrap() = period() - TimeDelta::hours(5);
    let begun = ready(start_run(office.stores(), rule(), &Occasion::Period(period() - TimeDelta::hours(5))));
    assert_eq!(begun.unwrap().planned, 2);

    let office = Office::under(RuleText { window: night, ..text() }, 2);
    let context = context(Actor::Staff(staff(9)), period());
    let run = TransferRunId(context.metadata.command.0);
    let asked = Occasion::Asked { caller: caller(Role::Manager), context };
    let begun = ready(start_run(office.stores(), rule(), &asked)).unwrap();
    assert_eq!((begun.run, begun.planned), (run, 2));
    let started = office.run(run).started.unwrap();
    assert_eq!(
        (started.trigger, started.period, started.by),
        (Trigger::Manual, None, Actor::Staff(staff(9)))
    );
}

#[test]
fn a_run_of_more_than_a_page_moves_every_lead() {
    let mut office = Office::with(150);
    office.limits.holding_cap = 1000;
    let completed = whole(&office);
    assert_eq!((completed.moved.len(), office.transfers()), (150, vec![1; 150]));
    assert_eq!(TAKERS.map(|n| office.held(n)), [75, 75]);
}

#[test]
fn a_key_answers_again_and_serves_no_other_request() {
    let office = Office::with(2);
    let mut context = context(Actor::Staff(staff(9)), period());
    context.fingerprint = Some("one".into());
    let asked = |context: &_| Occasion::Asked { caller: caller(Role::Admin), context: Clone::clone(context) };
    let first = ready(start_run(office.stores(), rule(), &asked(&context))).unwrap();
    assert_eq!(ready(start_run(office.stores(), rule(), &asked(&context))).unwrap(), first);
    context.fingerprint = Some("another".into());
    let reused = ready(start_run(office.stores(), rule(), &asked(&context)));
    assert!(matches!(reused, Err(ExecuteError::Append(crate::bus::AppendError::KeyReused))));
}
