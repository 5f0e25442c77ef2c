//! A fresh database for every test, on either backend, and drafts to fill it with.

use std::path::PathBuf;

use application::bus::{Appended, Draft, GuardChange, GuardKind, NewEvent, StreamAppend};
use application::ports::Ids;
use chrono::DateTime;
use domain::{Actor, CommandId, Metadata, Position, Sequence, StreamId};
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::{EventLog, Filter, PAGE_MAX, RecordedRaw};
use infrastructure::ids::TimeOrderedIds;
use serde_json::json;
use serde_json::value::to_raw_value;
use sqlx::{Connection, PgConnection};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// An empty, migrated database that vanishes with this value.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    url: String,
    place: Place,
}

enum Place {
    File { _folder: tempfile::TempDir, path: PathBuf },
    Database { admin: String, name: String },
}

impl TestDb {
    pub(crate) async fn fresh(backend: Backend) -> Self {
        let (url, place) = match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("leadwire.db");
                (format!("sqlite:{}", path.display()), Place::File { _folder: folder, path })
            }
            Backend::Postgres => {
                let admin = postgres_url();
                let name = format!("leadwire_test_{}", TimeOrderedIds.next().simple());
                administer(&admin, &format!("CREATE DATABASE {name}")).await;
                let mut url = url::Url::parse(&admin).unwrap();
                url.set_path(&name);
                (url.to_string(), Place::Database { admin, name })
            }
        };
        let db = Db::connect(&url, DbOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, url, place }
    }

    /// The same database through a new handle; the old one must be closed.
    pub(crate) async fn reopened(&self) -> Db {
        Db::connect(&self.url, DbOptions::default()).await.unwrap()
    }

    /// The same database as another process sees it. SQLite belongs to one process: there it is the same handle.
    pub(crate) async fn reopened_beside(&self) -> Db {
        match &self.place {
            Place::File { .. } => self.db.clone(),
            Place::Database { .. } => self.reopened().await,
        }
    }

    /// The address, to open the same database once more.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match &self.place {
            Place::File { path, .. } => Some(path),
            Place::Database { .. } => None,
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Place::Database { admin, name } = &self.place else { return };
        let (admin, name) = (admin.clone(), name.clone());
        // A runtime of its own: this also runs while a failed test unwinds.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        let _ = worker.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
pub(crate) fn postgres_url() -> String {
    std::env::var("LEADWIRE_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "LEADWIRE_TEST_POSTGRES is not set: these tests need a PostgreSQL where databases may be created, \
             e.g. postgres://postgres@127.0.0.1:5432/postgres; `cargo xtask test` starts one"
        )
    })
}

async fn administer(admin: &str, statement: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
}

/// A stream nobody uses.
pub(crate) fn stream() -> StreamId {
    StreamId::new("customer", TimeOrderedIds.next())
}

pub(crate) fn command() -> CommandId {
    CommandId(TimeOrderedIds.next())
}

pub(crate) fn event(n: i64) -> NewEvent {
    NewEvent {
        event_type: "Happened",
        schema_version: 1,
        payload: to_raw_value(&json!({ "n": n, "名": "客户 \"one\"\u{1}" })).unwrap(),
    }
}

/// `count` events for one stream.
pub(crate) fn appended_to(stream: &StreamId, expected: Sequence, count: i64) -> StreamAppend {
    StreamAppend {
        stream: stream.clone(),
        expected,
        events: (1..=count).map(|n| event(expected + n)).collect(),
        because: None,
    }
}

/// A command of the system: no receipt.
pub(crate) fn draft(streams: Vec<StreamAppend>) -> Draft {
    Draft {
        metadata: Metadata {
            command: command(),
            correlation: "request-1".to_owned(),
            causation: None,
            actor: Actor::System("test".to_owned()),
        },
        recorded_at: DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap(),
        streams,
        guards: Vec::new(),
        receipt: None,
    }
}

/// A keyed command.
pub(crate) fn keyed(command: CommandId, fingerprint: &str, streams: Vec<StreamAppend>) -> Draft {
    let mut draft = draft(streams);
    draft.metadata.command = command;
    draft.receipt = Some((fingerprint.to_owned(), json!({ "answer": 42 })));
    draft
}

pub(crate) fn claim(key: &str, holder: &StreamId) -> GuardChange {
    GuardChange::Claim { kind: GuardKind::CustomerPhone, key: key.to_owned(), holder: holder.clone() }
}

pub(crate) fn release(key: &str, holder: &StreamId) -> GuardChange {
    GuardChange::Release { kind: GuardKind::CustomerPhone, key: key.to_owned(), holder: holder.clone() }
}

/// The position of a draft that was written.
pub(crate) fn position(appended: &Appended) -> Position {
    match appended {
        Appended::Committed { last } => *last,
        Appended::Replayed(receipt) => panic!("replayed at {}", receipt.position),
    }
}

/// The whole log, read in pages.
pub(crate) async fn everything(log: &EventLog) -> Vec<RecordedRaw> {
    let mut events: Vec<RecordedRaw> = Vec::new();
    loop {
        let after = events.last().map_or(0, |last| last.position);
        let page = log.page(after, PAGE_MAX, Filter::All).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

/// Fails unless positions are 1..=n and every stream counts from 1 without a hole.
pub(crate) async fn assert_whole(log: &EventLog) -> Vec<RecordedRaw> {
    let events = everything(log).await;
    let mut sequences = std::collections::HashMap::new();
    for (expected, event) in (1..).zip(&events) {
        assert_eq!(event.position, expected, "a hole in the log");
        let sequence = sequences.entry(event.stream.clone()).or_insert(0);
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "a hole in {}", event.stream);
    }
    assert_eq!(log.head().await.unwrap(), i64::try_from(events.len()).unwrap());
    events
}

/// Events as text, to compare them byte for byte.
pub(crate) fn texts(events: &[RecordedRaw]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}
