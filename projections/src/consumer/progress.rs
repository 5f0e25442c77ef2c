//! How far each consumer is, for whoever waits to read what they wrote.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Position;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::Consumers;

/// How often the checkpoint row is read while waiting: another process may be the one that works.
const POLL_MS: u64 = 25;

/// Positions reached by this process's consumers, and by others through the database.
#[derive(Debug, Clone)]
pub struct Progress {
    consumers: Consumers,
    reached: Arc<Mutex<HashMap<String, watch::Sender<Position>>>>,
}

impl Progress {
    /// Nothing reached yet.
    pub fn new(consumers: Consumers) -> Self {
        Self { consumers, reached: Arc::default() }
    }

    fn sender(&self, consumer: &str) -> watch::Sender<Position> {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.entry(consumer.to_owned()).or_insert_with(|| watch::channel(0).0).clone()
    }

    /// Wakes whenever this process moves the consumer's checkpoint, e.g. to push what is new to open sockets. When
    /// another process owns the consumer nothing wakes; poll beside it.
    pub fn watch(&self, consumer: &str) -> watch::Receiver<Position> {
        self.sender(consumer).subscribe()
    }

    /// Tells that everything up to `position` is in. May go back: a rollback brings an older table to the front.
    pub fn publish(&self, consumer: &str, position: Position) {
        self.sender(consumer).send_if_modified(|reached| {
            let changed = *reached != position;
            *reached = position;
            changed
        });
    }

    /// How far the consumer is at this moment, whichever process works on it; 0 when that cannot be learned.
    pub async fn position(&self, consumer: &str) -> Position {
        let here = *self.sender(consumer).borrow();
        // A read that only decides how long to wait must not fail the request it serves.
        let there = self.consumers.position(consumer).await.ok().flatten().unwrap_or(0);
        here.max(there)
    }

    /// Waits until the consumer has taken in `position`, at most `limit`. Whether it has.
    pub async fn wait_for(&self, consumer: &str, position: Position, limit: Duration) -> bool {
        let mut here = self.watch(consumer);
        if *here.borrow_and_update() >= position {
            return true;
        }
        let deadline = Instant::now() + limit;
        let waiting = async {
            loop {
                if self.position(consumer).await >= position {
                    return;
                }
                tokio::select! {
                    _ = here.changed() => {}
                    () = sleep(Duration::from_millis(POLL_MS)) => {}
                }
            }
        };
        timeout_at(deadline, waiting).await.is_ok()
    }
}
