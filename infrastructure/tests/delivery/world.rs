//! One installation in a test: a database, a log, a simulator, and a clock that all of them share.

use std::sync::Arc;
use std::time::Duration;

use application::bus::{CommandBus, Draft, StreamAppend};
use application::ports::{Clock, Ids, Randomness};
use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::OpenId;
use domain::notification::{
    Channel, Decision, Delivery, DeliveryState, Message, Notification, NotificationEvent,
    NotificationRequested, PlannedDelivery, Priority,
};
use domain::subscription::{CreditsGranted, GrantSource, SubscriptionEvent, SubscriptionLedger};
use domain::{Actor, CommandId, DeliveryId, EventId, Metadata, NotificationId, StaffId, StreamId};
use infrastructure::bus::Bus;
use infrastructure::clock::TestClock;
use infrastructure::dispatcher::{Dispatcher, Options, Ports};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::{Gained, NewWork, OutboxInsert, recipient_key};
use infrastructure::provider_http::Timeouts;
use infrastructure::upcasters::Upcasters;
use infrastructure::wechat::{TokenStore, WechatSettings, WechatSubscribe};
use infrastructure::{with_pool, with_tx};
use serde_json::json;
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, RunningSimulator, Simulator, SimulatorConfig, SimulatorHandle,
    TimeSource,
};

use crate::database::{Backend, TestDb};

/// Chance that does not move anything.
struct NoJitter;

impl Randomness for NoJitter {
    fn unit(&self) -> f64 {
        0.5
    }
}

/// A process: its own log and bus over the shared database.
pub(crate) struct Process {
    pub(crate) bus: Bus,
    clock: Arc<TestClock>,
    base_url: String,
    pub(crate) timeouts: Timeouts,
}

/// Everything around one test. The database goes last.
pub(crate) struct World {
    pub(crate) process: Process,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) simulator: RunningSimulator,
    pub(crate) database: TestDb,
}

