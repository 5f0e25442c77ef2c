//! Stored callbacks become facts: what the service account says of its messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use application::bus::CommandBus as _;
use domain::notification::DeliveryState::{self, Accepted, Delivered, Rejected};
use domain::notification::{
    Channel, Decision, DeliveryAccepted, DeliveryStarted, FailureClass, Notification, NotificationEvent,
    PlannedDelivery,
};
use domain::{DeliveryId, StreamId};
use infrastructure::bus::Bus;
use infrastructure::callbacks::{CallbackStore, NewCallback, Source};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use secrecy::SecretString;
use uuid::Uuid;

use super::kit::{Backend, World, notice, requested, second};
use crate::CallbackWorker;
use crate::callbacks::SendingApps;
use crate::queries::deliveries;

const OFFICIAL: &str = "wx-official";
const MINI_PROGRAM: &str = "wx-mini";
/// The person, who is somebody else to every app.
const OPENID: &str = "o1";
const MESSAGE_ID: &str = "200163836";

struct Story {
    world: World,
    bus: Bus,
    store: CallbackStore,
    worker: CallbackWorker,
}

fn official(n: u128) -> DeliveryId {
    of(n, Channel::WechatOfficial)
}

fn of(n: u128, channel: Channel) -> DeliveryId {
    DeliveryId::of(notice(n, 1), channel.as_str())
}

impl Story {
    async fn begin(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let bus = Bus::new(world.log.clone(), Arc::new(Upcasters::none()));
        let store = CallbackStore::new(world.db.clone());
        let named = |app: &str| Some(app.to_owned());
        let (mini_program, official, cloud) = (named(MINI_PROGRAM), named(OFFICIAL), named(MINI_PROGRAM));
        let apps = SendingApps { mini_program, official, cloud };
        let progress = world.projections.progress().clone();
        let clock = world.clock.clone();
        let worker =
            CallbackWorker::new(bus.clone(), progress, store.clone(), apps, clock, Arc::new(TimeOrderedIds));
        Self { world, bus, store, worker }
    }

    /// The first notice went out through the service account, which gave the message this id.
    async fn sent(&self) {
        self.sent_through(Channel::WechatOfficial, Some(MESSAGE_ID)).await;
    }

    /// The first notice went out through a channel, which said under which id or did not.
    async fn sent_through(&self, channel: Channel, message_id: Option<&str>) {
        let NotificationEvent::Requested(mut request) =
            requested(1, 1, Decision::Suppress { reason: "not_routed".to_owned() })
        else {
            unreachable!("it is a request")
        };
        let delivery = of(1, channel);
        request.deliveries.push(PlannedDelivery { delivery, channel, decision: Decision::Deliver });
        let accepted = DeliveryAccepted {
            delivery,
            attempt: 1,
            provider_message_id: message_id.map(str::to_owned),
            at: second(3),
        };
        let events: [NotificationEvent; 3] =
            [request.into(), DeliveryStarted { delivery, attempt: 1, at: second(2) }.into(), accepted.into()];
        self.world.append(notice(1, 1), &events).await;
        self.world.projections.catch_up_all().await.unwrap();
    }

    /// The account says how a message ended.
    async fn ended(&self, n: u128, app: &str, id: &str, status: &str) {
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{OPENID}</FromUserName><CreateTime>{}</CreateTime>\
             <MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>{id}</MsgID>\
             <Status><![CDATA[{status}]]></Status></xml>",
            second(4).timestamp()
        );
        self.told(n, app, body).await;
    }

    /// The mini program says what became of a subscribe message.
    async fn went_out(&self, n: u128, app: &str, id: &str, code: i64) {
        let status = if code == 0 { "success" } else { "failed" };
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{OPENID}</FromUserName><CreateTime>{}</CreateTime>\
             <MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List>\
             <TemplateId>T</TemplateId><MsgID>{id}</MsgID><ErrorCode>{code}</ErrorCode>\
             <ErrorStatus><![CDATA[{status}]]></ErrorStatus></List></SubscribeMsgSentEvent></xml>",
            second(4).timestamp()
        );
        self.told(n, app, body).await;
    }

    async fn told(&self, n: u128, app: &str, body: String) {
        let new = NewCallback {
            id: Uuid::from_u128(n),
            source: Source::Wechat,
            app,
            signature: &n.to_string(),
            signature_until: second(600),
            body: &SecretString::from(body),
        };
        self.store.receive(new, second(5)).await.unwrap();
        self.world.clock.set(second(5));
        self.worker.drain_once().await.unwrap();
    }

    async fn state(&self) -> DeliveryState {
        self.state_of(Channel::WechatOfficial).await
    }

    async fn state_of(&self, channel: Channel) -> DeliveryState {
        let notice = self.bus.load::<Notification>(&StreamId::from(notice(1, 1))).await.unwrap();
        notice.state.delivery(of(1, channel)).unwrap().state
    }

    /// How many callbacks are in each state.
    async fn callbacks(&self) -> BTreeMap<String, i64> {
        let mut states = BTreeMap::new();
        for count in self.store.counts().await.unwrap() {
            *states.entry(count.state).or_default() += count.callbacks;
        }
        states
    }
}

