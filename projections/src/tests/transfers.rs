//! Transfer rules in the read models: lists, records, balances.

mod ports;

use domain::customer::ContractStatus;
use domain::transfer_rule::TransferRuleRevised;
use domain::transfer_rule::plan::{NoPlace, Nothing, Unplaced};
use domain::transfer_rule::run::{PlannedMove, TransferRunCompleted, TransferRunEvent, TransferRunPlanned};
use domain::{StaffId, TransferRuleId};
use rstest::rstest;

use super::kit::{
    Backend, World, assigned, by, created, customer, dawn, followed_up, moved_by, planned, profile, rule,
    rule_text, rule_written, run, run_begun, run_over, second, staff,
};
use crate::queries::PageRequest;
use crate::queries::transfers::{
    self, RecordFilter, RecordStatus, RuleStatistics, TransferStatistics, UserStatistics,
};

/// Leads 1, 2 and 3 are with person 1.
async fn office(backend: Backend) -> World {
    let world = World::new(backend).await;
    for n in 1..=3 {
        let events = [
            created(n, profile(&format!("客户{n}")), dawn()),
            assigned(1, second(10)),
            followed_up(0x5000 + n, 1, "已联系", second(60)),
        ];
        world.append(customer(n), &events).await;
    }
    world.append(rule(1), &[rule_written(rule_text("闲置流转"), dawn())]).await;
    world
}

async fn statuses(world: &World, filter: &RecordFilter) -> Vec<(u128, RecordStatus, Option<String>)> {
    let page = PageRequest::new(1, 50, transfers::PAGE_RECORDS_MAX);
    let found = transfers::records(&world.db, filter, page).await.unwrap();
    assert_eq!(found.total, i64::try_from(found.items.len()).unwrap());
    let mut rows: Vec<_> = found
        .items
        .into_iter()
        .map(|one| (one.customer.0.as_u128() - customer(0).0.as_u128(), one.status, one.reason))
        .collect();
    rows.sort();
    rows
}

#[rstest]
#[tokio::test]
async fn a_record_follows_its_move(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use RecordStatus::{Failed, Planned, Success};

    let world = office(backend).await;
    let moves = [planned(1, 1, 2), planned(2, 1, 3), planned(3, 1, 2)];
    let hours = second(60 + 49 * 3600);
    world.append(run(1), &run_begun(rule(1), rule_text("闲置流转"), &moves, hours)).await;
    world.settle().await;
    let all = RecordFilter::default();
    assert_eq!(
        statuses(&world, &all).await,
        [(1, Planned, None), (2, Planned, None), (3, Planned, None)],
        "before the first lead moves"
    );
    assert_eq!(transfers::unfinished(&world.db, second(i64::from(u32::MAX))).await.unwrap(), [run(1)]);
    assert_eq!(transfers::unfinished(&world.db, hours).await.unwrap(), [], "it begins only then");

    world.append(customer(1), &[moved_by(run(1), rule(1), moves[0], hours)]).await;
    world.settle().await;
    assert_eq!(
        statuses(&world, &all).await[0],
        (1, Success, None),
        "a move shows while the run is under way"
    );

    world.append(customer(2), &[moved_by(run(1), rule(1), moves[1], hours)]).await;
    world.append(run(1), &[run_over(rule(1), &moves[..2], &[(3, "active")], hours)]).await;
    world.settle().await;
    let active = || Some("active".to_owned());
    assert_eq!(statuses(&world, &all).await, [(1, Success, None), (2, Success, None), (3, Failed, active())]);
    assert_eq!(transfers::unfinished(&world.db, second(i64::from(u32::MAX))).await.unwrap(), []);
    let over = transfers::run(&world.db, run(1)).await.unwrap().unwrap();
    assert_eq!((over.planned, over.moved, over.skipped, over.completed_at), (3, 2, 1, Some(hours)));
    assert_eq!(transfers::runs_of(&world.db, rule(1)).await.unwrap(), [over]);

    let counted = transfers::statistics(&world.db, &all).await.unwrap();
    assert_eq!(counted, TransferStatistics { success: 2, failed: 1, planned: 0 });
    assert_eq!(counted.success_rate(), "66.67");
    assert_eq!(TransferStatistics::default().success_rate(), "0.00");
}

