//! One process of the service, as far as a test can tell: a start of its own, a port of its own, tasks of its own.

use std::sync::Arc;

use leadwire::app::App;
use leadwire::config::Settings;
use leadwire::wiring::{Leadwire, Ports, Role, Running};
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
        let running = Leadwire::start_with(settings, &roles, ports).await.expect("the service starts");
        let address = running.local_addr().expect("the service listens");
        Self { running, base_url: format!("http://{address}"), client: http_client() }
    }

    /// What the handlers see.
    pub fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.running.local_addr().expect("the service listens")
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

    /// Stops in good order.
    pub async fn stop(self) {
        assert!(self.app().health.is_good(), "{:?}", self.app().health.tasks());
        assert!(self.running.stop().await, "not everything stopped in time");
    }
}

/// A process that a story kills: it runs on threads of its own, which end between two steps wherever they stand.
#[derive(Debug)]
pub struct DoomedNode {
    node: Node,
    runtime: tokio::runtime::Runtime,
}

impl DoomedNode {
    pub(super) async fn start(settings: Settings, ports: Ports) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        let handle = runtime.handle().clone();
        let start = move || handle.block_on(Node::start(settings, Role::ALL.to_vec(), ports));
        let node = tokio::task::spawn_blocking(start).await.expect("another process");
        Self { node, runtime }
    }

    /// Ends it where it stands: nothing is finished, nothing given back.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

impl std::ops::Deref for DoomedNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
