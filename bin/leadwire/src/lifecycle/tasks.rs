//! The background tasks of one process: started under a name, watched, and stopped together.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::{Health, TaskState};

/// How long the tasks of a process may take to end. With the closing of log and database the whole stop stays within
/// the ten seconds that http-api.md section 7 promises.
pub const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// Why a task that panicked ended.
const PANICKED: &str = "it panicked";
/// Why a task that returned although nobody asked it to ended.
const RETURNED: &str = "it returned although the service runs";

/// Runs tasks until told to stop.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    health: Health,
}

impl Tasks {
    /// No tasks yet; cancelling `stop` asks all of them to end.
    pub fn new(stop: CancellationToken, health: Health) -> Self {
        Self { tracker: TaskTracker::new(), stop, health }
    }

    /// Starts a task. An end that nobody asked for is logged once and turns readiness red.
    pub fn spawn<E: Display>(&self, name: &str, task: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.health.set(name, TaskState::Running);
        let (name, stop, health) = (name.to_owned(), self.stop.clone(), self.health.clone());
        self.tracker.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            let state = match ended {
                Ok(Ok(())) if stop.is_cancelled() => TaskState::Stopped,
                Ok(Ok(())) => TaskState::Failed(RETURNED.to_owned()),
                Ok(Err(error)) => TaskState::Failed(error.to_string()),
                Err(_) => TaskState::Failed(PANICKED.to_owned()),
            };
            if let TaskState::Failed(reason) = &state {
                tracing::error!(task.name = %name, "the task {name} ended: {reason}");
            }
            health.set(&name, state);
        });
    }

    /// Starts a task that has no way to fail but to return or to panic.
    pub fn spawn_worker(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn(name, async move {
            task.await;
            Ok::<(), Infallible>(())
        });
    }

    /// Asks every task to end and waits, at most `patience`. Whether all of them ended.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Tasks {
        Tasks::new(CancellationToken::new(), Health::default())
    }

    #[tokio::test]
    async fn a_task_that_fails_returns_or_panics_turns_health_red_and_stays_visible() {
        let tasks = tasks();
        tasks.spawn("fails", async { Err("no disk") });
        tasks.spawn("returns", async { Ok::<(), String>(()) });
        tasks.spawn_worker("panics", async { assert_eq!(1, 2, "on purpose") });
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert!(!tasks.health.is_good());
        let states = tasks.health.tasks();
        assert_eq!(states["fails"], TaskState::Failed("no disk".to_owned()));
        assert_eq!(states["returns"], TaskState::Failed(RETURNED.to_owned()));
        assert_eq!(states["panics"], TaskState::Failed(PANICKED.to_owned()));
    }

    #[tokio::test]
    async fn a_task_that_was_told_to_stop_is_no_failure() {
        let tasks = tasks();
        let stop = tasks.stop.clone();
        tasks.spawn("obeys", async move {
            stop.cancelled().await;
            Ok::<(), String>(())
        });
        assert_eq!(tasks.health.tasks()["obeys"], TaskState::Running);
        assert!(tasks.stop(Duration::from_mins(1)).await);
        assert!(tasks.health.is_good());
        assert_eq!(tasks.health.tasks()["obeys"], TaskState::Stopped);
    }
}
