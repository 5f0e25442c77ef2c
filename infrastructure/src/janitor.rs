//! The janitor: takes away every hour what the outbox need not remember any more, in one of the processes.

use std::sync::Arc;
use std::time::Duration;

use application::ports::Clock;
use tokio_util::sync::CancellationToken;

use crate::chores;
use crate::db::{Db, DbError};
use crate::outbox::retention::{Pruned, Retention, prune};

/// Name of the chore.
const CHORE: &str = "outbox_retention";
/// How often it is done.
const EVERY: Duration = Duration::from_hours(1);
/// How often to see whether it is due.
const PERIOD: Duration = Duration::from_mins(1);

/// Prunes the outbox.
pub struct Janitor {
    db: Db,
    clock: Arc<dyn Clock>,
    retention: Retention,
}

impl std::fmt::Debug for Janitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Janitor").field("retention", &self.retention).finish_non_exhaustive()
    }
}

impl Janitor {
    /// A janitor that does nothing yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self { db, clock, retention }
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            match self.turn().await {
                Ok(None) => {}
                Ok(Some(pruned)) => tell(&pruned),
                Err(error) => tracing::error!(%error, "old rows of the outbox could not be taken away"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// Prunes if nobody did within the last hour; `None` when somebody did.
    pub async fn turn(&self) -> Result<Option<Pruned>, DbError> {
        let now = self.clock.now();
        if !chores::claim(&self.db, CHORE, now, EVERY).await? {
            return Ok(None);
        }
        prune(&self.db, now, &self.retention).await.map(Some)
    }
}

fn tell(pruned: &Pruned) {
    if *pruned == Pruned::default() {
        return;
    }
    tracing::info!(
        pruned.bodies,
        pruned.rows,
        pruned.counts,
        pruned.reports,
        pruned.more,
        "took away what the outbox need not remember any more"
    );
}
