//! SQLite: many readers beside one writer (WAL), and a lock file that keeps a second process out.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::time::timeout;

use super::DbError;
use super::checkpoint::Checkpoints;
use super::connect::ACQUIRE_SECONDS;
use super::gate::{Gate, Permit, Turn};

/// SQLite takes the write lock at the beginning: a transaction that reads first and writes later could otherwise
/// fail in the middle because another one wrote meanwhile. The one connection that writes serves both kinds of
/// transaction, so each says how durable it is.
const BEGIN_DURABLE: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";

/// In WAL mode such a commit waits for no disk, and the next durable one carries it along.
const BEGIN_DERIVED: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";

/// An open file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteDb {
    reader: SqlitePool,
    writer: SqlitePool,
    gate: Arc<Gate>,
    path: PathBuf,
    /// What a file that is only read does without.
    serving: Option<Arc<Serving>>,
}

/// What the process has that serves a file.
#[derive(Debug)]
struct Serving {
    checkpoints: Checkpoints,
    /// The operating system lets go of it when the process dies.
    lock: std::fs::File,
}

impl SqliteDb {
    /// A file that is only read.
    pub(super) fn reading(reader: SqlitePool, path: PathBuf) -> Self {
        Self { writer: reader.clone(), reader, gate: Arc::default(), path, serving: None }
    }

    /// A file that this process serves, and no other as long as any clone lives.
    pub(super) fn serving(
        reader: SqlitePool,
        writer: SqlitePool,
        path: PathBuf,
        lock: std::fs::File,
    ) -> Self {
        let gate = Arc::<Gate>::default();
        let checkpoints = Checkpoints::start(reader.clone(), Arc::clone(&gate));
        Self { reader, writer, gate, path, serving: Some(Arc::new(Serving { checkpoints, lock })) }
    }

    /// Connections that may only read.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// The one connection that may write, past the gate: while nobody else writes yet.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    #[cfg(test)]
    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A transaction that somebody waits for, and whose commit is on the disk when it returns.
    pub(crate) async fn begin_durable(&self) -> Result<SqliteTx<'static>, DbError> {
        self.begin(Turn::First, BEGIN_DURABLE).await
    }

    /// A transaction of rows that follow from others; it lets durable ones go first.
    pub(crate) async fn begin_derived(&self) -> Result<SqliteTx<'static>, DbError> {
        self.begin(Turn::GivesWay, BEGIN_DERIVED).await
    }

    /// One moment of the file, for reading: what the first statement sees, all of them see.
    pub async fn begin_read(&self) -> Result<SqliteTx<'static>, DbError> {
        Ok(SqliteTx { tx: self.reader.begin().await?, serving: None, _permit: None })
    }

    async fn begin(&self, turn: Turn, statements: &'static str) -> Result<SqliteTx<'static>, DbError> {
        let patience = Duration::from_secs(ACQUIRE_SECONDS);
        let permit = timeout(patience, self.gate.enter(turn)).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let tx = self.writer.begin_with(statements).await?;
        Ok(SqliteTx { tx, serving: self.serving.clone(), _permit: Some(permit) })
    }

    /// Closes every connection, and lets another process use the file.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
        if let Some(serving) = &self.serving
            && let Err(error) = serving.lock.unlock()
        {
            tracing::warn!("the lock file could not be let go of: {error}");
        }
    }
}

/// A transaction, and with it the right to write. Dropping it rolls back.
#[derive(Debug)]
pub struct SqliteTx<'t> {
    tx: Transaction<'t, Sqlite>,
    /// Whom to tell of a commit.
    serving: Option<Arc<Serving>>,
    /// `None` for a reader, and inside another transaction. After `tx`: it is given back when nothing is being written any more.
    _permit: Option<Permit>,
}

impl SqliteTx<'_> {
    pub(super) async fn commit(self) -> Result<(), DbError> {
        self.tx.commit().await?;
        if let Some(serving) = self.serving {
            serving.checkpoints.committed();
        }
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), DbError> {
        Ok(self.tx.rollback().await?)
    }

    pub(super) async fn savepoint(&mut self) -> Result<SqliteTx<'_>, DbError> {
        Ok(SqliteTx { tx: self.tx.begin().await?, serving: None, _permit: None })
    }
}

impl Deref for SqliteTx<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for SqliteTx<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}
