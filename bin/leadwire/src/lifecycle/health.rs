//! Whether the background tasks still run. A task that ended by itself turns readiness red and stays visible.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Where a background task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum TaskState {
    /// It works.
    Running,
    /// It ended because the service stops.
    Stopped,
    /// It ended by itself.
    Failed(String),
}

/// The states of this process's background tasks. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, TaskState>>>);

impl Health {
    /// Every task and where it stands.
    pub fn tasks(&self) -> BTreeMap<String, TaskState> {
        self.lock().clone()
    }

    /// Whether every task runs, or ended because it was told to.
    pub fn is_good(&self) -> bool {
        !self.lock().values().any(|state| matches!(state, TaskState::Failed(_)))
    }

    pub(super) fn set(&self, task: &str, state: TaskState) {
        self.lock().insert(task.to_owned(), state);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, TaskState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
