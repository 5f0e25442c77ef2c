//! A digest has a route like any other notice: the channels that stood by for each of its members stand by for it.

use domain::notification::DeliveryState::{Accepted, Rejected};
use domain::notification::{Channel, Decision, PlannedDelivery};
use rstest::rstest;

use crate::database::Backend;
use crate::held::{Waits, Words, person};
use crate::scripted::{Scripted, no, unreachable};
use crate::world::World;

/// Past the moment of everything held by `Waits::quiet`.
const AFTER_THE_NIGHT: i64 = 3600;

#[rstest]
#[tokio::test]
async fn a_digest_that_its_channel_refuses_is_told_by_the_next_one(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let routed = Waits { standby: Some(Channel::WechatCloud), ..Waits::quiet(person(1)) };
    world.hold_all(&[routed, routed]).await;
    world.advance(AFTER_THE_NIGHT);
    assert_eq!(world.releaser(&Words::new()).drain_once().await.unwrap(), 2);
    let digests = world.digests().await;
    let [digest] = digests.as_slice() else { panic!("{} digests", digests.len()) };
    let of = |channel: Channel| {
        let planned = digest.deliveries.iter().find(|planned| planned.channel == channel).unwrap();
        (planned.decision.clone(), planned.delivery)
    };
    let (decision, cloud_delivery) = of(Channel::WechatCloud);
    assert_eq!(decision, Decision::Standby { after: Channel::WecomApp });
    assert_eq!(of(Channel::WechatSubscribe).0, Decision::Suppress { reason: "not_routed".to_owned() });

    let (wecom, cloud) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WechatCloud));
    wecom.answers([no()]);
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!(cloud.sent(), Vec::<String>::new(), "it stands by");
    world.scripted(&wecom).drain_once().await.unwrap();
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!((wecom.sent().len(), cloud.sent().len()), (1, 1));
    assert_eq!(world.kept(digest.notification, of(Channel::WecomApp).1).await.state, Rejected);
    assert_eq!(world.kept(digest.notification, cloud_delivery).await.state, Accepted);
}

#[rstest]
#[tokio::test]
async fn a_digest_that_does_not_get_through_in_time_gives_way(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let routed = Waits { standby: Some(Channel::WechatCloud), ..Waits::quiet(person(1)) };
    world.hold_all(&[routed, routed]).await;
    world.advance(AFTER_THE_NIGHT);
    world.releaser(&Words::new()).drain_once().await.unwrap();
    let (wecom, cloud) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WechatCloud));
    wecom.answers(std::iter::repeat_n(unreachable(), 20));
    let dispatcher = world.scripted(&wecom);
    for _ in 0..6 {
        dispatcher.drain_once().await.unwrap();
        world.advance(60);
    }
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!(cloud.sent().len(), 1);
}

#[rstest]
#[tokio::test]
async fn only_a_channel_that_stood_by_for_each_of_them_stands_by_for_all(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let alone = Waits::quiet(person(1));
    world.hold_all(&[Waits { standby: Some(Channel::WechatCloud), ..alone }, alone]).await;
    world.advance(AFTER_THE_NIGHT);
    world.releaser(&Words::new()).drain_once().await.unwrap();
    let digest = &world.digests().await[0];
    let stands_by = |planned: &PlannedDelivery| matches!(planned.decision, Decision::Standby { .. });
    assert!(!digest.deliveries.iter().any(stands_by), "{:?}", digest.deliveries);
}
