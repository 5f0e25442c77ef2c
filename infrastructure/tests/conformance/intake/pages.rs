//! Reading without triggers: polling by (`updated_at`, key), and pages to compare with.

use application::intake::{Engine, Source, Sweep, parse};
use chrono::DateTime;
use rstest::rstest;

use super::world::{World, claim, member};

/// One whole sweep: the keys it met.
async fn sweep(source: &dyn Source, cursor: &mut Sweep, page: u32) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        let polled = source.poll(cursor.from().as_ref(), page).await.unwrap();
        keys.extend(polled.rows.iter().map(|row| row.as_ref().unwrap().key.clone()));
        if !cursor.advance(&polled) {
            return keys;
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_sweep_has_no_limit_of_age_and_meets_every_row(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.source();
    for number in 1..=12 {
        world.run(&member(number, "ACTIVE")).await;
    }
    world.run("UPDATE members SET updated_at = '2020-01-01 00:00:00'").await;
    world.run("UPDATE members SET updated_at = '2019-01-01 00:00:00' WHERE id = 10").await;
    let mut cursor = Sweep::default();
    let mut keys = sweep(&*source, &mut cursor, 5).await;
    assert_eq!(keys[..3], ["10", "1", "2"], "in the order of change, then of the key as a number");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 12);
    sweep(&*source, &mut cursor, 5).await;
    // In the same second as what was read already, with a smaller key.
    world.run("UPDATE members SET height = 170, updated_at = '2020-01-01 00:00:00' WHERE id = 2").await;
    assert!(sweep(&*source, &mut cursor, 5).await.contains(&"2".to_owned()));
    // A change that became visible late, behind the end of the last sweep.
    world.run("UPDATE members SET updated_at = '2026-01-01 00:00:00' WHERE id = 3").await;
    sweep(&*source, &mut cursor, 5).await;
    world.run("UPDATE members SET updated_at = '2025-06-01 00:00:00' WHERE id = 4").await;
    let keys = sweep(&*source, &mut cursor, 5).await;
    assert!(keys.contains(&"4".to_owned()) && keys.contains(&"3".to_owned()), "{keys:?}");
    sweep(&*source, &mut cursor, 5).await;
    assert_eq!(sweep(&*source, &mut cursor, 5).await, ["3"], "an idle table costs its newest moment");
}

