//! Customers by what people have at hand: a piece of text, the phone.

use application::access::RowScope;
use domain::contact::Phone;
use domain::customer::Profile;
use rstest::rstest;

use super::super::kit::{Backend, World, customer, deleted, second, staff, with_phone};
use super::six_customers;
use crate::queries::customers::{address_by_phone, search};

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_search_is_literal_and_shows_lost_ones_but_none_that_is_pooled_deleted_or_hidden(
    #[case] backend: Backend,
) {
    let world = six_customers(backend).await;
    let all = RowScope::All;
    let table: Vec<(&str, u32, RowScope, &[u128])> = vec![
        ("", 10, all, &[4, 3, 2, 1]),
        ("B", 10, all, &[3, 2]),
        ("b", 1, all, &[3]),
        ("五", 10, all, &[4]),
        ("1", 0, all, &[2]),
        ("_100%", 10, all, &[2]),
        ("\\", 10, all, &[4]),
        ("WX_ZHANG", 10, all, &[3]),
        ("赵六", 10, all, &[]),
        ("钱七", 10, all, &[]),
        ("B", 10, RowScope::OwnedBy(staff(3)), &[2]),
        ("张三", 10, RowScope::OwnedBy(staff(3)), &[]),
        ("张三", 10, RowScope::OwnedOrCreatedBy(staff(1)), &[1]),
    ];
    for (text, limit, scope, expected) in table {
        let rows = search(world.roster(), text, limit, scope).await.unwrap();
        let found: Vec<_> = rows.iter().map(|row| row.id.0.as_u128() - 0x1000).collect();
        assert_eq!(found, expected, "{text:?} {scope:?}");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_address_is_found_by_phone_inside_the_scope(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let address = Some("朝阳区".to_owned());
    world.create(1, Profile { address, ..with_phone("张三", "13800138000") }, second(1)).await;
    world.assign(1, 2, second(2)).await;
    world.create(2, with_phone("李四", "13900139000"), second(3)).await;
    world.settle().await;
    let find = async |phone: &str, scope| {
        address_by_phone(&world.db, &Phone::parse(phone).unwrap(), scope).await.unwrap()
    };
    assert_eq!(find("138 0013 8000", RowScope::All).await.as_deref(), Some("朝阳区"));
    assert_eq!(find("13800138000", RowScope::OwnedBy(staff(2))).await.as_deref(), Some("朝阳区"));
    assert_eq!(find("13800138000", RowScope::OwnedBy(staff(3))).await, None);
    assert_eq!(find("13900139000", RowScope::All).await, None, "it has none");
    assert_eq!(find("13700137000", RowScope::All).await, None);
    world.append(customer(1), &[deleted(Some(2), second(4))]).await;
    world.settle().await;
    assert_eq!(find("13800138000", RowScope::All).await, None);
}
