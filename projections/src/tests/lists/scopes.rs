//! Whose rows are found, and by what of a row.

use application::access::RowScope;
use rstest::rstest;

use super::super::kit::{Backend, World, staff};
use super::{found, six_customers};
use crate::queries::PageRequest;
use crate::queries::customers::{
    CustomerCursor, CustomerFilter, PAGE_CUSTOMERS_MAX, SortBy, SortOrder, list, list_behind, search,
};

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_scope_shows_no_other_row(#[case] backend: Backend) {
    let world = six_customers(backend).await;
    let all = CustomerFilter::default;
    assert_eq!(found(&world, all(), RowScope::OwnedBy(staff(2))).await, [1]);
    assert_eq!(found(&world, all(), RowScope::OwnedBy(staff(1))).await, [0; 0]);
    assert_eq!(found(&world, all(), RowScope::OwnedOrCreatedBy(staff(1))).await, [3, 2, 1]);
    assert_eq!(found(&world, all(), RowScope::OwnedOrCreatedBy(staff(3))).await, [2]);
    assert_eq!(found(&world, all(), RowScope::OwnedOrBaseOfCreatedBy(staff(1))).await, [3, 2, 1]);
    let hidden = CustomerFilter { assigned_to: Some(staff(3)), ..all() };
    assert_eq!(found(&world, hidden, RowScope::OwnedBy(staff(2))).await, [0; 0]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn nobody_finds_a_hidden_contact_by_its_parts(#[case] backend: Backend) {
    let world = six_customers(backend).await;
    let all = CustomerFilter::default;
    let search = |text: &str| CustomerFilter { search: Some(text.to_owned()), ..all() };
    let phone = |text: &str| CustomerFilter { phone: Some(text.to_owned()), ..all() };
    let by_phone = |order| CustomerFilter { sort_by: Some(SortBy::Phone), sort_order: Some(order), ..all() };
    let (creator, owner) =
        (RowScope::OwnedOrBaseOfCreatedBy(staff(1)), RowScope::OwnedOrBaseOfCreatedBy(staff(2)));
    let table: Vec<(CustomerFilter, RowScope, &[u128])> = vec![
        (search("0013800"), creator, &[]),
        (search("wx_zhang"), creator, &[]),
        (search("13800138000"), creator, &[1]),
        (search("bob"), creator, &[3, 2]),
        (phone("0013800"), creator, &[]),
        (phone("13800138000"), creator, &[1]),
        (by_phone(SortOrder::Ascending), creator, &[1, 2, 3]),
        (search("00138"), owner, &[1]),
        (phone("00138"), owner, &[1]),
    ];
    for (filter, scope, expected) in table {
        assert_eq!(found(&world, filter.clone(), scope).await, expected, "{filter:?} {scope:?}");
    }
    for (text, expected) in [("0013800", 0), ("13800138000", 1)] {
        assert_eq!(search_rows(&world, text, creator).await, expected, "{text}");
    }
    let page = PageRequest::new(1, 1, PAGE_CUSTOMERS_MAX);
    let cursor = async |scope| {
        let first = list(world.roster(), &by_phone(SortOrder::Ascending), scope, page).await.unwrap();
        first.next_cursor.unwrap()
    };
    assert_ne!(cursor(creator).await, cursor(RowScope::All).await, "the phone is in the cursor");
    let behind: CustomerCursor = cursor(creator).await.parse().unwrap();
    let rest =
        list_behind(world.roster(), &by_phone(SortOrder::Ascending), creator, &behind, 10).await.unwrap();
    assert_eq!(rest.items.len(), 2);
}

async fn search_rows(world: &World, text: &str, scope: RowScope) -> usize {
    search(world.roster(), text, 10, scope).await.unwrap().len()
}
