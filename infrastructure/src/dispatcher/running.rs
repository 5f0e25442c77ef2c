//! The attempts under way in this process.

use std::collections::HashMap;

use domain::DeliveryId;
use domain::notification::DeliveryState;
use tokio::task::{Id, JoinSet};

use super::passed_over::PassedOver;
use crate::outbox::lease::Leased;

/// Attempts under way. Dropping it ends them where they stand.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<()>,
    rows: HashMap<Id, Started>,
    /// What is left of abandoned rows for as long as it sends to their recipients.
    pub(super) passed_over: PassedOver,
}

struct Started {
    delivery: DeliveryId,
    recipient_key: String,
    is_retry: bool,
}

impl Running {
    /// Sets an attempt going.
    pub(super) fn start<F>(&mut self, row: Leased, attempt: impl FnOnce(Leased) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let started = Started {
            delivery: row.delivery,
            recipient_key: row.recipient_key.clone(),
            is_retry: row.state == DeliveryState::Retry,
        };
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
                    // Its lease is ended soon (`end_idle`): it shows as unknown or is tried again, as after a crash.
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

    /// Whether an attempt of this delivery is under way.
    pub(super) fn has(&self, delivery: DeliveryId) -> bool {
        self.rows.values().any(|row| row.delivery == delivery)
    }

    /// Whom this process is sending to.
    pub(super) fn recipients(&self) -> Vec<String> {
        self.rows.values().map(|row| row.recipient_key.clone()).collect()
    }
}
