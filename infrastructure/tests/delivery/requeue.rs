//! An operator's second try.

use domain::notification::DeliveryState::{Accepted, Pending, Rejected, Unknown};
use domain::notification::NotificationError;
use domain::{Actor, DeliveryId};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::decide::DecideError;
use infrastructure::outbox::requeue::requeue;
use rstest::rstest;
use uuid::Uuid;
use wechat_simulator::{Endpoint, Fault, FaultRule};

use crate::database::Backend;
use crate::world::World;

async fn again(world: &World, delivery: DeliveryId) -> Result<i64, DecideError> {
    let by = Actor::System("cli".to_owned());
    requeue(&world.process.bus, (world.clock.as_ref(), &TimeOrderedIds), delivery, by, "the person asked")
        .await
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_unknown_delivery_is_sent_again_when_asked(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::ResetBefore {})).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Unknown);
    again(&world, notice.delivery).await.unwrap();
    assert_eq!(world.state(notice).await, Pending);
    dispatcher.drain_once().await.unwrap();
    let delivery = world.delivery(notice).await;
    assert_eq!((delivery.state, delivery.attempt), (Accepted, 2));
    assert_eq!(world.credits("li").await, (0, 0), "the reserved credit was used, no second one");
    let twice = again(&world, notice.delivery).await;
    assert!(
        matches!(twice, Err(DecideError::Refused(NotificationError::NotRequeueable(Accepted)))),
        "{twice:?}"
    );
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_refusal_after_a_possible_arrival_stays_unknown(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::ResetAfter {})).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    again(&world, notice.delivery).await.unwrap();
    // The first message used the last credit, so WeChat says 43101: nobody refused anything.
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Unknown);
    assert_eq!(world.credits("li").await, (0, 0));
    assert_eq!(world.wechat().received_by("li").len(), 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_cannot_be_sent_again_says_why(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let nobody = again(&world, DeliveryId(Uuid::from_u128(7))).await;
    assert!(matches!(nobody, Err(DecideError::NotFound)), "{nobody:?}");
    let waiting = world.request("li").await;
    let early = again(&world, waiting.delivery).await;
    assert!(
        matches!(early, Err(DecideError::Refused(NotificationError::NotRequeueable(Pending)))),
        "{early:?}"
    );
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.state(waiting).await, Rejected);
    world.execute("UPDATE outbox SET request_body = NULL").await;
    let gone = again(&world, waiting.delivery).await;
    assert!(matches!(gone, Err(DecideError::BodyGone)), "{gone:?}");
    assert_eq!(world.state(waiting).await, Rejected, "a refused decision left an event");
}