/// A notice that was requested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested {
    pub(crate) notification: NotificationId,
    pub(crate) delivery: DeliveryId,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Self {
        let database = TestDb::fresh(backend).await;
        let clock = Arc::new(TestClock::at("2026-03-01T02:00:00Z".parse().unwrap()));
        let time = Arc::clone(&clock);
        let config =
            SimulatorConfig { time: TimeSource::new(move || time.now()), ..SimulatorConfig::default() };
        let simulator = Simulator::start_with(config, "127.0.0.1:0").await.unwrap();
        let process = Process {
            bus: bus(EventLog::start(database.db.clone())),
            clock: Arc::clone(&clock),
            base_url: simulator.base_url().to_owned(),
            timeouts: Timeouts::default(),
        };
        Self { process, clock, simulator, database }
    }

    pub(crate) fn wechat(&self) -> &SimulatorHandle {
        self.simulator.handle()
    }

    /// The same installation with short patience, for providers that do not answer.
    pub(crate) fn impatient(mut self) -> Self {
        self.process.timeouts.total = Duration::from_millis(700);
        self
    }

    /// Another process on the same server.
    pub(crate) async fn second_process(&self) -> Process {
        Process {
            bus: bus(EventLog::start(self.database.reopened().await)),
            clock: Arc::clone(&self.clock),
            base_url: self.simulator.base_url().to_owned(),
            timeouts: self.process.timeouts,
        }
    }

    /// Another process on the same database, whose log is the same: SQLite allows no second handle.
    pub(crate) fn successor(&self) -> Dispatcher {
        self.process.dispatcher()
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        self.process.dispatcher()
    }

    /// Credits at both ends.
    pub(crate) async fn grant(&self, openid: &str, count: u32) {
        self.wechat().grant_credits(openid, count).unwrap();
        self.grant_here(openid, i64::from(count)).await;
    }

    /// Credits in the ledger only.
    pub(crate) async fn grant_here(&self, openid: &str, count: i64) {
        let stream = ledger_stream(openid);
        let ledger = self.process.bus.load::<SubscriptionLedger>(&stream).await.unwrap();
        let granted: SubscriptionEvent = CreditsGranted {
            app: DEMO_APPID.to_owned(),
            openid: OpenId::parse(openid).unwrap(),
            template: DEMO_TEMPLATE.to_owned(),
            count,
            source: GrantSource::Operator,
            at: self.clock.now(),
        }
        .into();
        let append = StreamAppend::of(stream, ledger.sequence, &[granted]).unwrap();
        self.process.bus.append(draft(vec![append], self.clock.now())).await.unwrap();
    }

    /// A notice for this person, with its work, as the policy would commit it.
    pub(crate) async fn request(&self, openid: &str) -> Requested {
        let notification = NotificationId(TimeOrderedIds.next());
        self.request_again(openid, notification).await
    }

    /// The work of a notice that may be there already.
    pub(crate) async fn request_again(&self, openid: &str, notification: NotificationId) -> Requested {
        self.request_work(openid, notification, None).await
    }

    /// A notice that says that the person gained a lead.
    pub(crate) async fn request_about(&self, openid: &str, gained: Gained) -> Requested {
        self.request_work(openid, NotificationId(TimeOrderedIds.next()), Some(gained)).await
    }

    async fn request_work(
        &self,
        openid: &str,
        notification: NotificationId,
        gained: Option<Gained>,
    ) -> Requested {
        let at = self.clock.now();
        let person = OpenId::parse(openid).unwrap();
        let delivery = DeliveryId::of(notification, Channel::WechatSubscribe.as_str());
        let work = NewWork {
            delivery,
            notification,
            channel: Channel::WechatSubscribe,
            app: DEMO_APPID.to_owned(),
            recipient: StaffId(notification.0), // whoever it is
            recipient_key: recipient_key(DEMO_APPID, person.as_str()),
            ledger: Some(ledger_stream(openid)),
            request_body: body(openid),
            due_at: at,
            created_at: at,
            gained,
            held_for: None,
            subject: None,
            fallback: None,
        };
        let stream = StreamId::from(notification);
        let notice = self.process.bus.load::<Notification>(&stream).await.unwrap();
        let channel = Channel::WechatSubscribe;
        let planned = PlannedDelivery { delivery, channel, decision: Decision::Deliver };
        let events: Vec<NotificationEvent> =
            if notice.exists() { vec![] } else { vec![request(notification, vec![planned], at).into()] };
        let append = StreamAppend::of(stream, notice.sequence, &events).unwrap();
        let insert = OutboxInsert(vec![work]);
        self.process.bus.append_with(draft(vec![append], at), vec![Box::new(insert)]).await.unwrap();
        Requested { notification, delivery }
    }

    /// What the notice says about its delivery.
    pub(crate) async fn delivery(&self, requested: Requested) -> Delivery {
        let stream = StreamId::from(requested.notification);
        let notice = fresh(&self.process.bus).load::<Notification>(&stream).await.unwrap();
        notice.state.deliveries[&requested.delivery].clone()
    }

    pub(crate) async fn state(&self, requested: Requested) -> DeliveryState {
        self.delivery(requested).await.state
    }

    /// What the row says: state, whether it still has its body, seconds until it is due.
    pub(crate) async fn row(&self, requested: Requested) -> (String, bool, i64) {
        let sql = "SELECT state, request_body, due_at FROM outbox WHERE delivery_id = $1";
        let (state, body, due_at): (String, Option<String>, DateTime<Utc>) =
            with_pool!(&self.database.db, pool =>
            sqlx::query_as(sql).bind(requested.delivery.0).fetch_one(pool).await)
            .unwrap();
        (state, body.is_some(), (due_at - self.clock.now()).num_seconds())
    }

    /// Free credits, and deliveries that hold one.
    pub(crate) async fn credits(&self, openid: &str) -> (i64, usize) {
        let ledger =
            fresh(&self.process.bus).load::<SubscriptionLedger>(&ledger_stream(openid)).await.unwrap();
        (ledger.state.available, ledger.state.reserved.len())
    }

    /// Every event of the ledger folded one by one; fails if the credits were ever negative.
    pub(crate) async fn assert_never_negative(&self, openid: &str) {
        let stream = ledger_stream(openid);
        let last = fresh(&self.process.bus).load::<SubscriptionLedger>(&stream).await.unwrap().sequence;
        for sequence in 1..=last {
            let then = self.process.bus.load_at::<SubscriptionLedger>(&stream, sequence).await.unwrap();
            assert!(then.state.available >= 0, "negative after event {sequence}");
        }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Runs a statement beside the program.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let mut tx = self.database.db.begin_write().await.unwrap();
        with_tx!(&mut tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }
}

