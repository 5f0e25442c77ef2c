//! How many messages may be at the provider at the same time, and how many wait right before that.
//!
//! A delivery is durable before its call and after it, and both take a while. So that the provider's slots stay full
//! meanwhile, more deliveries are leased than there are slots, and a few have begun. Few, because what has begun and not
//! been called shows as unknown after a crash.

use tokio::sync::{Semaphore, SemaphorePermit};

use domain::notification::DeliveryState;

/// One slot of so many may be begun ahead.
const AHEAD: usize = 4;
/// Fresh deliveries are sure of one such part of the slots.
pub(super) const SHARES: usize = 4;

/// The slots of one dispatcher.
#[derive(Debug)]
pub(super) struct Slots {
    capacity: usize,
    begun: Semaphore,
    retries: Semaphore,
    calls: Semaphore,
}

/// The right to begin.
pub(super) struct Turn<'s> {
    _begun: SemaphorePermit<'s>,
    _retry: Option<SemaphorePermit<'s>>,
}

impl Slots {
    pub(super) fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        Self {
            capacity: 2 * concurrency,
            begun: Semaphore::new(concurrency + concurrency / AHEAD),
            retries: Semaphore::new(concurrency.saturating_sub(concurrency / SHARES).max(1)),
            calls: Semaphore::new(concurrency),
        }
    }

    /// Deliveries leased at the same time.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waits for the right to begin; `None` when the dispatcher stops.
    pub(super) async fn turn(&self, state: DeliveryState) -> Option<Turn<'_>> {
        let retry = match state {
            DeliveryState::Retry => Some(self.retries.acquire().await.ok()?),
            _ => None,
        };
        Some(Turn { _begun: self.begun.acquire().await.ok()?, _retry: retry })
    }

    /// Waits for a place at the provider. What has begun gets one also while the dispatcher stops.
    pub(super) async fn call(&self) -> Option<SemaphorePermit<'_>> {
        self.calls.acquire().await.ok()
    }

    /// Nobody begins any more.
    pub(super) fn close(&self) {
        self.begun.close();
        self.retries.close();
    }
}
