//! Attachments: work that commits with the events, or fences the whole command off without a hole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use application::bus::{AppendError, Appended};
use async_trait::async_trait;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::event_log::{Attachment, EventLog, Fence, Joint, RecordedRaw, Verdict};
use infrastructure::{with_pool, with_tx};
use rstest::rstest;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::kit::{Backend, TestDb, appended_to, assert_whole, draft, stream};

const CREATE: &str =
    "CREATE TABLE checkpoints (name TEXT PRIMARY KEY, epoch BIGINT NOT NULL, position BIGINT NOT NULL)";
const SEED: &str = "INSERT INTO checkpoints (name, epoch, position) VALUES ($1, 1, 0)";
const TOUCH: &str = "UPDATE checkpoints SET epoch = epoch + 100 WHERE name = $1 AND epoch = $2";
const MOVE: &str = "UPDATE checkpoints SET position = $2 WHERE name = $1";
const READ: &str = "SELECT epoch, position FROM checkpoints WHERE name = $1";

/// Writes the last position of its command, if its epoch is still the current one.
struct Checkpoint {
    name: &'static str,
    epoch: i64,
}

impl Checkpoint {
    fn boxed(name: &'static str, epoch: i64) -> Box<dyn Attachment> {
        Box::new(Self { name, epoch })
    }
}

