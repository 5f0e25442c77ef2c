//! What raw SQL of somebody else becomes.

use application::intake::{Engine, Operation, parse};
use rstest::rstest;

use super::world::{World, drain, member};

#[rstest]
#[tokio::test]
async fn every_row_of_two_connections_arrives_once(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    const EACH: u32 = 100;
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let (mut one, mut two) = (world.session().await, world.session().await);
    let first = async {
        for number in 0..EACH {
            one.run(&member(number, "ACTIVE")).await.unwrap();
        }
    };
    let second = async {
        for number in EACH..2 * EACH {
            two.run(&member(number, "ACTIVE")).await.unwrap();
        }
    };
    tokio::join!(first, second);
    let rows = drain(&*source).await;
    let mut keys: Vec<u32> = rows.iter().map(|row| row.key.parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (1..=2 * EACH).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.operation == Operation::Insert && row.changed.is_empty()));
    assert!(rows.iter().all(|row| row.table == "members"));
    let status = source.status().await.unwrap();
    assert_eq!((status.backlog.waiting, status.done, status.backlog.oldest_seconds), (0, 200, None));
}

#[rstest]
#[tokio::test]
async fn a_value_that_comes_and_goes_is_seen_both_times(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    for sql in [
        "UPDATE members SET height = 170, city = '上海'",
        "UPDATE members SET height = NULL, city = '上海'",
        "UPDATE members SET city = '北京', phone = '13900000000'",
        "UPDATE members SET nickname = 'abc'",
        "UPDATE members SET nickname = 'ABC'",
        "UPDATE members SET nickname = 'ABC '",
        // Nothing that is watched: no row.
        "UPDATE members SET city = '北京'",
        "UPDATE members SET updated_at = '2030-01-01 00:00:00'",
        "UPDATE members SET deleted = (1 = 1)",
    ] {
        world.run(sql).await;
    }
    let rows = drain(&*source).await;
    let changed: Vec<Vec<&str>> =
        rows.iter().map(|row| row.changed.iter().map(String::as_str).collect()).collect();
    let expected: [&[&str]; 8] = [
        &[],
        &["height", "city"],
        &["height"],
        &["phone", "city"],
        &["nickname"],
        &["nickname"],
        &["nickname"],
        &["deleted"],
    ];
    assert_eq!(changed, expected);
    let read = source.read("1").await.unwrap().unwrap();
    assert!(read.deleted && !read.is_active());
    assert_eq!(read.columns["height"], None);
    assert_eq!(read.columns["city"].as_deref(), Some("北京"));
}

#[rstest]
#[tokio::test]
async fn a_member_who_becomes_active_later_arrives_twice(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "PENDING")).await;
    assert!(!source.read("1").await.unwrap().unwrap().is_active());
    world.run("UPDATE members SET status = 'ACTIVE'").await;
    assert!(source.read("1").await.unwrap().unwrap().is_active());
    let rows = drain(&*source).await;
    let seen: Vec<(Operation, Vec<String>)> =
        rows.into_iter().map(|row| (row.operation, row.changed)).collect();
    assert_eq!(seen, [(Operation::Insert, vec![]), (Operation::Update, vec!["status".to_owned()])]);
}

/// MySQL's `REPLACE INTO` removes a row and writes another one with its key.
#[tokio::test]
async fn a_row_that_is_replaced_is_captured_as_removed_and_is_there() {
    let world = World::empty(Engine::Mysql).await;
    world.run("CREATE TABLE clients (id INT PRIMARY KEY, name VARCHAR(20))").await;
    let mapping = "table = 'clients'\nkey = 'id'\n[columns]\nname = 'nickname'";
    let source = world.source_of(parse("clients.toml", mapping).unwrap());
    source.install().await.unwrap();
    world.run("INSERT INTO clients VALUES (1, 'old')").await;
    drain(&*source).await;
    world.run("REPLACE INTO clients VALUES (1, 'new')").await;
    let operations: Vec<Operation> = drain(&*source).await.into_iter().map(|row| row.operation).collect();
    assert_eq!(operations, [Operation::Delete, Operation::Insert]);
    let read = source.read("1").await.unwrap().expect("it is there");
    assert_eq!(read.columns["nickname"].as_deref(), Some("new"));
}

#[rstest]
#[tokio::test]
async fn a_member_who_vanished_is_nobody_and_one_rolled_back_never_was(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    world.run("DELETE FROM members").await;
    let mut session = world.session().await;
    session.run("BEGIN").await.unwrap();
    session.run(&member(2, "ACTIVE")).await.unwrap();
    session.run("ROLLBACK").await.unwrap();
    let rows = drain(&*source).await;
    assert_eq!(rows.len(), 1, "the table has a column of deletion, so a removal is not captured");
    assert_eq!(source.read(&rows[0].key).await.unwrap(), None);
}