#[rstest]
#[case::it_arrived("success", Delivered, None)]
#[case::the_person_blocks_the_account("failed:user block", Rejected, Some(FailureClass::Recipient))]
#[case::so_with_a_blank("failed: user block", Rejected, Some(FailureClass::Recipient))]
#[case::the_provider_failed("failed: system failed", Rejected, Some(FailureClass::Busy))]
#[tokio::test]
async fn the_end_of_a_template_message_is_its_deliverys_end(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: &str,
    #[case] state: DeliveryState,
    #[case] class: Option<FailureClass>,
) {
    let story = Story::begin(backend).await;
    story.sent().await;
    story.ended(1, OFFICIAL, MESSAGE_ID, status).await;
    assert_eq!(story.state().await, state);
    assert_eq!(story.callbacks().await, BTreeMap::from([("done".to_owned(), 1)]));
    story.world.projections.catch_up_all().await.unwrap();
    let rows = deliveries::of_notification(&story.world.db, notice(1, 1)).await.unwrap();
    let row = rows.into_iter().find(|row| row.id == official(1)).unwrap();
    assert_eq!((row.state, row.failure.map(|failure| failure.class)), (state, class));

    // Told once more in other words, it changes nothing that is final.
    story.ended(2, OFFICIAL, MESSAGE_ID, &format!("{status} ")).await;
    assert_eq!(story.state().await, state);
}

#[rstest]
#[tokio::test]
async fn an_id_of_another_app_is_another_message(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let story = Story::begin(backend).await;
    story.sent().await;
    story.ended(1, "wx-of-nobody", MESSAGE_ID, "success").await;
    assert_eq!(
        story.callbacks().await,
        BTreeMap::from([("done".to_owned(), 1)]),
        "nothing follows from it here"
    );
    story.ended(2, MINI_PROGRAM, MESSAGE_ID, "success").await;
    story.ended(3, OFFICIAL, "7", "success").await;
    assert_eq!(story.callbacks().await, BTreeMap::from([("done".to_owned(), 1), ("waiting".to_owned(), 2)]));
    assert_eq!(story.state().await, Accepted);
}

#[rstest]
#[case::it_arrived(Some(MESSAGE_ID), MINI_PROGRAM, 0, Delivered)]
#[case::the_provider_could_not_push_it(Some(MESSAGE_ID), MINI_PROGRAM, 1300, Rejected)]
#[case::it_is_another_ones(Some("7"), MINI_PROGRAM, 1300, Accepted)]
#[case::the_function_did_not_say_the_id(None, MINI_PROGRAM, 1300, Accepted)]
#[case::it_is_another_apps(Some(MESSAGE_ID), OFFICIAL, 1300, Accepted)]
#[tokio::test]
async fn what_the_cloud_function_sent_is_known_by_the_id_it_passes_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] known_by: Option<&str>,
    #[case] app: &str,
    #[case] code: i64,
    #[case] state: DeliveryState,
) {
    let story = Story::begin(backend).await;
    story.sent_through(Channel::WechatCloud, known_by).await;
    story.went_out(1, app, MESSAGE_ID, code).await;
    assert_eq!(story.state_of(Channel::WechatCloud).await, state);
    let fate = if state == Accepted { "waiting" } else { "done" };
    assert_eq!(story.callbacks().await, BTreeMap::from([(fate.to_owned(), 1)]));
}
