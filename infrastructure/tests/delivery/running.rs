//! The loop: woken by a commit, and finishing what it began when told to stop.

use std::time::Duration;

use domain::notification::DeliveryState::{Accepted, Unknown};
use infrastructure::dispatcher::Options;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use wechat_simulator::{Endpoint, Fault, FaultRule};

use crate::database::Backend;
use crate::world::World;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_commit_wakes_it_and_a_stop_lets_it_finish(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    let stop = CancellationToken::new();
    let dispatcher = world.dispatcher();
    let story = async {
        let first = world.request("li").await;
        world.wechat().until_received(1).await;
        let hang = Fault::Hang { process: false };
        world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hang)).unwrap();
        let second = world.request("li").await;
        world.wechat().until_waiting(1).await;
        stop.cancel();
        world.wechat().wake();
        (first, second)
    };
    let ((), (first, second)) = tokio::join!(dispatcher.run(stop.clone()), story);
    assert_eq!(world.state(first).await, Accepted);
    assert_eq!(world.state(second).await, Accepted, "a running send was not finished");
}

/// Longer than any lease of these tests.
const PAST_EVERY_LEASE: i64 = 600;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_clock_that_leaps_takes_nothing_from_whoever_is_sending(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for person in ["li", "wang"] {
        world.grant(person, 1).await;
    }
    let hang = Fault::Hang { process: true };
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hang)).unwrap();
    let (stop, dispatcher) = (CancellationToken::new(), world.dispatcher());
    let story = async {
        let slow = world.request("li").await;
        world.wechat().until_waiting(1).await;
        world.advance(PAST_EVERY_LEASE);
        // It looks around again, finds its own lease over, and sends to somebody else.
        let other = world.request("wang").await;
        while world.wechat().received_by("wang").is_empty() {
            tokio::task::yield_now().await;
        }
        world.wechat().wake();
        stop.cancel();
        (slow, other)
    };
    let ((), (slow, other)) = tokio::join!(dispatcher.run(stop.clone()), story);
    for notice in [slow, other] {
        assert_eq!((world.state(notice).await, world.row(notice).await.0.as_str()), (Accepted, "accepted"));
    }
    assert_eq!(world.wechat().received_by("li").len(), 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_it_does_nothing_about_any_more_it_does_not_keep(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    let hang = Fault::Hang { process: false };
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hang)).unwrap();
    let (notice, dispatcher) = (world.request("li").await, world.dispatcher());
    // The attempt ends without a word, as when its conclusion cannot be written for minutes; the process lives on.
    tokio::select! {
        ended = dispatcher.drain_once() => panic!("the provider hangs: {ended:?}"),
        () = world.wechat().until_waiting(1) => {}
    }
    assert_eq!(world.row(notice).await.0, "in_flight");
    world.advance(PAST_EVERY_LEASE);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Unknown);
}

#[tokio::test]
async fn after_a_restart_on_sqlite_abandoned_sends_show_at_once() {
    let world = World::new(Backend::Sqlite).await;
    world.grant("li", 2).await;
    world
        .wechat()
        .add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::Hang { process: false }))
        .unwrap();
    let notice = world.request("li").await;
    let stop = CancellationToken::new();
    let impatient = Options { stop_patience: Duration::ZERO, ..Options::default() };
    let dispatcher = world.process.dispatcher_with(impatient);
    let story = async {
        world.wechat().until_waiting(1).await;
        stop.cancel();
    };
    tokio::join!(dispatcher.run(stop.clone()), story);
    assert_eq!(world.row(notice).await.0, "in_flight");
    // The clock stands still: the lease has not ended, but its process has.
    let stop = CancellationToken::new();
    let successor = world.successor();
    let story = async {
        let behind = world.request("li").await;
        world.wechat().until_received(1).await;
        stop.cancel();
        behind
    };
    let ((), behind) = tokio::join!(successor.run(stop.clone()), story);
    assert_eq!(world.state(notice).await, Unknown);
    assert_eq!(world.state(behind).await, Accepted);
}
