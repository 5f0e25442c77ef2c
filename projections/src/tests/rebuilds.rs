//! Making the read models again while they are in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use infrastructure::db::Db;
use infrastructure::with_tx;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kit::{Backend, World, append, assigned, created, customer, profile, second};
use crate::consumer::{ConsumerState, LEASE_SECONDS};
use crate::queries::customers;
use crate::rebuild::{
    DifferenceKind, OldTables, OnMismatch, RebuildError, RebuildOptions, Rebuilt, rebuild, rollback,
};
use crate::{Projections, ReadModel};

const MODEL: ReadModel = ReadModel::CustomerList;

async fn again(projections: &Projections, model: ReadModel) -> Result<Rebuilt, RebuildError> {
    rebuild(projections, model, RebuildOptions::default(), &CancellationToken::new(), |_| {}).await
}

/// Every table and index of the database that belongs to a read model.
async fn tables(db: &Db) -> Vec<String> {
    let names: Vec<String> = match db {
        Db::Postgres(pool) => {
            let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
            sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
        }
        Db::Sqlite(sqlite) => {
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1";
            sqlx::query_scalar(sql).fetch_all(sqlite.reader()).await.unwrap()
        }
    };
    names.into_iter().filter(|name| name.contains("__v") || name.contains("__old")).collect()
}

