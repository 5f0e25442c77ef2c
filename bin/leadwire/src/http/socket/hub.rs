//! One task a process that watches the read models for all its sockets, whichever process moves them.

use std::sync::Arc;
use std::time::Duration;

use domain::Position;
use projections::ReadModel;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use crate::app::SharedApp;

/// How often the checkpoints are read: another process may own the consumers, and nothing of it wakes us.
const POLL_MS: u64 = 100;

/// Sockets that one process serves at the same time.
const SOCKETS_MAX: usize = 10_000;

/// Tells sockets that there may be something to read. Not to be cloned: how many receivers there are tells
/// whether anybody listens.
#[derive(Debug)]
pub(crate) struct Hub {
    places: Arc<Semaphore>,
    inbox: watch::Receiver<Position>,
    staff: watch::Receiver<Position>,
}

impl Hub {
    /// Starts watching, until the service stops.
    pub(crate) fn start(app: &SharedApp) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(SOCKETS_MAX)),
            inbox: follow(app, ReadModel::Inbox),
            staff: follow(app, ReadModel::StaffDirectory),
        })
    }

    /// A place for one more socket; `None` when all are taken.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Changes when somebody was told something, or has read something.
    pub(super) fn inbox(&self) -> watch::Receiver<Position> {
        self.inbox.clone()
    }

    /// Changes when an account changed.
    pub(super) fn staff(&self) -> watch::Receiver<Position> {
        self.staff.clone()
    }
}

fn follow(app: &SharedApp, model: ReadModel) -> watch::Receiver<Position> {
    let (seen, receiver) = watch::channel(0);
    let progress = app.projections.progress().clone();
    let stop = app.stop.clone();
    let mut here = progress.watch(model.name());
    tokio::spawn(async move {
        loop {
            // The hub's own receiver is one: nobody else listens, nothing is read.
            if seen.receiver_count() > 1 {
                let position = progress.position(model.name()).await;
                seen.send_if_modified(|known| std::mem::replace(known, position) != position);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = here.changed() => if changed.is_err() { return },
                () = sleep(Duration::from_millis(POLL_MS)) => {}
            }
        }
    });
    receiver
}
