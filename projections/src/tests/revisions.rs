//! Rows that another program's fold made are dropped on start and folded anew; those of the same fold are left alone.

use infrastructure::db::Db;
use infrastructure::with_tx;
use rstest::rstest;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::kit::{Backend, World};
use crate::ReadModel;
use crate::rebuild::{RebuildError, RebuildOptions, rebuild, rollback};
use crate::schema::{FIRST_REVISION, migrate};

const MODEL: ReadModel = ReadModel::CustomerList;

/// What an older fold would have left: other rows in tables of the same shape.
const OTHER_ROWS: &str = "UPDATE customer_list SET name = 'as it was'";

async fn write(db: &Db, statement: &str) {
    let mut tx = db.begin_write().await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    with_tx!(&mut tx, conn => sqlx::query(statement).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

/// A program whose fold was so many revisions older, or newer, was the last that started.
async fn folded_by_another(db: &Db, by: i64) {
    let revision = MODEL.revision() + by;
    write(db, &format!("UPDATE read_model_revisions SET revision = {revision} WHERE name = '{MODEL}'")).await;
}

async fn start(world: &World) {
    migrate(&world.db, world.clock.as_ref()).await.unwrap();
}

/// Where each read model stands.
async fn positions(world: &World) -> Vec<(ReadModel, i64)> {
    let status = world.projections.status().await.unwrap();
    let stands = |model: &ReadModel| status.iter().find(|row| row.name == model.name()).unwrap().position;
    ReadModel::ALL.iter().map(|model| (*model, stands(model))).collect()
}

#[rstest]
#[tokio::test]
async fn rows_of_another_fold_are_made_again_and_those_of_this_one_are_not(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(-1, 1)] by: i64,
) {
    let world = World::new(backend).await;
    world.story(12).await;
    world.settle().await;
    let (right, inbox) = (world.dump(MODEL).await, world.dump(ReadModel::Inbox).await);
    let (options, cancel) = (RebuildOptions::default(), CancellationToken::new());
    rebuild(&world.projections, MODEL, options, &cancel, |_| {}).await.unwrap();
    write(&world.db, OTHER_ROWS).await;
    let other = world.dump(MODEL).await;
    assert_ne!(other, right);

    start(&world).await;
    world.settle().await;
    assert_eq!(world.dump(MODEL).await, other, "the same fold made them");

    folded_by_another(&world.db, by).await;
    start(&world).await;
    assert!(world.dump(MODEL).await[0].1.is_empty());
    world.settle().await;
    assert_eq!(world.dump(MODEL).await, right);
    assert_eq!(world.dump(ReadModel::Inbox).await, inbox, "the other read models are left alone");
    let kept = rollback(&world.projections, MODEL).await.unwrap_err();
    assert!(matches!(kept, RebuildError::NothingKept(MODEL)), "nobody goes back to such rows: {kept:?}");

    // Whose fold made them is remembered.
    write(&world.db, OTHER_ROWS).await;
    start(&world).await;
    world.settle().await;
    assert_eq!(world.dump(MODEL).await, other);
}

#[rstest]
#[tokio::test]
async fn a_store_from_before_revisions_is_folded_anew_where_a_fold_has_changed_since(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.story(12).await;
    world.settle().await;
    let right = world.dump_all().await;
    write(&world.db, "DROP TABLE read_model_revisions").await;
    start(&world).await;
    let anew: Vec<_> = positions(&world).await.into_iter().filter(|(_, at)| *at == 0).collect();
    let changed: Vec<_> = ReadModel::ALL.iter().filter(|model| model.revision() > FIRST_REVISION).collect();
    assert_eq!(anew.iter().map(|(model, _)| model).collect::<Vec<_>>(), changed);
    assert!(changed.contains(&&ReadModel::TransferRules) && changed.contains(&&ReadModel::NextFollowUps));
    world.settle().await;
    assert_eq!(world.dump_all().await, right);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_another_program_has_begun_is_overtaken(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.story(12).await;
    world.settle().await;
    let right = world.dump(MODEL).await;
    let mut started = false;
    let (options, cancel) = (RebuildOptions::default(), CancellationToken::new());
    let old = rebuild(&world.projections, MODEL, options, &cancel, |_| {
        if !std::mem::replace(&mut started, true) {
            let newer = async {
                folded_by_another(&world.db, -1).await;
                start(&world).await;
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(newer));
        }
    });
    let old = old.await;
    assert!(matches!(old, Err(RebuildError::Overtaken)), "{old:?}");
    world.settle().await;
    assert_eq!(world.dump(MODEL).await, right);
    rebuild(&world.projections, MODEL, options, &cancel, |_| {}).await.unwrap();
    assert_eq!(world.dump(MODEL).await, right);
}
