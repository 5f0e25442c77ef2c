//! Which sessions ended before their tokens did: kept in memory, shared over the database.
//!
//! A token proves by itself that it was given out; that it was taken back must be remembered. What was taken back is
//! asked on every request, so it is answered from memory; another process's changes are read every [`POLL`].

mod memory;
mod sql;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::StaffId;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Db, DbError, Tx};
use application::ports::Clock;
use memory::Memory;

pub use sql::STATEMENTS;

/// How often the changes of other processes are read: a log-out holds everywhere within one second.
pub const POLL: Duration = Duration::from_millis(300);

/// Most ended sessions that are kept in memory. Beyond it (somebody logs in and out all day by program) every token is
/// asked for in the database.
const REMEMBERED_MAX: usize = 100_000;

/// The ended sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    memory: RwLock<Memory>,
    loaded: OnceCell<()>,
    changed: watch::Sender<i64>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// What a token says about its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionMark {
    /// The person.
    pub staff: StaffId,
    /// The session: the same for every token that followed from one log-in.
    pub session: Uuid,
    /// This token.
    pub token: Uuid,
    /// How often all sessions of the person had been ended when this one began; `None` for tokens of another issuer,
    /// which no change of a password here ends.
    pub generation: Option<i64>,
}

impl Sessions {
    /// The ended sessions of this database.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self::remembering(db, clock, REMEMBERED_MAX)
    }

    /// With another limit of what is kept in memory, for a test.
    pub fn remembering(db: Db, clock: Arc<dyn Clock>, most: usize) -> Self {
        let memory = RwLock::new(Memory::new(most));
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Inner { db, clock, memory, loaded: OnceCell::new(), changed }))
    }

    /// The generation in which a new session of this person begins.
    pub async fn generation(&self, staff: StaffId) -> Result<i64, DbError> {
        sql::generation(&self.0.db, staff).await
    }

    /// Whether the session was ended.
    pub async fn is_ended(&self, mark: &SessionMark) -> Result<bool, DbError> {
        self.0.loaded.get_or_try_init(|| self.refresh()).await?;
        let now = self.0.clock.now();
        let (ended, is_partial) = {
            let memory = self.0.memory.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            (memory.is_ended(mark, now), memory.is_partial())
        };
        if ended || !is_partial {
            return Ok(ended);
        }
        sql::is_ended(&self.0.db, mark, now).await
    }

    /// Ends a session or one token from `effective_at` on; `expires_at` is when the last token of it ends by itself.
    pub async fn end(
        &self,
        id: Uuid,
        effective_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let mut tx = self.0.db.begin_write().await?;
        sql::end(&mut tx, id, effective_at, expires_at, self.0.clock.now()).await?;
        tx.commit().await?;
        self.refresh().await
    }

    /// Ends every session of a person.
    pub async fn end_all(&self, staff: StaffId) -> Result<(), DbError> {
        let mut tx = self.0.db.begin_write().await?;
        end_all_in(&mut tx, staff).await?;
        tx.commit().await?;
        self.refresh().await
    }

    /// Changes when any session was ended, here or elsewhere: open sockets look whether it was theirs.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.0.changed.subscribe()
    }

    /// Reads what changed.
    pub async fn refresh(&self) -> Result<(), DbError> {
        let from = self.memory().next_read(self.0.clock.now());
        let Some(changes) = sql::changes(&self.0.db, from, self.0.clock.now()).await? else { return Ok(()) };
        let version = changes.version;
        self.memory().take_in(from, changes);
        self.0.changed.send_if_modified(|known| std::mem::replace(known, version.max(*known)) < version);
        Ok(())
    }

    /// Reads changes until the service stops.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failing = false;
        loop {
            match self.refresh().await {
                Ok(()) => failing = false,
                // Said once: what is remembered stays in force meanwhile.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = %error, "ended sessions cannot be read");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    fn memory(&self) -> std::sync::RwLockWriteGuard<'_, Memory> {
        self.0.memory.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Ends every session of a person together with what else the transaction does.
pub(crate) async fn end_all_in(tx: &mut Tx<'_>, staff: StaffId) -> Result<(), DbError> {
    sql::end_all(tx, staff).await
}
