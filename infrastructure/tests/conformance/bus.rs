//! The command bus: states are right whether they come from memory or from the log.

use std::sync::Arc;

use application::bus::{AppendError, Appended, CommandBus, Draft, LoadError, StreamAppend, Versioned};
use domain::{Aggregate, StreamId};
use infrastructure::bus::{Bus, Freshness};
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::{EventLog, Until};
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use serde::{Deserialize, Serialize};

use crate::kit::{Backend, TestDb, appended_to, command, draft, keyed, stream};

/// Something was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Added {
    amount: i64,
}

domain::stored_events! {
    /// What happens to a sum.
    SumEvent { Added(Added) = 1 }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    total: i64,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Aggregate for Sum {
    const TYPE: &'static str = "sum";
    type Command = i64;
    type Event = SumEvent;
    type Error = Never;

    fn decide(&self, amount: i64) -> Result<Vec<SumEvent>, Never> {
        Ok(vec![Added { amount }.into()])
    }

    fn evolve(&mut self, SumEvent::Added(added): &SumEvent) {
        self.total += added.amount;
    }
}

fn adds(stream: &StreamId, expected: i64, amounts: &[i64]) -> Draft {
    let events: Vec<SumEvent> = amounts.iter().map(|amount| Added { amount: *amount }.into()).collect();
    draft(vec![StreamAppend::of(stream.clone(), expected, &events).unwrap()])
}

fn sum(total: i64, sequence: i64) -> Versioned<Sum> {
    Versioned { state: Sum { total }, sequence }
}

fn bus(db: &Db) -> Bus {
    Bus::new(EventLog::start(db.clone()), Arc::new(Upcasters::none()))
}

#[rstest]
#[tokio::test]
async fn states_follow_the_log(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Freshness::Cached, Freshness::Tail)] freshness: Freshness,
) {
    let test = TestDb::fresh(backend).await;
    let bus = bus(&test.db).with_freshness(freshness);
    let own = stream();
    assert_eq!(bus.load::<Sum>(&own).await, Ok(sum(0, 0)));
    bus.append(adds(&own, 0, &[1, 2])).await.unwrap();
    assert_eq!(bus.load::<Sum>(&own).await, Ok(sum(3, 2)));
    bus.append(adds(&own, 2, &[4])).await.unwrap();
    bus.append(adds(&own, 3, &[8])).await.unwrap();
    assert_eq!(bus.load::<Sum>(&own).await, Ok(sum(15, 4)));
    assert_eq!(bus.load_at::<Sum>(&own, 2).await, Ok(sum(3, 2)));
    assert_eq!(bus.load_at::<Sum>(&own, 4).await, Ok(sum(15, 4)));
    assert_eq!(bus.load_until::<Sum>(&own, Until::Position(3)).await, Ok(sum(7, 3)));
    // More unfolded events than memory keeps.
    bus.append(adds(&own, 4, &[1; 200])).await.unwrap();
    assert_eq!(bus.load::<Sum>(&own).await, Ok(sum(215, 204)));
}

#[rstest]
#[tokio::test]
async fn many_are_loaded_in_the_order_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Freshness::Cached, Freshness::Tail)] freshness: Freshness,
) {
    let test = TestDb::fresh(backend).await;
    let bus = bus(&test.db).with_freshness(freshness);
    let streams = [stream(), stream(), stream()];
    bus.append(adds(&streams[0], 0, &[1])).await.unwrap();
    bus.append(adds(&streams[2], 0, &[3, 3])).await.unwrap();
    let asked = [streams[2].clone(), streams[1].clone(), streams[0].clone(), streams[2].clone()];
    let expected = Ok(vec![sum(6, 2), sum(0, 0), sum(1, 1), sum(6, 2)]);
    assert_eq!(bus.load_many::<Sum>(&asked).await, expected);
    // A bus that remembers nothing, and the same one when it does.
    let fresh = Bus::new(bus.log().clone(), Arc::new(Upcasters::none())).with_freshness(freshness);
    assert_eq!(fresh.load_many::<Sum>(&asked).await, expected);
    assert_eq!(fresh.load_many::<Sum>(&asked).await, expected);
}

#[tokio::test]
async fn another_process_is_noticed_on_load() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let (one, two) = (bus(&test.db), bus(&Db::connect(test.url(), DbOptions::default()).await.unwrap()));
    let own = stream();
    one.append(adds(&own, 0, &[1])).await.unwrap();
    assert_eq!(one.load::<Sum>(&own).await, Ok(sum(1, 1)));
    two.append(adds(&own, 1, &[2])).await.unwrap();
    assert_eq!(one.load::<Sum>(&own).await, Ok(sum(3, 2)));
    two.append(adds(&own, 2, &[4])).await.unwrap();
    assert_eq!(one.load_many::<Sum>(&[own]).await, Ok(vec![sum(7, 3)]));
}

#[tokio::test]
async fn a_conflict_makes_a_cached_state_fresh() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let one = bus(&test.db).with_freshness(Freshness::Cached);
    let two = bus(&Db::connect(test.url(), DbOptions::default()).await.unwrap());
    let own = stream();
    one.append(adds(&own, 0, &[1])).await.unwrap();
    two.append(adds(&own, 1, &[2])).await.unwrap();
    assert_eq!(one.load::<Sum>(&own).await, Ok(sum(1, 1)), "trusted until a conflict");
    let refused = one.append(adds(&own, 1, &[4])).await;
    assert_eq!(refused, Err(AppendError::Conflict { stream: own.clone(), expected: 1, actual: 2 }));
    assert_eq!(one.load::<Sum>(&own).await, Ok(sum(3, 2)));
    one.append(adds(&own, 2, &[4])).await.unwrap();
    assert_eq!(one.load::<Sum>(&own).await, Ok(sum(7, 3)));
}

#[rstest]
#[tokio::test]
async fn a_repeated_command_does_not_count_twice_in_memory(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let first = bus(&test.db);
    let own = stream();
    let once = adds(&own, 0, &[5]);
    assert_eq!(first.append(once.clone()).await, Ok(Appended::Committed { last: 1 }));
    // A bus that starts anew, as after a crash, and repeats the command with another payload.
    let second = Bus::new(first.log().clone(), Arc::new(Upcasters::none()));
    let mut again = adds(&own, 0, &[6]);
    again.metadata = once.metadata;
    assert_eq!(second.load::<Sum>(&stream()).await, Ok(sum(0, 0)));
    assert_eq!(second.append(again).await, Ok(Appended::Committed { last: 1 }));
    assert_eq!(second.load::<Sum>(&own).await, Ok(sum(5, 1)));
}

#[rstest]
#[tokio::test]
async fn an_event_of_another_program_is_an_error(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let first = bus(&test.db);
    let own = stream();
    let id = command();
    first.append(keyed(id, "f", vec![appended_to(&own, 0, 1)])).await.unwrap();
    for bus in [&first, &Bus::new(first.log().clone(), Arc::new(Upcasters::none()))] {
        let error = bus.load::<Sum>(&own).await.unwrap_err();
        let LoadError::Undecodable { stream, sequence, reason } = error else { panic!("{error}") };
        assert_eq!((stream, sequence, reason.as_str()), (own.clone(), 1, "unknown event type Happened"));
    }
    assert_eq!(first.receipt(id).await.unwrap().map(|receipt| receipt.position), Some(1));
}
