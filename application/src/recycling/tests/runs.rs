//! What a run does, what it leaves alone, and that nothing happens twice.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::Actor;
use domain::customer::{
    ContractStatus, CustomerCommand, CustomerEvent, CustomerRecycled, LeadSource, Ownership, ProfilePatch,
    RecycleWarned,
};
use domain::recycle_rule::{RecycleKind, RecycleText};
use domain::staff::Role;

use super::*;

use crate::customers::tests::memory::{Memory, ready};

const FALLEN: &str = "CustomerRecycled";
const REMINDED: &str = "CustomerFollowUpDue";

fn warned(office: &Office, n: u128) -> usize {
    let is = |name: &&&str| name.contains("Warned");
    office.bus.events(lead(n)).iter().filter(is).count()
}

#[test]
fn after_seven_days_without_a_follow_up_a_lead_is_in_the_pool_and_counts_no_more() {
    let office = Office::with(3);
    follow_up(&office.bus, 1, day(2), None);
    let outcome = office.run(day(7));
    assert_eq!((outcome.recycled, outcome.rules, office.held(OWNER)), (2, 1, 1));
    let CustomerEvent::Recycled(CustomerRecycled { from, rule: by, reason, at, .. }) =
        office.bus.last(lead(0))
    else {
        panic!("the last thing that happened was the fall");
    };
    assert_eq!((from, by, at), (staff(OWNER), rule(0), day(7)));
    assert_eq!(reason, "超过7天未跟进，自动回收");
    assert!(matches!(office.customer(lead(2)).ownership, Ownership::InPool { .. }));
    assert_eq!(office.customer(lead(1)).owner(), Some(staff(OWNER)));
    assert_eq!(office.run(day(9)).recycled, 1, "seven days after the follow-up");
}

#[test]
fn a_second_before_it_is_due_it_stays() {
    let office = Office::with(1);
    assert_eq!(office.run(day(7) - TimeDelta::seconds(1)).recycled, 0);
    assert_eq!(office.run(day(7)).recycled, 1);
}

#[test]
fn signed_frozen_and_referred_leads_never_fall() {
    let mut office = Office::with(3);
    office.lead(3, LeadSource::Referral);
    let by = || Actor::Staff(staff(9));
    let freeze = CustomerCommand::Freeze { reason: None, by: by(), at: day(1) };
    write::<domain::customer::Customer>(&office.bus, lead(0), freeze, vec![]);
    let sign = CustomerCommand::Update {
        changes: Box::new(ProfilePatch::default()),
        contract_status: Some(ContractStatus::Signed),
        lead_level: None,
        by: by(),
        at: day(1),
    };
    write::<domain::customer::Customer>(&office.bus, lead(1), sign, vec![]);
    assert_eq!(office.run(day(900)).recycled, 1);
    assert_eq!([0, 1, 2, 3].map(|n| office.count(n, FALLEN)), [0, 0, 1, 0]);
}

#[test]
fn owners_are_warned_three_days_and_one_day_before_once_each() {
    let office = Office::with(1);
    let mut told = vec![];
    for hour in 0..=(7 * 24) {
        let outcome = office.run(day_one() + TimeDelta::hours(hour));
        if outcome.warned > 0 {
            told.push(hour);
        }
    }
    assert_eq!(told, [4 * 24, 6 * 24]);
    assert_eq!((warned(&office, 0), office.count(0, FALLEN)), (2, 1));
}

#[test]
fn a_follow_up_puts_fall_and_warnings_off() {
    let office = Office::with(1);
    assert_eq!(office.run(day(4)).warned, 1);
    follow_up(&office.bus, 0, day(5), None);
    assert_eq!(office.run(day(7)), Outcome { rules: 1, ..Outcome::default() });
    assert_eq!(office.run(day(9)).warned, 1, "three days before the new moment");
    let CustomerEvent::RecycleWarned(RecycleWarned { to, due_at, offset_hours, .. }) =
        office.bus.last(lead(0))
    else {
        panic!("the last thing that happened was the warning");
    };
    assert_eq!((to, due_at, offset_hours), (staff(OWNER), day(12), 72));
}

