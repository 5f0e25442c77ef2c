//! The access token: one for all, asked for once, and never at the price of an attempt.

use domain::notification::DeliveryState::{Accepted, Pending, Retry};
use rstest::rstest;
use wechat_simulator::{Endpoint, Fault, FaultRule, Times, TokenEnd};

use crate::database::Backend;
use crate::world::World;

fn on(endpoint: Endpoint, errcode: i64, times: Times) -> FaultRule {
    let fault = Fault::Errcode { errcode, errmsg: None, process: false };
    FaultRule { endpoint: Some(endpoint), openid: None, after: 0, times, fault }
}

fn token_calls(world: &World) -> u64 {
    world.wechat().calls().of(Endpoint::StableToken).calls
}

#[rstest]
#[case(Backend::Sqlite, TokenEnd::Expired)]
#[case(Backend::Sqlite, TokenEnd::Superseded)]
#[case(Backend::Postgres, TokenEnd::Expired)]
#[tokio::test]
async fn fifty_sends_with_a_dead_token_ask_once(#[case] backend: Backend, #[case] end: TokenEnd) {
    let world = World::new(backend).await;
    let dispatcher = world.dispatcher();
    world.grant("first", 1).await;
    world.request("first").await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(token_calls(&world), 1);
    world.wechat().end_tokens(None, end);
    let mut notices = Vec::new();
    for n in 0..50 {
        let person = format!("person-{n}");
        world.grant(&person, 1).await;
        notices.push(world.request(&person).await);
    }
    dispatcher.drain_once().await.unwrap();
    assert_eq!(token_calls(&world), 2);
    for notice in notices {
        let delivery = world.delivery(notice).await;
        assert_eq!((delivery.state, delivery.attempt), (Accepted, 1));
    }
    assert_eq!(world.wechat().ledger().len(), 51);
}

#[tokio::test]
async fn two_processes_ask_once() {
    let world = World::new(Backend::Postgres).await;
    let other = world.second_process().await;
    for n in 0..20 {
        let person = format!("person-{n}");
        world.grant(&person, 1).await;
        world.request(&person).await;
    }
    let (one, two) = (world.dispatcher(), other.dispatcher());
    let (one, two) = tokio::join!(one.drain_once(), two.drain_once());
    one.unwrap();
    two.unwrap();
    assert_eq!(token_calls(&world), 1);
    assert_eq!(world.wechat().ledger().len(), 20);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_same_token_again_after_a_refusal_is_not_hammered(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.wechat().add_fault(on(Endpoint::SubscribeSend, 42001, Times::Count(1))).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    // WeChat gave the refused token out again: no second send, no counted attempt.
    let delivery = world.delivery(notice).await;
    assert_eq!((delivery.state, delivery.counted), (Retry, 0));
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 1);
    world.advance(29);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(token_calls(&world), 2);
    world.advance(1);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Accepted);
    assert_eq!(world.credits("li").await, (0, 0));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_wrong_secret_burns_no_attempt(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.wechat().add_fault(on(Endpoint::StableToken, 40125, Times::FOREVER)).unwrap();
    let notice = world.request("li").await;
    let before = world.process.bus.log().head().await.unwrap();
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    world.advance(59);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(token_calls(&world), 1, "asked again before an administrator could act");
    assert_eq!(world.delivery(notice).await.attempt, 0);
    assert_eq!(world.state(notice).await, Pending);
    assert_eq!(world.process.bus.log().head().await.unwrap(), before, "a problem of the channel is no event");
    world.wechat().clear_faults();
    world.advance(1);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Accepted);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_token_serves_until_shortly_before_its_end(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 3).await;
    let dispatcher = world.dispatcher();
    for (seconds, calls) in [(0, 1), (6899, 1), (1, 2)] {
        world.advance(seconds);
        world.request("li").await;
        dispatcher.drain_once().await.unwrap();
        assert_eq!(token_calls(&world), calls);
    }
    // A restart finds the token in the database.
    world.grant("li", 1).await;
    world.request("li").await;
    world.successor().drain_once().await.unwrap();
    assert_eq!(token_calls(&world), 2);
    assert_eq!(world.wechat().ledger().len(), 4);
}
