//! A process that dies, or only seems to, between two steps of an attempt.

use std::sync::Arc;

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::DeliveryState::{Accepted, Pending, Unknown};
use infrastructure::clock::TestClock;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use wechat_simulator::{Endpoint, Fault, FaultRule};

use crate::database::Backend;
use crate::world::World;

/// Longer than any lease of these tests.
const PAST_EVERY_LEASE: i64 = 600;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn death_before_the_attempt_costs_nothing(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    // The row is leased; the token is being asked for.
    world.wechat().add_fault(FaultRule::once(Endpoint::StableToken, Fault::Hang { process: false })).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    tokio::select! {
        _ = dispatcher.drain_once() => panic!("it did not hang"),
        () = world.wechat().until_waiting(1) => {}
    }
    assert_eq!(world.state(notice).await, Pending);
    world.successor().drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Pending, "leased twice");
    world.advance(PAST_EVERY_LEASE);
    world.successor().drain_once().await.unwrap();
    let delivery = world.delivery(notice).await;
    assert_eq!((delivery.state, delivery.attempt), (Accepted, 1));
}

#[rstest]
#[case(Backend::Sqlite, Fault::Hang { process: false }, 0)]
#[case(Backend::Sqlite, Fault::TimeoutAfterProcessing { ms: None }, 1)]
#[case(Backend::Postgres, Fault::Hang { process: false }, 0)]
#[case(Backend::Postgres, Fault::TimeoutAfterProcessing { ms: None }, 1)]
#[tokio::test]
async fn death_during_the_send_shows_as_unknown_and_is_never_resent(
    #[case] backend: Backend,
    #[case] fault: Fault,
    #[case] received: usize,
) {
    let world = World::new(backend).await;
    world.grant("li", 3).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, fault)).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    tokio::select! {
        _ = dispatcher.drain_once() => panic!("it did not hang"),
        () = world.wechat().until_waiting(1) => {}
    }
    drop(dispatcher);
    assert_eq!(world.row(notice).await.0, "in_flight");
    let behind = world.request("li").await;
    let successor = world.successor();
    successor.drain_once().await.unwrap();
    assert_eq!(world.state(behind).await, Pending, "a second send to the same person");
    world.advance(PAST_EVERY_LEASE);
    successor.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Unknown);
    assert_eq!(world.row(notice).await.0, "unknown");
    assert_eq!(world.state(behind).await, Accepted);
    assert_eq!(world.credits("li").await, (1, 1));
    assert_eq!(world.wechat().received_by("li").len(), received + 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn who_lost_the_lease_cannot_finish(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    world
        .wechat()
        .add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::Hang { process: true }))
        .unwrap();
    let notice = world.request("li").await;
    let slow = world.dispatcher();
    let thief = async {
        world.wechat().until_waiting(1).await;
        let successor = world.successor();
        successor.drain_once().await.unwrap();
        world.advance(PAST_EVERY_LEASE);
        successor.drain_once().await.unwrap();
        assert_eq!(world.state(notice).await, Unknown);
        let head = world.process.bus.log().head().await.unwrap();
        world.wechat().wake();
        head
    };
    let (finished, head) = tokio::join!(slow.drain_once(), thief);
    finished.unwrap();
    assert_eq!(world.wechat().received_by("li").len(), 1, "the slow one's message arrived");
    assert_eq!(world.state(notice).await, Unknown, "the answer came too late");
    assert_eq!(world.credits("li").await, (1, 1));
    assert_eq!(world.process.bus.log().head().await.unwrap(), head, "a refused commit left events");
}

/// A clock with wrong hands; its stopwatch is right.
struct Wrong(Arc<TestClock>, TimeDelta);

impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    fn stopwatch(&self) -> TimeDelta {
        self.0.stopwatch()
    }
}

#[rstest]
#[tokio::test]
async fn whoever_sends_is_taken_for_dead_after_its_lease_whatever_the_clocks_say(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(-5, 5)] minutes: i64,
) {
    const LEASE: i64 = 15;
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    let hang = Fault::Hang { process: true };
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hang)).unwrap();
    let process = |off| {
        let clock = Arc::new(Wrong(Arc::clone(&world.clock), TimeDelta::minutes(off)));
        world.process.dispatcher_by(clock)
    };
    let (doomed, heir, notice) = (process(minutes), process(-minutes), world.request("li").await);
    // Whoever is behind finds nothing due yet.
    world.advance(10 * 60);
    let stop = CancellationToken::new();
    let living = async {
        world.wechat().until_waiting(1).await;
        heir.drain_once().await.unwrap();
        assert_eq!(world.row(notice).await.0, "in_flight", "its clock is {} minutes apart", 2 * minutes);
        world.advance(LEASE - 1);
        heir.drain_once().await.unwrap();
        assert_eq!(world.row(notice).await.0, "in_flight", "it may still live");
    };
    tokio::select! {
        () = doomed.run(stop.clone()) => panic!("nobody told it to stop"),
        () = living => {} // and it dies
    }
    drop(doomed);
    // It may have given a last sign in between.
    heir.drain_once().await.unwrap();
    world.advance(LEASE);
    heir.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Unknown, "after its lease, and not after minutes");
}
