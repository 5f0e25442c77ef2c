//! No statement about leads goes through a whole table.

use infrastructure::db::Db;
use rstest::rstest;
use sqlx::AssertSqlSafe;

use super::kit::{Backend, World};
use crate::queries::{self, assignments, customers, follow_ups, pool};
use crate::table::Dialect;

/// Every statement that reads leads, with a value for each parameter.
fn readers(dialect: Dialect) -> Vec<String> {
    let (id, ids, time) = match dialect {
        Dialect::Postgres => (
            "'00000000-0000-0000-0000-000000000001'::uuid",
            "'{00000000-0000-0000-0000-000000000001}'",
            "'2026-01-01T00:00:00Z'::timestamptz",
        ),
        Dialect::Sqlite => ("x'01'", "'[\"01\"]'", "'2026-01-01T00:00:00+00:00'"),
    };
    let valued: Vec<(&str, &[&str], &str)> = vec![
        ("roster", queries::ROSTER_STATEMENTS, "1"),
        ("by id", &customers::STATEMENTS[..1], id),
        ("by number or phone", &customers::STATEMENTS[1..], "'1'"),
        ("assignments", assignments::STATEMENTS, id),
        ("follow-ups", follow_ups::STATEMENTS, id),
        ("pool, of a lead", &pool::STATEMENTS[..1], id),
        ("pool, since midnight", &pool::STATEMENTS[3..], time),
    ];
    let mut statements = vec![customers::among(dialect).replace("$1", ids)];
    for (what, of, value) in valued {
        assert!(!of.is_empty(), "{what}");
        for sql in of {
            let value = if sql.contains("FROM consumers") { "'1'" } else { value };
            statements.push(sql.replace("$1", value).replace("$2", "20").replace("$3", "40"));
        }
    }
    statements
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn no_full_scan(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(24).await;
    world.settle().await;
    let statements = readers(Dialect::of(&world.db));
    assert!(statements.len() > 10);
    for sql in statements {
        let plan = plan(&world.db, &sql).await;
        let scanned = plan.iter().find(|line| {
            let line = line.trim_start();
            // SQLite says SCAN for every table it goes through from the beginning, also along an index.
            line.contains("Seq Scan on ")
                || (line.starts_with("SCAN ")
                    && !line.starts_with("SCAN json_each")
                    && !line.starts_with("SCAN jsonb_each"))
        });
        assert_eq!(scanned, None, "{sql}\n{plan:#?}");
    }
    let everything = plan(&world.db, "SELECT count(*) FROM customer_list WHERE name = 'x'").await;
    assert!(
        everything.iter().any(|line| line.contains("Seq Scan on") || line.contains("SCAN customer_list"))
    );
}

async fn plan(db: &Db, sql: &str) -> Vec<String> {
    match db {
        Db::Postgres(pool) => {
            let mut tx = pool.begin().await.unwrap();
            // A small table is read whole because that is cheap; a plan that has no other way does it all the same.
            sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN {sql}"));
            sqlx::query_scalar(explain).fetch_all(&mut *tx).await.unwrap()
        }
        Db::Sqlite(sqlite) => {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).fetch_all(sqlite.reader()).await.unwrap();
            rows.into_iter().map(|row| row.3).collect()
        }
    }
}
