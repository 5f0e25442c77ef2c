//! The leads in memory are the leads in the table, whatever happens to either.

use application::access::RowScope;
use domain::CustomerId;
use infrastructure::with_tx;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::kit::{Backend, World, claimed, customer, deleted, profile, released, second, staff, transferred};
use crate::ReadModel;
use crate::queries::customers::{CustomerFilter, SortBy, holding_count, list};
use crate::queries::pool::{self, PoolFilter};
use crate::queries::{PageRequest, Roster};
use crate::rebuild::{OldTables, OnMismatch, RebuildOptions, rebuild, rollback};

const MODEL: ReadModel = ReadModel::CustomerList;

async fn everybody(roster: &Roster) -> Vec<(CustomerId, String)> {
    let filter =
        CustomerFilter { search: Some(String::new()), sort_by: Some(SortBy::Name), ..Default::default() };
    let page = list(roster, &filter, RowScope::All, PageRequest::new(1, 200, 200)).await.unwrap();
    assert_eq!(usize::try_from(page.total).unwrap(), page.items.len());
    page.items.into_iter().map(|row| (row.id, row.customer.profile.name)).collect()
}

async fn waiting(roster: &Roster) -> usize {
    let page = PageRequest::new(1, 200, 200);
    pool::list(roster, &PoolFilter::default(), page).await.unwrap().items.len()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_follows_change_by_change_is_what_is_read_at_once(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let followers = [world.roster().clone(), Roster::new(world.db.clone())];
    for n in 1..=4 {
        world.story_from(n * 100, 12).await;
        world.settle().await;
        let anew = Roster::new(world.db.clone());
        let expected = (everybody(&anew).await, waiting(&anew).await);
        assert!(!expected.0.is_empty() && expected.1 > 0);
        for roster in &followers {
            assert_eq!((everybody(roster).await, waiting(roster).await), expected);
            for owner in 1..=3 {
                let held = holding_count(&anew, staff(owner)).await.unwrap();
                assert_eq!(holding_count(roster, staff(owner)).await.unwrap(), held);
            }
        }
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_lead_moves_between_list_and_pool_and_is_gone_when_deleted(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=3 {
        world.create(n, profile(&format!("客户{n}")), second(1)).await;
        world.assign(n, 2, second(2)).await;
    }
    let check = async |listed: &[u128], pooled, held| {
        world.settle().await;
        let found: Vec<_> = everybody(world.roster()).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, listed.iter().map(|n| customer(*n)).collect::<Vec<_>>());
        assert_eq!(waiting(world.roster()).await, pooled);
        assert_eq!(holding_count(world.roster(), staff(2)).await.unwrap(), held);
    };
    check(&[3, 2, 1], 0, 3).await;
    world.append(customer(1), &[released(2, second(3))]).await;
    check(&[3, 2], 1, 2).await;
    world.append(customer(1), &[claimed(3, second(4))]).await;
    check(&[3, 2, 1], 0, 2).await;
    // The last row takes the place of the first: both are still found.
    world.append(customer(1), &[deleted(Some(3), second(5))]).await;
    world.append(customer(3), &[transferred(2, 3, second(6))]).await;
    check(&[3, 2], 0, 1).await;
    world.append(customer(2), &[released(2, second(7)), deleted(None, second(8))]).await;
    check(&[3], 0, 0).await;
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn another_generation_of_the_tables_is_read_anew(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=3 {
        world.create(n, profile(&format!("客户{n}")), second(1)).await;
    }
    world.settle().await;
    let other = Roster::new(world.db.clone());
    let right = everybody(&other).await;
    // A table that is wrong, without an event that says so.
    let mut tx = world.db.begin_write().await.unwrap();
    let name = "UPDATE customer_list SET search = 'nobody', position = position + 100 WHERE id = $1";
    with_tx!(&mut tx, conn => sqlx::query(name).bind(customer(1).0).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let named = CustomerFilter { search: Some("客户".to_owned()), ..CustomerFilter::default() };
    let found = async |roster: &Roster| {
        list(roster, &named, RowScope::All, PageRequest::new(1, 10, 10)).await.unwrap().total
    };
    let anew = Roster::new(world.db.clone());
    assert_eq!((found(&anew).await, found(&other).await), (2, 3), "only a read of everything sees it");

    let forced = RebuildOptions { on_mismatch: OnMismatch::Switch, old_tables: OldTables::Keep };
    rebuild(&world.projections, MODEL, forced, &CancellationToken::new(), |_| {}).await.unwrap();
    for roster in [&anew, &other, world.roster()] {
        assert_eq!((found(roster).await, everybody(roster).await), (3, right.clone()));
    }
    rollback(&world.projections, MODEL).await.unwrap();
    for roster in [&anew, &other, world.roster()] {
        assert_eq!(found(roster).await, 2, "the wrong table is the one in use");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_beside_a_projector_never_see_less_than_before(#[case] backend: Backend) {
    const LEADS: u128 = 60;
    let world = World::new(backend).await;
    let roster = world.roster().clone();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let roster = roster.clone();
            tokio::spawn(async move {
                let (filter, mut before) = (CustomerFilter::default(), 0);
                while before < i64::try_from(LEADS).unwrap() {
                    let page = PageRequest::new(1, 200, 200);
                    let page = list(&roster, &filter, RowScope::All, page).await.unwrap();
                    assert_eq!(usize::try_from(page.total).unwrap(), page.items.len());
                    assert!(page.total >= before, "{} after {before}", page.total);
                    before = page.total;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for n in 1..=LEADS {
        world.create(n, profile("客户"), second(1)).await;
        world.assign(n, 2, second(2)).await;
        world.projections.catch_up(MODEL).await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
