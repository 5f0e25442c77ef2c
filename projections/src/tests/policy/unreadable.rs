//! A lead of a run that nobody can read any more: it stays, the others get their fate, the run gets its end, and the end
//! says so.

use std::sync::Arc;

use application::customers::Limits;
use application::recycling::{self, finish_left, recycle, remind};
use application::schedules::Period;
use application::transfers::{Occasion, SkipReason, Stores, complete_run, continue_run, start_run};
use chrono::{DateTime, TimeDelta, Utc};
use domain::planned_leads::Stayed;
use domain::recycle_rule::run::{PlannedFall, RecycleRunEvent, RecycleRunPlanned, RecycleRunStarted};
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::TransferRunEvent;
use infrastructure::bus::Bus;
use infrastructure::scheduler::ScheduledJob as _;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::super::kit::recycling::{recycle_rule, run, seven_days};
use super::super::kit::{Backend, customer, dawn, followed_up, rule, staff};
use super::kit::{ADMIN, Office, ZHANG, assigned, created};
use super::lead_transfer::{LEADS, events, open, period, work};
use crate::lead_transfer::LeftRuns;
use crate::queries::recycling::RecyclingLeads;
use crate::queries::transfers::LeadCandidates;

/// Which lead somebody's newer program wrote to.
const BROKEN: u128 = 3;

/// No program of today writes such an event.
const NEWER: i32 = 99;

/// A bus that has read nothing yet.
fn bus(office: &Office) -> Bus {
    Bus::new(office.world.log.clone(), Arc::new(Upcasters::none()))
}

fn unreadable(n: u128) -> Stayed {
    Stayed { customer: customer(n), reason: "unreadable".to_owned() }
}

#[rstest]
#[tokio::test]
async fn a_transfer_run_ends_without_the_lead_that_cannot_be_read(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let bus = bus(&office);
    let candidates = LeadCandidates::new(office.world.roster().clone());
    let (limits, clock) = (Limits::default(), office.world.clock.clone());
    let stores = Stores { bus: &bus, candidates: &candidates, limits: &limits, clock: clock.as_ref() };
    let begun = start_run(stores, rule(1), &Occasion::Period(period())).await.unwrap();
    assert_eq!(begun.planned, usize::try_from(LEADS).unwrap());
    office.world.settle().await;
    office.garble(BROKEN, NEWER).await;

    let left = LeftRuns(work(&office, &office.world.projections));
    let told = left.run(Period(period() + TimeDelta::minutes(5)), CancellationToken::new()).await.unwrap();
    assert_eq!(told, "1 unfinished runs carried on; 1 leads stayed that cannot be read");
    let ended = events::<TransferRunEvent>(&office, "transfer_run").await.pop().unwrap().1;
    let TransferRunEvent::Completed(ended) = ended else { panic!("{ended:?}") };
    assert_eq!((ended.moved.len(), &ended.skipped), (5, &vec![unreadable(BROKEN)]));
    let (zh, en) = SkipReason::texts(&ended.skipped[0].reason).expect("people read why");
    assert!(zh.contains("无法读取") && en.contains("cannot be read"), "{zh} {en}");

    // Its fate is decided: whoever comes late finds the same.
    let again = continue_run(stores, begun.run).await.unwrap();
    assert_eq!((again.moved, again.skipped), (ended.moved, ended.skipped));
}

#[rstest]
#[tokio::test]
async fn a_run_of_which_nothing_can_be_read_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let bus = bus(&office);
    let candidates = LeadCandidates::new(office.world.roster().clone());
    let (limits, clock) = (Limits::default(), office.world.clock.clone());
    let stores = Stores { bus: &bus, candidates: &candidates, limits: &limits, clock: clock.as_ref() };
    let run = start_run(stores, rule(1), &Occasion::Period(period())).await.unwrap().run;
    for n in 1..=LEADS {
        office.garble(n, NEWER).await;
    }
    let outcome = continue_run(stores, run).await.unwrap();
    let ended = complete_run(stores, run, outcome).await.unwrap();
    assert_eq!((ended.skipped.len(), ended.explanation.as_deref()), (6, Some("all_unreadable")));
    assert!(Nothing::of_code("all_unreadable").is_some());
}

/// 张三's leads since dawn, under the rule of seven days.
async fn lie_about(backend: Backend) -> Office {
    let office = Office::open(backend).await;
    office.world.recycle_rule(1, seven_days(dawn()), dawn()).await;
    for n in 1..=LEADS {
        let given = assigned(ZHANG, ADMIN, domain::customer::AssignmentSource::Manual);
        office.world.append(customer(n), &[created(n, ADMIN), given]).await;
    }
    office
}

fn day(n: i64) -> DateTime<Utc> {
    dawn() + TimeDelta::days(n)
}

#[rstest]
#[tokio::test]
async fn a_recycle_run_ends_without_the_lead_that_cannot_be_read(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = lie_about(backend).await;
    let fall = |n| PlannedFall { customer: customer(n), from: staff(ZHANG), rule: recycle_rule(1) };
    let begun: [RecycleRunEvent; 2] = [
        RecycleRunStarted { period: day(7), rules: vec![], at: day(7) }.into(),
        RecycleRunPlanned { falls: (1..=LEADS).map(fall).collect() }.into(),
    ];
    office.world.append(run(day(7)), &begun).await;
    office.world.settle().await;
    office.garble(BROKEN, NEWER).await;
    office.world.clock.set(day(7) + TimeDelta::minutes(5));

    let (bus, leads) = (bus(&office), RecyclingLeads(office.world.projections.clone()));
    let clock = office.world.clock.clone();
    let stores = recycling::Stores { bus: &bus, leads: &leads, clock: clock.as_ref() };
    let outcome = finish_left(stores, day(7) + TimeDelta::minutes(3)).await.unwrap();
    assert_eq!((outcome.resumed, outcome.recycled, outcome.unreadable), (1, 5, 1));
    let ended = events::<RecycleRunEvent>(&office, "recycle_run").await.pop().unwrap().1;
    let RecycleRunEvent::Completed(ended) = ended else { panic!("{ended:?}") };
    assert_eq!((ended.fallen.len(), &ended.skipped), (5, &vec![unreadable(BROKEN)]));

    // The hour's run asks again of what the list still shows, and tells whoever looks at the jobs.
    let told = recycle(stores, day(7)).await.unwrap().to_string();
    let expected = "5 leads went into the pool and 0 warnings were told by 1 rules; left alone: 1 whose record cannot be read";
    assert_eq!(told, expected);
}

#[rstest]
#[tokio::test]
async fn warnings_and_reminders_of_the_others_are_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = lie_about(backend).await;
    for n in 1..=LEADS {
        // Each is to be followed up again a day later.
        office.world.append(customer(n), &[followed_up(n, ZHANG, "已联系", day(1))]).await;
    }
    office.world.settle().await;
    office.garble(BROKEN, NEWER).await;
    let (bus, leads) = (bus(&office), RecyclingLeads(office.world.projections.clone()));
    let clock = office.world.clock.clone();
    let stores = recycling::Stores { bus: &bus, leads: &leads, clock: clock.as_ref() };
    clock.set(day(2));
    let told = remind(stores).await.unwrap().to_string();
    assert_eq!(told, "5 owners were reminded of follow-ups; 1 leads cannot be read");
    clock.set(day(6));
    let outcome = recycle(stores, day(6)).await.unwrap();
    assert_eq!((outcome.warned, outcome.unreadable, outcome.recycled), (5, 1, 0));
}
