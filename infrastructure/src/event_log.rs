//! The event log: contiguous positions in commit order, appended in groups, read by `position > checkpoint`.
//!
//! One task per process appends (architecture.md section 3): whatever waits in its queue becomes one transaction
//! under one lock, so the price of a commit is shared and the position is the order of commits by construction.
//! Each command is judged by itself; a refused one does not disturb its neighbours.

mod appender;
mod attachment;
mod batch;
mod counts;
mod joint;
mod prepare;
mod read;
mod recent;
mod sql;
mod write;

use std::sync::Arc;

use application::bus::{AppendError, Appended, Draft};
use domain::Position;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::db::{Db, DbError, Tx};
use appender::Told;
use recent::Recent;

pub use crate::upcasters::RecordedRaw;
pub use attachment::{Attachment, Fence, Joint, Verdict};
pub use prepare::{DRAFT_BYTES_MAX, GUARDS_PER_COMMAND_MAX};
pub use read::{Filter, Look, PAGE_MAX, STREAM_EVENTS_MAX, Until};
pub use sql::{POSTGRES_STATEMENTS, SQLITE_STATEMENTS};

/// Commands that may wait for the appender; the next caller is told `Busy`.
pub const QUEUE_MAX: usize = 4096;

/// The log. Cheap to clone; the appender ends after the last clone is gone or [`EventLog::close`].
#[derive(Debug, Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    queue: mpsc::Sender<prepare::Request>,
    doorbell: watch::Sender<Position>,
    recent: Arc<Recent>,
    stop: CancellationToken,
    task: TaskTracker,
}

impl EventLog {
    /// Starts this process's appender. Call once per process and database, inside a Tokio runtime.
    pub fn start(db: Db) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (doorbell, _) = watch::channel(0);
        let stop = CancellationToken::new();
        let task = TaskTracker::new();
        let recent = Arc::new(Recent::default());
        let told = Told { doorbell: doorbell.clone(), recent: recent.clone() };
        task.spawn(appender::run(db.clone(), waiting, told, stop.clone()));
        task.close();
        Self { shared: Arc::new(Shared { db, queue, doorbell, recent, stop, task }) }
    }

    /// The database underneath.
    pub fn db(&self) -> &Db {
        &self.shared.db
    }

    /// Rings after every commit of this process. The value is a hint for tests and logs; a consumer reads the log,
    /// because another process's commits do not ring here.
    pub fn doorbell(&self) -> watch::Receiver<Position> {
        self.shared.doorbell.subscribe()
    }

    /// Rings although nothing was committed: whoever waits for a moment looks at the clock again, because it was moved.
    pub fn ring(&self) {
        self.shared.doorbell.send_modify(|_| ());
    }

    /// Commits a draft: all of it or nothing.
    ///
    /// A draft with a receipt whose command is known answers [`Appended::Replayed`], or [`AppendError::KeyReused`]
    /// when the fingerprint differs. A draft without one (the system's own commands) whose first event is in the
    /// log already answers `Committed` with the position its last event got then.
    pub async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        self.append_with(draft, Vec::new()).await
    }

    /// Like [`append`](Self::append), with work that must commit or fail together with the events.
    pub async fn append_with(
        &self,
        draft: Draft,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<Appended, AppendError> {
        self.submit(draft, attachments).await.map(Answer::into_appended)
    }

    /// Like [`append_with`](Self::append_with), telling whether the events are new.
    pub(crate) async fn submit(
        &self,
        draft: Draft,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<Answer, AppendError> {
        let (reply, answer) = oneshot::channel();
        let request = prepare::Request::new(draft, attachments, reply)?;
        self.shared.queue.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Stops taking commands, commits those that wait, and ends the appender.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.task.wait().await;
    }

    /// Whether the appender still runs; for `/health/ready`.
    pub fn is_running(&self) -> bool {
        !self.shared.queue.is_closed()
    }
}

/// How an append ended well, and whether its events were written by it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Written now.
    Written(Appended),
    /// The command met its own earlier events.
    Met(Appended),
}

impl Answer {
    /// What the caller is told.
    pub(crate) fn into_appended(self) -> Appended {
        match self {
            Self::Written(appended) | Self::Met(appended) => appended,
        }
    }
}

fn stopped() -> AppendError {
    AppendError::Unavailable("the appender has stopped".to_owned())
}

/// Keeps every appender of every process out until `tx` ends: for the last step of a rebuild, in milliseconds, and for the
/// one recount of a store that is older than a count.
///
/// On SQLite a write transaction is this lock already.
pub async fn hold_appends(tx: &mut Tx<'_>) -> Result<(), DbError> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query(sql::HOLD_APPENDS).execute(&mut **tx).await?;
    }
    Ok(())
}
