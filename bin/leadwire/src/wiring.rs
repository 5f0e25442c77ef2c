//! How the pieces of one process are put together.
//!
//! ```text
//! Db → EventLog → Bus ─┬─ api:    HTTP
//!                      └─ worker: read models · policy · a dispatcher per channel · upkeep
//! ```
//! `serve`, `demo` and the acceptance tests start the very same thing here; they differ in settings and ports.

mod callbacks;
pub(crate) mod channels;
pub(crate) mod intake;
mod running;
mod schedules;
mod store;
#[cfg(test)]
mod tests;
mod upcasters;
pub(crate) mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;

use application::intake::SourceError;
use application::policies::POLICY;
use application::ports::{Clock, Ids, Randomness};
use axum::Router;
use infrastructure::clock::SystemClock;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::{Db, DbError};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::provider_http::ClientError;
use infrastructure::randomness::SystemRandomness;
use projections::ReadModel;
use projections::policy_runner::{self, PolicyRunner, Retried};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use channels::ChannelDispatcher;
pub use running::{Running, Unsettled};
pub use store::Store;
use upkeep::Upkeep;

use crate::app::{App, Intake, SharedApp};
use crate::auth::Auth;
use crate::config::Settings;
use crate::http;
use crate::lifecycle::{self, ERRAND_PATIENCE, Errands, Health, Tasks};
use crate::metrics::Metrics;

/// Time, ids and chance; a test passes its own.
#[derive(Clone)]
pub struct Ports {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Jitter.
    pub randomness: Arc<dyn Randomness>,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(TimeOrderedIds),
            randomness: Arc::new(SystemRandomness),
        }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Answers HTTP.
    Api,
    /// Keeps read models, decides on notices, sends them.
    Worker,
}

