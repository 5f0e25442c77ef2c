//! Reading without triggers: polling by (`updated_at`, key), and pages to compare with.

use application::intake::{Engine, Source, Sweep};
use rstest::rstest;

use super::world::{World, member};

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
