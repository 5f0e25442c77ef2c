//! A database, a simulator and a clock for one test, and a client of every provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use application::channels::wechat_subscribe::Value;
use application::channels::{
    ChannelSettings, Notice, render, wechat_cloud, wechat_official, wecom_app, wecom_robot,
};
use application::delivery::Outcome;
use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, FailureClass};
use domain::{CustomerId, DeliveryId, NotificationId, StaffId};
use infrastructure::clock::TestClock;
use infrastructure::dispatcher::Provider;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::provider_http::Timeouts;
use infrastructure::provider_tokens::TokenStore;
use infrastructure::wechat::{WechatCloud, WechatOfficial, WechatSettings};
use infrastructure::wecom::sealed::CurrentSecret;
use infrastructure::wecom::{RobotSettings, WecomApp, WecomRobot, WecomSettings};
use uuid::Uuid;
use wechat_simulator::{
    CLOUD_FUNCTION, DEMO_AGENT, DEMO_APPID, DEMO_CLOUD_ENV, DEMO_CORP, DEMO_OFFICIAL_APPID,
    DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE, DEMO_ROBOT, DEMO_SECRET, DEMO_WECOM_SECRET, Endpoint,
    Fault, FaultRule, RunningSimulator, Simulator, SimulatorConfig, SimulatorHandle, TimeSource, Times,
};

use crate::database::{Backend, TestDb};

/// A member, a follower, a mini-program user: one person.
pub(crate) const PERSON: &str = "ZhangSan";
/// The corporation of the demo application as our settings name the app.
pub(crate) const WECOM_APP: &str = "ww0000000000demo01/1000002";

/// A secret that `WeCom` does not know any more: somebody typed another one since.
pub(crate) const CONFIGURED_SECRET: &str = "the secret of the configuration";

