//! A service with everything around it: database, WeChat, staff, clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use application::policies::POLICY;
use application::ports::Clock as _;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState};
use futures_util::future::join_all;
use infrastructure::with_tx;
use leadwire::config::{Settings, Sources};
use leadwire::wiring::{Ports, Role};
use projections::queries::deliveries::counts;
use tokio::runtime::Runtime;
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, RunningSimulator, Simulator, SimulatorConfig, SimulatorHandle,
    Switches,
};

use super::{DoomedNode, MovingClock, Node, Official, Person, Team, eventually, lines};
use crate::people;
use crate::scratch::{Backend, ScratchDatabase};

/// Signs the tokens of every story.
const JWT_SECRET: &str = "a secret for stories, long enough for HS256";

/// Connections of one process: several stories share one cluster.
const CONNECTIONS: u32 = 6;

/// How long a call of WeChat may take before the service gives it up; longer than any story needs, because a call
/// that is given up may not be repeated.
const PROVIDER_TIMEOUT_MS: u64 = 30_000;

/// Log-ins and public forms of one address in a minute: more than any story has.
const FLOOD_PER_MINUTE: u32 = 100_000;

/// Messages that everybody has agreed to.
const CREDITS: i64 = 50;

/// Whether the mini program is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wechat {
    /// It is, and it is the story's own simulator.
    Configured,
    /// It is not.
    Unconfigured,
}

/// How a story starts.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Whether the mini program is configured.
    pub wechat: Wechat,
    /// Messages that everybody has agreed to.
    pub credits: i64,
    /// How long a call of WeChat may take.
    pub provider_timeout_ms: u64,
    /// What the first process does.
    pub roles: Vec<Role>,
    /// What is configured beside the mini program's messages, all of it the story's own simulator.
    pub channels: Vec<Channel>,
    /// How the service account sends.
    pub official: Official,
    /// What nobody knows about the providers.
    pub switches: Switches,
    /// Whether the first process may be killed ([`TestApp::kill`]).
    pub mortal: bool,
    /// More settings, as variables of the environment.
    pub more: Vec<(&'static str, String)>,
    /// Where the time of day stands until the story moves it; `None`: it runs as that of the machine.
    pub stands_at: Option<DateTime<Utc>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            wechat: Wechat::Configured,
            credits: CREDITS,
            provider_timeout_ms: PROVIDER_TIMEOUT_MS,
            roles: Role::ALL.to_vec(),
            channels: Vec::new(),
            official: Official::default(),
            switches: Switches::default(),
            mortal: false,
            more: Vec::new(),
            stands_at: None,
        }
    }
}

/// A service at work. It ends with [`TestApp::finish`]; a story that forgets to fails.
#[derive(Debug)]
pub struct TestApp {
    /// The staff.
    pub team: Team,
    pub(super) setup: Setup,
    pub(super) database: ScratchDatabase,
    pub(super) simulator: RunningSimulator,
    pub(super) node: Option<Node>,
    /// Of a process that may be killed.
    threads: Option<Runtime>,
    pub(super) clock: Arc<MovingClock>,
    /// Everybody whom the channels can reach.
    reachable: Mutex<Vec<Person>>,
}

