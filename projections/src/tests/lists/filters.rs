//! One table of filters and what they find.

use application::access::RowScope;
use domain::customer::{ContractStatus, FollowUpStatus, LeadSource, ServiceCategory};
use rstest::rstest;

use super::super::kit::{Backend, customer, followed_up, moved_to, profile, second, staff};
use super::{found, ids, list_all, six_customers};
use crate::queries::customers::{CustomerFilter, LeadStatus, SortBy, SortOrder};

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