#[async_trait]
impl Attachment for Checkpoint {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let rows = with_tx!(tx, conn => sqlx::query(TOUCH)
            .bind(self.name)
            .bind(self.epoch)
            .execute(conn)
            .await?
            .rows_affected());
        Ok(if rows == 1 { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, tx: &mut Tx<'_>, recorded: &[RecordedRaw]) -> Result<(), DbError> {
        let last = recorded.last().map_or(0, |event| event.position);
        with_tx!(tx, conn => sqlx::query(MOVE).bind(self.name).bind(last).execute(conn).await.map(drop))?;
        Ok(())
    }
}

async fn with_checkpoints(db: &Db, names: &[&'static str]) {
    let mut tx = db.begin_write().await.unwrap();
    with_tx!(&mut tx, conn => sqlx::query(CREATE).execute(conn).await.map(drop)).unwrap();
    for name in names {
        with_tx!(&mut tx, conn => sqlx::query(SEED).bind(*name).execute(conn).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
}

async fn checkpoint(db: &Db, name: &'static str) -> (i64, i64) {
    with_pool!(db, pool => sqlx::query_as(READ).bind(name).fetch_one(pool).await).unwrap()
}

#[rstest]
#[tokio::test]
async fn an_attachment_commits_with_its_events(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    with_checkpoints(&test.db, &["a"]).await;
    let log = EventLog::start(test.db.clone());
    log.append(draft(vec![appended_to(&stream(), 0, 2)])).await.unwrap();
    let own = stream();
    let appended =
        log.append_with(draft(vec![appended_to(&own, 0, 3)]), vec![Checkpoint::boxed("a", 1)]).await;
    assert_eq!(appended, Ok(Appended::Committed { last: 5 }));
    assert_eq!(checkpoint(&test.db, "a").await, (101, 5));
    // A refused command leaves its attachment alone.
    let stale =
        log.append_with(draft(vec![appended_to(&own, 0, 1)]), vec![Checkpoint::boxed("a", 101)]).await;
    assert!(matches!(stale, Err(AppendError::Conflict { .. })));
    assert_eq!(checkpoint(&test.db, "a").await, (101, 5));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_command_leaves_no_hole_and_no_neighbour_notices(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    with_checkpoints(&test.db, &["a"]).await;
    let log = EventLog::start(test.db.clone());
    let mut commands = JoinSet::new();
    for n in 0..40 {
        let log = log.clone();
        commands.spawn(async move {
            let draft = draft(vec![appended_to(&stream(), 0, 2)]);
            if n % 4 == 1 {
                // An epoch that never was.
                return log.append_with(draft, vec![Checkpoint::boxed("a", 7)]).await;
            }
            log.append(draft).await
        });
    }
    let outcomes = commands.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(AppendError::Fenced)).count(), 10);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 30);
    assert_eq!(assert_whole(&log).await.len(), 60);
    assert_eq!(checkpoint(&test.db, "a").await, (1, 0));
}

#[rstest]
#[tokio::test]
async fn when_the_second_attachment_is_fenced_the_first_has_written_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    with_checkpoints(&test.db, &["a", "b"]).await;
    let log = EventLog::start(test.db.clone());
    let own = stream();
    let both = |epoch| vec![Checkpoint::boxed("a", 1), Checkpoint::boxed("b", epoch)];
    let fenced = log.append_with(draft(vec![appended_to(&own, 0, 1)]), both(7)).await;
    assert_eq!(fenced, Err(AppendError::Fenced));
    assert_eq!(checkpoint(&test.db, "a").await, (1, 0));
    let applied = log.append_with(draft(vec![appended_to(&own, 0, 1)]), both(1)).await;
    assert_eq!(applied, Ok(Appended::Committed { last: 1 }));
    assert_eq!(checkpoint(&test.db, "a").await, (101, 1));
    assert_eq!(checkpoint(&test.db, "b").await, (101, 1));
}

/// Fails in the database at its first try.
struct FailsOnce {
    tries: usize,
}

#[async_trait]
impl Attachment for FailsOnce {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        self.tries += 1;
        if self.tries == 1 {
            with_tx!(tx, conn => sqlx::query("SELECT * FROM nowhere").execute(conn).await.map(drop))?;
        }
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}

#[rstest]
#[tokio::test]
async fn a_failed_batch_is_tried_once_more(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let once =
        log.append_with(draft(vec![appended_to(&stream(), 0, 1)]), vec![Box::new(FailsOnce { tries: 0 })]);
    assert_eq!(once.await, Ok(Appended::Committed { last: 1 }));
    // Two of them in one command fail it twice in a row.
    let twice: Vec<Box<dyn Attachment>> =
        vec![Box::new(FailsOnce { tries: 0 }), Box::new(FailsOnce { tries: 0 })];
    let failed = log.append_with(draft(vec![appended_to(&stream(), 0, 1)]), twice).await;
    assert!(matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
    // And the log goes on.
    let next = log.append(draft(vec![appended_to(&stream(), 0, 1)])).await;
    assert_eq!(next, Ok(Appended::Committed { last: 2 }));
    assert_whole(&log).await;
}

const MOVE_JOINTLY: &str = "
UPDATE keyed SET moves = moves + 1
  FROM jsonb_to_recordset($1::text::jsonb) AS r(id uuid, epoch bigint)
 WHERE keyed.id = r.id AND keyed.epoch = r.epoch
RETURNING keyed.id";

/// Moves its row if its epoch is still the current one; says in what company it was asked.
struct Keyed {
    id: Uuid,
    epoch: i64,
    asked_alone: Arc<AtomicUsize>,
}

#[async_trait]
impl Attachment for Keyed {
    fn kind(&self) -> Fence {
        let row = json!({"id": self.id, "epoch": self.epoch});
        Fence::Joint(Joint { statement: MOVE_JOINTLY, key: self.id, row })
    }

    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        self.asked_alone.fetch_add(1, Ordering::Relaxed);
        let rows = with_tx!(tx, conn => sqlx::query("UPDATE keyed SET moves = moves + 1 WHERE id = $1 AND epoch = $2")
            .bind(self.id)
            .bind(self.epoch)
            .execute(conn)
            .await?
            .rows_affected());
        Ok(if rows == 1 { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, _: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        Ok(())
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_passes_a_joint_fence_is_not_asked_again_and_who_does_not_is_asked_alone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let mut tx = test.db.begin_write().await.unwrap();
    let create = match backend {
        Backend::Postgres => {
            "CREATE TABLE keyed (id UUID PRIMARY KEY, epoch BIGINT NOT NULL, moves BIGINT NOT NULL)"
        }
        Backend::Sqlite => {
            "CREATE TABLE keyed (id BLOB PRIMARY KEY, epoch BIGINT NOT NULL, moves BIGINT NOT NULL)"
        }
    };
    with_tx!(&mut tx, conn => sqlx::query(create).execute(conn).await.map(drop)).unwrap();
    let ids: Vec<Uuid> = (0..20).map(Uuid::from_u128).collect();
    for id in &ids {
        with_tx!(&mut tx, conn => sqlx::query("INSERT INTO keyed VALUES ($1, 1, 0)").bind(*id).execute(conn).await.map(drop))
            .unwrap();
    }
    tx.commit().await.unwrap();
    let log = EventLog::start(test.db.clone());
    let asked_alone = Arc::new(AtomicUsize::new(0));
    let keyed = |id: Uuid, epoch| Keyed { id, epoch, asked_alone: Arc::clone(&asked_alone) };

    // Every fourth comes with an epoch that never was; one more is refused for another reason and must not move its row.
    let mut commands = JoinSet::new();
    for (n, id) in ids.iter().enumerate() {
        let (log, fence) = (log.clone(), keyed(*id, if n % 4 == 1 { 7 } else { 1 }));
        let expected = i64::from(n == 2); // a stream that does not exist has no first event
        commands.spawn(async move {
            log.append_with(draft(vec![appended_to(&stream(), expected, 2)]), vec![Box::new(fence)]).await
        });
    }
    let outcomes = commands.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(AppendError::Fenced)).count(), 5);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 14);
    assert_eq!(assert_whole(&log).await.len(), 28);
    let moved: Vec<i64> =
        with_pool!(&test.db, pool => sqlx::query_scalar("SELECT moves FROM keyed ORDER BY id")
        .fetch_all(pool)
        .await)
        .unwrap();
    let expected: Vec<i64> = (0..20).map(|n| i64::from(n % 4 != 1 && n != 2)).collect();
    assert_eq!(moved, expected);
    let alone = match backend {
        Backend::Postgres => 5, // those that did not pass
        Backend::Sqlite => 19,  // all that were to be written
    };
    assert_eq!(asked_alone.load(Ordering::Relaxed), alone);
}