impl TestApp {
    /// Starts the service with WeChat configured.
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, Setup::default()).await
    }

    /// Starts the service.
    pub async fn start_with(backend: Backend, setup: Setup) -> Self {
        Box::pin(Self::begin(backend, setup)).await // a whole service is a large future
    }

    async fn begin(backend: Backend, setup: Setup) -> Self {
        let database = ScratchDatabase::create(backend).await.unwrap_or_else(|error| panic!("{error:#}"));
        let config = SimulatorConfig { switches: setup.switches.clone(), ..SimulatorConfig::default() };
        let simulator = Simulator::start_with(config, "127.0.0.1:0").await.expect("the simulator starts");
        let clock = Arc::new(setup.stands_at.map(MovingClock::standing).unwrap_or_default());
        let settings = settings(&setup, &database, &simulator);
        lines::start();
        // Nobody is told of how the staff were bound to WeChat, so that a story begins with empty inboxes: the accounts
        // are made while nobody answers anything, and the policy begins behind them.
        let before = Node::start(settings.clone(), vec![Role::Api], ports(&clock)).await;
        let team = Team::hire(before.app()).await.expect("accounts");
        let (node, threads, reachable) = (Some(before), None, Mutex::default());
        let mut app = Self { team, setup, database, simulator, node, threads, clock, reachable };
        app.bind(app.team.everybody()).await;
        app.forget_policy().await;
        app.take_node().stop().await;
        if app.setup.mortal {
            let doomed = DoomedNode::start(settings, app.setup.roles.clone(), ports(&app.clock)).await;
            let (node, threads) = doomed.into_parts();
            (app.node, app.threads) = (Some(node), Some(threads));
        } else {
            app.node = Some(Node::start(settings, app.setup.roles.clone(), ports(&app.clock)).await);
        }
        app
    }

    /// Leaves a database as of a version without a policy: the next process registers it, and it begins there.
    async fn forget_policy(&self) {
        let mut tx = self.app().db.begin_write().await.expect("a transaction");
        let forget = "DELETE FROM consumers WHERE name = $1";
        let forgotten =
            with_tx!(&mut tx, conn => sqlx::query(forget).bind(POLICY).execute(conn).await.map(drop));
        forgotten.expect("the policy's row");
        tx.commit().await.expect("a transaction");
    }

    /// Another process on the same database.
    pub async fn second(&self) -> Node {
        Node::start(self.settings(), Role::ALL.to_vec(), ports(&self.clock)).await
    }

    /// Another process on the same database, with another setting.
    pub async fn second_with(&self, name: &'static str, value: &str) -> Node {
        let mut setup = self.setup.clone();
        setup.more.push((name, value.to_owned()));
        let settings = settings(&setup, &self.database, &self.simulator);
        Node::start(settings, Role::ALL.to_vec(), ports(&self.clock)).await
    }

    /// A service token with this scope.
    pub async fn service_token(&self, scope: &str) -> String {
        let body = serde_json::json!({ "name": scope, "scopes": [scope] });
        let made = self.post("/api/service-tokens", &body).by(&self.team.admin).send().await;
        made.data()["token"].as_str().expect("a token").to_owned()
    }

    /// Another process on the same database, whose clock differs by so much wherever that of the story goes.
    pub async fn second_beside(&self, by: TimeDelta) -> Node {
        let clock = Arc::new(MovingClock::beside(&self.clock, by));
        Node::start(self.settings(), Role::ALL.to_vec(), ports(&clock)).await
    }

    /// Stops the service in good order and starts it anew with another setting.
    pub async fn restart_with(&mut self, name: &'static str, value: &str) {
        self.setup.more.push((name, value.to_owned()));
        self.restart().await;
    }

    /// Stops the service in good order and starts it anew, at the same address.
    pub async fn restart(&mut self) {
        let mut settings = self.settings();
        settings.server.listen = self.address();
        self.take_node().stop().await;
        self.node = Some(Node::start(settings, self.setup.roles.clone(), ports(&self.clock)).await);
    }

    /// Another process on the same database, which the story kills.
    pub async fn doomed(&self) -> DoomedNode {
        DoomedNode::start(self.settings(), Role::ALL.to_vec(), ports(&self.clock)).await
    }

    /// Another process that the story kills, whose clock differs by so much.
    pub async fn doomed_beside(&self, by: TimeDelta) -> DoomedNode {
        let clock = Arc::new(MovingClock::beside(&self.clock, by));
        DoomedNode::start(self.settings(), Role::ALL.to_vec(), ports(&clock)).await
    }

    /// Nothing that should have been decided, asked for or queued is missing, and nothing is there twice.
    pub async fn is_reconciled(&self) {
        let found = self.reconcile().await;
        assert!(found.is_clean(), "{found:?}");
    }

    /// Ends the service where it stands, as `kill -9` does; it must be [`Setup::mortal`].
    pub fn kill(&mut self) {
        let threads = self.threads.take().expect("a service that may be killed");
        threads.shutdown_background();
        drop(self.take_node());
    }

    /// Starts it anew after [`TestApp::kill`]; this one lives on.
    pub async fn revive(&mut self) {
        // A thread that was in the middle of a statement keeps the file of SQLite for a moment.
        let node = eventually("the dead process lets the database go", async || {
            let started = Node::try_start(self.settings(), &self.setup.roles, ports(&self.clock)).await;
            started.ok()
        });
        self.node = Some(node.await);
    }

    /// Messages that everybody has agreed to.
    pub fn setup_credits(&self) -> i64 {
        self.setup.credits
    }

    /// What the service was started with.
    pub fn settings(&self) -> Settings {
        settings(&self.setup, &self.database, &self.simulator)
    }

    /// The same as a program of its own finds it.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        environment(&self.setup, &self.database, &self.simulator)
    }

    /// The story's WeChat.
    pub fn wechat(&self) -> &SimulatorHandle {
        self.simulator.handle()
    }

    /// The address of the database.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// The time of day.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Moves the time of day forward, here and at WeChat.
    pub fn advance(&self, step: TimeDelta) {
        self.clock.advance(step);
        let seconds = u64::try_from(step.num_seconds()).expect("forward");
        self.wechat().advance(seconds).expect("the simulator's clock moves");
    }

    /// Moves the time of day forward like [`advance`](Self::advance), and lets whoever sends look at the clock at once
    /// instead of after a second.
    pub fn leap(&self, step: TimeDelta) {
        self.advance(step);
        self.app().bus.log().ring();
    }

    /// Lets so much time pass again and again until no delivery waits for its next attempt.
    pub async fn outlast_retries(&self, step: TimeDelta) {
        eventually("nothing waits for its next attempt", async || {
            self.settle().await;
            let counts = counts(&self.app().db).await.expect("deliveries");
            let waits = counts.iter().any(|(_, state, n)| *state == DeliveryState::Retry && *n > 0);
            if waits {
                self.leap(step);
            }
            (!waits).then_some(())
        })
        .await;
    }

    /// Lets every configured channel reach these people, who have agreed to messages.
    pub(super) async fn bind(&self, people: impl IntoIterator<Item = &Person>) {
        let credits = self.setup.credits;
        let granted = u32::try_from(credits).expect("credits");
        let bound = people.into_iter().map(async |person| {
            if self.setup.wechat == Wechat::Configured {
                self.wechat().grant_credits(&person.openid, granted).expect("the simulator grants credits");
                let bound = people::bind_wechat(self.app(), person.id, &person.openid, credits).await;
                bound.expect("a binding");
            }
            self.bind_channels(person).await;
            self.reachable.lock().unwrap_or_else(PoisonError::into_inner).push(person.clone());
        });
        join_all(bound).await;
    }

    /// Everybody whom the channels can reach.
    pub(super) fn reachable(&self) -> Vec<Person> {
        self.reachable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn take_node(&mut self) -> Node {
        self.node.take().expect("the service runs")
    }
}

