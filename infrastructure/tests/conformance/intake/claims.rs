//! Leases: who works on what, and what becomes of it.

use std::collections::HashSet;

use application::intake::{ClaimOrder, Engine, SourceError};
use rstest::rstest;

use super::world::{BATCH, LEASE, World, claim, drain, member};

#[rstest]
#[tokio::test]
async fn two_workers_never_hold_the_same_row(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    const ROWS: u32 = 60;
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let beside = world.source();
    for number in 0..ROWS {
        world.run(&member(number, "ACTIVE")).await;
    }
    let mut taken = Vec::new();
    while taken.len() < ROWS as usize {
        let (one, two) = tokio::join!(
            source.claim("one", 7, LEASE, ClaimOrder::OldestFirst),
            beside.claim("two", 7, LEASE, ClaimOrder::OldestFirst)
        );
        for claim in one.unwrap().into_iter().chain(two.unwrap()) {
            taken.push(claim.row.number);
        }
    }
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), ROWS as usize, "a row was leased twice");
    assert!(claim(&*source, "three").await.is_empty());
    let status = source.status().await.unwrap();
    assert_eq!((status.backlog.waiting, status.leased), (u64::from(ROWS), u64::from(ROWS)));
}

#[rstest]
#[tokio::test]
async fn an_expired_lease_is_taken_over_and_its_former_owner_changes_nothing(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    let late = source.claim("late", BATCH, 0, ClaimOrder::OldestFirst).await.unwrap();
    let now = claim(&*source, "now").await;
    assert_eq!((late[0].attempt, now[0].attempt), (1, 2));
    assert_eq!(late[0].row, now[0].row);
    assert_eq!(late[0].row.id(), now[0].row.id(), "the same row is the same command");
    assert_eq!(source.done(&late).await.unwrap(), 0);
    let lost = Err(SourceError::LeaseLost(late[0].row.number));
    assert_eq!(source.park(&late[0], "late").await, lost);
    assert_eq!(source.release(&late[0], 0, "late").await, lost);
    assert_eq!(source.done(&now).await.unwrap(), 1);
    assert_eq!(source.done(&now).await.unwrap(), 0, "once");
}

#[rstest]
#[tokio::test]
async fn the_rows_of_one_member_are_taken_one_after_the_other(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    world.run(&member(2, "ACTIVE")).await;
    world.run("UPDATE members SET height = 170 WHERE id = 1").await;
    world.run("UPDATE members SET height = 171 WHERE id = 1").await;
    let first = claim(&*source, "one").await;
    let keys: Vec<&str> = first.iter().map(|claim| claim.row.key.as_str()).collect();
    assert_eq!(keys, ["1", "2"]);
    assert!(claim(&*source, "two").await.is_empty(), "somebody works on both members");
    // A row that waits for its next attempt holds up its own member and nobody else.
    source.release(&first[0], 3600, "not now").await.unwrap();
    source.done(&first[1..]).await.unwrap();
    assert!(claim(&*source, "two").await.is_empty());
    world.run("UPDATE members SET height = 172 WHERE id = 2").await;
    let next = claim(&*source, "two").await;
    assert_eq!(next.len(), 1);
    assert_eq!((next[0].row.key.as_str(), next[0].attempt), ("2", 1));
    // Given back at once it was not tried: an outage uses up no attempt.
    source.release(&next[0], 0, "an outage").await.unwrap();
    let next = claim(&*source, "two").await;
    assert_eq!((next.len(), next[0].row.key.as_str(), next[0].attempt), (1, "2", 1));
    // A row put aside holds up nobody.
    world.run("UPDATE leadwire_capture SET not_before = NULL").await;
    let again = claim(&*source, "one").await;
    assert_eq!((again.len(), again[0].attempt), (1, 2));
    source.park(&again[0], "an unknown code").await.unwrap();
    let after = drain(&*source).await;
    assert_eq!(after.len(), 2);
    assert!(after.is_sorted_by_key(|row| row.number));
}

/// Only a row that somebody could work on grows old; an outage makes none younger.
#[rstest]
#[tokio::test]
async fn a_row_that_waits_for_its_next_attempt_is_not_late(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    const AGED: u64 = 7200;
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let long_ago = match engine {
        Engine::Mysql => "DATE_SUB(UTC_TIMESTAMP(6), INTERVAL 7200 SECOND)",
        Engine::Postgres => "now() - interval '7200 seconds'",
        Engine::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7200 seconds')",
    };
    world.run(&member(1, "ACTIVE")).await;
    world.run("UPDATE members SET height = 170").await;
    world.run(&format!("UPDATE leadwire_capture SET captured_at = {long_ago}")).await;
    let backlog = async || {
        let backlog = source.backlog().await.unwrap();
        (backlog.waiting, backlog.parked, backlog.oldest_seconds.map(|seconds| seconds >= AGED))
    };
    assert_eq!(backlog().await, (2, 0, Some(true)));
    let claims = claim(&*source, "worker").await;
    assert_eq!(backlog().await, (2, 0, Some(true)), "somebody works on it and may die");
    source.release(&claims[0], 0, "an outage").await.unwrap();
    assert_eq!(backlog().await, (2, 0, Some(true)));
    let claims = claim(&*source, "worker").await;
    source.release(&claims[0], 3600, "not now").await.unwrap();
    assert_eq!(backlog().await, (2, 0, None), "the other one waits behind it");
    world
        .run(&format!("UPDATE leadwire_capture SET not_before = {long_ago} WHERE not_before IS NOT NULL"))
        .await;
    assert_eq!(backlog().await, (2, 0, Some(true)), "its time has come, and nobody took it");
    for _ in 0..2 {
        source.park(&claim(&*source, "worker").await[0], "an unknown code").await.unwrap();
    }
    assert_eq!(backlog().await, (0, 2, None));
    source.retry(None).await.unwrap();
    assert_eq!(backlog().await, (2, 0, Some(false)), "nobody could work on it before");
    drain(&*source).await;
    let status = source.status().await.unwrap();
    assert_eq!((status.backlog.waiting, status.leased, status.done), (0, 0, 2));
}

