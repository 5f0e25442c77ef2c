//! The database layer: settings, locks, transactions, append-only, and every statement prepared.

use infrastructure::db::{Db, DbError, DbOptions, Tx};
use infrastructure::event_log::{self, EventLog};
use infrastructure::{
    callbacks, credentials, customer_numbers, intake, recount, service_tokens, sessions, transfer_previews,
    unique_values,
};
use infrastructure::{with_pool, with_tx};
use rstest::rstest;
use sqlx::{Executor, SqlSafeStr};

use crate::kit::{Backend, TestDb, appended_to, assert_whole, draft, postgres_url, stream};

/// The statements of every module, by database.
const POSTGRES: &[&[&str]] = &[
    event_log::POSTGRES_STATEMENTS,
    customer_numbers::POSTGRES_STATEMENTS,
    intake::POSTGRES_STATEMENTS,
    unique_values::POSTGRES_STATEMENTS,
    callbacks::POSTGRES_STATEMENTS,
];
const SQLITE: &[&[&str]] = &[
    event_log::SQLITE_STATEMENTS,
    customer_numbers::SQLITE_STATEMENTS,
    intake::SQLITE_STATEMENTS,
    unique_values::SQLITE_STATEMENTS,
    callbacks::SQLITE_STATEMENTS,
];
const BOTH: &[&[&str]] = &[
    &credentials::STATEMENTS,
    &sessions::STATEMENTS,
    &service_tokens::STATEMENTS,
    &intake::STATEMENTS,
    &callbacks::STATEMENTS,
    &transfer_previews::STATEMENTS,
    &recount::STATEMENTS,
];

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let Db::Postgres(pool) = &test.db else { unreachable!() };
    for statement in POSTGRES.iter().chain(BOTH).copied().flatten() {
        let prepared = pool.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    let test = TestDb::fresh(Backend::Sqlite).await;
    let Db::Sqlite(sqlite) = &test.db else { unreachable!() };
    for statement in SQLITE.iter().chain(BOTH).copied().flatten() {
        let prepared = sqlite.writer().prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
}

/// One connection writes on SQLite, so what one transaction asks of the disk must not become the next one's.
#[tokio::test]
async fn only_what_is_derived_does_not_wait_for_the_disk() {
    let test = TestDb::fresh(Backend::Sqlite).await;
    let waits = async |tx: Tx<'static>| {
        let mut tx = tx;
        let Tx::Sqlite(inner) = &mut tx else { unreachable!() };
        let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut **inner).await.unwrap();
        tx.commit().await.unwrap();
        level == 2
    };
    assert!(!waits(test.db.begin_derived().await.unwrap()).await);
    assert!(waits(test.db.begin_write().await.unwrap()).await);
    assert!(!waits(test.db.begin_derived().await.unwrap()).await);
    let log = EventLog::start(test.db.clone());
    log.append(draft(vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    let Db::Sqlite(sqlite) = &test.db else { unreachable!() };
    let left: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(sqlite.writer()).await.unwrap();
    assert_eq!(left, 2, "an append waits for the disk whoever wrote before it");

    let test = TestDb::fresh(Backend::Postgres).await;
    let mut tx = test.db.begin_derived().await.unwrap();
    let Tx::Postgres(inner) = &mut tx else { unreachable!() };
    let level: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut **inner).await.unwrap();
    assert_eq!(level, "off");
}

#[rstest]
#[case::update("UPDATE events SET event_type = 'Other'")]
#[case::delete("DELETE FROM events WHERE position = 1")]
#[tokio::test]
async fn events_cannot_be_changed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] statement: &'static str,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    log.append(draft(vec![appended_to(&stream(), 0, 2)])).await.unwrap();
    let mut tx = test.db.begin_write().await.unwrap();
    let refused =
        with_tx!(&mut tx, conn => sqlx::query(statement).execute(conn).await.map(drop)).unwrap_err();
    assert!(refused.to_string().contains("events are append-only"), "{refused}");
    tx.rollback().await.unwrap();
    assert_eq!(assert_whole(&log).await.len(), 2);
}

#[tokio::test]
async fn events_cannot_be_truncated() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let Db::Postgres(pool) = &test.db else { unreachable!() };
    let refused = sqlx::query("TRUNCATE events").execute(pool).await.unwrap_err();
    assert!(refused.to_string().contains("events are append-only"), "{refused}");
}

