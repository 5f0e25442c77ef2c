//! Asking a running worker not to wait: a request rings, the worker begins at once, and whoever rang may look how it went.

use std::sync::Arc;

use application::intake::worker::{Held, Tally};
use tokio::sync::{Notify, watch};

/// What somebody wants of a worker besides its everyday work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Compare source and store.
    pub compare: bool,
}

/// How many runs ended since the start, and what came of the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Runs that were begun.
    pub begun: u64,
    /// Runs that ended.
    pub runs: u64,
    /// Comparisons that ended.
    pub comparisons: u64,
    /// Everything that was done since the start.
    pub all: Tally,
    /// Everything that comparisons did since the start.
    pub compared: Tally,
    /// Whom the last one that somebody asked for held.
    pub held: Option<Held>,
    /// Whether the last one failed.
    pub failed: bool,
}

/// Rings at a worker. Clones ring at the same one.
#[derive(Debug, Clone)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rung: Notify,
    compare: std::sync::atomic::AtomicBool,
    ended: watch::Sender<Ended>,
}

impl Default for Bell {
    fn default() -> Self {
        let compare = std::sync::atomic::AtomicBool::new(false);
        Self(Arc::new(Inner { rung: Notify::new(), compare, ended: watch::Sender::default() }))
    }
}

impl Bell {
    /// Lets the worker begin at once.
    pub fn ring(&self, asked: Asked) {
        if asked.compare {
            self.0.compare.store(true, std::sync::atomic::Ordering::Release);
        }
        self.0.rung.notify_one();
    }

    /// What the worker has done since the start, now and at every change.
    pub fn ended(&self) -> watch::Receiver<Ended> {
        self.0.ended.subscribe()
    }

    pub(super) async fn rung(&self) {
        self.0.rung.notified().await;
    }

    /// Whether somebody asked for a comparison; asked once.
    pub(super) fn takes_comparison(&self) -> bool {
        self.0.compare.swap(false, std::sync::atomic::Ordering::AcqRel)
    }

    /// The comparison that somebody asked for did not come to its end: the next run takes it up again.
    pub(super) fn puts_comparison_back(&self) {
        self.0.compare.store(true, std::sync::atomic::Ordering::Release);
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Ended)) {
        self.0.ended.send_modify(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_asked_for_until_it_came_to_its_end() {
        let bell = Bell::default();
        bell.ring(Asked::default());
        assert!(!bell.takes_comparison());
        bell.ring(Asked { compare: true });
        assert!(bell.takes_comparison());
        assert!(!bell.takes_comparison(), "once");
        bell.puts_comparison_back();
        assert!(bell.takes_comparison());
    }
}
