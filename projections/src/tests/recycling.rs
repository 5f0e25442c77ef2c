//! Who falls, who is warned and who is reminded, as the read models know it.

use application::recycling::{Falling, Leads as _, Reminder, Warning};
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{
    ContractStatus, CustomerEvent, CustomerFrozen, CustomerRecycled, FollowUpDue, RecycleWarned,
};
use domain::planned_leads::Stayed;
use domain::recycle_rule::run::{
    NamedRule, PlannedFall, RecycleRunCompleted, RecycleRunEvent, RecycleRunPlanned, RecycleRunStarted,
};
use domain::recycle_rule::{
    PoolDue, RecycleKind, RecycleRuleDeleted, RecycleRuleDisabled, RecycleRuleEvent, RecycleRuleRevised,
    RecycleText,
};
use rstest::rstest;

use super::kit::recycling::{planned, recycle_rule, run, run_begun, seven_days};
use super::kit::{
    Backend, World, assigned, by, claimed, created, customer, dawn, deleted, followed_up, moved_to, profile,
    released, staff,
};
use crate::queries::PageRequest;
use crate::queries::recycling::{RUNS_PAGE_MAX, RecyclingLeads, policy, rules, runs};

fn day(n: i64) -> DateTime<Utc> {
    dawn() + TimeDelta::days(n)
}

fn port(world: &World) -> RecyclingLeads {
    RecyclingLeads(world.projections.clone())
}

/// Six leads of person 2 since dawn, under the rule of seven days.
async fn world(backend: Backend) -> World {
    let world = World::new(backend).await;
    world.recycle_rule(1, seven_days(dawn()), dawn()).await;
    for n in 1..=6 {
        let owned = [created(n, profile("客户"), dawn()), assigned(2, dawn())];
        world.append(customer(n), &owned).await;
    }
    world
}