impl Role {
    /// Both: what a single process does.
    pub const ALL: [Self; 2] = [Self::Api, Self::Worker];
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is not there, in use, or cannot be migrated.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A source of members cannot be what it is said to be.
    #[error("intake: {0}")]
    Source(#[from] SourceError),
    /// No client for the provider.
    #[error(transparent)]
    Provider(#[from] ClientError),
    /// Neither role was named.
    #[error("a process needs at least one role: api or worker")]
    NoRole,
}

/// Starts Leadwire in this process.
#[derive(Debug)]
pub struct Leadwire;

impl Leadwire {
    /// With the machine's own clock, ids and dice.
    pub async fn start(settings: Settings, roles: &[Role]) -> Result<Running, StartError> {
        Self::start_with(settings, roles, Ports::default()).await
    }

    /// With ports of the caller's choice. Nothing is left behind when it fails.
    pub async fn start_with(settings: Settings, roles: &[Role], ports: Ports) -> Result<Running, StartError> {
        // Boxed: the steps of a start together are large, and callers hold it beside their own.
        Box::pin(Self::assemble(settings, roles, ports)).await
    }

    async fn assemble(settings: Settings, roles: &[Role], ports: Ports) -> Result<Running, StartError> {
        if roles.is_empty() {
            return Err(StartError::NoRole);
        }
        // The address first: a second start by mistake must not touch the database.
        let listener =
            if roles.contains(&Role::Api) { Some(listen(settings.server.listen).await?) } else { None };
        let probes = match settings.server.metrics_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let db = Db::connect(settings.database.url.expose_secret(), settings.database.options).await?;
        let store = Store::open(db, &ports).await?;
        let channels = Arc::new(settings.channels());
        let policy = PolicyRunner::new(
            store.bus.clone(),
            store.projections.consumers().clone(),
            channels.clone(),
            ports.clock.clone(),
        )
        .with_fallback_after(settings.delivery.fallback_after);
        let upkeep = Upkeep::new(&store, channels, &settings, &ports);
        let metrics = Arc::new(Metrics::default());
        let dispatchers = channels::dispatchers(&store, &settings, &ports, &metrics)?;
        let workers = intake::workers(&store, &settings.intake, &ports)?;
        let intake = Intake { workers, running: roles.contains(&Role::Worker) };
        let app = app(settings, &store, &ports, metrics, intake)?;
        let tasks = Tasks::new(app.stop.clone(), app.health.clone());
        if roles.contains(&Role::Worker) {
            store.projections.consumers().enter().await?;
            for (_, dispatcher) in &dispatchers {
                dispatcher.enter().await?;
            }
            schedules::start(schedules::register(&app).await?, &tasks, &app);
            start_workers(&tasks, &app, policy.clone(), &dispatchers);
            upkeep.start(&tasks, &app);
            intake::start(&tasks, &app);
        }
        let local_addr = match listener {
            Some((listener, address)) => {
                start_watching(&tasks, &app);
                tasks.spawn("http", serve(listener, http::router(app.clone()), app.stop.clone()));
                tracing::info!(server.address = %address, "listening on {address}");
                Some(address)
            }
            None => None,
        };
        let probes_addr = probes.map(|(listener, address)| {
            tasks.spawn("probes", serve(listener, http::probes(app.clone()), app.stop.clone()));
            tracing::info!(server.address = %address, "metrics and health on {address}");
            address
        });
        Ok(Running { local_addr, probes_addr, app, policy, dispatchers, upkeep, tasks })
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

fn app(
    settings: Settings,
    store: &Store,
    ports: &Ports,
    metrics: Arc<Metrics>,
    intake: Intake,
) -> Result<SharedApp, ClientError> {
    let db = store.db().clone();
    let stop = CancellationToken::new();
    Ok(Arc::new(App {
        auth: Auth::new(&settings, db.clone(), ports.clock.clone())?,
        numbers: Arc::new(StoredNumbers::new(db.clone())),
        bus: store.bus.clone(),
        projections: store.projections.clone(),
        clock: ports.clock.clone(),
        ids: ports.ids.clone(),
        randomness: ports.randomness.clone(),
        writes: http::RecentWrites::default(),
        callbacks: http::callbacks::Callbacks::new(settings.callbacks.clone(), db.clone()),
        metrics,
        health: Health::default(),
        intake,
        errands: Errands::new(stop.clone(), ERRAND_PATIENCE),
        stop,
        db,
        settings,
    }))
}

/// The name of the task that decides on notices.
const POLICY_TASK: &str = "policy";
/// The name of the task that ends abandoned imports.
const IMPORTS_TASK: &str = "imports";
/// The name of the task that works on callbacks.
const CALLBACKS_TASK: &str = "callbacks";
/// What the names of the tasks that send begin with; the channel follows.
const DISPATCHER_TASK: &str = "dispatcher";

fn start_workers(tasks: &Tasks, app: &SharedApp, policy: PolicyRunner, dispatchers: &[ChannelDispatcher]) {
    for model in ReadModel::ALL.iter().copied() {
        let (projections, stop) = (app.projections.clone(), app.stop.clone());
        tasks.spawn_worker(model.name(), async move { projections.run(model, stop).await });
    }
    let importing = app.clone();
    tasks.spawn_worker(IMPORTS_TASK, async move { lifecycle::imports::watch(&importing).await });
    let (callbacks, stop) = (callbacks::worker(app), app.stop.clone());
    tasks.spawn_worker(CALLBACKS_TASK, async move { callbacks.run(stop).await });
    let consumer = policy_runner::tuned(app.projections.consumer(POLICY));
    let stop = app.stop.clone();
    tasks.spawn_worker(POLICY_TASK, async move {
        tokio::select! {
            () = stop.cancelled() => return,
            () = answer_parked(&policy) => {}
        }
        consumer.run(&mut policy.handler(), stop).await;
    });
    for (channel, dispatcher) in dispatchers {
        let (dispatcher, stop) = (Arc::clone(dispatcher), app.stop.clone());
        let name = format!("{DISPATCHER_TASK}.{channel}");
        tasks.spawn_worker(&name, async move { dispatcher.run(stop).await });
    }
}

/// Events that could not be answered get another chance whenever a worker starts: whoever repaired the program or its
/// configuration starts it anyway.
async fn answer_parked(policy: &PolicyRunner) {
    match policy_runner::retry_parked(policy).await {
        Ok(tried) if tried == Retried::default() => {}
        Ok(tried) => tracing::warn!(
            policy.answered = tried.answered,
            policy.still_parked = tried.still_parked,
            "parked events were tried again"
        ),
        Err(error) => tracing::error!(error = %error, "parked events could not be tried again"),
    }
}

/// What a process that answers HTTP must know of others: sessions they ended, keys an issuer signs with.
fn start_watching(tasks: &Tasks, app: &SharedApp) {
    let (sessions, stop) = (app.auth.sessions.clone(), app.stop.clone());
    tasks.spawn_worker("sessions", async move { sessions.run(stop).await });
    if let Some(keys) = app.auth.issuer.as_ref().and_then(crate::auth::Issuer::key_set).cloned() {
        let stop = app.stop.clone();
        tasks.spawn_worker("issuer_keys", async move { keys.run(stop).await });
    }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