#[rstest]
#[tokio::test]
async fn migrating_again_changes_nothing(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let (one, two) = tokio::join!(test.db.migrate(), test.db.migrate());
    one.unwrap();
    two.unwrap();
    test.db.ping().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_savepoint_is_taken_back_alone(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const INSERT: &str = "INSERT INTO guards (kind, key, holder) VALUES ('kind', $1, 'holder')";
    let test = TestDb::fresh(backend).await;
    let insert = async |tx: &mut Tx<'_>, key: &str| {
        with_tx!(tx, conn => sqlx::query(INSERT).bind(key).execute(conn).await.map(drop))
            .map_err(DbError::from)
    };
    let mut tx = test.db.begin_write().await.unwrap();
    insert(&mut tx, "kept").await.unwrap();
    let mut inner = tx.savepoint().await.unwrap();
    insert(&mut inner, "dropped").await.unwrap();
    let twice = insert(&mut inner, "dropped").await.unwrap_err();
    assert!(twice.is_unique_violation());
    inner.rollback().await.unwrap();
    let mut inner = tx.savepoint().await.unwrap();
    insert(&mut inner, "kept too").await.unwrap();
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    // A transaction that is dropped leaves nothing.
    let mut dropped = test.db.begin_write().await.unwrap();
    insert(&mut dropped, "never").await.unwrap();
    drop(dropped);
    let keys: Vec<String> =
        with_pool!(&test.db, pool => sqlx::query_scalar("SELECT key FROM guards ORDER BY key").fetch_all(pool).await)
            .unwrap();
    assert_eq!(keys, ["kept", "kept too"]);
}

#[tokio::test]
async fn sqlite_serves_one_process() {
    let test = TestDb::fresh(Backend::Sqlite).await;
    let second = Db::connect(test.url(), DbOptions::default()).await.unwrap_err();
    assert!(matches!(&second, DbError::InUse { path } if Some(path) == test.file()), "{second}");
    assert!(second.to_string().contains("another process uses"), "{second}");
    test.db.close().await;
    test.reopened().await.ping().await.unwrap();
}

#[tokio::test]
async fn sqlite_keeps_what_it_accepted_and_reads_beside_the_writer() {
    let test = TestDb::fresh(Backend::Sqlite).await;
    let Db::Sqlite(sqlite) = &test.db else { unreachable!() };
    let setting = async |pragma: &'static str| {
        sqlx::query_scalar::<_, i64>(pragma).fetch_one(sqlite.writer()).await.unwrap()
    };
    assert_eq!(setting("PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(setting("PRAGMA foreign_keys").await, 1);
    assert_eq!(setting("PRAGMA busy_timeout").await, 10_000);
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(sqlite.writer()).await.unwrap();
    assert_eq!(journal, "wal");
    let mut tx = test.db.begin_write().await.unwrap();
    with_tx!(&mut tx, conn => sqlx::query("INSERT INTO guards VALUES ('a', 'b', 'c')").execute(conn).await.map(drop))
        .unwrap();
    let seen: i64 =
        sqlx::query_scalar("SELECT count(*) FROM guards").fetch_one(sqlite.reader()).await.unwrap();
    assert_eq!(seen, 0, "a reader neither waits nor sees what is not committed");
    let refused = sqlx::query("DELETE FROM guards").execute(sqlite.reader()).await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[tokio::test]
async fn instants_compare_as_text_on_sqlite() {
    let test = TestDb::fresh(Backend::Sqlite).await;
    let Db::Sqlite(sqlite) = &test.db else { unreachable!() };
    let micros = [0, 1, 999, 1_000, 1_001, 500_000, 999_999, 1_000_000, 1_000_001, 60_000_000];
    let instants =
        micros.map(|n| chrono::DateTime::from_timestamp_micros(1_800_000_000_000_000 + n).unwrap());
    for pair in instants.windows(2) {
        let query = sqlx::query_scalar("SELECT $1 < $2").bind(pair[0]).bind(pair[1]);
        let earlier: bool = query.fetch_one(sqlite.reader()).await.unwrap();
        assert!(earlier, "{} < {}", pair[0], pair[1]);
    }
}

#[tokio::test]
async fn postgres_has_its_timeouts() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let Db::Postgres(pool) = &test.db else { unreachable!() };
    for (setting, expected) in [("SHOW statement_timeout", "15s"), ("SHOW lock_timeout", "10s")] {
        let value: String = sqlx::query_scalar(setting).fetch_one(pool).await.unwrap();
        assert_eq!(value, expected, "{setting}");
    }
}

#[rstest]
#[case("mysql://host/db")]
#[case("leadwire.db")]
#[case("sqlite::memory:")]
#[case("")]
#[tokio::test]
async fn other_addresses_are_refused(#[case] url: &str) {
    let refused = Db::connect(url, DbOptions::default()).await.unwrap_err();
    assert!(matches!(refused, DbError::Url(_)), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_error() {
    let mut url = url::Url::parse(&postgres_url()).unwrap();
    url.set_path("no_such_database");
    let refused = Db::connect(url.as_str(), DbOptions::default()).await.unwrap_err();
    assert!(matches!(refused, DbError::Sql(_)), "{refused}");
}
