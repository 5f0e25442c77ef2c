//! What becomes of a delivery whose arrival nobody knows, when no proof came in time.

use std::time::Duration;

use application::ports::Clock as _;
use domain::notification::{Channel, NotificationCommand, Settlement};
use domain::{Actor, CommandId, DeliveryId, Metadata};
use infrastructure::outbox::decide::decide;
use infrastructure::settler::{Options, Settler};
use rstest::rstest;
use wechat_simulator::{Endpoint, Fault, FaultRule};

use crate::database::Backend;
use crate::scripted::{Scripted, Step, Told, doubt};
use crate::world::World;

/// How long the proof of a subscribe message is waited for.
const GRACE: i64 = 120;

const ROUTE: [Step; 2] = [
    Step { channel: Channel::WechatSubscribe, fallback: Some(Duration::from_mins(5)) },
    Step { channel: Channel::WecomApp, fallback: None },
];

fn settler(world: &World, policies: &[(&str, &str)]) -> Settler {
    let options = Options::parse(policies.iter().copied()).unwrap();
    Settler::new(world.process.bus.clone(), world.clock.clone(), options)
}

async fn settled(settler: &Settler) -> usize {
    settler.drain_once().await.unwrap()
}

/// A message through this route whose first channel gave no answer.
async fn in_doubt(world: &World, provider: &std::sync::Arc<Scripted>, route: &[Step]) -> Told {
    provider.answers([doubt()]);
    let told = world.tell("li", route, None).await;
    world.scripted(provider).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await[0], "unknown");
    told
}

#[rstest]
#[tokio::test]
async fn the_next_channel_tells_it_marked_as_possibly_repeated(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (wechat, wecom) = (Scripted::new(Channel::WechatSubscribe), Scripted::new(Channel::WecomApp));
    let told = in_doubt(&world, &wechat, &ROUTE).await;
    let settler = settler(&world, &[]);
    world.advance(GRACE - 1);
    assert_eq!(settled(&settler).await, 0, "the proof may still come");
    world.advance(1);
    assert_eq!(settled(&settler).await, 1);
    assert_eq!(world.rows(&told).await, ["unknown", "pending"]);
    assert_eq!(world.step(&told, 0).await.settlement, Some(Settlement::Escalated));
    let released = world.payloads("DeliveryReleased").await;
    assert_eq!(released[0]["possibly_repeated"], true);
    let decided = world.payloads("DeliverySettled").await;
    assert_eq!(decided[0]["by"], serde_json::json!({ "kind": "system", "id": "settler" }));
    world.scripted(&wecom).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["unknown", "accepted"]);
    world.advance(10 * GRACE);
    assert_eq!(settled(&settler).await, 0, "it is decided once");
    assert_eq!(wechat.sent().len(), 1, "never sent again");
}

#[rstest]
#[tokio::test]
async fn without_a_next_channel_it_is_closed_and_stays_visible(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wechat = Scripted::new(Channel::WechatSubscribe);
    let told = in_doubt(&world, &wechat, &ROUTE[..1]).await;
    world.advance(GRACE);
    let settler = settler(&world, &[]);
    assert_eq!(settled(&settler).await, 1);
    assert_eq!(world.step(&told, 0).await.settlement, Some(Settlement::Closed));
    assert_eq!(world.rows(&told).await, ["unknown"]);
    world.advance(GRACE);
    assert_eq!(settled(&settler).await, 0);
}

#[rstest]
#[tokio::test]
async fn at_least_once_means_one_repetition(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let wechat = Scripted::new(Channel::WechatSubscribe);
    let told = in_doubt(&world, &wechat, &ROUTE).await;
    let settler = settler(&world, &[("wechat_subscribe", "at_least_once")]);
    world.advance(GRACE);
    assert_eq!(settled(&settler).await, 1);
    assert_eq!(world.rows(&told).await, ["pending", "held"]);
    wechat.answers([doubt()]);
    world.scripted(&wechat).drain_once().await.unwrap();
    let sent = wechat.sent();
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]), "the same bytes");
    world.advance(GRACE);
    assert_eq!(settled(&settler).await, 1);
    assert_eq!(world.rows(&told).await, ["unknown", "pending"], "then the next channel tells it");
    world.advance(GRACE);
    assert_eq!(settled(&settler).await, 0);
    assert_eq!(wechat.sent().len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_repetition_that_is_taken_ends_it(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let wechat = Scripted::new(Channel::WechatSubscribe);
    let told = in_doubt(&world, &wechat, &ROUTE).await;
    let settler = settler(&world, &[("wechat_subscribe", "at_least_once")]);
    world.advance(GRACE);
    settled(&settler).await;
    world.scripted(&wechat).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["accepted", "cancelled"]);
    world.advance(GRACE);
    assert_eq!(settled(&settler).await, 0);
}

