//! Every statement is understood by its database.

use infrastructure::db::Db;
use infrastructure::{channel_control, dispatcher, doctor, outbox, self_check, wechat};
use rstest::rstest;
use sqlx::{AssertSqlSafe, Executor, SqlStr};

use crate::database::{Backend, TestDb};

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_statement_prepares(#[case] backend: Backend) {
    let database = TestDb::fresh(backend).await;
    let own = match backend {
        Backend::Sqlite => outbox::SQLITE_STATEMENTS,
        Backend::Postgres => outbox::POSTGRES_STATEMENTS,
    };
    let rooms = [
        outbox::STATEMENTS,
        wechat::STATEMENTS,
        dispatcher::STATEMENTS,
        channel_control::STATEMENTS,
        self_check::STATEMENTS,
        doctor::STATEMENTS,
    ];
    for sql in own.iter().chain(rooms.into_iter().flatten()) {
        let prepared = match &database.db {
            Db::Sqlite(sqlite) => sqlite.reader().prepare(SqlStr::from_static(sql)).await.map(drop),
            Db::Postgres(pool) => pool.prepare(SqlStr::from_static(sql)).await.map(drop),
        };
        assert!(prepared.is_ok(), "{sql}\n{prepared:?}");
    }
}

/// The outbox grows with every delivery ever made; work must not.
#[tokio::test]
async fn no_statement_reads_the_whole_outbox() {
    let database = TestDb::fresh(Backend::Sqlite).await;
    let Db::Sqlite(sqlite) = &database.db else { panic!("not SQLite") };
    for sql in outbox::STATEMENTS.iter().chain(outbox::SQLITE_STATEMENTS) {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(sqlite.reader()).await.unwrap();
        for (.., step) in plan {
            // Every index named after the table is partial: it holds unfinished rows only.
            let scans = ["SCAN outbox", "SCAN o", "SCAN b", "SCAN e"].iter().any(|scan| {
                step.strip_prefix(scan).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
                    && !step.contains("INDEX outbox_")
            });
            assert!(!scans, "{step}: {sql}");
        }
    }
}