#[rstest]
#[tokio::test]
async fn what_is_put_aside_is_seen_and_comes_back_on_demand(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    for number in 1..=3 {
        world.run(&member(number, "ACTIVE")).await;
    }
    for one in claim(&*source, "worker").await {
        source.park(&one, &format!("原因 'one' {}", one.row.key)).await.unwrap();
    }
    let parked = source.parked(0, 10).await.unwrap();
    assert_eq!(parked.len(), 3);
    assert_eq!((parked[0].reason.as_str(), parked[0].attempts), ("原因 'one' 1", 1));
    assert_eq!(source.parked(parked[0].row.number, 10).await.unwrap().len(), 2);
    assert!(claim(&*source, "worker").await.is_empty());
    assert_eq!(source.backlog().await.unwrap().parked, 3);
    assert_eq!(source.retry(Some(&[parked[1].row.number, 9999])).await.unwrap(), 1);
    assert_eq!(source.retry(Some(&[])).await.unwrap(), 0);
    assert_eq!(drain(&*source).await.len(), 1);
    assert_eq!(source.retry(None).await.unwrap(), 2);
    let again = claim(&*source, "worker").await;
    assert_eq!((again.len(), again[0].attempt), (2, 1), "its attempts begin anew");
}

#[rstest]
#[tokio::test]
async fn the_newest_member_need_not_wait_behind_the_others(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    for number in 1..=5 {
        world.run(&member(number, "ACTIVE")).await;
    }
    let newest = source.claim("worker", 1, LEASE, ClaimOrder::NewestFirst).await.unwrap();
    assert_eq!(newest[0].row.key, "5");
    let oldest = source.claim("worker", 1, LEASE, ClaimOrder::OldestFirst).await.unwrap();
    assert_eq!(oldest[0].row.key, "1");
}

#[rstest]
#[tokio::test]
async fn what_is_finished_is_taken_away_and_its_number_is_not_given_again(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    for number in 1..=4 {
        world.run(&member(number, "ACTIVE")).await;
    }
    let claims = claim(&*source, "worker").await;
    source.done(&claims[..3]).await.unwrap();
    source.park(&claims[3], "kept").await.unwrap();
    assert_eq!(source.purge(3600, 10).await.unwrap(), 0, "not old enough");
    assert_eq!(source.purge(0, 2).await.unwrap(), 2);
    assert_eq!(source.purge(0, 2).await.unwrap(), 1);
    assert_eq!(source.backlog().await.unwrap().parked, 1);
    source.retry(None).await.unwrap();
    drain(&*source).await;
    source.purge(0, 10).await.unwrap();
    world.run("UPDATE members SET height = 170 WHERE id = 1").await;
    let last = claim(&*source, "worker").await;
    assert!(last[0].row.number > claims[3].row.number);
}

/// Somebody's open transaction holds its own row only: ours beside it are claimed, finished and taken away.
#[tokio::test]
async fn on_mariadb_nothing_waits_for_a_member_who_is_still_being_written() {
    let world = World::fresh(Engine::Mysql).await;
    let source = world.installed().await;
    for number in 1..=40 {
        world.run(&member(number, "ACTIVE")).await;
    }
    let mut open = world.session().await;
    open.run("BEGIN").await.unwrap();
    open.run(&member(41, "ACTIVE")).await.unwrap();
    for number in 42..=44 {
        world.run(&member(number, "ACTIVE")).await;
    }
    let claims = claim(&*source, "worker").await;
    assert_eq!(claims.len(), 43);
    assert_eq!(source.done(&claims).await.unwrap(), 43);
    assert_eq!(source.purge(0, 100).await.unwrap(), 43);
    assert_eq!(source.retry(None).await.unwrap(), 0);
    open.run("COMMIT").await.unwrap();
    assert_eq!(drain(&*source).await.len(), 1);
}

/// Whatever a number is made of: the changes of one member come as they were made, of one transaction and of several.
#[rstest]
#[tokio::test]
async fn the_changes_of_one_member_come_in_their_order(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    const CHANGES: usize = 30;
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let (mut one, mut two) = (world.session().await, world.session().await);
    one.run(&member(1, "ACTIVE")).await.unwrap();
    one.run("BEGIN").await.unwrap();
    let columns = ["height", "weight", "birth_year"];
    for change in 0..CHANGES {
        if change == CHANGES / 2 {
            one.run("COMMIT").await.unwrap();
        }
        let session = if change < CHANGES / 2 || change % 2 == 0 { &mut one } else { &mut two };
        let sql = format!("UPDATE members SET {} = {}", columns[change % 3], change + 1);
        session.run(&sql).await.unwrap();
    }
    let rows = drain(&*source).await;
    assert!(rows.is_sorted_by(|earlier, later| earlier.number < later.number));
    let changed: Vec<&str> = rows[1..].iter().map(|row| row.changed[0].as_str()).collect();
    let expected: Vec<&str> = (0..CHANGES).map(|change| columns[change % 3]).collect();
    assert_eq!(changed, expected);
}
