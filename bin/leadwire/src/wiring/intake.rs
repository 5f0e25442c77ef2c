//! The workers of the sources that members are captured from, one a source.

use std::sync::Arc;

use application::intake::SourceError;
use infrastructure::intake::{IntakeWorker, SourceSettings, Tools};
use projections::queries::members::CapturedMembers;

use super::{Ports, Store};
use crate::app::SharedApp;
use crate::lifecycle::Tasks;

/// What the names of their tasks begin with; the source follows.
const TASK: &str = "intake";

/// What a worker over this store works with.
pub(crate) fn tools(store: &Store, ports: &Ports) -> Tools {
    Tools {
        bus: store.bus.clone(),
        db: store.db().clone(),
        known: Arc::new(CapturedMembers::new(store.db().clone())),
        clock: ports.clock.clone(),
        ids: ports.ids.clone(),
        randomness: ports.randomness.clone(),
    }
}

/// Workers that do nothing yet. They connect with their first run: a source that is down keeps nobody from starting.
pub(super) fn workers(
    store: &Store,
    sources: &[SourceSettings],
    ports: &Ports,
) -> Result<Vec<Arc<IntakeWorker>>, SourceError> {
    let worker =
        |source: &SourceSettings| IntakeWorker::new(source.clone(), tools(store, ports)).map(Arc::new);
    sources.iter().map(worker).collect()
}

/// Each works until the process stops.
pub(super) fn start(tasks: &Tasks, app: &SharedApp) {
    for worker in &app.intake.workers {
        let (worker, stop) = (Arc::clone(worker), app.stop.clone());
        let name = format!("{TASK}.{}", worker.settings().name);
        tasks.spawn_worker(&name, async move { worker.run(stop).await });
    }
}