#[rstest]
#[tokio::test]
async fn a_lead_that_nobody_was_to_get_has_a_record_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use RecordStatus::{Failed, Success};

    let world = office(backend).await;
    let moves = [planned(1, 1, 2)];
    let hours = second(60 + 49 * 3600);
    let stay = |n| Unplaced { customer: customer(n), from: staff(1), reason: NoPlace::NoRoom };
    let begun = run_begun(rule(1), rule_text("闲置流转"), &moves, hours);
    let unplaced = TransferRunPlanned { unplaced: vec![stay(2), stay(3)], ..TransferRunPlanned::default() };
    world.append(run(1), &[begun, vec![unplaced.into()]].concat()).await;
    world.append(customer(1), &[moved_by(run(1), rule(1), moves[0], hours)]).await;
    let full = || Some("no_room".to_owned());
    let all = RecordFilter::default();
    let expected = [(1, Success, None), (2, Failed, full()), (3, Failed, full())];
    world.settle().await;
    assert_eq!(statuses(&world, &all).await, expected, "before the run is over");
    let skipped = [(2, "no_room"), (3, "no_room")];
    world.append(run(1), &[run_over(rule(1), &moves, &skipped, hours)]).await;
    world.settle().await;
    assert_eq!(statuses(&world, &all).await, expected);

    let page = PageRequest::new(1, 50, transfers::PAGE_RECORDS_MAX);
    let of = RecordFilter { customer: Some(customer(3)), ..all.clone() };
    let found = transfers::records(&world.db, &of, page).await.unwrap();
    let record = &found.items[0];
    assert_eq!((record.from, record.to, record.snapshot.inactive_hours), (staff(1), None, 49));
    let mine = RecordFilter { reader: Some(staff(1)), ..all.clone() };
    assert_eq!(statuses(&world, &mine).await.len(), 3, "who has it sees that it stayed");
    let over = transfers::run(&world.db, run(1)).await.unwrap().unwrap();
    assert_eq!((over.planned, over.moved, over.skipped), (1, 1, 2));
    let counted = transfers::statistics(&world.db, &all).await.unwrap();
    assert_eq!(counted, TransferStatistics { success: 1, failed: 2, planned: 0 });
}

#[rstest]
#[tokio::test]
async fn a_record_keeps_the_lead_as_it_was(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = office(backend).await;
    let hours = second(60 + 49 * 3600);
    let moves = [planned(1, 1, 2)];
    world.append(run(1), &run_begun(rule(1), rule_text("闲置流转"), &moves, hours)).await;
    // Whatever happens before the projector comes by: the record is of the plan.
    let later = followed_up(0x6000, 2, "又联系", hours + chrono::TimeDelta::hours(1));
    world.append(customer(1), &[moved_by(run(1), rule(1), moves[0], hours), later]).await;
    world.settle().await;
    let page = PageRequest::new(1, 1, transfers::PAGE_RECORDS_MAX);
    let found = transfers::records(&world.db, &RecordFilter::default(), page).await.unwrap();
    let snapshot = &found.items[0].snapshot;
    assert_eq!((snapshot.customer_name.as_str(), snapshot.inactive_hours), ("客户1", 49));
    assert_eq!(snapshot.last_activity_at, Some(second(60)));
    assert_eq!((snapshot.created_at, snapshot.contract_status), (dawn(), Some(ContractStatus::Matching)));
}

#[rstest]
#[tokio::test]
async fn records_are_narrowed_and_held_to_their_reader(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = office(backend).await;
    let moves = [planned(1, 1, 2), planned(2, 1, 3), planned(3, 1, 2)];
    world.append(run(1), &run_begun(rule(1), rule_text("闲置流转"), &moves, second(100))).await;
    world.append(run(1), &[run_over(rule(1), &moves[..2], &[(3, "frozen")], second(200))]).await;
    world.settle().await;
    let all = RecordFilter::default;
    let numbers = async |filter: RecordFilter| -> Vec<u128> {
        statuses(&world, &filter).await.into_iter().map(|(n, ..)| n).collect()
    };
    let cases: [(&str, RecordFilter, &[u128]); 11] = [
        ("rule", RecordFilter { rule: Some(rule(1)), ..all() }, &[1, 2, 3]),
        ("another rule", RecordFilter { rule: Some(rule(2)), ..all() }, &[]),
        ("run", RecordFilter { run: Some(run(1)), ..all() }, &[1, 2, 3]),
        ("customer", RecordFilter { customer: Some(customer(2)), ..all() }, &[2]),
        ("from", RecordFilter { from: Some(staff(1)), ..all() }, &[1, 2, 3]),
        ("to", RecordFilter { to: Some(staff(2)), ..all() }, &[1, 3]),
        ("status", RecordFilter { status: Some(RecordStatus::Failed), ..all() }, &[3]),
        ("since", RecordFilter { since: Some(second(201)), ..all() }, &[]),
        ("until", RecordFilter { until: Some(second(200)), ..all() }, &[1, 2, 3]),
        ("who gained", RecordFilter { reader: Some(staff(3)), ..all() }, &[2]),
        ("who lost", RecordFilter { reader: Some(staff(1)), to: Some(staff(3)), ..all() }, &[2]),
    ];
    for (what, filter, expected) in cases {
        assert_eq!(numbers(filter).await, expected, "{what}");
    }
    let second_page = PageRequest::new(2, 2, transfers::PAGE_RECORDS_MAX);
    let page = transfers::records(&world.db, &all(), second_page).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.total_pages()), (1, 3, 2));
}

