//! The customer list: one table of filters and what they find.

use application::access::RowScope;
use domain::contact::WechatId;
use domain::customer::{
    ContractStatus, CustomerEvent, CustomerStatusChanged, FollowUpStatus, LeadSource, Profile,
    ServiceCategory,
};
use rstest::rstest;

use super::kit::{Backend, World, by, customer, profile, second, staff, transferred, with_phone};
use crate::queries::PageRequest;
use crate::queries::customers::{CustomerFilter, LeadStatus, PAGE_CUSTOMERS_MAX, SortBy, SortOrder, list};

/// 1 张三 (phone, owner 2) · 2 Bob_100% (owner 3, came from 2) · 3 bobby (WeChat `Wx_Zhang`, nobody) · 4 王五 (lost)
async fn four_customers(backend: Backend) -> World {
    let world = World::new(backend).await;
    let meituan = Profile { lead_source: Some(LeadSource::Meituan), ..with_phone("张三", "13800138000") };
    world.create(1, meituan, second(10)).await;
    world.assign(1, 2, second(11)).await;
    let cleaning = Profile {
        service_category: Some(ServiceCategory::Cleaning),
        ..with_phone("Bob_100%", "13900139000")
    };
    world.create(2, cleaning, second(20)).await;
    world.assign(2, 2, second(21)).await;
    world.append(customer(2), &[transferred(2, 3, second(22))]).await;
    let bobby = Profile { wechat_id: WechatId::parse("Wx_Zhang").unwrap(), ..profile("bobby") };
    world.create(3, bobby, second(30)).await;
    world.create(4, profile("王五"), second(40)).await;
    let lost: CustomerEvent = CustomerStatusChanged {
        from: ContractStatus::Matching,
        to: ContractStatus::Lost,
        by: by(2),
        at: second(41),
    }
    .into();
    world.append(customer(4), &[lost]).await;
    world.settle().await;
    world
}

async fn found(world: &World, filter: CustomerFilter, scope: RowScope) -> Vec<u128> {
    let page = PageRequest::new(1, PAGE_CUSTOMERS_MAX, PAGE_CUSTOMERS_MAX);
    let page = list(world.roster(), &filter, scope, page).await.unwrap();
    assert_eq!(page.total, i64::try_from(page.items.len()).unwrap(), "{filter:?}");
    page.items.iter().map(|row| row.id.0.as_u128() - 0x1000).collect()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_filter_finds_its_customers(#[case] backend: Backend) {
    let world = four_customers(backend).await;
    let all = CustomerFilter::default;
    let search = |text: &str| CustomerFilter { search: Some(text.to_owned()), ..all() };
    let sorted = |by, order| CustomerFilter { sort_by: Some(by), sort_order: Some(order), ..all() };
    let (up, down) = (SortOrder::Ascending, SortOrder::Descending);
    let table: Vec<(CustomerFilter, &[u128])> = vec![
        (all(), &[3, 2, 1]),
        (CustomerFilter { contract_status: Some(ContractStatus::Lost), ..all() }, &[4]),
        (search("BOB"), &[3, 2]),
        (search("  王五 "), &[4]),
        (search("100%"), &[2]),
        (search("%"), &[2]),
        (search("_"), &[3, 2]),
        (search("!"), &[]),
        (search("0%a"), &[]),
        (search("wx_zhang"), &[3]),
        (search("1380"), &[1]),
        (search("00139"), &[2]),
        (search("\u{1f}"), &[]),
        (search("三\u{1f}138"), &[]),
        (search("' OR 1=1 --"), &[]),
        (search("a\0b"), &[]),
        (search("   "), &[3, 2, 1]),
        (CustomerFilter { name: Some("ob".to_owned()), ..all() }, &[3, 2]),
        (CustomerFilter { phone: Some("139".to_owned()), ..all() }, &[2]),
        (CustomerFilter { lead_source: Some(LeadSource::Meituan), ..all() }, &[1]),
        (CustomerFilter { service_category: Some(ServiceCategory::Cleaning), ..all() }, &[2]),
        (CustomerFilter { assigned_to: Some(staff(3)), ..all() }, &[2]),
        (CustomerFilter { lead_status: Some(LeadStatus::Transferred), ..all() }, &[2]),
        (CustomerFilter { lead_status: Some(LeadStatus::NotTransferred), ..all() }, &[3, 1]),
        (CustomerFilter { follow_up_status: Some(FollowUpStatus::NewUntouched), ..all() }, &[3, 1]),
        (CustomerFilter { follow_up_status: Some(FollowUpStatus::TransferredUntouched), ..all() }, &[2]),
        (CustomerFilter { follow_up_status: Some(FollowUpStatus::FollowedUp), ..all() }, &[]),
        (CustomerFilter { caregiver: Some("张".to_owned()), ..all() }, &[]),
        (CustomerFilter { created_from: Some(second(20)), ..all() }, &[3, 2]),
        (CustomerFilter { created_to: Some(second(20)), ..all() }, &[2, 1]),
        (CustomerFilter { assigned_from: Some(second(12)), ..all() }, &[2]),
        (CustomerFilter { assigned_to_time: Some(second(11)), ..all() }, &[1]),
        (sorted(SortBy::CreatedAt, up), &[1, 2, 3]),
        (sorted(SortBy::UpdatedAt, down), &[3, 2, 1]),
        (sorted(SortBy::Name, up), &[2, 3, 1]),
        (sorted(SortBy::Name, down), &[1, 3, 2]),
        (sorted(SortBy::Phone, up), &[1, 2, 3]),
        (sorted(SortBy::Phone, down), &[2, 1, 3]),
    ];
    for (filter, expected) in table {
        assert_eq!(found(&world, filter.clone(), RowScope::All).await, expected, "{filter:?}");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_scope_shows_no_other_row(#[case] backend: Backend) {
    let world = four_customers(backend).await;
    let all = CustomerFilter::default;
    assert_eq!(found(&world, all(), RowScope::OwnedBy(staff(2))).await, [1]);
    assert_eq!(found(&world, all(), RowScope::OwnedBy(staff(1))).await, [0; 0]);
    assert_eq!(found(&world, all(), RowScope::OwnedOrCreatedBy(staff(1))).await, [3, 2, 1]);
    assert_eq!(found(&world, all(), RowScope::OwnedOrCreatedBy(staff(3))).await, [2]);
    let hidden = CustomerFilter { assigned_to: Some(staff(3)), ..all() };
    assert_eq!(found(&world, hidden, RowScope::OwnedBy(staff(2))).await, [0; 0]);
}

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
