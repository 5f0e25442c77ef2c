//! Who looks after deliveries that nobody sends at the moment: what is held until a time, what nobody knows the end of,
//! what is long over.

use std::sync::Arc;

use application::channels::ChannelSettings;
use infrastructure::db::DbError;
use infrastructure::janitor::Janitor;
use infrastructure::outbox::retention::Retention;
use infrastructure::outbox::{hold, unknown};
use infrastructure::releaser::{Releaser, StoredDigestWriter};
use infrastructure::settler::Settler;

use super::{Ports, Store};
use crate::app::SharedApp;
use crate::config::Settings;
use crate::lifecycle::Tasks;

/// The name of the task that lets held messages go.
const RELEASER_TASK: &str = "releaser";
/// The name of the task that decides on unknown arrivals.
const SETTLER_TASK: &str = "settler";
/// The name of the task that takes away what is long over.
const JANITOR_TASK: &str = "janitor";

/// The three of them.
#[derive(Debug, Clone)]
pub(crate) struct Upkeep {
    releaser: Arc<Releaser>,
    settler: Arc<Settler>,
    janitor: Arc<Janitor>,
}

impl Upkeep {
    /// They do nothing yet.
    pub(crate) fn new(
        store: &Store,
        channels: Arc<ChannelSettings>,
        settings: &Settings,
        ports: &Ports,
    ) -> Self {
        let (bus, clock) = (&store.bus, &ports.clock);
        let writer = Arc::new(StoredDigestWriter::new(bus.clone(), channels));
        let (unknown, fallback_after) = (settings.delivery.unknown.clone(), settings.delivery.fallback_after);
        Self {
            releaser: Arc::new(Releaser::new(bus.clone(), writer, clock.clone(), fallback_after)),
            settler: Arc::new(Settler::new(bus.clone(), clock.clone(), unknown)),
            janitor: Arc::new(Janitor::new(store.db().clone(), clock.clone(), Retention::default())),
        }
    }

    /// Each works until the process stops.
    pub(super) fn start(&self, tasks: &Tasks, app: &SharedApp) {
        let (releaser, stop) = (Arc::clone(&self.releaser), app.stop.clone());
        tasks.spawn_worker(RELEASER_TASK, async move { releaser.run(stop).await });
        let (settler, stop) = (Arc::clone(&self.settler), app.stop.clone());
        tasks.spawn_worker(SETTLER_TASK, async move { settler.run(stop).await });
        let (janitor, stop) = (Arc::clone(&self.janitor), app.stop.clone());
        tasks.spawn_worker(JANITOR_TASK, async move { janitor.run(stop).await });
    }

    /// Decides by hand on everything that is due.
    pub(crate) async fn drain_once(&self) -> Result<(), DbError> {
        self.settler.drain_once().await?;
        self.releaser.drain_once().await.map(drop)
    }
}

/// How many of releaser and settler have something to do at this moment.
pub(super) async fn due(app: &SharedApp) -> Result<i64, DbError> {
    let now = app.clock.now();
    let moments = [hold::next_due(&app.db).await?, unknown::next_due(&app.db).await?];
    Ok(moments.into_iter().flatten().map(|at| i64::from(at <= now)).sum())
}
