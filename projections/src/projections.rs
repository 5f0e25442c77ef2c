//! Every read model of one process: started together, waited for together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use application::ports::Clock;
use domain::Position;
use infrastructure::db::DbError;
use infrastructure::event_log::EventLog;
use infrastructure::upcasters::Upcasters;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::consumer::{Consumer, ConsumerStatus, Consumers, HandleError, Progress};
use crate::queries::Roster;
use crate::read_models::{Projector, ReadModel};
use crate::schema;

/// The read models of a database, as one process keeps and asks them. Cheap to clone.
#[derive(Clone)]
pub struct Projections {
    pub(crate) log: EventLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) consumers: Consumers,
    pub(crate) upcasters: Arc<Upcasters>,
    progress: Progress,
    roster: Roster,
    rebuilds: Arc<AtomicU64>,
}

impl std::fmt::Debug for Projections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projections").field("consumers", &self.consumers).finish_non_exhaustive()
    }
}

impl Projections {
    /// `owner` is this process: a fresh id for every start. [`migrate`](crate::migrate) has run.
    pub fn new(log: EventLog, clock: Arc<dyn Clock>, owner: Uuid, upcasters: Arc<Upcasters>) -> Self {
        let consumers = Consumers::new(log.db().clone(), clock.clone(), owner);
        let progress = Progress::new(consumers.clone());
        let roster = Roster::new(log.db().clone());
        Self { log, clock, consumers, upcasters, progress, roster, rebuilds: Arc::default() }
    }

    /// The consumers under a name of its own for each rebuild: two of them in one process are rivals too.
    pub(crate) fn for_rebuild(&self) -> Consumers {
        let nth = self.rebuilds.fetch_add(1, Ordering::Relaxed);
        self.consumers.of_rebuild(nth)
    }

    /// Leases and checkpoints, for other consumers of this process.
    pub fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// How far each consumer is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The leads as lists see them.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Another consumer of the same log, which shares leases and progress with the read models.
    pub fn consumer(&self, name: &str) -> Consumer {
        Consumer::new(name, self.log.clone(), self.consumers.clone(), self.progress.clone())
    }

    fn projector(&self, model: ReadModel) -> Projector {
        Projector::new(model, self.log.clone(), self.consumers.clone(), self.upcasters.clone())
    }

    /// Keeps every read model up to date until `stop`.
    pub fn spawn(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        for model in ReadModel::ALL.iter().copied() {
            let (projections, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move { projections.run(model, stop).await });
        }
    }

    /// Keeps one read model up to date until `stop`, for a caller that watches its tasks one by one.
    pub async fn run(&self, model: ReadModel, stop: CancellationToken) {
        let mut projector = self.projector(model);
        let work = async { self.consumer(model.name()).run(&mut projector, stop.clone()).await };
        match model {
            ReadModel::CustomerList => drop(tokio::join!(work, self.warm_roster(&stop))),
            _ => work.await,
        }
    }

    /// So that the first list after a start is as fast as the others.
    async fn warm_roster(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            warm = self.roster.warm() => if let Err(error) = warm {
                tracing::warn!(error = %error, "leads not read into memory; the first list will");
            },
        }
    }

    /// Brings one read model to the head of the log. `None`: another process owns it, or it is stopped.
    pub async fn catch_up(&self, model: ReadModel) -> Result<Option<Position>, HandleError> {
        self.consumer(model.name()).catch_up(&mut self.projector(model)).await
    }

    /// Brings every read model that this process may own to the head of the log.
    pub async fn catch_up_all(&self) -> Result<(), HandleError> {
        for model in ReadModel::ALL {
            self.catch_up(*model).await?;
        }
        Ok(())
    }

    /// Empties a read model and folds it anew from the first event; its lists are short meanwhile. For rows of events that
    /// the log does not have: a [`rebuild`](crate::rebuild::rebuild) keeps serving, but has nothing to compare with.
    pub async fn refold(&self, model: ReadModel) -> Result<(), HandleError> {
        schema::refold(self.log.db(), model, &*self.clock).await?;
        self.catch_up(model).await?;
        Ok(())
    }

    /// Every consumer of the database, by name.
    pub async fn status(&self) -> Result<Vec<ConsumerStatus>, DbError> {
        let head = self.log.head().await?;
        self.consumers.status(head).await
    }
}