#[rstest]
#[tokio::test]
async fn balances_outlive_every_edit_of_the_lists(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = office(backend).await;
    let moves = [planned(1, 1, 2), planned(2, 1, 3), planned(3, 2, 3)];
    for (n, moves) in [(1, &moves[..2]), (2, &moves[2..])] {
        let at = second(100 * i64::try_from(n).unwrap());
        world.append(run(n), &run_begun(rule(1), rule_text("闲置流转"), moves, at)).await;
        world.append(run(n), &[run_over(rule(1), moves, &[], at)]).await;
    }
    let mut text = rule_text("换人");
    (text.sources, text.targets) = (vec![staff(3)], vec![staff(9)]);
    let revised = TransferRuleRevised { text, by: by(1), at: second(300) };
    world.append(rule(1), &[domain::transfer_rule::TransferRuleEvent::from(revised)]).await;
    world.settle().await;

    let found = transfers::rule_with_balances(&world.db, rule(1)).await.unwrap().unwrap();
    let quotas: Vec<(StaffId, i64, i64, i64)> =
        found.quotas.iter().map(|one| (one.staff, one.moved_out, one.moved_in, one.balance())).collect();
    let expected = [(staff(3), 0, 2, -2), (staff(9), 0, 0, 0), (staff(1), 2, 0, 2), (staff(2), 1, 1, 0)];
    assert_eq!(quotas, expected, "who is in the lists first, then who was");
    assert_eq!(found.row.rule.revision, 2);
    let figures = RuleStatistics {
        runs: 2,
        total_transferred: 3,
        last_executed_at: Some(second(200)),
        last_transferred_count: 1,
    };
    assert_eq!(found.row.statistics, figures);
    let person = transfers::user_statistics(&world.db, staff(1)).await.unwrap();
    assert_eq!(person, UserStatistics { staff: staff(1), transferred_out: 2, transferred_in: 0 });
    assert_eq!(transfers::user_statistics(&world.db, staff(77)).await.unwrap().balance(), 0);
}

#[rstest]
#[tokio::test]
async fn an_hour_outside_the_window_leaves_the_figures_of_the_last_run(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = office(backend).await;
    let moves = [planned(1, 1, 2), planned(2, 1, 3)];
    let closed = Nothing::WindowClosed.code();
    let idle = Nothing::NoLeads.code();
    for (n, moved, explanation) in [(1, &moves[..], None), (2, &[], Some(closed)), (3, &[], Some(closed))] {
        ran(&world, n, moved, explanation).await;
    }
    world.settle().await;
    let figures = async || transfers::rule(&world.db, rule(1)).await.unwrap().unwrap().statistics;
    let last = RuleStatistics {
        runs: 1,
        total_transferred: 2,
        last_executed_at: Some(second(100)),
        last_transferred_count: 2,
    };
    assert_eq!(figures().await, last, "as in system A, where such an hour was no run");
    ran(&world, 4, &[], Some(idle)).await;
    world.settle().await;
    let (runs, at) = (2, Some(second(400)));
    let expected = RuleStatistics { runs, last_executed_at: at, last_transferred_count: 0, ..last };
    assert_eq!(figures().await, expected, "one that found nothing to do was");
}

/// A run of rule 1 from its beginning to its end.
async fn ran(world: &World, n: u128, moved: &[PlannedMove], explanation: Option<&str>) {
    let at = second(100 * i64::try_from(n).unwrap());
    world.append(run(n), &run_begun(rule(1), rule_text("闲置流转"), moved, at)).await;
    let TransferRunEvent::Completed(end) = run_over(rule(1), moved, &[], at) else { unreachable!() };
    let end = TransferRunCompleted { explanation: explanation.map(str::to_owned), ..end };
    world.append(run(n), &[TransferRunEvent::from(end)]).await;
}

#[rstest]
#[tokio::test]
async fn rules_are_listed_newest_first_without_deleted_ones(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use domain::transfer_rule::{TargetModule, TransferRuleDeleted, TransferRuleEvent};
    let world = office(backend).await;
    let training = domain::transfer_rule::RuleText {
        target_module: TargetModule::Training,
        ..rule_text("培训线索")
    };
    world.append(rule(2), &[rule_written(training, second(5))]).await;
    world.append(rule(3), &[rule_written(rule_text("旧规则"), second(6))]).await;
    let gone: TransferRuleEvent = TransferRuleDeleted { by: by(1), at: second(7) }.into();
    world.append(rule(3), &[gone]).await;
    // A run that was under way when its rule was deleted ends all the same.
    let end: TransferRunEvent = run_over(rule(3), &[], &[], second(8));
    let begun = run_begun(rule(3), rule_text("旧规则"), &[], second(6));
    world.append(run(3), &[begun, vec![end]].concat()).await;
    world.settle().await;

    let ids =
        |rows: Vec<transfers::RuleRow>| rows.into_iter().map(|row| row.id).collect::<Vec<TransferRuleId>>();
    assert_eq!(ids(transfers::rules(&world.db, None).await.unwrap()), [rule(2), rule(1)]);
    let customers = transfers::rules(&world.db, Some(TargetModule::Customer)).await.unwrap();
    assert_eq!(ids(customers), [rule(1)]);
    assert!(transfers::rule(&world.db, rule(3)).await.unwrap().is_none());
    let one = transfers::rule(&world.db, rule(1)).await.unwrap().unwrap();
    assert_eq!(one.rule.text.map(|text| text.name), Some("闲置流转".to_owned()));
}
