//! One process of the service, as far as a test can tell: a start of its own, a port of its own, tasks of its own.

use std::sync::{Arc, Barrier};

use leadwire::app::App;
use leadwire::config::Settings;
use leadwire::wiring::{Leadwire, Ports, Role, Running, StartError};
use projections::policy_runner::{Reconciliation, reconcile};
use reqwest::Client;

use super::{PATIENCE, http_client};

/// A running service. Stop it with [`Node::stop`].
pub struct Node {
    running: Running,
    base_url: String,
    client: Client,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Node {
    pub(super) async fn start(settings: Settings, roles: Vec<Role>, ports: Ports) -> Self {
        Self::try_start(settings, &roles, ports).await.expect("the service starts")
    }

    /// Starts, or says why not.
    pub(super) async fn try_start(
        settings: Settings,
        roles: &[Role],
        ports: Ports,
    ) -> Result<Self, StartError> {
        let running = Leadwire::start_with(settings, roles, ports).await?;
        let address = running.local_addr().expect("the service listens");
        Ok(Self { running, base_url: format!("http://{address}"), client: http_client() })
    }

    /// What the handlers see.
    pub fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.running.local_addr().expect("the service listens")
    }

    /// Decisions, notices and rows of the outbox, computed once more from the events and held against what is there.
    pub(super) async fn reconcile(&self) -> Reconciliation {
        reconcile(self.running.policy(), 0).await.expect("the log is reconciled")
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The whole address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Waits until everything that follows from what was committed so far has happened: every consumer is at the
    /// log's head and no delivery is due or under way.
    pub async fn settle(&self) {
        self.running.settle(PATIENCE).await.expect("the service comes to rest");
    }

    /// Does by hand what a worker does by itself, for a service that was started without one.
    pub async fn drain(&self) {
        self.running.drain().await.expect("everything is done by hand");
    }

    /// Stops in good order.
    pub async fn stop(self) {
        assert!(self.app().health.is_good(), "{:?}", self.app().health.tasks());
        assert!(self.running.stop().await, "not everything stopped in time");
    }
}

/// Threads of a process that a story kills.
const THREADS: usize = 2;

/// A process that a story kills: it runs on threads of its own, which end between two steps wherever they stand.
#[derive(Debug)]
pub struct DoomedNode {
    node: Node,
    runtime: tokio::runtime::Runtime,
}

impl DoomedNode {
    pub(super) async fn start(settings: Settings, roles: Vec<Role>, ports: Ports) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        let runtime = runtime.expect("threads");
        let handle = runtime.handle().clone();
        let start = move || handle.block_on(Node::start(settings, roles, ports));
        let node = tokio::task::spawn_blocking(start).await.expect("another process");
        Self { node, runtime }
    }

    pub(super) fn into_parts(self) -> (Node, tokio::runtime::Runtime) {
        (self.node, self.runtime)
    }

    /// Stops all of its threads between two steps, as `kill -STOP` does. They go on with [`Frozen::thaw`].
    pub async fn freeze(&self) -> Frozen {
        let all_stand = Arc::new(Barrier::new(THREADS + 1));
        let gates = (0..THREADS).map(|_| {
            let (gate, opened) = std::sync::mpsc::channel::<()>();
            let stands = Arc::clone(&all_stand);
            self.runtime.spawn(async move {
                stands.wait();
                // Ends when the gate is gone as well.
                let _ = opened.recv();
            });
            gate
        });
        let gates = gates.collect();
        let stands = tokio::task::spawn_blocking(move || all_stand.wait());
        stands.await.expect("its threads stand");
        Frozen(gates)
    }

    /// Stops in good order: what is being sent ends first.
    pub async fn stop(self) {
        let (node, runtime) = self.into_parts();
        node.stop().await;
        runtime.shutdown_background();
    }

    /// Ends it where it stands: nothing is finished, nothing given back.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// A process whose threads stand still.
#[derive(Debug)]
#[must_use = "dropping it lets the threads go on"]
pub struct Frozen(Vec<std::sync::mpsc::Sender<()>>);

impl Frozen {
    /// Lets them go on.
    pub fn thaw(self) {
        drop(self.0);
    }
}

impl std::ops::Deref for DoomedNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
