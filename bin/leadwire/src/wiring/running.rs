//! A started process: where it listens, how to wait until it has nothing left to do, how to stop it.

use std::net::SocketAddr;
use std::time::Duration;

use application::policies::POLICY;
use domain::Position;
use domain::notification::{Channel, DeliveryState};
use infrastructure::db::DbError;
use projections::policy_runner::{self, PolicyRunner};
use projections::{HandleError, ReadModel, queries};
use tokio::time::{Instant, timeout_at};

use super::ChannelDispatcher;
use super::upkeep::{self, Upkeep};
use crate::app::SharedApp;
use crate::lifecycle::{STOP_PATIENCE, Tasks};

/// How long [`Running::settle`] waits for a commit before it looks again: an attempt that ends without an event
/// rings no doorbell.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Leadwire at work in this process. Call [`Running::stop`] at the end.
pub struct Running {
    pub(super) local_addr: Option<SocketAddr>,
    pub(super) probes_addr: Option<SocketAddr>,
    pub(super) app: SharedApp,
    pub(super) policy: PolicyRunner,
    pub(super) dispatchers: Vec<ChannelDispatcher>,
    pub(super) upkeep: Upkeep,
    pub(super) tasks: Tasks,
}

/// Why a process did not come to rest.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// Time is up.
    #[error("not at rest in time: {0}")]
    Late(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl Running {
    /// Where HTTP is served; `None` without the role `api`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Where metrics and health are served besides; `None` without `server.metrics_listen`.
    pub fn probes_addr(&self) -> Option<SocketAddr> {
        self.probes_addr
    }

    /// What the handlers see.
    pub fn app(&self) -> &SharedApp {
        &self.app
    }

    /// Who sends, for every configured channel; `drain_once` works one by hand.
    pub fn dispatchers(&self) -> &[ChannelDispatcher] {
        &self.dispatchers
    }

    /// The policy, for reconciling what it decided.
    pub fn policy(&self) -> &PolicyRunner {
        &self.policy
    }

    /// Does by hand what the role `worker` does by itself, until nothing is left: decides, lets go what is due, sends it,
    /// brings the read models to the log's head. For tests that choose the moment; they start with the role `api` alone.
    pub async fn drain(&self) -> Result<Position, HandleError> {
        let consumer = policy_runner::tuned(self.app.projections.consumer(POLICY));
        loop {
            let head = self.app.bus.log().head().await?;
            super::callbacks::worker(&self.app).drain_once().await?;
            for worker in &self.app.intake.workers {
                worker.turn(&self.app.stop).await;
            }
            consumer.catch_up(&mut self.policy.handler()).await?;
            self.upkeep.drain_once().await?;
            for (_, dispatcher) in &self.dispatchers {
                dispatcher.drain_once().await?;
            }
            self.app.projections.catch_up_all().await?;
            if self.app.bus.log().head().await? == head {
                return Ok(head);
            }
        }
    }

    /// Waits until everything that follows from what was committed so far has happened: policy and read models are
    /// at the log's head, and no delivery is waiting for its first attempt or under way. One that waits for a retry
    /// is at rest.
    pub async fn settle(&self, patience: Duration) -> Result<Position, Unsettled> {
        let deadline = Instant::now() + patience;
        let mut doorbell = self.app.bus.log().doorbell();
        loop {
            doorbell.mark_unchanged();
            let head = self.app.bus.log().head().await?;
            self.reached(head, deadline).await?;
            let due = self.callbacks_due().await? + upkeep::due(&self.app).await?;
            let busy = self.deliveries_under_way().await? + due;
            if busy == 0 && self.app.bus.log().head().await? == head {
                return Ok(head);
            }
            if Instant::now() >= deadline {
                return Err(Unsettled::Late(format!("{busy} deliveries or callbacks are under way")));
            }
            // Either way the loop looks again.
            let _ = timeout_at(Instant::now() + LOOK_AGAIN, doorbell.changed()).await;
        }
    }

    async fn reached(&self, head: Position, deadline: Instant) -> Result<(), Unsettled> {
        let models = ReadModel::ALL.iter().map(|model| model.name());
        for consumer in std::iter::once(POLICY).chain(models) {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.app.projections.progress().wait_for(consumer, head, left).await {
                return Err(Unsettled::Late(format!("{consumer} has not reached position {head}")));
            }
        }
        Ok(())
    }

    /// Callbacks that wait for something else are at rest.
    async fn callbacks_due(&self) -> Result<i64, DbError> {
        self.app.callbacks.store().due(self.app.clock.now()).await
    }

    async fn deliveries_under_way(&self) -> Result<i64, DbError> {
        let counts = queries::deliveries::counts(&self.app.db).await?;
        // Rows of a channel that is not configured wait for whoever configures it.
        let has_dispatcher = |channel| self.dispatchers.iter().any(|(served, _)| *served == channel);
        let under_way = |channel: Channel, state| {
            has_dispatcher(channel) && matches!(state, DeliveryState::Pending | DeliveryState::InFlight)
        };
        Ok(counts.iter().filter(|(channel, state, _)| under_way(*channel, *state)).map(|(_, _, n)| n).sum())
    }

    /// Stops: takes no new request, finishes those under way and what they began, gives leases back, commits what
    /// waits. Whether all of it was done in time; what was not is found again by the next process.
    pub async fn stop(self) -> bool {
        let until = Instant::now() + STOP_PATIENCE;
        let tasks = self.tasks.stop(STOP_PATIENCE).await;
        // Only now: a request that was still being answered may have begun one.
        let in_time = timeout_at(until, self.app.errands.ended()).await.is_ok() && tasks;
        if !in_time {
            tracing::warn!("not everything stopped within {} s", STOP_PATIENCE.as_secs());
        }
        self.app.bus.log().close().await;
        self.app.db.close().await;
        in_time
    }
}
