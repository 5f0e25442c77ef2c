//! Pages and cursors: every row once, in a stable order, whatever happens meanwhile.

use application::access::RowScope;
use rstest::rstest;

use super::super::kit::{Backend, World, customer, deleted, profile, second, staff, with_phone};
use super::ids;
use crate::queries::PageRequest;
use crate::queries::customers::{
    CustomerCursor, CustomerFilter, PAGE_CUSTOMERS_MAX, SortBy, SortOrder, list, list_behind,
};

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn pages_hold_every_row_once_in_a_stable_order(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=23 {
        // All at one instant and with one name: only the id tells them apart.
        world.create(n, profile("同名"), second(1)).await;
    }
    world.settle().await;
    for sort_by in SortBy::ALL {
        let filter = CustomerFilter { sort_by: Some(*sort_by), ..CustomerFilter::default() };
        let mut seen = Vec::new();
        for n in 1..=4 {
            let page =
                list(world.roster(), &filter, RowScope::All, PageRequest::new(n, 7, 200)).await.unwrap();
            assert_eq!((page.total, page.total_pages(), page.has_more()), (23, 4, n < 4));
            seen.extend(page.items.iter().map(|row| row.id));
        }
        let mut expected: Vec<_> = (1..=23).map(customer).collect();
        expected.reverse();
        assert_eq!(seen, expected, "{sort_by}");
    }
    let page = PageRequest::new(0, 100_000, PAGE_CUSTOMERS_MAX);
    assert_eq!(page, PageRequest::new(1, PAGE_CUSTOMERS_MAX, PAGE_CUSTOMERS_MAX));
}

/// Reads the whole list in pages of `limit`, each behind the one before.
async fn walk(
    world: &World,
    filter: &CustomerFilter,
    scope: RowScope,
    limit: u32,
) -> Vec<domain::CustomerId> {
    let page = PageRequest::new(1, limit, PAGE_CUSTOMERS_MAX);
    let mut page = list(world.roster(), filter, scope, page).await.unwrap();
    let mut seen = ids(&page);
    while let Some(cursor) = page.next_cursor {
        assert_eq!(page.items.len(), limit as usize, "only the last page is short");
        let cursor: CustomerCursor = cursor.parse().unwrap();
        assert!(cursor.fits(filter));
        page = list_behind(world.roster(), filter, scope, &cursor, limit).await.unwrap();
        seen.extend(ids(&page));
    }
    seen
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn cursors_lead_through_every_order(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=26 {
        // Names and instants that repeat, names that differ late, phones that are missing.
        let name = format!("{}{}", ["王", "一个非常长的名字其余相同"][n as usize % 2], n / 6);
        let has_phone = n % 3 != 0;
        let profile = if has_phone { with_phone(&name, &format!("1380013{n:04}")) } else { profile(&name) };
        world.create(n, profile, second(i64::try_from(n / 4).unwrap())).await;
        world.assign(n, 1 + n % 2, second(100 - i64::try_from(n / 5).unwrap())).await;
    }
    world.settle().await;
    for scope in [RowScope::All, RowScope::OwnedBy(staff(2)), RowScope::OwnedOrCreatedBy(staff(1))] {
        for sort_by in SortBy::ALL {
            for order in SortOrder::ALL {
                let filter = CustomerFilter {
                    sort_by: Some(*sort_by),
                    sort_order: Some(*order),
                    ..CustomerFilter::default()
                };
                let page = PageRequest::new(1, PAGE_CUSTOMERS_MAX, PAGE_CUSTOMERS_MAX);
                let whole = list(world.roster(), &filter, scope, page).await.unwrap();
                assert_eq!(whole.next_cursor, None);
                for limit in [1, 4, 26] {
                    let walked = walk(&world, &filter, scope, limit).await;
                    assert_eq!(walked, ids(&whole), "{sort_by} {order} {scope:?} {limit}");
                }
            }
        }
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_cursor_keeps_its_place_while_rows_come_and_go(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=9 {
        world.create(n, profile(&format!("客户{n}")), second(1)).await;
    }
    world.settle().await;
    let filter = CustomerFilter {
        sort_by: Some(SortBy::Name),
        sort_order: Some(SortOrder::Ascending),
        ..CustomerFilter::default()
    };
    let first = list(world.roster(), &filter, RowScope::All, PageRequest::new(1, 3, 200)).await.unwrap();
    assert_eq!(ids(&first), [1, 2, 3].map(customer));
    let cursor: CustomerCursor = first.next_cursor.unwrap().parse().unwrap();

    // Gone: the row the cursor stands on, one before it, one behind it. New: one before it, one behind it.
    for gone in [3, 1, 5] {
        world.append(customer(gone), &[deleted(None, second(2))]).await;
    }
    world.create(11, profile("客户2之后"), second(2)).await;
    world.create(12, profile("客户6之后"), second(2)).await;
    world.settle().await;
    let next = list_behind(world.roster(), &filter, RowScope::All, &cursor, 3).await.unwrap();
    assert_eq!(ids(&next), [4, 6, 12].map(customer));
    assert_eq!(next.total, 8, "the total is of the whole list");
    let cursor: CustomerCursor = next.next_cursor.unwrap().parse().unwrap();
    let last = list_behind(world.roster(), &filter, RowScope::All, &cursor, 3).await.unwrap();
    assert_eq!((ids(&last), last.next_cursor), ([7, 8, 9].map(customer).to_vec(), None));
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    // Base64 of `{sort}:{order}:{id}:{value}`.
    let valid = "bmFtZTphc2M6MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE6PeeOiw";
    let cursor: CustomerCursor = valid.parse().unwrap();
    assert_eq!(cursor.to_string(), valid);
    assert!(!format!("{cursor:?}").contains('王'), "a name or a phone is in no log");
    let by_name = |order| CustomerFilter {
        sort_by: Some(SortBy::Name),
        sort_order: Some(order),
        ..CustomerFilter::default()
    };
    assert!(cursor.fits(&by_name(SortOrder::Ascending)));
    assert!(!cursor.fits(&by_name(SortOrder::Descending)));
    assert!(!cursor.fits(&CustomerFilter::default()));
    for text in ["", "x", "%", "bmFtZTphc2M", &valid[1..], &"A".repeat(5000)] {
        assert!(text.parse::<CustomerCursor>().is_err(), "{text}");
    }
}
