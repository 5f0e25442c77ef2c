//! Work that a request began and that goes on whether or not anybody still waits for its answer: counted, so that a stop
//! waits for it, and cut off when it takes too long.
//!
//! Only what somebody else carries on belongs here: whoever cuts an errand off leaves it as a crash would.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long an errand may go on after the service was told to stop. Less than [`STOP_PATIENCE`](super::STOP_PATIENCE), so
/// that the request that waits for it gets its answer.
pub const ERRAND_PATIENCE: Duration = Duration::from_secs(5);

/// The errands of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Errands {
    tracker: TaskTracker,
    stop: CancellationToken,
    patience: Duration,
}

impl Errands {
    /// None yet. `patience` after `stop` was cancelled they are cut off.
    pub fn new(stop: CancellationToken, patience: Duration) -> Self {
        Self { tracker: TaskTracker::new(), stop, patience }
    }

    /// Begins an errand. What it came to, or `None` when it was cut off; whoever does not want to know lets go of the
    /// handle.
    pub fn begin<T: Send + 'static>(
        &self,
        errand: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let (stop, patience) = (self.stop.clone(), self.patience);
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                done = errand => Some(done),
                () = too_late(stop, patience) => None,
            }
        })
    }

    /// Waits until none is left; after the stop that is soon. A request that is still being answered may begin one until
    /// it is answered.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn too_late(stop: CancellationToken, patience: Duration) {
    stop.cancelled().await;
    sleep(patience).await;
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_an_errand_that_nobody_waits_for() {
        let stop = CancellationToken::new();
        let errands = Errands::new(stop.clone(), Duration::from_mins(1));
        let ((go, told), (done, is_done)) = (oneshot::channel::<()>(), oneshot::channel());
        drop(errands.begin(async move {
            let _ = told.await;
            let _ = done.send("done");
        }));
        stop.cancel();
        let ended = tokio::spawn({
            let errands = errands.clone();
            async move { errands.ended().await }
        });
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        go.send(()).unwrap();
        ended.await.unwrap();
        assert_eq!(is_done.await, Ok("done"));
    }

    #[tokio::test]
    async fn an_errand_that_takes_too_long_is_cut_off_and_says_so() {
        let stop = CancellationToken::new();
        let errands = Errands::new(stop.clone(), Duration::ZERO);
        let endless = errands.begin(pending::<()>());
        let quick = errands.begin(async { 7 });
        assert_eq!(quick.await.unwrap(), Some(7), "nothing is cut off while the service runs");
        stop.cancel();
        errands.ended().await;
        assert_eq!(endless.await.unwrap(), None);
    }
}
