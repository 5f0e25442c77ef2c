//! The attempts under way in this process.

use std::collections::HashMap;

use domain::notification::DeliveryState;
use tokio::task::{Id, JoinSet};

use crate::outbox::lease::Leased;

/// Attempts under way. Dropping it ends them where they stand.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<()>,
    rows: HashMap<Id, Started>,
}

struct Started {
    recipient_key: String,
    is_retry: bool,
}

impl Running {
    /// Sets an attempt going.
    pub(super) fn start<F>(&mut self, row: Leased, attempt: impl FnOnce(Leased) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let started =
            Started { recipient_key: row.recipient_key.clone(), is_retry: row.state == DeliveryState::Retry };
        let task = self.tasks.spawn(attempt(row));
        self.rows.insert(task.id(), started);
    }

    /// Waits for one attempt to end and notes all that ended by then; for ever when none runs. Nothing is lost when
    /// the wait is given up.
    pub(super) async fn finished(&mut self) {
        let Some(first) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let mut next = Some(first);
        while let Some(ended) = next {
            let id = match ended {
                Ok((id, ())) => id,
                Err(error) => {
                    // The row stays leased, then shows as unknown or is tried again: the same as a crash.
                    tracing::error!("an attempt panicked");
                    error.id()
                }
            };
            self.rows.remove(&id);
            next = self.tasks.try_join_next_with_id();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn retries(&self) -> usize {
        self.rows.values().filter(|row| row.is_retry).count()
    }

    /// Whom this process is sending to.
    pub(super) fn recipients(&self) -> Vec<String> {
        self.rows.values().map(|row| row.recipient_key.clone()).collect()
    }
}