async fn version(world: &World, model: ReadModel) -> i64 {
    let status = world.projections.status().await.unwrap();
    assert!(!status.iter().any(|row| row.state == ConsumerState::Rebuilding), "{status:?}");
    status.iter().find(|row| row.name == model.name()).unwrap().version
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_read_model_comes_out_equal_byte_for_byte(#[case] backend: Backend) {
    let world = World::new(backend).await;
    // In many small pages, unlike the rebuild.
    for n in 1..=4 {
        world.story_from(n * 100, 9).await;
        world.settle().await;
    }
    let before = world.dump_all().await;
    assert!(before.iter().flatten().all(|(_, rows)| !rows.is_empty()));
    for model in ReadModel::ALL {
        let mut told = Vec::new();
        let (options, cancel) = (RebuildOptions::default(), CancellationToken::new());
        let done = rebuild(&world.projections, *model, options, &cancel, |progress| told.push(progress));
        let done = done.await.unwrap();
        assert_eq!((done.version, done.differences.len()), (2, 0));
        assert_eq!(done.position, world.log.head().await.unwrap());
        assert!(told.iter().any(|progress| progress.position == progress.head), "{told:?}");
        assert_eq!(version(&world, *model).await, 2);
    }
    assert_eq!(world.dump_all().await, before);
    // And once more over the rebuilt ones, with live work in between.
    world.story_from(900, 5).await;
    world.settle().await;
    let before = world.dump_all().await;
    for model in ReadModel::ALL {
        assert_eq!(again(&world.projections, *model).await.unwrap().version, 3);
    }
    assert_eq!(world.dump_all().await, before);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_rebuild_beside_four_writers_loses_and_repeats_nothing(#[case] backend: Backend) {
    const WRITERS: u128 = 4;
    const LEADS: u128 = 40;
    let world = World::new(backend).await;
    let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
    world.projections.spawn(&workers, &stop);
    workers.close();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = world.log.clone();
            tokio::spawn(async move {
                let mut last = 0;
                for n in 1..=LEADS {
                    let n = writer * 1000 + n;
                    let events =
                        [created(n, profile(&format!("客户{n}")), second(1)), assigned(2, second(2))];
                    append(&log, customer(n).into(), &events[..1]).await;
                    last = append(&log, customer(n).into(), &events[1..]).await;
                }
                last
            })
        })
        .collect();
    // As long as they write, one rebuild after the other; the parity check is part of each.
    let other = world.another_process();
    let mut rebuilt = 0;
    while rebuilt < 2 || !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        again(if rebuilt % 2 == 0 { &world.projections } else { &other }, MODEL).await.unwrap();
        rebuilt += 1;
    }
    let mut head = 0;
    for writer in writers {
        head = writer.await.unwrap().max(head);
    }
    assert!(world.projections.progress().wait_for(MODEL.name(), head, Duration::from_mins(1)).await);
    stop.cancel();
    workers.wait().await;
    let rows = world.dump(MODEL).await;
    assert_eq!(rows[0].1.len(), usize::try_from(WRITERS * LEADS).unwrap());
    again(&world.projections, MODEL).await.unwrap();
    assert_eq!(world.dump(MODEL).await, rows, "and the whole log says the same");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_cancelled_rebuild_leaves_the_old_tables(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(12).await;
    world.settle().await;
    let before = world.dump_all().await;
    for stop_after in [1, 2, 3, 4] {
        let cancel = CancellationToken::new();
        let (count, stop) = (Arc::new(AtomicU32::new(0)), cancel.clone());
        let ended = rebuild(&world.projections, MODEL, RebuildOptions::default(), &cancel, |_| {
            if count.fetch_add(1, Ordering::Relaxed) + 1 == stop_after {
                stop.cancel();
            }
        })
        .await;
        // The last report comes when the switch has begun: then it is too late.
        if let Ok(done) = ended {
            assert_eq!(stop_after, 4, "{done:?}");
            continue;
        }
        assert!(matches!(ended, Err(RebuildError::Cancelled)), "{ended:?}");
        assert_eq!(version(&world, MODEL).await, 1);
        assert_eq!(tables(&world.db).await, [""; 0]);
        assert_eq!(world.dump_all().await, before);
    }
    assert_eq!(world.dump_all().await, before);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn two_rebuilds_at_once_are_one_too_many(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(5).await;
    world.settle().await;
    let (name, other) = (format!("{MODEL}.rebuild"), world.another_process());
    // Somebody's rebuild is under way.
    other.consumers().register(&name, 0).await.unwrap();
    let running = other.consumers().acquire(&name).await.unwrap().unwrap();
    let refused = again(&world.projections, MODEL).await.unwrap_err();
    assert!(matches!(refused, RebuildError::Running(MODEL)), "{refused:?}");
    again(&world.projections, ReadModel::Inbox).await.unwrap();
    other.consumers().release(&running).await.unwrap();
    assert_eq!(again(&world.projections, MODEL).await.unwrap().version, 2, "its row is taken over");
}

async fn falsify(world: &World) {
    let mut tx = world.db.begin_write().await.unwrap();
    let (spoilt, gone) = (customer(1).0, customer(2).0);
    with_tx!(&mut tx, conn => {
        let spoil = "UPDATE customer_list SET name = 'somebody else' WHERE id = $1";
        sqlx::query(spoil).bind(spoilt).execute(&mut *conn).await.unwrap();
        sqlx::query("DELETE FROM customer_list WHERE id = $1").bind(gone).execute(conn).await.unwrap();
    });
    tx.commit().await.unwrap();
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_difference_is_reported_and_switched_only_when_wanted(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(5).await;
    world.settle().await;
    let right = world.dump(MODEL).await;
    falsify(&world).await;
    let wrong = world.dump(MODEL).await;

    let refused = again(&world.projections, MODEL).await.unwrap_err();
    let RebuildError::Mismatch(found) = &refused else { panic!("{refused:?}") };
    let kinds: Vec<_> = found.iter().map(|difference| difference.kind).collect();
    assert_eq!(kinds, [DifferenceKind::Contents, DifferenceKind::OnlyRebuilt]);
    assert!(found[0].key.contains(&customer(1).0.simple().to_string()), "{found:?}");
    assert!(!refused.to_string().contains("somebody else"), "{refused}");
    assert_eq!((world.dump(MODEL).await, version(&world, MODEL).await), (wrong.clone(), 1));
    assert_eq!(tables(&world.db).await, [""; 0]);

    let forced = RebuildOptions { on_mismatch: OnMismatch::Switch, old_tables: OldTables::Keep };
    let done = rebuild(&world.projections, MODEL, forced, &CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!(done.differences.len(), 2);
    assert_eq!((world.dump(MODEL).await, version(&world, MODEL).await), (right.clone(), 2));
    assert_eq!(tables(&world.db).await, ["customer_list__old_v1"]);

    // Back to the wrong one, which catches up; and forward again to a third.
    let last = world.create(77, profile("新客户"), second(9)).await;
    assert_eq!(rollback(&world.projections, MODEL).await.unwrap(), 1);
    assert_eq!(world.dump(MODEL).await, wrong);
    assert_eq!(world.projections.catch_up(MODEL).await.unwrap(), Some(last));
    assert!(customers::by_id(&world.db, customer(77)).await.unwrap().is_some());
    assert_eq!(tables(&world.db).await, ["customer_list__old_v2"]);
    let dropping = RebuildOptions { on_mismatch: OnMismatch::Switch, old_tables: OldTables::Drop };
    let done = rebuild(&world.projections, MODEL, dropping, &CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!((done.version, version(&world, MODEL).await), (3, 3));
    assert_eq!(tables(&world.db).await, [""; 0]);
    let nothing = rollback(&world.projections, MODEL).await.unwrap_err();
    assert!(matches!(nothing, RebuildError::NothingKept(MODEL)), "{nothing:?}");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_switch_fences_the_live_owner_out(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(5).await;
    world.settle().await;
    let lease = world.projections.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    again(&world.another_process(), MODEL).await.unwrap();
    let mut tx = world.db.begin_write().await.unwrap();
    let to = lease.position + 1;
    let holds = world.projections.consumers().advance(&mut tx, &lease, to, ConsumerState::Active).await;
    assert!(!holds.unwrap(), "the old owner writes nothing into the new tables");
    tx.rollback().await.unwrap();
    assert!(world.projections.catch_up(MODEL).await.unwrap().is_some(), "and may own them anew");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_a_killed_rebuild_left_behind_is_swept_away(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(5).await;
    world.settle().await;
    let before = world.dump(ReadModel::Inbox).await;
    let projections = world.projections.clone();
    let killed = tokio::spawn(async move {
        let (options, cancel) = (RebuildOptions::default(), CancellationToken::new());
        rebuild(&projections, ReadModel::Inbox, options, &cancel, |_| panic!("killed")).await
    });
    assert!(killed.await.unwrap_err().is_panic());
    assert_eq!(tables(&world.db).await, ["inbox__v2"]);
    let running = again(&world.projections, ReadModel::Inbox).await.unwrap_err();
    assert!(matches!(running, RebuildError::Running(_)), "nobody knows yet that it is dead: {running:?}");
    world.clock.advance(TimeDelta::seconds(LEASE_SECONDS + 1));
    assert_eq!(again(&world.projections, ReadModel::Inbox).await.unwrap().version, 2);
    assert_eq!(world.dump(ReadModel::Inbox).await, before);
    assert_eq!(tables(&world.db).await, ["inbox__old_v1"]);
    again(&world.projections, ReadModel::Inbox).await.unwrap();
    assert_eq!(tables(&world.db).await, ["inbox__old_v2"], "one earlier version is kept");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_taken_for_dead_ends_without_harm(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(5).await;
    world.settle().await;
    let before = world.dump(MODEL).await;
    let (other, clock) = (world.another_process(), world.clock.clone());
    let mut overtaken = false;
    let slow =
        rebuild(&world.projections, MODEL, RebuildOptions::default(), &CancellationToken::new(), |_| {
            if !std::mem::replace(&mut overtaken, true) {
                let overtake = || {
                    let faster = again(&other, MODEL);
                    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(faster))
                };
                let early = overtake().unwrap_err();
                assert!(matches!(early, RebuildError::Running(_)), "it may still live: {early:?}");
                clock.advance(TimeDelta::seconds(LEASE_SECONDS + 1));
                assert_eq!(overtake().unwrap().version, 2);
            }
        })
        .await;
    assert!(matches!(slow, Err(RebuildError::Overtaken)), "{slow:?}");
    assert_eq!((world.dump(MODEL).await, version(&world, MODEL).await), (before, 2));
    assert_eq!(tables(&world.db).await, ["customer_list__old_v1"]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn tables_of_an_earlier_program_are_folded_anew(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(12).await;
    world.settle().await;
    again(&world.projections, MODEL).await.unwrap();
    let (right, others) = (world.dump(MODEL).await, world.dump(ReadModel::Inbox).await);
    crate::migrate(&world.db, world.clock.as_ref()).await.unwrap();
    assert_eq!(world.dump(MODEL).await, right, "tables in shape are left alone");

    for change in ["DROP COLUMN frozen", "ADD COLUMN unheard_of BIGINT"] {
        let mut tx = world.db.begin_write().await.unwrap();
        crate::schema::run(&mut tx, format!("ALTER TABLE customer_list {change}")).await.unwrap();
        tx.commit().await.unwrap();
        let lease = world.projections.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
        crate::migrate(&world.db, world.clock.as_ref()).await.unwrap();
        let mut tx = world.db.begin_write().await.unwrap();
        let to = lease.position + 1;
        let holds = world.projections.consumers().advance(&mut tx, &lease, to, ConsumerState::Active).await;
        assert!(!holds.unwrap(), "whoever wrote the old tables writes nothing more");
        tx.rollback().await.unwrap();
        assert!(world.dump(MODEL).await[0].1.is_empty());
        world.settle().await;
        assert_eq!(world.dump(MODEL).await, right, "{change}");
        assert_eq!(world.dump(ReadModel::Inbox).await, others, "the other read models are left alone");
        assert_eq!(tables(&world.db).await, [""; 0], "and no table of the old shape is left");
    }
    again(&world.projections, MODEL).await.unwrap();
    assert_eq!(world.dump(MODEL).await, right);
}