async fn falling(world: &World, until: DateTime<Utc>) -> Vec<u128> {
    let policy = policy(&world.db).await.unwrap();
    let found = port(world).falling(&policy, None, until, 100).await.unwrap();
    found.into_iter().map(|one| one.customer.0.as_u128() - customer(0).0.as_u128()).collect()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_falls_is_asked_of_the_rows_by_the_moment_it_falls(#[case] backend: Backend) {
    let world = world(backend).await;
    let frozen: CustomerEvent = CustomerFrozen { reason: None, by: by(1), at: day(1) }.into();
    world.append(customer(1), &[followed_up(1, 2, "已联系", day(2))]).await;
    world.append(customer(2), &[frozen]).await;
    world.append(customer(3), &[moved_to(ContractStatus::Signed, day(1))]).await;
    world.append(customer(4), &[released(2, day(1))]).await;
    world.append(customer(5), &[deleted(Some(2), day(1))]).await;
    world.settle().await;
    assert_eq!(falling(&world, day(7) - TimeDelta::seconds(1)).await, []);
    assert_eq!(falling(&world, day(7)).await, [6]);
    assert_eq!(falling(&world, day(30)).await, [6, 1], "the one that was followed up falls later");

    let policy = policy(&world.db).await.unwrap();
    let due = PoolDue { at: day(7), rule: recycle_rule(1), days: 7 };
    let first = Falling { customer: customer(6), owner: staff(2), due };
    assert_eq!(port(&world).falling(&policy, None, day(30), 1).await.unwrap(), [first]);

    world.append(customer(4), &[claimed(3, day(3))]).await;
    let fallen =
        CustomerRecycled { from: staff(2), rule: recycle_rule(1), reason: "x".into(), run: None, at: day(7) };
    world.append(customer(6), &[CustomerEvent::from(fallen)]).await;
    world.settle().await;
    assert_eq!(falling(&world, day(30)).await, [1, 4]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_days_that_a_person_s_gift_is_safe_count_in_the_rows_too(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let text = RecycleText { protected_hours: 20 * 24, ..seven_days(dawn()) };
    world.recycle_rule(1, text, dawn()).await;
    // Given to person 2 by person 1; claimed by person 3 itself.
    world.append(customer(1), &[created(1, profile("客户"), dawn()), assigned(2, dawn())]).await;
    let taken =
        [created(2, profile("客户"), dawn()), assigned(2, dawn()), released(2, dawn()), claimed(3, dawn())];
    world.append(customer(2), &taken).await;
    world.settle().await;
    assert_eq!(falling(&world, day(19)).await, [2]);
    assert_eq!(falling(&world, day(20)).await, [2, 1]);
    let policy = policy(&world.db).await.unwrap();
    // What another rule decides takes no place in the answer, however little there is room for.
    for (by, fall) in [(None, vec![customer(2)]), (Some(1), vec![customer(2)]), (Some(9), vec![])] {
        let found = port(&world).falling(&policy, by.map(recycle_rule), day(30), 1).await.unwrap();
        assert_eq!(found.into_iter().map(|one| one.customer).collect::<Vec<_>>(), fall, "{by:?}");
    }
    let warned = port(&world).warnings(&policy, day(18), 100).await.unwrap();
    let due = PoolDue { at: day(20), rule: recycle_rule(1), days: 7 };
    assert_eq!(warned, [Warning { customer: customer(1), due, offset_hours: 72 }]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_warning_is_found_until_it_was_told(#[case] backend: Backend) {
    let world = world(backend).await;
    world.append(customer(1), &[followed_up(1, 2, "已联系", day(2))]).await;
    let told: CustomerEvent =
        RecycleWarned { to: staff(2), rule: recycle_rule(1), due_at: day(7), offset_hours: 72, at: day(4) }
            .into();
    world.append(customer(2), &[told]).await;
    world.settle().await;
    let policy = policy(&world.db).await.unwrap();
    let warned = async |at| {
        let found = port(&world).warnings(&policy, at, 100).await.unwrap();
        found
            .iter()
            .map(|one| (one.customer.0.as_u128() - customer(0).0.as_u128(), one.offset_hours))
            .collect::<Vec<_>>()
    };
    assert_eq!(warned(day(4) - TimeDelta::seconds(1)).await, []);
    assert_eq!(warned(day(4)).await, [(3, 72), (4, 72), (5, 72), (6, 72)]);
    assert_eq!(warned(day(6)).await, [(2, 24), (3, 24), (4, 24), (5, 24), (6, 24), (1, 72)]);
    assert_eq!(warned(day(7)).await, [(1, 72)], "what falls is not warned of");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_follow_up_that_is_due_is_found_until_its_owner_was_reminded(#[case] backend: Backend) {
    let world = world(backend).await;
    // Each is to be followed up again a day later.
    for n in 1..=5 {
        world.append(customer(n), &[followed_up(n, 2, "已联系", day(1))]).await;
    }
    let due: CustomerEvent = FollowUpDue { to: staff(2), due: day(2), at: day(2) }.into();
    world.append(customer(2), &[due]).await;
    world.append(customer(3), &[followed_up(33, 2, "又联系", day(2))]).await;
    world.append(customer(4), &[released(2, day(1))]).await;
    world.append(customer(5), &[deleted(Some(2), day(1))]).await;
    world.settle().await;
    let found = async |from, at| port(&world).reminders(from, at, 100).await.unwrap();
    let reminder = |n, due| Reminder { customer: customer(n), due };
    assert_eq!(found(day(0), day(2) - TimeDelta::seconds(1)).await, []);
    assert_eq!(found(day(0), day(2)).await, [reminder(1, day(2))]);
    assert_eq!(found(day(0), day(3)).await, [reminder(1, day(2)), reminder(3, day(3))]);
    assert_eq!(found(day(2), day(3)).await, [reminder(3, day(3))], "the other one is too old");
    assert_eq!(port(&world).reminders(day(0), day(3), 1).await.unwrap().len(), 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn rules_are_listed_in_the_order_in_which_they_are_asked(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for (n, priority) in [(1, 20), (2, 10), (3, 30), (4, 5)] {
        world.recycle_rule(n, RecycleText { priority, ..seven_days(dawn()) }, dawn()).await;
    }
    let off: RecycleRuleEvent = RecycleRuleDisabled { by: by(1), at: dawn() }.into();
    let gone: RecycleRuleEvent = RecycleRuleDeleted { by: by(1), at: dawn() }.into();
    let text = RecycleText { kind: RecycleKind::NotSigned { days: 9 }, ..seven_days(dawn()) };
    let last: RecycleRuleEvent =
        RecycleRuleRevised { text: RecycleText { priority: 40, ..text }, by: by(1), at: dawn() }.into();
    world.append(recycle_rule(2), &[off]).await;
    world.append(recycle_rule(4), &[gone]).await;
    world.append(recycle_rule(1), &[last]).await;
    world.settle().await;
    let listed: Vec<_> = rules(&world.db).await.unwrap().iter().map(|row| (row.id, row.version)).collect();
    assert_eq!(listed, [(recycle_rule(2), 2), (recycle_rule(3), 1), (recycle_rule(1), 2)]);
    let counting: Vec<_> = policy(&world.db).await.unwrap().terms().iter().map(|term| term.rule).collect();
    assert_eq!(counting, [recycle_rule(3), recycle_rule(1)]);
    let known = port(&world).rules().await.unwrap();
    assert_eq!(known, [1, 2, 3, 4].map(recycle_rule), "deleted ones too");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_run_is_unfinished_until_its_end(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in [3, 1, 2] {
        world.append(run(day(n)), &run_begun(1, day(n))).await;
    }
    world.settle().await;
    let leads = port(&world);
    assert_eq!(leads.unfinished().await.unwrap(), [1, 2, 3].map(|n| run(day(n))), "the oldest first");
    let over: RecycleRunEvent = RecycleRunCompleted {
        period: day(2),
        rules: vec![],
        fallen: vec![planned(1)],
        skipped: vec![],
        at: day(3),
    }
    .into();
    world.append(run(day(2)), &[over]).await;
    world.settle().await;
    assert_eq!(leads.unfinished().await.unwrap(), [1, 3].map(|n| run(day(n))));

    let page = async |number, limit| {
        let page = runs(&world.db, PageRequest::new(number, limit, RUNS_PAGE_MAX)).await.unwrap();
        (page.items.into_iter().map(|run| run.id).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(page(1, 2).await, ([3, 2].map(|n| run(day(n))).to_vec(), 3), "those that are over too");
    assert_eq!(page(2, 2).await, (vec![run(day(1))], 3));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_list_of_runs_counts_their_leads_however_the_events_come_in(
    #[case] backend: Backend,
    #[values(true, false)] in_one_page: bool,
) {
    let world = World::new(backend).await;
    let (first, second) = (recycle_rule(1), recycle_rule(2));
    let named = |rule, name: &str| NamedRule { rule, name: name.to_owned() };
    let rules = vec![named(first, "七天未跟进"), named(second, "三十天未签约")];
    let by = |n, rule| PlannedFall { rule, ..planned(n) };
    let started = RecycleRunStarted { period: day(1), rules: rules.clone(), at: day(2) };
    let planned = |falls| RecycleRunEvent::from(RecycleRunPlanned { falls });
    let completed = RecycleRunCompleted {
        period: day(1),
        rules,
        fallen: vec![by(1, first), by(3, first)],
        skipped: vec![Stayed { customer: customer(2), reason: "touched".to_owned() }],
        at: day(3),
    };
    let events: [RecycleRunEvent; 4] = [
        started.into(),
        planned(vec![by(1, first), by(2, second)]),
        planned(vec![by(3, first)]),
        completed.into(),
    ];
    let row = async || runs(&world.db, PageRequest::new(1, 9, RUNS_PAGE_MAX)).await.unwrap().items.remove(0);
    if in_one_page {
        world.append(run(day(1)), &events).await;
    } else {
        for (n, event) in events.iter().enumerate() {
            world.append(run(day(1)), std::slice::from_ref(event)).await;
            world.settle().await;
            let row = row().await;
            assert_eq!((row.planned, row.completed_at.is_some()), ([0, 2, 3, 3][n], n == 3));
            assert_eq!((row.fallen, row.stayed), if n == 3 { (2, 1) } else { (0, 0) });
        }
    }
    world.settle().await;
    let row = row().await;
    assert_eq!((row.period, row.started_at, row.completed_at), (day(1), day(2), Some(day(3))));
    let of_rules: Vec<_> = row.rules.iter().map(|one| (one.name.as_str(), one.planned)).collect();
    assert_eq!(of_rules, [("七天未跟进", 2), ("三十天未签约", 1)]);
    assert_eq!((row.planned, row.fallen, row.stayed), (3, 2, 1));
}
