//! What watches the read models for all sockets of this process, whichever process moves them.

use std::sync::Arc;
use std::time::Duration;

use domain::Position;
use projections::ReadModel;
use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::sleep;

use super::lists::{self, Changed};
use super::places::Places;
use crate::app::SharedApp;

/// How often the checkpoints are read: another process may own the consumers, and nothing of it wakes us.
const POLL_MS: u64 = 100;

/// Looks at the lists that a socket may lie behind; one that lies further behind is told "everything".
const LOOKS_BEHIND_MAX: usize = 16;

/// Tells sockets that there may be something to read. Not to be cloned: how many receivers there are tells
/// whether anybody listens.
#[derive(Debug)]
pub(crate) struct Hub {
    places: Places,
    inbox: watch::Receiver<Position>,
    staff: watch::Receiver<Position>,
    lists: Arc<Lists>,
}

/// The changes of lists, and up to where they were told; `None` while nobody listens.
#[derive(Debug)]
struct Lists {
    told: Mutex<Option<Position>>,
    changes: broadcast::Sender<Arc<Changed>>,
}

impl Hub {
    /// Starts watching, until the service stops.
    pub(crate) fn start(app: &SharedApp) -> Arc<Self> {
        let lists =
            Arc::new(Lists { told: Mutex::default(), changes: broadcast::channel(LOOKS_BEHIND_MAX).0 });
        tokio::spawn(tell_lists(app.clone(), Arc::clone(&lists)));
        Arc::new(Self {
            places: Places::default(),
            inbox: follow(app, ReadModel::Inbox),
            staff: follow(app, ReadModel::StaffDirectory),
            lists,
        })
    }

    /// The places for sockets.
    pub(in crate::http) fn places(&self) -> &Places {
        &self.places
    }

    /// Changes when somebody was told something, or has read something.
    pub(super) fn inbox(&self) -> watch::Receiver<Position> {
        self.inbox.clone()
    }

    /// Changes when an account changed.
    pub(super) fn staff(&self) -> watch::Receiver<Position> {
        self.staff.clone()
    }

    /// What changes on lists from this moment on.
    pub(super) async fn lists(&self, app: &SharedApp) -> broadcast::Receiver<Arc<Changed>> {
        let mut told = self.lists.told.lock().await;
        let changes = self.lists.changes.subscribe();
        if told.is_none() {
            *told = Some(app.projections.progress().position(ReadModel::CustomerList.name()).await);
        }
        changes
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

async fn tell_lists(app: SharedApp, lists: Arc<Lists>) {
    let mut here = app.projections.progress().watch(ReadModel::CustomerList.name());
    loop {
        lists.tell(&app).await;
        tokio::select! {
            () = app.stop.cancelled() => return,
            changed = here.changed() => if changed.is_err() { return },
            () = sleep(Duration::from_millis(POLL_MS)) => {}
        }
    }
}

impl Lists {
    /// Tells what the customer list has taken in since the last time.
    async fn tell(&self, app: &SharedApp) {
        let mut told = self.told.lock().await;
        if self.changes.receiver_count() == 0 {
            *told = None;
            return;
        }
        let Some(from) = *told else { return };
        let to = app.projections.progress().position(ReadModel::CustomerList.name()).await;
        if to == from {
            return;
        }
        // A checkpoint that went back belongs to an older table that was brought to the front.
        let changed = if to > from { lists::between(app, from, to).await } else { Ok(Changed::Everything) };
        match changed {
            Ok(Changed::Customers(each)) if each.is_empty() => *told = Some(to),
            Ok(changed) => {
                *told = Some(to);
                // Whoever listened a moment ago may be gone.
                let _ = self.changes.send(Arc::new(changed));
            }
            Err(error) => {
                tracing::warn!(error = %error, "what changed on lists cannot be read; trying again");
            }
        }
    }
}
