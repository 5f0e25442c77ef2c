//! Many at once: one message per delivery, one send per person at a time, never a credit twice.

use domain::notification::DeliveryState::{Accepted, Rejected, Unknown};
use rstest::rstest;
use wechat_simulator::{Endpoint, Fault, FaultRule, Times};

use crate::database::Backend;
use crate::world::World;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn twenty_notices_share_five_credits(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let switches = wechat_simulator::Switches { send_takes_ms: 5, ..world.wechat().switches() };
    world.wechat().set_switches(switches);
    world.grant("li", 5).await;
    let mut notices = Vec::new();
    for _ in 0..20 {
        notices.push(world.request("li").await);
    }
    let (one, two) = (world.dispatcher(), world.dispatcher());
    let (one, two) = tokio::join!(one.drain_once(), two.drain_once());
    one.unwrap();
    two.unwrap();
    let mut states = Vec::new();
    for notice in notices {
        states.push(world.state(notice).await);
    }
    assert_eq!(states.iter().filter(|state| **state == Accepted).count(), 5);
    assert_eq!(states.iter().filter(|state| **state == Rejected).count(), 15);
    assert_eq!(world.credits("li").await, (0, 0));
    world.assert_never_negative("li").await;
    let calls = world.wechat().calls().of(Endpoint::SubscribeSend);
    assert_eq!((calls.calls, calls.errcodes.get(&43108)), (5, None), "two sends to one person at once");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_hanging_send_blocks_nobody_and_ends_as_unknown(#[case] backend: Backend) {
    let world = World::new(backend).await.impatient();
    world.grant("slow", 2).await;
    world.grant("quick", 1).await;
    let hang = FaultRule {
        endpoint: Some(Endpoint::SubscribeSend),
        openid: Some("slow".to_owned()),
        after: 0,
        times: Times::Count(1),
        fault: Fault::Hang { process: false },
    };
    world.wechat().add_fault(hang).unwrap();
    let hanging = world.request("slow").await;
    let quick = world.request("quick").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(quick).await, Accepted);
    assert_eq!(world.state(hanging).await, Unknown);
    assert_eq!(world.credits("slow").await, (1, 1), "the credit of an unknown send stays reserved");
    world.wechat().clear_faults();
    world.advance(3600);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(hanging).await, Unknown, "sent again by itself");
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 2);
}

#[tokio::test]
async fn two_processes_on_one_server_send_nothing_twice() {
    let world = World::new(Backend::Postgres).await;
    let other = world.second_process().await;
    let mut notices = Vec::new();
    for n in 0..60 {
        let person = format!("person-{}", n % 30);
        world.grant(&person, 1).await;
        notices.push(world.request(&person).await);
    }
    let (one, two) = (world.dispatcher(), other.dispatcher());
    let (one, two) = tokio::join!(one.drain_once(), two.drain_once());
    one.unwrap();
    two.unwrap();
    // What one process left because the other was sending to the same person.
    world.dispatcher().drain_once().await.unwrap();
    for notice in notices {
        let delivery = world.delivery(notice).await;
        assert_eq!((delivery.state, delivery.attempt), (Accepted, 1));
    }
    assert_eq!(world.wechat().ledger().len(), 60);
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 60);
}
