//! Moves what is committed from SQLite's write-ahead log into the database file, beside the writer instead of in the
//! middle of somebody's commit.
//!
//! SQLite itself would do it in the commit that makes the log a thousand pages long, and whoever stands behind that commit
//! waits for two flushes of the disk and all the pages in between. A passive checkpoint keeps nobody waiting. But it never catches up with a writer that never
//! rests, and until it has, the log grows; so when the log has become long, the last few pages are moved while nobody
//! writes.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::gate::{Gate, Turn};

/// How long commits gather before they are moved.
const PERIOD: Duration = Duration::from_millis(500);

/// Pages in the log above which it is worth keeping the writer waiting: 16 MiB.
const PAGES_MAX: i64 = 4096;

/// So few pages are moved in some milliseconds.
const REST_MAX: i64 = 256;

/// How often what was written meanwhile is moved beside the writer: each time it is less, unless the disk is too slow.
const PASSES_MAX: usize = 8;

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Works as long as this lives.
#[derive(Debug)]
pub(super) struct Checkpoints {
    committed: Arc<Notify>,
    _stop: DropGuard,
}

impl Checkpoints {
    /// Begins to work. A connection that reads may move pages too.
    pub(super) fn start(pool: SqlitePool, gate: Arc<Gate>) -> Self {
        let committed = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let work = work(pool, gate, Arc::clone(&committed));
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(work).await });
        Self { committed, _stop: stop.drop_guard() }
    }

    /// Says that there is something to move.
    pub(super) fn committed(&self) {
        self.committed.notify_one();
    }
}

async fn work(pool: SqlitePool, gate: Arc<Gate>, committed: Arc<Notify>) {
    loop {
        committed.notified().await;
        sleep(PERIOD).await;
        match moved(&pool, &gate).await {
            Ok(()) | Err(sqlx::Error::PoolClosed) => {}
            Err(error) => {
                tracing::warn!(error = %error, "the write-ahead log was not moved into the database file");
            }
        }
    }
}

/// Moves what is committed. When the log is long, it goes on beside the writer until little is left, and moves the rest
/// while nobody writes.
async fn moved(pool: &SqlitePool, gate: &Gate) -> sqlx::Result<()> {
    // Got before the gate is entered: nobody that writes waits for those that read.
    let mut reader = pool.acquire().await?;
    let mut before = checkpoint(&mut reader).await?;
    for _ in 0..PASSES_MAX {
        if before.pages < PAGES_MAX {
            return Ok(());
        }
        let after = checkpoint(&mut reader).await?;
        let written_meanwhile = after.pages - before.moved;
        before = after;
        if written_meanwhile < REST_MAX {
            break;
        }
    }
    let _nobody_writes = gate.enter(Turn::GivesWay).await;
    checkpoint(&mut reader).await?;
    Ok(())
}

/// What a checkpoint found and did.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Moved {
    /// Pages in the log when it began.
    #[sqlx(rename = "log")]
    pages: i64,
    /// Pages of them that are in the database file.
    #[sqlx(rename = "checkpointed")]
    moved: i64,
}

async fn checkpoint(connection: &mut SqliteConnection) -> sqlx::Result<Moved> {
    sqlx::query_as(CHECKPOINT).fetch_one(connection).await
}

#[cfg(test)]
mod tests {
    use super::super::{Db, DbOptions};
    use super::*;
    use crate::with_tx;

    async fn opened(folder: &tempfile::TempDir) -> (Db, SqlitePool, Arc<Gate>) {
        let url = format!("sqlite:{}", folder.path().join("leadwire.db").display());
        let db = Db::connect(&url, DbOptions::default()).await.unwrap();
        let Db::Sqlite(sqlite) = &db else { panic!("not SQLite") };
        let (reader, gate) = (sqlite.reader().clone(), sqlite.gate());
        (db, reader, gate)
    }

    /// Writes a table of about so many pages.
    async fn write(db: &Db, name: &str, pages: u32) {
        let mut tx = db.begin_derived().await.unwrap();
        let statement = format!(
            "CREATE TABLE {name} AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT {pages})
             SELECT n, randomblob(4000) AS page FROM n"
        );
        with_tx!(&mut tx, conn => sqlx::query(sqlx::AssertSqlSafe(statement)).execute(conn).await.map(drop))
            .unwrap();
        tx.commit().await.unwrap();
    }

    fn size(folder: &tempfile::TempDir, name: &str) -> u64 {
        std::fs::metadata(folder.path().join(name)).unwrap().len()
    }

    #[tokio::test]
    async fn no_commit_moves_pages_and_they_are_moved_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (db, reader, gate) = opened(&folder).await;
        write(&db, "many", 3000).await;
        assert!(size(&folder, "leadwire.db") < 1_000_000, "a commit moved its pages itself");
        moved(&reader, &gate).await.unwrap();
        assert!(size(&folder, "leadwire.db") > 12_000_000);
        db.close().await;
    }

    #[tokio::test]
    async fn a_long_log_begins_anew_once_its_pages_are_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (db, reader, gate) = opened(&folder).await;
        for (name, pages) in [("one", 6000), ("two", 3000), ("three", 3000)] {
            write(&db, name, pages).await;
            moved(&reader, &gate).await.unwrap();
        }
        let log = size(&folder, "leadwire.db-wal");
        assert!(log < 30_000_000, "the log has {log} bytes: it went on instead of beginning anew");
        db.close().await;
    }

    #[tokio::test]
    async fn commits_are_moved_without_being_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (db, ..) = opened(&folder).await;
        write(&db, "many", 3000).await;
        tokio::time::timeout(Duration::from_secs(30), async {
            while size(&folder, "leadwire.db") < 12_000_000 {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the pages were never moved");
        db.close().await;
    }
}
