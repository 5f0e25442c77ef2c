//! Start and stop: a simulator on a socket, in this process.

use std::{io, net::SocketAddr, time::Duration};

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    callback::push,
    config::SimulatorConfig,
    handle::SimulatorHandle,
    http::{self, connection::Connections},
    world::World,
};

/// How long a stop waits for callers that read slowly; then their connections are dropped with the runtime.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Starts simulators.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// A simulator with the demo app; `127.0.0.1:0` picks a free port.
    pub async fn start(address: impl ToSocketAddrs) -> io::Result<RunningSimulator> {
        Self::start_with(SimulatorConfig::default(), address).await
    }

    /// A simulator with these settings.
    pub async fn start_with(
        config: SimulatorConfig,
        address: impl ToSocketAddrs,
    ) -> io::Result<RunningSimulator> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let handle = SimulatorHandle::new(World::new(config));
        let mut signals = handle.signals().subscribe();
        let service: IntoMakeServiceWithConnectInfo<_, http::connection::ConnectionReset> =
            http::router(handle.clone()).into_make_service_with_connect_info();
        let server = axum::serve(Connections::new(listener), service).with_graceful_shutdown(async move {
            let _ = signals.wait_for(|signals| signals.stopping).await; // gone with its owner: stop as well
        });
        let server = tokio::spawn(server.into_future());
        tokio::spawn(push::carry(handle.clone())); // ends with the simulator
        Ok(RunningSimulator { base_url: format!("http://{address}"), address, handle, server: Some(server) })
    }
}

/// A simulator that serves. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct RunningSimulator {
    base_url: String,
    address: SocketAddr,
    handle: SimulatorHandle,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl RunningSimulator {
    /// `http://127.0.0.1:PORT`, without a slash at the end: the base URL to configure in a sender.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its controls.
    pub fn handle(&self) -> &SimulatorHandle {
        &self.handle
    }

    /// Stops: no new connection is taken, what hangs is reset unprocessed, the port is free afterwards.
    pub async fn stop(mut self) {
        self.signal_stop();
        if let Some(mut server) = self.server.take()
            && timeout(STOP_PATIENCE, &mut server).await.is_err()
        {
            server.abort();
        }
    }

    fn signal_stop(&self) {
        self.handle.signals().send_modify(|signals| signals.stopping = true);
    }
}

impl Drop for RunningSimulator {
    fn drop(&mut self) {
        self.signal_stop();
    }
}
