//! The customer list: one table of filters and what they find, scopes, pages and cursors.

use application::access::RowScope;
use domain::contact::{Phone, WechatId};
use domain::customer::{ContractStatus, FollowUpStatus, LeadSource, Profile, ServiceCategory};
use rstest::rstest;

use super::kit::{
    Backend, World, customer, deleted, followed_up, moved_to, profile, released, second, staff, transferred,
    with_phone,
};
use crate::queries::customers::{
    CustomerCursor, CustomerFilter, CustomerRow, LeadStatus, PAGE_CUSTOMERS_MAX, SortBy, SortOrder,
    address_by_phone, list, list_behind, search,
};
use crate::queries::{Page, PageRequest};

/// 1 张三 (phone, owner 2) · 2 Bob_100% (owner 3, came from 2) · 3 bobby (WeChat `Wx_Zhang`, nobody) · 4 王五\ (lost) ·
/// 5 赵六 (in the public pool) · 6 钱七 (deleted)
async fn six_customers(backend: Backend) -> World {
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
    world.create(4, profile("王五\\"), second(40)).await;
    world.append(customer(4), &[moved_to(ContractStatus::Lost, second(41))]).await;
    world.create(5, with_phone("赵六", "13700137000"), second(50)).await;
    world.assign(5, 2, second(51)).await;
    world.append(customer(5), &[released(2, second(52))]).await;
    world.create(6, with_phone("钱七", "13600136000"), second(60)).await;
    world.assign(6, 2, second(61)).await;
    world.append(customer(6), &[deleted(Some(2), second(62))]).await;
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
    let world = six_customers(backend).await;
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
        (search("\\"), &[4]),
        (search("[a-z]"), &[]),
        (search(".*"), &[]),
        (search("赵六"), &[]),
        (search("13700137000"), &[]),
        (search("钱七"), &[]),
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
        (CustomerFilter { name: Some(" OB ".to_owned()), ..all() }, &[3, 2]),
        (CustomerFilter { name: Some("_".to_owned()), ..all() }, &[2]),
        (CustomerFilter { name: Some("wx".to_owned()), ..all() }, &[]),
        (CustomerFilter { phone: Some("139".to_owned()), ..all() }, &[2]),
        (CustomerFilter { phone: Some("%".to_owned()), ..all() }, &[]),
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

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_follow_up_filter_and_the_detail_know_one_rule(#[case] backend: Backend) {
    let world = six_customers(backend).await;
    let nobody_s = followed_up(0x51, 2, "以前的负责人", second(70));
    let system = followed_up(0x52, 3, "系统：负责人变更", second(71));
    world.append(customer(2), &[nobody_s, system]).await;
    world.append(customer(1), &[followed_up(0x53, 2, "已联系", second(72))]).await;
    world.create(7, profile("成交"), second(73)).await;
    world.append(customer(7), &[moved_to(ContractStatus::Signed, second(74))]).await;
    world.settle().await;
    let every = list_all(&world, CustomerFilter::default()).await;
    assert_eq!(every.items.len(), 4);
    for status in FollowUpStatus::ALL {
        let filter = CustomerFilter { follow_up_status: Some(*status), ..CustomerFilter::default() };
        let by_rule = every.items.iter().filter(|row| row.customer.follow_up_status() == Some(*status));
        let expected: Vec<_> = by_rule.map(|row| row.id).collect();
        assert_eq!(ids(&list_all(&world, filter).await), expected, "{status}");
        assert_eq!(expected.len(), 1, "{status}");
    }
}

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

async fn list_all(world: &World, filter: CustomerFilter) -> Page<CustomerRow> {
    let page = PageRequest::new(1, PAGE_CUSTOMERS_MAX, PAGE_CUSTOMERS_MAX);
    list(world.roster(), &filter, RowScope::All, page).await.unwrap()
}

fn ids(page: &Page<CustomerRow>) -> Vec<domain::CustomerId> {
    page.items.iter().map(|row| row.id).collect()
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
