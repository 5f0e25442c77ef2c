//! Counts and paces: held to their limits inside the append, however many ask at once.

use std::sync::Arc;

use application::bus::{AppendError, CommandBus, CountKind, Draft, GuardChange};
use chrono::{DateTime, TimeDelta, Utc};
use infrastructure::bus::Bus;
use infrastructure::event_log::EventLog;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::kit::{Backend, TestDb, appended_to, assert_whole, draft, stream};

const WHO: &str = "somebody";

fn count(by: i64, max: Option<i64>) -> GuardChange {
    GuardChange::Count { kind: CountKind::OwnedLeads, key: WHO.to_owned(), by, max }
}

fn pace(seconds: i64, gap: Option<i64>) -> GuardChange {
    GuardChange::Pace { key: WHO.to_owned(), at: at(seconds), gap: gap.map(TimeDelta::seconds) }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_547_200 + seconds, 0).unwrap()
}

fn with(guards: Vec<GuardChange>) -> Draft {
    Draft { guards, ..draft(vec![appended_to(&stream(), 0, 1)]) }
}

fn full(max: i64, current: i64) -> AppendError {
    AppendError::LimitReached { kind: CountKind::OwnedLeads, key: WHO.to_owned(), max, current }
}

async fn owned(log: &EventLog) -> i64 {
    log.count(CountKind::OwnedLeads, WHO).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_count_goes_up_to_its_limit_and_no_further(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    assert_eq!(owned(&log).await, 0);
    log.append(with(vec![count(2, Some(3))])).await.unwrap();
    assert_eq!(log.append(with(vec![count(2, Some(3))])).await, Err(full(3, 2)));
    assert_eq!((owned(&log).await, log.head().await.unwrap()), (2, 1), "a refused command uses nothing up");
    log.append(with(vec![count(1, Some(3))])).await.unwrap();
    // Who is not held to the limit may go beyond it; going down is never refused.
    log.append(with(vec![count(2, None)])).await.unwrap();
    assert_eq!(log.append(with(vec![count(1, Some(3))])).await, Err(full(3, 5)));
    log.append(with(vec![count(-1, Some(3))])).await.unwrap();
    assert_eq!(owned(&log).await, 4);
}

#[rstest]
#[tokio::test]
async fn one_command_may_change_a_count_several_times(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    log.append(with(vec![count(1, Some(1)), count(-1, None), count(1, Some(1))])).await.unwrap();
    assert_eq!(owned(&log).await, 1);
    let day = GuardChange::Count { kind: CountKind::ClaimsOfDay, key: WHO.to_owned(), by: 5, max: Some(5) };
    log.append(with(vec![day])).await.unwrap();
    assert_eq!(owned(&log).await, 1, "two kinds are two counts");
    assert_eq!(log.count(CountKind::ClaimsOfDay, WHO).await.unwrap(), 5);
}

#[rstest]
#[tokio::test]
async fn many_counts_are_read_at_once_in_the_order_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let bus = Bus::new(EventLog::start(test.db.clone()), Arc::new(Upcasters::none()));
    let of = |kind, key: &str, by| GuardChange::Count { kind, key: key.to_owned(), by, max: None };
    let (owned, claims) = (CountKind::OwnedLeads, CountKind::ClaimsOfDay);
    for change in [of(owned, "a", 3), of(owned, "b", 4), of(owned, "c", 5), of(claims, "a", 9)] {
        bus.append(with(vec![change])).await.unwrap();
    }
    let keys = ["b", "nobody", "a", "b"].map(str::to_owned);
    assert_eq!(bus.counts(owned, &keys).await.unwrap(), [4, 0, 3, 4]);
    assert_eq!(bus.counts(owned, &[]).await.unwrap(), Vec::<i64>::new());
}

#[rstest]
#[tokio::test]
async fn a_pace_is_kept(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    log.append(with(vec![pace(0, Some(60))])).await.unwrap();
    let refused = log.append(with(vec![pace(59, Some(60))])).await;
    assert_eq!(refused, Err(AppendError::TooSoon { until: at(60) }));
    log.append(with(vec![pace(60, Some(60))])).await.unwrap();
    log.append(with(vec![pace(61, None)])).await.unwrap();
    let refused = log.append(with(vec![pace(100, Some(60))])).await;
    assert_eq!(refused, Err(AppendError::TooSoon { until: at(121) }));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_as_many_pass_as_there_is_room_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let other = EventLog::start(test.reopened_beside().await);
    log.append(with(vec![count(45, None)])).await.unwrap();
    let mut rivals = JoinSet::new();
    for n in 0..100 {
        let log = if n % 2 == 0 { log.clone() } else { other.clone() };
        rivals.spawn(async move { log.append(with(vec![count(1, Some(50))])).await });
    }
    let outcomes = rivals.join_all().await;
    let passed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(full(50, 50))).count();
    assert_eq!((passed, refused, owned(&log).await), (5, 95, 50));
    assert_eq!(assert_whole(&log).await.len(), 6);
}

#[rstest]
#[tokio::test]
async fn the_bus_tells_a_count(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let bus = Bus::new(log.clone(), Arc::new(Upcasters::none()));
    log.append(with(vec![count(7, None)])).await.unwrap();
    assert_eq!(bus.count(CountKind::OwnedLeads, WHO).await, Ok(7));
    assert_eq!(bus.count(CountKind::OwnedLeads, "nobody").await, Ok(0));
}
