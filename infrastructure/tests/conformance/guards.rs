//! Unique values: taken by one stream at a time, across and within batches.

use std::collections::HashSet;

use application::bus::{AppendError, Draft, GuardChange, GuardKind};
use application::imports::UniqueValues as _;
use domain::StreamId;
use infrastructure::event_log::EventLog;
use infrastructure::unique_values::StoredValues;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::kit::{Backend, TestDb, appended_to, assert_whole, claim, draft, release, stream};

fn guarded(stream: &StreamId, expected: i64, guards: Vec<GuardChange>) -> Draft {
    Draft { guards, ..draft(vec![appended_to(stream, expected, 1)]) }
}

fn taken(holder: &StreamId) -> AppendError {
    AppendError::Taken { kind: GuardKind::CustomerPhone, holder: holder.clone() }
}

#[rstest]
#[tokio::test]
async fn a_taken_value_is_refused_with_its_holder(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (one, two) = (stream(), stream());
    log.append(guarded(&one, 0, vec![claim("138", &one)])).await.unwrap();
    let refused = log.append(guarded(&two, 0, vec![claim("139", &two), claim("138", &two)])).await;
    assert_eq!(refused, Err(taken(&one)));
    // Nothing of the refused command remains: 139 is free.
    log.append(guarded(&two, 0, vec![claim("139", &two)])).await.unwrap();
    // To claim again what one holds changes nothing.
    log.append(guarded(&one, 1, vec![claim("138", &one)])).await.unwrap();
    assert_eq!(assert_whole(&log).await.len(), 3);
}

#[rstest]
#[tokio::test]
async fn the_same_value_in_two_kinds_is_two_values(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (one, two) = (stream(), stream());
    let wechat =
        GuardChange::Claim { kind: GuardKind::CustomerWechat, key: "138".to_owned(), holder: two.clone() };
    log.append(guarded(&one, 0, vec![claim("138", &one)])).await.unwrap();
    log.append(guarded(&two, 0, vec![wechat])).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_released_value_can_be_claimed_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (one, two) = (stream(), stream());
    log.append(guarded(&one, 0, vec![claim("138", &one)])).await.unwrap();
    // Only the holder can give back.
    log.append(guarded(&two, 0, vec![release("138", &two)])).await.unwrap();
    assert_eq!(log.append(guarded(&two, 1, vec![claim("138", &two)])).await, Err(taken(&one)));
    log.append(guarded(&one, 1, vec![release("138", &one)])).await.unwrap();
    log.append(guarded(&two, 1, vec![claim("138", &two)])).await.unwrap();
    assert_eq!(log.append(guarded(&one, 2, vec![claim("138", &one)])).await, Err(taken(&two)));
}

#[rstest]
#[tokio::test]
async fn one_command_may_hand_a_value_over(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (one, two) = (stream(), stream());
    log.append(guarded(&one, 0, vec![claim("138", &one)])).await.unwrap();
    let backwards = vec![claim("138", &two), release("138", &one)];
    assert_eq!(log.append(guarded(&two, 0, backwards)).await, Err(taken(&one)), "in the order given");
    log.append(guarded(&two, 0, vec![release("138", &one), claim("138", &two)])).await.unwrap();
    assert_eq!(log.append(guarded(&one, 1, vec![claim("138", &one)])).await, Err(taken(&two)));
    // Taken and given back within one command: free afterwards.
    log.append(guarded(&one, 1, vec![claim("150", &one), release("150", &one)])).await.unwrap();
    log.append(guarded(&two, 1, vec![claim("150", &two)])).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn one_command_cannot_take_a_value_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (one, two) = (stream(), stream());
    let both = Draft {
        guards: vec![claim("138", &one), claim("138", &two)],
        ..draft(vec![appended_to(&one, 0, 1), appended_to(&two, 0, 1)])
    };
    assert_eq!(log.append(both).await, Err(taken(&one)));
    assert_eq!(log.head().await.unwrap(), 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_gets_the_value(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let mut rivals = JoinSet::new();
    for _ in 0..50 {
        let (log, own) = (log.clone(), stream());
        rivals.spawn(async move { (log.append(guarded(&own, 0, vec![claim("138", &own)])).await, own) });
    }
    let outcomes = rivals.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(outcome, _)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let losers = outcomes.iter().filter(|(outcome, _)| *outcome == Err(taken(&winners[0].1))).count();
    assert_eq!(losers, 49);
    assert_eq!(assert_whole(&log).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn values_are_looked_up_many_at_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let one = stream();
    log.append(guarded(&one, 0, vec![claim("138", &one), claim("139", &one)])).await.unwrap();
    log.append(guarded(&one, 1, vec![release("139", &one)])).await.unwrap();
    let values = StoredValues::new(test.db.clone());
    let keys: Vec<String> = (130..160).map(|key: i32| key.to_string()).collect();
    assert_eq!(
        values.held(GuardKind::CustomerPhone, &keys).await.unwrap(),
        HashSet::from(["138".to_owned()])
    );
    assert!(values.held(GuardKind::CustomerWechat, &keys).await.unwrap().is_empty());
}
