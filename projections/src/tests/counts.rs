//! What is counted of the leads: statistics, holdings, today's work, what was signed.

use application::access::RowScope;
use domain::customer::{
    ContractStatus, CustomerEvent, CustomerUpdated, LeadLevel, LeadSource, Profile, ProfilePatch,
    ServiceCategory,
};
use rstest::rstest;

use super::kit::{
    Backend, World, by, created, customer, deleted, followed_up, moved_to, pooled, profile, second, staff,
    transferred,
};
use crate::queries::customers::{
    CustomerFilter, CustomerStatistics, LeadStatus, holding_count, mini_program_statistics, statistics,
};
use crate::queries::work::{Signed, Today, View, achieved, today};

fn from(source: LeadSource, name: &str) -> Profile {
    Profile { lead_source: Some(source), ..profile(name) }
}

/// 1 and 2 are owned by 2 (2 is lost), 3 by 3 (came from 2), 4 by nobody, 5 waits in the pool, 6 is deleted.
async fn some_leads(backend: Backend) -> World {
    let world = World::new(backend).await;
    let cleaning =
        Profile { service_category: Some(ServiceCategory::Cleaning), ..from(LeadSource::Meituan, "张三") };
    world.create(1, cleaning, second(1)).await;
    world.assign(1, 2, second(1)).await;
    world.create(2, from(LeadSource::Meituan, "李四"), second(2)).await;
    world.assign(2, 2, second(2)).await;
    world.append(customer(2), &[moved_to(ContractStatus::Lost, second(3))]).await;
    world.create(3, from(LeadSource::Douyin, "王五"), second(4)).await;
    world.assign(3, 2, second(4)).await;
    world.append(customer(3), &[transferred(2, 3, second(5))]).await;
    world.create(4, profile("赵六"), second(6)).await;
    world.append(customer(5), &[pooled(5, from(LeadSource::Website, "张七"), second(7))]).await;
    world.create(6, from(LeadSource::Meituan, "张八"), second(8)).await;
    world.assign(6, 2, second(8)).await;
    world.append(customer(6), &[deleted(Some(2), second(9))]).await;
    world.settle().await;
    world
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn statistics_count_what_the_caller_may_see(#[case] backend: Backend) {
    let world = some_leads(backend).await;
    let everybody = CustomerFilter::default();
    let all = statistics(world.roster(), &everybody, RowScope::All).await.unwrap();
    let expected = CustomerStatistics {
        total: 4,
        by_contract_status: [(ContractStatus::Matching, 3), (ContractStatus::Lost, 1)].into(),
        by_lead_source: [(LeadSource::Meituan, 2), (LeadSource::Douyin, 1)].into(),
        by_service_category: [(ServiceCategory::Cleaning, 1)].into(),
        by_lead_level: [(LeadLevel::A, 4)].into(),
    };
    assert_eq!(all, expected);
    let json = serde_json::to_value(&all).unwrap();
    assert_eq!(json["by_contract_status"], serde_json::json!({"匹配中": 3, "流失客户": 1}));

    let table: [(RowScope, i64); 5] = [
        (RowScope::OwnedBy(staff(2)), 2),
        (RowScope::OwnedBy(staff(3)), 1),
        (RowScope::OwnedBy(staff(9)), 0),
        (RowScope::OwnedOrCreatedBy(staff(1)), 4),
        (RowScope::OwnedOrCreatedBy(staff(3)), 1),
    ];
    for (scope, total) in table {
        assert_eq!(statistics(world.roster(), &everybody, scope).await.unwrap().total, total, "{scope:?}");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_mini_program_counts_what_its_filters_match(#[case] backend: Backend) {
    let world = some_leads(backend).await;
    let all = CustomerFilter::default;
    let search = |text: &str| CustomerFilter { search: Some(text.to_owned()), ..all() };
    let table = [
        (all(), 4, 2),
        (search("张"), 1, 1),
        (search("%"), 0, 0),
        (CustomerFilter { assigned_to: Some(staff(3)), ..all() }, 1, 0),
        (CustomerFilter { lead_level: Some(LeadLevel::B), ..all() }, 0, 0),
        (CustomerFilter { lead_status: Some(LeadStatus::Transferred), ..all() }, 1, 0),
        (CustomerFilter { lead_status: Some(LeadStatus::NotTransferred), ..all() }, 3, 2),
    ];
    for (filter, total, mine) in table {
        let counted =
            mini_program_statistics(world.roster(), &filter, RowScope::All, staff(2)).await.unwrap();
        assert_eq!((counted.total, counted.my_customers), (total, mine), "{filter:?}");
        assert_eq!(counted.by_contract_status.values().sum::<i64>(), total);
    }
    let own = RowScope::OwnedBy(staff(2));
    let counted = mini_program_statistics(world.roster(), &all(), own, staff(2)).await.unwrap();
    assert_eq!((counted.total, counted.my_customers), (2, 2));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_owned_lead_is_held(#[case] backend: Backend) {
    let world = some_leads(backend).await;
    for (owner, expected) in [(2, 2), (3, 1), (1, 0), (9, 0)] {
        assert_eq!(holding_count(world.roster(), staff(owner)).await.unwrap(), expected, "{owner}");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn today_s_work_is_what_came_and_was_not_touched(#[case] backend: Backend) {
    let world = World::new(backend).await;
    // Everybody creates as 1. Day and month begin at 100 and 50.
    let (month, day) = (second(50), second(100));
    for (n, at) in [(1, 10), (2, 60), (3, 110), (4, 120), (5, 130)] {
        world.create(n, profile("客户"), second(at)).await;
    }
    world.assign(1, 2, second(60)).await; // given this month, created before
    world.assign(2, 2, second(110)).await; // given today
    world.assign(3, 2, second(111)).await;
    world.append(customer(3), &[followed_up(0x51, 2, "已联系", second(112))]).await; // done
    world.assign(4, 1, second(121)).await; // kept by its creator
    world.append(customer(4), &[moved_to(ContractStatus::Signed, second(125))]).await;
    world.append(customer(6), &[pooled(6, profile("公海"), second(140))]).await;
    world.create(7, profile("删除"), second(140)).await;
    world.append(customer(7), &[deleted(None, second(141))]).await;
    world.settle().await;

    let everybody = today(world.roster(), View::Everybody, day, month).await.unwrap();
    let expected =
        Today { total_leads: 5, month_assigned: 4, today_assigned: 3, pending_leads: 4, today_signed: 1 };
    assert_eq!(everybody, expected);
    let two = today(world.roster(), View::Of(staff(2)), day, month).await.unwrap();
    let expected =
        Today { total_leads: 3, month_assigned: 2, today_assigned: 1, pending_leads: 2, today_signed: 0 };
    assert_eq!(two, expected);
    let one = today(world.roster(), View::Of(staff(1)), day, month).await.unwrap();
    let expected =
        Today { total_leads: 1, month_assigned: 4, today_assigned: 3, pending_leads: 1, today_signed: 1 };
    assert_eq!(one, expected);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_was_signed_is_summed_to_the_fen(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let (month, day) = (second(50), second(100));
    for (n, owner, amount, at) in
        [(1, 2, 0.1, 10), (2, 2, 0.2, 60), (3, 2, 9_999.99, 110), (4, 3, 100.0, 120)]
    {
        let profile = Profile { deal_amount: Some(amount), ..profile("客户") };
        world.append(customer(n), &[created(n, profile, second(1))]).await;
        world.assign(n, owner, second(2)).await;
        world.append(customer(n), &[moved_to(ContractStatus::Signed, second(at))]).await;
    }
    world.settle().await;
    let two = achieved(world.roster(), View::Of(staff(2)), day, month).await.unwrap();
    let expected = Signed {
        monthly_signed_count: 2,
        monthly_performance: 10_000.19,
        today_signed_count: 1,
        total_contracts: 3,
        total_amount: 10_000.29,
    };
    assert_eq!(two, expected);
    let everybody = achieved(world.roster(), View::Everybody, day, month).await.unwrap();
    assert_eq!((everybody.total_contracts, everybody.total_amount), (4, 10_100.29));

    // The amount is corrected, and one is not signed after all.
    let changes = ProfilePatch { deal_amount: Some(Some(0.0)), ..ProfilePatch::default() };
    let corrected: CustomerEvent = CustomerUpdated { changes, by: by(1), at: second(130) }.into();
    world.append(customer(3), &[corrected]).await;
    world.append(customer(4), &[moved_to(ContractStatus::Refunded, second(131))]).await;
    world.settle().await;
    let everybody = achieved(world.roster(), View::Everybody, day, month).await.unwrap();
    assert_eq!((everybody.total_contracts, everybody.total_amount), (3, 0.3));
}