/// Everything around one test. The database goes last.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    simulator: RunningSimulator,
    database: TestDb,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Self {
        let database = TestDb::fresh(backend).await;
        let clock = Arc::new(TestClock::at("2026-03-01T02:00:00Z".parse().unwrap()));
        let time = Arc::clone(&clock);
        let config =
            SimulatorConfig { time: TimeSource::new(move || time.now()), ..SimulatorConfig::default() };
        let simulator = Simulator::start_with(config, "127.0.0.1:0").await.unwrap();
        Self { clock, simulator, database }
    }

    pub(crate) fn simulator(&self) -> &SimulatorHandle {
        self.simulator.handle()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// How often an endpoint was called.
    pub(crate) fn calls(&self, endpoint: Endpoint) -> u64 {
        self.simulator().calls().of(endpoint).calls
    }

    /// The next call of an endpoint meets this.
    pub(crate) fn fault(&self, endpoint: Endpoint, fault: Fault, times: Times) {
        let rule = FaultRule { endpoint: Some(endpoint), openid: None, after: 0, times, fault };
        self.simulator().add_fault(rule).unwrap();
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn wechat_settings(&self, app: &str, secret: &str) -> WechatSettings {
        WechatSettings {
            base_url: self.simulator.base_url().parse().unwrap(),
            app: app.to_owned(),
            secret: secret.to_owned().into(),
            timeouts: Timeouts::default(),
        }
    }

    /// A fresh store, as another process would have.
    pub(crate) fn wechat_tokens(&self, app: &str, secret: &str) -> Arc<TokenStore> {
        let (db, settings) = (self.database.db.clone(), self.wechat_settings(app, secret));
        Arc::new(TokenStore::new(db, settings, self.clock(), &TimeOrderedIds).unwrap())
    }

    fn wecom_settings(&self, secret: &str) -> WecomSettings {
        WecomSettings {
            base_url: self.simulator.base_url().parse().unwrap(),
            corp: DEMO_CORP.to_owned(),
            app: WECOM_APP.to_owned(),
            secret: secret.to_owned().into(),
            timeouts: Timeouts::default(),
        }
    }

    pub(crate) fn wecom_tokens(&self, secret: &str) -> Arc<TokenStore> {
        let (db, settings) = (self.database.db.clone(), self.wecom_settings(secret));
        Arc::new(TokenStore::of_wecom(db, settings, self.clock(), &TimeOrderedIds).unwrap())
    }

    pub(crate) fn wecom_app(&self) -> WecomApp {
        self.simulator().add_wecom_user(DEMO_CORP, PERSON);
        let tokens = self.wecom_tokens(DEMO_WECOM_SECRET);
        WecomApp::new(self.wecom_settings(DEMO_WECOM_SECRET), tokens, self.clock()).unwrap()
    }

    /// The same with the secret that somebody typed.
    pub(crate) fn wecom_app_with(&self, secrets: Arc<dyn CurrentSecret>) -> WecomApp {
        self.simulator().add_wecom_user(DEMO_CORP, PERSON);
        let (db, settings) = (self.database.db.clone(), self.wecom_settings(CONFIGURED_SECRET));
        let tokens = TokenStore::of_wecom_with(db, settings.clone(), secrets, self.clock(), &TimeOrderedIds);
        WecomApp::new(settings, Arc::new(tokens.unwrap()), self.clock()).unwrap()
    }

    pub(crate) fn robot(&self, key: &str) -> WecomRobot {
        let settings = RobotSettings {
            base_url: self.simulator.base_url().parse().unwrap(),
            name: "robot".to_owned(),
            key: key.to_owned().into(),
            timeouts: Timeouts::default(),
        };
        WecomRobot::new(settings, self.clock()).unwrap()
    }

    pub(crate) fn official(&self, kind: wechat_official::Kind) -> WechatOfficial {
        let tokens = self.wechat_tokens(DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET);
        let settings = self.wechat_settings(DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET);
        WechatOfficial::new(settings, kind, tokens, self.clock()).unwrap()
    }

    pub(crate) fn cloud(&self, env: &str) -> WechatCloud {
        let tokens = self.wechat_tokens(DEMO_APPID, DEMO_SECRET);
        let channel = wechat_cloud::Settings { env: env.to_owned(), ..cloud_settings() };
        let settings = self.wechat_settings(DEMO_APPID, DEMO_SECRET);
        WechatCloud::new(settings, &channel, tokens, self.clock()).unwrap()
    }

    /// Sends a body and says how it ended.
    pub(crate) async fn send(&self, provider: &dyn Provider, body: &str) -> Ended {
        provider.prepare().await.unwrap();
        ended(provider.send(body).await)
    }
}

fn cloud_settings() -> wechat_cloud::Settings {
    wechat_cloud::Settings {
        app: DEMO_APPID.to_owned(),
        env: DEMO_CLOUD_ENV.to_owned(),
        function: CLOUD_FUNCTION.to_owned(),
    }
}

/// Every channel but the subscribe messages, as the simulator knows them.
fn settings(official: wechat_official::Kind, card: wecom_app::Kind) -> ChannelSettings {
    let public_url = || Some("https://crm.example.com".to_owned());
    let fields = [("thing1", "customer_name"), ("time3", "assign_time"), ("thing4", "assigner")];
    ChannelSettings {
        wechat_subscribe: None,
        wechat_cloud: Some(cloud_settings()),
        wechat_official: Some(wechat_official::Settings {
            app: DEMO_OFFICIAL_APPID.to_owned(),
            kind: official,
            template: DEMO_OFFICIAL_TEMPLATE.to_owned(),
            fields: fields.map(|(key, shows)| (key.to_owned(), shows.to_owned())).to_vec(),
            public_url: public_url(),
            mini_program: None,
        }),
        wecom_app: Some(wecom_app::Settings {
            corp: DEMO_CORP.to_owned(),
            agent: i64::try_from(DEMO_AGENT).unwrap(),
            kind: card,
            public_url: public_url(),
        }),
        wecom_robot: Some(wecom_robot::Settings {
            name: "robot".to_owned(),
            corp: Some(DEMO_CORP.to_owned()),
            kind: wecom_robot::Kind::Markdown,
            public_url: public_url(),
        }),
        ..ChannelSettings::default()
    }
}

/// The person's id in our own house, which the cloud function knows.
pub(crate) fn recipient() -> StaffId {
    StaffId(Uuid::from_u128(3))
}

/// The stored body of notice number `n`, as the channel renders it.
pub(crate) fn body(channel: Channel, receiver: &str, n: u128) -> String {
    body_as(channel, receiver, n, wechat_official::Kind::Template, wecom_app::Kind::Textcard)
}

pub(crate) fn body_as(
    channel: Channel,
    receiver: &str,
    n: u128,
    official: wechat_official::Kind,
    card: wecom_app::Kind,
) -> String {
    let at: DateTime<Utc> = "2026-03-01T01:00:00Z".parse().unwrap();
    let values = BTreeMap::from([
        ("customer_name", Value::from("张三".repeat(30))),
        ("assigner", Value::from("王经理")),
        ("assign_time", Value::Time(at)),
    ]);
    let notice = Notice {
        notification: NotificationId(Uuid::from_u128(n << 96)),
        delivery: DeliveryId(Uuid::from_u128(n)),
        scene: "CUSTOMER_ASSIGNED",
        title: "新客户分配",
        content: &"您有一个新客户 张三".repeat(200),
        action_text: "查看详情",
        action_url: "/customers/1",
        at,
        recipient: recipient(),
        receiver,
        customers: &[CustomerId(Uuid::from_u128(5))],
        values: &values,
    };
    render(&settings(official, card), channel, &notice).unwrap().body
}

/// The key of the demo robot.
pub(crate) const ROBOT: &str = DEMO_ROBOT;

/// How an attempt ended, without the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Accepted,
    Rejected(FailureClass, Option<i64>),
    Again(FailureClass, Option<i64>),
    Unknown,
}

fn ended(outcome: Outcome) -> Ended {
    match outcome {
        Outcome::Accepted { .. } => Ended::Accepted,
        Outcome::Rejected(failure) => Ended::Rejected(failure.class, failure.code),
        Outcome::Retry { failure, .. } => Ended::Again(failure.class, failure.code),
        Outcome::Unknown(_) => Ended::Unknown,
    }
}