impl std::ops::Deref for TestApp {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node.as_ref().expect("the service runs")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
        let forgotten = self.node.is_some() && !std::thread::panicking();
        assert!(!forgotten, "a story ends with finish(), which checks what it leaves behind");
    }
}

pub(super) fn ports(clock: &Arc<MovingClock>) -> Ports {
    Ports { clock: clock.clone(), ..Ports::default() }
}

fn settings(setup: &Setup, database: &ScratchDatabase, simulator: &RunningSimulator) -> Settings {
    let environment = environment(setup, database, simulator);
    Settings::load(&Sources { file: None, environment }).expect("settings")
}

/// What a process of the story finds in its environment.
fn environment(
    setup: &Setup,
    database: &ScratchDatabase,
    simulator: &RunningSimulator,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("LEADWIRE_DATABASE__URL".to_owned(), database.url().to_owned()),
        ("LEADWIRE_DATABASE__POSTGRES_CONNECTIONS".to_owned(), CONNECTIONS.to_string()),
        ("LEADWIRE_SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ("LEADWIRE_AUTH__JWT_SECRET".to_owned(), JWT_SECRET.to_owned()),
        // All requests of a story come from one address.
        ("LEADWIRE_PROTECTION__LOGIN_PER_MINUTE".to_owned(), FLOOD_PER_MINUTE.to_string()),
        ("LEADWIRE_PROTECTION__PUBLIC_FORM_PER_MINUTE".to_owned(), FLOOD_PER_MINUTE.to_string()),
        ("LEADWIRE_PROTECTION__REGISTRATIONS_PER_MINUTE".to_owned(), FLOOD_PER_MINUTE.to_string()),
    ]);
    if setup.wechat == Wechat::Configured {
        let wechat = [
            ("APPID", DEMO_APPID.to_owned()),
            ("SECRET", DEMO_SECRET.to_owned()),
            ("TEMPLATE", DEMO_TEMPLATE.to_owned()),
            ("BASE_URL", simulator.base_url().to_owned()),
            ("REQUEST_TIMEOUT_MS", setup.provider_timeout_ms.to_string()),
        ];
        let variable = |(name, value)| (format!("LEADWIRE_WECHAT_SUBSCRIBE__{name}"), value);
        environment.extend(wechat.map(variable));
    }
    environment.extend(setup.channel_settings(simulator.base_url()));
    environment.extend(setup.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    environment
}