#[rstest]
#[tokio::test]
async fn a_proof_in_time_leaves_nothing_to_decide(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wechat = Scripted::new(Channel::WechatSubscribe);
    let told = in_doubt(&world, &wechat, &ROUTE).await;
    let at = world.clock.now();
    let metadata = Metadata {
        command: CommandId::from_key("test", "proof"),
        correlation: "proof".to_owned(),
        causation: None,
        actor: Actor::System("callbacks".to_owned()),
    };
    let delivery = DeliveryId::of(told.notification, Channel::WechatSubscribe.as_str());
    let (proof, provider_message_id) = ("subscribe_msg_sent_event".to_owned(), None);
    let command = NotificationCommand::Confirm { delivery, proof, provider_message_id, at };
    decide(&world.process.bus, delivery, command, metadata, at).await.unwrap();
    world.advance(GRACE);
    assert_eq!(settled(&settler(&world, &[])).await, 0);
    assert_eq!(world.rows(&told).await, ["delivered", "cancelled"]);
}

#[rstest]
#[tokio::test]
async fn two_settlers_at_once_decide_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const MANY: usize = 30;
    let world = World::new(backend).await;
    let beside = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(world.second_process().await),
    };
    let wechat = Scripted::new(Channel::WechatSubscribe);
    wechat.answers(std::iter::repeat_n(doubt(), MANY));
    for n in 0..MANY {
        // Every other one has a channel behind it.
        world.tell(&format!("person-{n}"), &ROUTE[..=n % 2], None).await;
    }
    world.scripted(&wechat).drain_once().await.unwrap();
    world.advance(GRACE);
    let bus = beside.as_ref().map_or(&world.process.bus, |process| &process.bus);
    let (one, other) =
        (settler(&world, &[]), Settler::new(bus.clone(), world.clock.clone(), Options::default()));
    let (first, second) = tokio::join!(one.drain_once(), other.drain_once());
    assert!(first.unwrap() + second.unwrap() >= MANY);
    assert_eq!(world.payloads("DeliverySettled").await.len(), MANY);
    assert_eq!(world.payloads("DeliveryReleased").await.len(), MANY / 2);
}

#[rstest]
#[tokio::test]
async fn the_credit_of_an_unknown_arrival_stays_reserved(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::ResetAfter {})).unwrap();
    let notice = world.request("li").await;
    world.dispatcher().drain_once().await.unwrap();
    world.advance(GRACE);
    assert_eq!(settled(&settler(&world, &[])).await, 1);
    assert_eq!(world.delivery(notice).await.settlement, Some(Settlement::Closed));
    assert_eq!(world.credits("li").await, (1, 1), "nobody knows whether WeChat spent it");
}

/// A person's decision.
async fn says(world: &World, delivery: DeliveryId, command: NotificationCommand) {
    let metadata = Metadata {
        command: CommandId::from_key("test", &format!("{delivery}")),
        correlation: "operator".to_owned(),
        causation: None,
        actor: Actor::System("cli".to_owned()),
    };
    decide(&world.process.bus, delivery, command, metadata, world.clock.now()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn who_says_that_it_arrived_says_that_its_credit_is_spent(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, Fault::ResetAfter {})).unwrap();
    let notice = world.request("li").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.credits("li").await, (1, 1));
    let (delivery, at) = (notice.delivery, world.clock.now());
    let (settlement, by, reason) =
        (Settlement::Sent, Actor::System("cli".to_owned()), "asked her".to_owned());
    says(&world, delivery, NotificationCommand::Settle { delivery, settlement, by, reason, at }).await;
    assert_eq!(world.credits("li").await, (1, 0));
}

#[rstest]
#[tokio::test]
async fn what_is_given_up_gives_its_credit_back_unless_it_may_have_arrived(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values((Fault::Http4xx { status: 403, process: false }, (2, 0)), (Fault::ResetAfter {}, (1, 1)))]
    (fault, credits): (Fault, (i64, usize)),
) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    world.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, fault)).unwrap();
    let notice = world.request("li").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.credits("li").await, (1, 1), "it waits with its credit, or nobody knows");
    let (delivery, at) = (notice.delivery, world.clock.now());
    let (by, reason) = (Actor::System("cli".to_owned()), "told by phone".to_owned());
    says(&world, delivery, NotificationCommand::Discard { delivery, by, reason, at }).await;
    assert_eq!(world.credits("li").await, credits);
    assert_eq!(world.row(notice).await.0, "cancelled");
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_decided_keeps_nobody_waiting(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wechat = Scripted::new(Channel::WechatSubscribe);
    let lost = in_doubt(&world, &wechat, &ROUTE).await;
    let told = in_doubt(&world, &wechat, &ROUTE).await;
    world.forget_notice(lost.notification).await;
    world.advance(GRACE);
    assert_eq!(settled(&settler(&world, &[])).await, 1);
    assert_eq!(world.rows(&told).await, ["unknown", "pending"]);
    assert_eq!(world.rows(&lost).await, ["unknown", "held"], "it stays, and is looked at again");
}