impl Process {
    pub(crate) fn dispatcher(&self) -> Dispatcher {
        self.dispatcher_with(Options::default())
    }

    /// A dispatcher with a clock of its own.
    pub(crate) fn dispatcher_by(&self, clock: Arc<dyn Clock>) -> Dispatcher {
        self.dispatcher_of(Ports { clock, ..self.ports() }, Options::default())
    }

    pub(crate) fn dispatcher_with(&self, options: Options) -> Dispatcher {
        self.dispatcher_of(self.ports(), options)
    }

    fn dispatcher_of(&self, ports: Ports, options: Options) -> Dispatcher {
        let settings = WechatSettings {
            base_url: self.base_url.parse().unwrap(),
            app: DEMO_APPID.to_owned(),
            secret: DEMO_SECRET.to_owned().into(),
            timeouts: self.timeouts,
        };
        let clock = Arc::clone(&ports.clock);
        let db = self.bus.log().db().clone();
        let tokens = TokenStore::new(db, settings.clone(), Arc::clone(&clock), &TimeOrderedIds).unwrap();
        let provider = WechatSubscribe::new(settings, Arc::new(tokens), Arc::clone(&clock)).unwrap();
        Dispatcher::new(self.bus.clone(), Arc::new(provider), ports, options)
    }

    /// Time, ids and dice of a test.
    pub(crate) fn ports(&self) -> Ports {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Ports { clock, ids: Arc::new(TimeOrderedIds), randomness: Arc::new(NoJitter) }
    }

    /// The same process, pointed at another address.
    pub(crate) fn with_base_url(mut self, base_url: &str) -> Self {
        base_url.clone_into(&mut self.base_url);
        self
    }
}

fn bus(log: EventLog) -> Bus {
    Bus::new(log, Arc::new(Upcasters::none()))
}

/// A bus without memory, to see what is stored.
fn fresh(shared: &Bus) -> Bus {
    bus(shared.log().clone())
}

fn ledger_stream(openid: &str) -> StreamId {
    StreamId::subscription(DEMO_APPID, openid, DEMO_TEMPLATE)
}

pub(crate) fn draft(streams: Vec<StreamAppend>, at: DateTime<Utc>) -> Draft {
    Draft {
        metadata: Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "request-1".to_owned(),
            causation: None,
            actor: Actor::System("policy".to_owned()),
        },
        recorded_at: at,
        streams,
        guards: vec![],
        receipt: None,
    }
}

/// A notice with these deliveries.
pub(crate) fn request(
    notification: NotificationId,
    deliveries: Vec<PlannedDelivery>,
    at: DateTime<Utc>,
) -> NotificationRequested {
    NotificationRequested {
        notification,
        cause: EventId(TimeOrderedIds.next()),
        recipient: StaffId(TimeOrderedIds.next()),
        scene: "CUSTOMER_ASSIGNED".to_owned(),
        priority: Priority::High,
        message: Message {
            title: "新客户".to_owned(),
            content: "您有一位新客户".to_owned(),
            icon: "user".to_owned(),
            color: "blue".to_owned(),
            action_url: "/customers/1".to_owned(),
            action_text: "查看".to_owned(),
            data: serde_json::Map::new(),
        },
        customers: vec![],
        deliveries,
        template_version: 1,
        template: String::new(),
        rendered_hash: String::new(),
        digest_of: vec![],
        at,
    }
}

fn body(openid: &str) -> String {
    let value = |text: &str| json!({ "value": text });
    json!({
        "touser": openid,
        "template_id": DEMO_TEMPLATE,
        "data": {
            "thing1": value("张三"), "phone_number2": value("138****8999"), "thing3": value("新分配"),
            "time4": value("2026年3月1日 10:00"),
        },
    })
    .to_string()
}