/// What somebody does with the lead, and what the run says then.
type Race = (&'static str, fn(&Memory), fn(Outcome) -> u64);

const RACES: [Race; 4] = [
    ("followed up", |bus| follow_up(bus, 0, day(7), None), |outcome| outcome.touched),
    ("assigned", |bus| give(bus, 0, day(7)), |outcome| outcome.touched),
    ("released", |bus| release(bus, 0, day(7)), |outcome| outcome.gone),
    (
        "released and claimed",
        |bus| {
            release(bus, 0, day(7));
            claim(bus, 0, day(7));
        },
        |outcome| outcome.touched,
    ),
];

#[test]
fn whoever_is_faster_between_scan_and_look_keeps_what_was_done() {
    for (what, meanwhile, counted) in RACES {
        let office = Office::with(1);
        office.look();
        meanwhile(&office.bus);
        let held = [OWNER, COLLEAGUE].map(|n| office.held(n));
        let outcome = office.run(day(7));
        assert_eq!((outcome.recycled, counted(outcome)), (0, 1), "{what}");
        assert_eq!(
            (office.count(0, FALLEN), [OWNER, COLLEAGUE].map(|n| office.held(n))),
            (0, held),
            "{what}"
        );
    }
}

#[test]
fn even_between_the_last_look_and_the_append() {
    for (what, meanwhile, counted) in RACES {
        let office = Office::with(1);
        office.bus.meanwhile(meanwhile);
        let outcome = office.run(day(7));
        assert_eq!((outcome.recycled, counted(outcome)), (0, 1), "{what}");
        assert_eq!(office.count(0, FALLEN), 0, "{what}");
        let held: i64 = [OWNER, COLLEAGUE].map(|n| office.held(n)).iter().sum();
        let owned = i64::from(office.customer(lead(0)).owner().is_some());
        assert_eq!(held, owned, "{what}: every owned lead counts once");
    }
}

#[test]
fn what_changes_nothing_about_the_fall_does_not_stop_it() {
    let office = Office::with(1);
    office.bus.meanwhile(|bus| {
        let level = CustomerCommand::Update {
            changes: Box::new(ProfilePatch::default()),
            contract_status: None,
            lead_level: Some(domain::customer::LeadLevel::B),
            by: Actor::Staff(staff(OWNER)),
            at: day(7),
        };
        write::<domain::customer::Customer>(bus, lead(0), level, vec![]);
    });
    assert_eq!((office.run(day(7)).recycled, office.held(OWNER)), (1, 0));
}

#[test]
fn a_warning_is_not_told_to_whoever_followed_up_meanwhile() {
    let office = Office::with(1);
    office.bus.meanwhile(|bus| follow_up(bus, 0, day(4), None));
    let outcome = office.run(day(4));
    assert_eq!((outcome.warned, outcome.touched, warned(&office, 0)), (0, 1, 0));
}

#[test]
fn a_run_that_is_begun_again_counts_what_it_did_and_does_it_once() {
    let office = Office::with(150);
    office.look();
    let first = office.run(day(7));
    let head = office.bus.head();
    assert_eq!((first.recycled, office.held(OWNER)), (150, 0));
    assert_eq!(office.run(day(7)), first, "the scan was late; the receipts are not");
    assert_eq!((office.bus.head(), office.held(OWNER)), (head, 0));
}

#[test]
fn of_two_processes_that_run_at_once_one_puts_the_lead_into_the_pool() {
    let office = Arc::new(Office::with(2));
    let other = Arc::clone(&office);
    office.bus.meanwhile(move |_| {
        ready(recycle(other.stores(), day(7))).unwrap();
    });
    assert_eq!(office.run(day(7)).recycled, 2, "done, whoever did it");
    assert_eq!(([0, 1].map(|n| office.count(n, FALLEN)), office.held(OWNER)), ([1, 1], 0));
}

#[test]
fn a_rule_that_is_switched_off_takes_no_further_lead() {
    let office = Office::with(1);
    let off = |office: &Office| {
        let admin = caller(Role::Admin);
        ready(switch_rule(&office.bus, &admin, &context(day(3)), (rule(0), None), false)).unwrap();
    };
    off(&office);
    let outcome = office.run(day(8));
    assert_eq!((outcome.recycled, outcome.to_string().as_str()), (0, "no recycle rule is on"));
    let admin = caller(Role::Admin);
    ready(switch_rule(&office.bus, &admin, &context(day(9)), (rule(0), None), true)).unwrap();
    let again = office.run(day(9));
    assert_eq!((again.recycled, again.warned), (0, 1), "overdue, and on again: its owner is warned first");
    assert_eq!((office.run(day(11)).warned, office.run(day(12)).recycled), (1, 1));
}

#[test]
fn the_first_rule_that_fits_decides_whichever_is_due_first() {
    let office = Office::with(1);
    let patient = RecycleText { priority: 1, kind: RecycleKind::NotSigned { days: 30 }, ..text() };
    office.write(1, patient);
    assert_eq!(office.run(day(7)).recycled, 0);
    assert_eq!(office.run(day(30)).recycled, 1);
    let CustomerEvent::Recycled(fallen) = office.bus.last(lead(0)) else { panic!("it fell") };
    assert_eq!((fallen.rule, fallen.reason.as_str()), (rule(1), "30天内未签约，自动回收"));
}

#[test]
fn the_run_says_in_one_sentence_what_came_of_it() {
    let office = Office::with(3);
    follow_up(&office.bus, 1, day(3), None);
    office.look();
    follow_up(&office.bus, 2, day(6), None);
    let sentence = office.run(day(7)).to_string();
    assert_eq!(
        sentence,
        "1 leads went into the pool and 1 warnings were told by 1 rules; left alone: 1 touched meanwhile"
    );
}

#[test]
fn the_owner_is_reminded_of_a_follow_up_once_when_it_is_due() {
    let office = Office::without_rules(1);
    follow_up(&office.bus, 0, day(0), Some(day(2)));
    let remind_at = |at| {
        *office.now.lock().unwrap() = at;
        ready(remind(office.stores())).unwrap().reminded
    };
    assert_eq!(remind_at(day(2) - TimeDelta::seconds(1)), 0);
    assert_eq!(remind_at(day(2)), 1);
    let CustomerEvent::FollowUpDue(due) = office.bus.last(lead(0)) else { panic!("reminded") };
    assert_eq!((due.to, due.due), (staff(OWNER), day(2)));
    let head = office.bus.head();
    remind_at(day(3));
    assert_eq!(office.bus.head(), head, "told once");
    assert_eq!(office.count(0, REMINDED) + office.count(0, "FollowUpDue"), 1);

    follow_up(&office.bus, 0, day(3), Some(day(4)));
    office.bus.meanwhile(|bus| follow_up(bus, 0, day(4), None));
    assert_eq!(remind_at(day(4)), 0, "done meanwhile");
    follow_up(&office.bus, 0, day(4), Some(day(5)));
    assert_eq!(remind_at(day(13)), 0, "too late to be of use");
}

#[test]
fn a_lead_of_the_pool_reminds_nobody() {
    let office = Office::without_rules(1);
    follow_up(&office.bus, 0, day(0), Some(day(2)));
    release(&office.bus, 0, day(1));
    *office.now.lock().unwrap() = day(2);
    let reminded = ready(remind(office.stores())).unwrap();
    assert_eq!((reminded.reminded, reminded.passed_over), (0, 1));
    assert_eq!(reminded.to_string(), "0 owners were reminded of follow-ups; 1 were not due any more");
}