#[rstest]
#[tokio::test]
async fn pages_hold_every_row_once_in_the_order_of_the_key(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.source();
    for number in 1..=11 {
        world.run(&member(number, "ACTIVE")).await;
    }
    let mut keys: Vec<String> = Vec::new();
    let mut prints = Vec::new();
    loop {
        let page = source.list(keys.last().map(String::as_str), 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        for row in page {
            let row = row.unwrap();
            assert_eq!(source.read(&row.key).await.unwrap().unwrap(), row);
            keys.push(row.key);
            prints.push(row.fingerprint);
        }
    }
    assert_eq!(keys, (1..=11).map(|key: u32| key.to_string()).collect::<Vec<_>>());
    world.run("UPDATE members SET notes = 'x' WHERE id = 3").await;
    world.run("UPDATE members SET updated_at = '2030-01-01 00:00:00' WHERE id = 4").await;
    let after: Vec<String> =
        source.list(None, 100).await.unwrap().into_iter().map(|row| row.unwrap().fingerprint).collect();
    let differing: Vec<usize> = (0..11).filter(|place| after[*place] != prints[*place]).collect();
    assert_eq!(differing, [2], "a row differs when a member's field does");
}

/// Somebody's clock, or a mistake in one row.
#[rstest]
#[tokio::test]
async fn a_row_from_the_future_does_not_end_the_polling(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.source();
    for number in 1..=3 {
        world.run(&member(number, "ACTIVE")).await;
    }
    world.run("UPDATE members SET updated_at = '2099-01-01 00:00:00' WHERE id = 1").await;
    let mut cursor = Sweep::default();
    for height in 170..174 {
        let keys = sweep(&*source, &mut cursor, 2).await;
        assert!(keys.contains(&"1".to_owned()), "{keys:?}");
        world
            .run(&format!(
                "UPDATE members SET height = {height}, updated_at = CURRENT_TIMESTAMP WHERE id = 2"
            ))
            .await;
        assert!(sweep(&*source, &mut cursor, 2).await.contains(&"2".to_owned()), "the change to {height}");
    }
}

/// Nobody starts a worker anew because a table got a column.
#[rstest]
#[tokio::test]
async fn a_column_that_is_added_is_read_from_the_next_claim_on(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::empty(engine).await;
    world
        .run("CREATE TABLE members (id INT PRIMARY KEY, status VARCHAR(20), phone VARCHAR(20), updated_at TIMESTAMP)")
        .await;
    let source = world.installed().await;
    world.run("INSERT INTO members VALUES (1, 'ACTIVE', '1', '2026-01-01 00:00:00')").await;
    claim(&*source, "worker").await;
    assert!(!source.read("1").await.unwrap().unwrap().columns.contains_key("nickname"));
    world.run("ALTER TABLE members ADD COLUMN nickname VARCHAR(20)").await;
    world
        .run("INSERT INTO members (id, status, nickname, updated_at) VALUES (2, 'ACTIVE', 'n', '2026-01-01 00:00:00')")
        .await;
    claim(&*source, "worker").await;
    let nickname = |row: &application::intake::SourceRow| row.columns["nickname"].clone();
    assert_eq!(nickname(&source.read("2").await.unwrap().unwrap()).as_deref(), Some("n"));
    // The same with whoever polls, and with whoever compares.
    let long_lived = [world.source(), world.source()];
    long_lived[0].poll(None, 10).await.unwrap();
    long_lived[1].list(None, 10).await.unwrap();
    world.run("ALTER TABLE members ADD COLUMN city VARCHAR(20) DEFAULT 'c'").await;
    let polled = long_lived[0].poll(None, 10).await.unwrap().rows;
    let listed = long_lived[1].list(None, 10).await.unwrap();
    for row in polled.iter().chain(&listed) {
        assert_eq!(row.as_ref().unwrap().columns["city"].as_deref(), Some("c"));
    }
}

/// The same moment, in every type that a table may keep it in.
#[rstest]
#[case::timestamp(Engine::Mysql, "TIMESTAMP NULL", "", "SET time_zone = '+08:00'", "2026-11-22 18:00:00")]
#[case::datetime(
    Engine::Mysql,
    "DATETIME",
    "zone = 'Asia/Shanghai'",
    "SET time_zone = '+00:00'",
    "2026-11-22 18:00:00"
)]
#[case::timestamptz(
    Engine::Postgres,
    "TIMESTAMPTZ",
    "",
    "SET TimeZone = 'Asia/Shanghai'",
    "2026-11-22 18:00:00"
)]
#[case::naive(Engine::Postgres, "TIMESTAMP", "zone = 'Asia/Tokyo'", "SELECT 1", "2026-11-22 19:00:00")]
#[case::sqlite(Engine::Sqlite, "DATETIME", "", "SELECT 1", "2026-11-22 10:00:00")]
#[case::sqlite_of_china(
    Engine::Sqlite,
    "DATETIME",
    "zone = 'Asia/Shanghai'",
    "SELECT 1",
    "2026-11-22 18:00:00"
)]
#[tokio::test]
async fn a_moment_is_read_as_its_table_means_it(
    #[case] engine: Engine,
    #[case] kind: &str,
    #[case] zone: &str,
    #[case] session: &str,
    #[case] written: &str,
) {
    let world = World::empty(engine).await;
    world.run(&format!("CREATE TABLE clients (id INT PRIMARY KEY, made {kind})")).await;
    let mut writer = world.session().await;
    writer.run(session).await.unwrap();
    writer.run(&format!("INSERT INTO clients VALUES (1, '{written}')")).await.unwrap();
    let mapping = format!("table = 'clients'\nkey = 'id'\n{zone}\n[columns]\nmade = 'created_at'");
    let source = world.source_of(parse("clients.toml", &mapping).unwrap());
    let row = source.read("1").await.unwrap().unwrap();
    let text = row.columns["created_at"].clone().unwrap();
    let at = DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%#z"))
        .unwrap();
    assert_eq!(at.to_utc().to_rfc3339(), "2026-11-22T10:00:00+00:00", "{text}");
    // Whoever reads it without a zone reads it as China's (`application::members::read_observation`).
    assert_eq!(source.list(None, 10).await.unwrap()[0].as_ref().unwrap(), &row);
}
