//! Customer numbers: never twice, whoever asks.

use std::sync::Arc;

use application::bus::{Draft, GuardChange, GuardKind};
use application::ports::CustomerNumbers;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::event_log::EventLog;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::kit::{Backend, TestDb, draft, stream};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn numbers_start_at_one_and_are_never_given_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let numbers = Arc::new(StoredNumbers::new(test.db.clone()));
    let mut askers = JoinSet::new();
    for _ in 0..20 {
        let numbers = numbers.clone();
        askers.spawn(async move {
            let mut own = Vec::new();
            for _ in 0..10 {
                own.push(numbers.next().await.unwrap());
            }
            assert!(own.is_sorted_by(|a, b| a < b));
            own
        });
    }
    let mut all: Vec<u64> = askers.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=200));
}

#[rstest]
#[tokio::test]
async fn a_restart_goes_on_behind_the_numbers_in_use(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let numbers = StoredNumbers::new(test.db.clone());
    for _ in 0..12 {
        let number = numbers.next().await.unwrap();
        let holder = stream();
        let key = format!("CUS{number:011}");
        let claim = GuardChange::Claim { kind: GuardKind::CustomerNumber, key, holder };
        log.append(Draft { guards: vec![claim], ..draft(Vec::new()) }).await.unwrap();
    }
    assert_eq!(StoredNumbers::new(test.db.clone()).next().await.unwrap(), 13);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_as_many_numbers_as_asked_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let numbers = Arc::new(StoredNumbers::new(test.db.clone()));
    assert_eq!(numbers.block(0).await.unwrap(), [0; 0]);
    let mut askers = JoinSet::new();
    for _ in 0..8 {
        let numbers = numbers.clone();
        askers.spawn(async move {
            let mut own = numbers.block(25).await.unwrap();
            assert!(own.len() == 25 && own.is_sorted_by(|a, b| a < b));
            own.push(numbers.next().await.unwrap());
            own
        });
    }
    let mut all: Vec<u64> = askers.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=208));
}
