//! A fresh database for every test, and small words for what happens in it.

mod leads;
mod notices;
pub(super) mod recycling;
mod story;
mod transfers;

use std::sync::Arc;

use application::bus::{Appended, Draft, StreamAppend};
use application::ports::{Clock, Ids};
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::Profile;
use domain::{Actor, BatchId, CommandId, CustomerId, Metadata, Position, StaffId, StoredEvent, StreamId};
use infrastructure::clock::TestClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub(super) use leads::{
    assigned, assigned_from_pool, claimed, created, deleted, followed_up, moved_to, pooled, profile,
    registered, released, transferred, with_phone,
};
pub(super) use notices::{fate, notice, requested, wechat};
pub(super) use transfers::{moved_by, planned, rule, rule_text, rule_written, run, run_begun, run_over};

use crate::queries::Roster;
use crate::{Projections, ReadModel};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

enum Place {
    File(#[expect(dead_code, reason = "the folder lives as long as the database")] tempfile::TempDir),
    Database { admin: String, name: String },
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self::Database { admin, name } = self else { return };
        let (admin, name) = (admin.clone(), name.clone());
        // A runtime of its own: this also runs while a failed test unwinds.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        let _ = worker.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn postgres_url() -> String {
    std::env::var("LEADWIRE_TEST_POSTGRES").expect("LEADWIRE_TEST_POSTGRES names a PostgreSQL for tests")
}

async fn administer(admin: &str, statement: String) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

/// A database, its log, and one process's read models.
pub(super) struct World {
    pub(super) db: Db,
    pub(super) log: EventLog,
    pub(super) clock: Arc<TestClock>,
    pub(super) projections: Projections,
    _place: Place,
}

/// When every story begins.
pub(super) fn dawn() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The n-th second of the story.
pub(super) fn second(n: i64) -> DateTime<Utc> {
    dawn() + TimeDelta::seconds(n)
}

pub(super) fn customer(n: u128) -> CustomerId {
    CustomerId(uuid::Uuid::from_u128(0x1000 + n))
}

pub(super) fn batch(n: u128) -> BatchId {
    BatchId(uuid::Uuid::from_u128(0x9000 + n))
}

pub(super) fn staff(n: u128) -> StaffId {
    StaffId(uuid::Uuid::from_u128(0x2000 + n))
}

pub(super) fn by(n: u128) -> Actor {
    Actor::Staff(staff(n))
}

impl World {
    pub(super) async fn new(backend: Backend) -> Self {
        let (url, place) = match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                (format!("sqlite:{}", folder.path().join("leadwire.db").display()), Place::File(folder))
            }
            Backend::Postgres => {
                let admin = postgres_url();
                let name = format!("leadwire_read_{}", TimeOrderedIds.next().simple());
                administer(&admin, format!("CREATE DATABASE {name}")).await;
                let server = admin.rsplit_once('/').unwrap().0;
                (format!("{server}/{name}"), Place::Database { admin: admin.clone(), name })
            }
        };
        let db = Db::connect(&url, DbOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(TestClock::at(dawn()));
        crate::migrate(&db, clock.as_ref()).await.unwrap();
        let log = EventLog::start(db.clone());
        let projections = projections(&log, &clock);
        Self { db, log, clock, projections, _place: place }
    }

    /// Another process on the same database.
    pub(super) fn another_process(&self) -> Projections {
        projections(&self.log, &self.clock)
    }

    /// Another process with a clock of its own.
    pub(super) fn process_with(&self, clock: Arc<dyn Clock>) -> Projections {
        Projections::new(self.log.clone(), clock, TimeOrderedIds.next(), Arc::new(Upcasters::none()))
    }

    pub(super) async fn append<E: StoredEvent>(&self, stream: impl Into<StreamId>, events: &[E]) -> Position {
        append(&self.log, stream.into(), events).await
    }

    /// The leads as lists see them.
    pub(super) fn roster(&self) -> &Roster {
        self.projections.roster()
    }

    /// Brings every read model to the head.
    pub(super) async fn settle(&self) {
        self.projections.catch_up_all().await.unwrap();
    }

    pub(super) async fn dump(&self, model: ReadModel) -> Vec<(&'static str, Vec<String>)> {
        crate::rebuild::dump(&self.db, model).await.unwrap()
    }

    pub(super) async fn dump_all(&self) -> Vec<Vec<(&'static str, Vec<String>)>> {
        let mut dumps = Vec::new();
        for model in ReadModel::ALL {
            dumps.push(self.dump(*model).await);
        }
        dumps
    }

    pub(super) async fn hire(&self, n: u128, name: &str) -> Position {
        self.append(staff(n), &[registered(n, name)]).await
    }

    pub(super) async fn create(&self, n: u128, profile: Profile, at: DateTime<Utc>) -> Position {
        self.append(customer(n), &[created(n, profile, at)]).await
    }

    pub(super) async fn assign(&self, n: u128, to: u128, at: DateTime<Utc>) -> Position {
        self.append(customer(n), &[assigned(to, at)]).await
    }
}

fn projections(log: &EventLog, clock: &Arc<TestClock>) -> Projections {
    Projections::new(log.clone(), clock.clone(), TimeOrderedIds.next(), Arc::new(Upcasters::none()))
}

/// Appends behind whatever the stream holds.
pub(super) async fn append<E: StoredEvent>(log: &EventLog, stream: StreamId, events: &[E]) -> Position {
    append_at(log, stream, events, dawn()).await
}

/// The same, recorded at another moment.
pub(super) async fn append_at<E: StoredEvent>(
    log: &EventLog,
    stream: StreamId,
    events: &[E],
    recorded_at: DateTime<Utc>,
) -> Position {
    let expected = log.stream(&stream, 0, 4096).await.unwrap().last().map_or(0, |event| event.sequence);
    let draft = Draft {
        metadata: Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "story".to_owned(),
            causation: None,
            actor: Actor::System("test".to_owned()),
        },
        recorded_at,
        streams: vec![StreamAppend::of(stream, expected, events).unwrap()],
        guards: Vec::new(),
        receipt: None,
    };
    match log.append(draft).await.unwrap() {
        Appended::Committed { last } => last,
        Appended::Replayed(receipt) => receipt.position,
    }
}
