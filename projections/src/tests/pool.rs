//! The public pool with its log, and the follow-ups.

use domain::RecycleRuleId;
use domain::contact::WechatId;
use domain::customer::{
    CustomerEvent, CustomerRecycled, FollowUpDue, LeadLevel, LeadSource, Profile, RecycleWarned,
    ServiceCategory,
};
use rstest::rstest;

use super::kit::{
    Backend, World, assigned_from_pool, claimed, customer, deleted, followed_up, pooled, profile, released,
    second, staff, with_phone,
};
use crate::queries::pool::{self, PAGE_POOL_MAX, PoolAction, PoolFilter};
use crate::queries::{PageRequest, assignments, customers, follow_ups};

/// 1 (source, budget 5000) and 2 (WeChat, category) came into the pool one after the other, 3 (budget 9000) was given
/// up last; 4 was claimed again, 5 was assigned out of it, 6 was deleted in it, 7 never was there.
async fn pooled_leads(backend: Backend) -> World {
    let world = World::new(backend).await;
    let profiles = [
        Profile {
            lead_source: Some(LeadSource::Website),
            salary_budget: Some(5_000),
            ..with_phone("张三", "13800138000")
        },
        Profile {
            service_category: Some(ServiceCategory::Cleaning),
            wechat_id: WechatId::parse("Wx_Li").unwrap(),
            ..profile("李四")
        },
    ];
    for (n, profile) in (1..).zip(profiles) {
        world.append(customer(n), &[pooled(n, profile, second(i64::try_from(n).unwrap()))]).await;
    }
    for (n, budget) in [(3, Some(9_000)), (4, None), (5, None), (6, None)] {
        world.create(n, Profile { salary_budget: budget, ..profile("王五") }, second(1)).await;
        world.assign(n, 2, second(2)).await;
        world.append(customer(n), &[released(2, second(10))]).await;
    }
    world.append(customer(4), &[claimed(3, second(20))]).await;
    world.append(customer(5), &[assigned_from_pool(3, second(21))]).await;
    world.append(customer(6), &[deleted(None, second(22))]).await;
    world.create(7, profile("赵六"), second(30)).await;
    world.settle().await;
    world
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_filter_finds_what_waits_the_last_first(#[case] backend: Backend) {
    let world = pooled_leads(backend).await;
    let all = PoolFilter::default;
    let search = |text: &str| PoolFilter { search: Some(text.to_owned()), ..all() };
    let table: Vec<(PoolFilter, &[u128])> = vec![
        (all(), &[3, 2, 1]),
        (search("张"), &[1]),
        (search("0013"), &[1]),
        (search("wx_li"), &[2]),
        (search("%"), &[]),
        (search("_"), &[2]),
        (search("赵六"), &[]),
        (PoolFilter { lead_source: Some(LeadSource::Website), ..all() }, &[1]),
        (PoolFilter { service_category: Some(ServiceCategory::Cleaning), ..all() }, &[2]),
        (PoolFilter { lead_level: Some(LeadLevel::A), ..all() }, &[3, 2, 1]),
        (PoolFilter { lead_level: Some(LeadLevel::B), ..all() }, &[]),
        (PoolFilter { min_budget: Some(5_000), ..all() }, &[3, 1]),
        (PoolFilter { min_budget: Some(5_001), ..all() }, &[3]),
        (PoolFilter { max_budget: Some(5_000), ..all() }, &[1]),
        (PoolFilter { min_budget: Some(0), max_budget: Some(4_999), ..all() }, &[]),
    ];
    for (filter, expected) in table {
        let page = PageRequest::new(1, PAGE_POOL_MAX, PAGE_POOL_MAX);
        let page = pool::list(world.roster(), &filter, page).await.unwrap();
        let found: Vec<_> = page.items.iter().map(|row| row.id.0.as_u128() - 0x1000).collect();
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(page.total, i64::try_from(expected.len()).unwrap());
        assert_eq!(page.next_cursor, None);
    }
    let second_page =
        pool::list(world.roster(), &all(), PageRequest::new(2, 2, PAGE_POOL_MAX)).await.unwrap();
    assert_eq!((second_page.total, second_page.total_pages()), (3, 2));
    assert_eq!(second_page.items.iter().map(|row| row.id).collect::<Vec<_>>(), [customer(1)]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_pool_counts_what_waits_and_what_went_through_since_midnight(#[case] backend: Backend) {
    let world = pooled_leads(backend).await;
    for (midnight, entered, claimed) in [(0, 6, 2), (2, 5, 2), (10, 4, 2), (11, 0, 2), (21, 0, 1), (22, 0, 0)]
    {
        let counted = pool::statistics(world.roster(), second(midnight)).await.unwrap();
        assert_eq!((counted.today_entered, counted.today_claimed), (entered, claimed), "{midnight}");
        assert_eq!(counted.total, 3);
        assert_eq!(counted.by_lead_source, [(LeadSource::Website, 1)].into());
        assert_eq!(counted.by_lead_level, [(LeadLevel::A, 3)].into());
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_recycled_lead_lies_in_the_pool_like_a_released_one(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in [1, 2] {
        world.create(n, profile("王五"), second(1)).await;
        world.assign(n, 2, second(2)).await;
    }
    let rule = RecycleRuleId(uuid::Uuid::from_u128(81));
    let reason = "超过7天未跟进，自动回收".to_owned();
    let recycled =
        CustomerRecycled { from: staff(2), rule, reason: reason.clone(), run: None, at: second(10) };
    world.append::<CustomerEvent>(customer(1), &[recycled.into()]).await;
    world.append(customer(2), &[released(2, second(9))]).await;
    world.settle().await;

    let page = PageRequest::new(1, PAGE_POOL_MAX, PAGE_POOL_MAX);
    let listed = pool::list(world.roster(), &PoolFilter::default(), page).await.unwrap();
    assert_eq!(listed.items.iter().map(|row| row.id).collect::<Vec<_>>(), [customer(1), customer(2)]);
    let counted = pool::statistics(world.roster(), second(0)).await.unwrap();
    assert_eq!((counted.total, counted.today_entered), (2, 2));
    let entry = &pool::logs_of(&world.db, customer(1)).await.unwrap()[0];
    assert_eq!((entry.action, entry.from_user, entry.to_user), (PoolAction::Release, Some(staff(2)), None));
    assert_eq!((entry.operator, entry.operator_system.as_deref()), (None, Some("recycle_rule")));
    assert_eq!((entry.reason.as_deref(), entry.operated_at), (Some(reason.as_str()), second(10)));
    let log = &assignments::of_customer(&world.db, customer(1)).await.unwrap()[0];
    assert_eq!((log.action.as_str(), log.old_owner, log.new_owner), ("release", Some(staff(2)), None));
    assert_eq!((log.assigned_by, log.assigned_by_system.as_deref()), (None, Some("recycle_rule")));
    assert_eq!(log.reason, Some(reason));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_warning_and_a_reminder_change_nothing_that_lists_show(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.create(1, profile("王五"), second(1)).await;
    world.assign(1, 2, second(2)).await;
    world.settle().await;
    let shown = async || {
        let row = customers::by_id(&world.db, customer(1)).await.unwrap().unwrap().customer;
        (row.updated_at, row.last_activity_at, row.owner(), row.last_updated_by)
    };
    let before = shown().await;
    let rule = RecycleRuleId(uuid::Uuid::from_u128(81));
    let (to, due, at) = (staff(2), second(90), second(30));
    let warned = RecycleWarned { to, rule, due_at: due, offset_hours: 24, at };
    let reminded = FollowUpDue { to, due: at, at };
    world.append::<CustomerEvent>(customer(1), &[warned.into(), reminded.into()]).await;
    world.settle().await;
    assert_eq!(shown().await, before);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_pool_s_log_says_who_gave_up_what_and_who_got_it(#[case] backend: Backend) {
    let world = pooled_leads(backend).await;
    let actions = async |n| {
        let entries = pool::logs_of(&world.db, customer(n)).await.unwrap();
        entries.iter().map(|entry| (entry.action, entry.from_user, entry.to_user)).collect::<Vec<_>>()
    };
    let (two, three) = (Some(staff(2)), Some(staff(3)));
    assert_eq!(actions(1).await, [(PoolAction::Enter, None, None)]);
    assert_eq!(actions(4).await, [(PoolAction::Claim, None, three), (PoolAction::Release, two, None)]);
    assert_eq!(actions(5).await, [(PoolAction::Assign, None, three), (PoolAction::Release, two, None)]);
    assert_eq!(actions(7).await, []);
    let entered = &pool::logs_of(&world.db, customer(1)).await.unwrap()[0];
    assert_eq!((entered.operator, entered.operator_system.as_deref()), (None, Some("website")));
    assert_eq!(entered.reason.as_deref(), Some("官网留资"));
    let claim = &pool::logs_of(&world.db, customer(4)).await.unwrap()[0];
    assert_eq!((claim.operator, claim.operated_at), (three, second(20)));

    let mut seen = Vec::new();
    for n in 1..=3 {
        let page = pool::logs(&world.db, PageRequest::new(n, 3, PAGE_POOL_MAX)).await.unwrap();
        assert_eq!((page.total, page.has_more()), (8, n < 3));
        seen.extend(page.items);
    }
    assert_eq!(seen.len(), 8);
    assert!(seen.is_sorted_by(|a, b| a.position > b.position));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn follow_ups_come_newest_first_without_the_notes_of_system_a(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.create(1, profile("张三"), second(1)).await;
    world.create(2, profile("李四"), second(1)).await;
    for n in 1..=5_u128 {
        let at = second(i64::try_from(n).unwrap());
        world.append(customer(1), &[followed_up(0x50 + n, 2, &format!("第{n}次"), at)]).await;
    }
    let system = followed_up(0x60, 2, "系统：张三从公海领取了该客户", second(9));
    world.append(customer(1), &[system]).await;
    world.append(customer(2), &[followed_up(0x61, 3, "别人的", second(9))]).await;
    world.settle().await;

    let page =
        async |n| follow_ups::of_customer(&world.db, customer(1), PageRequest::new(n, 3, 200)).await.unwrap();
    let (first, last) = (page(1).await, page(2).await);
    assert_eq!((first.total, first.has_more(), last.has_more()), (5, true, false));
    let contents: Vec<_> = first.items.iter().chain(&last.items).map(|one| one.content.as_str()).collect();
    assert_eq!(contents, ["第5次", "第4次", "第3次", "第2次", "第1次"]);
    let newest = &first.items[0];
    assert_eq!((newest.author, newest.author_system.as_deref()), (Some(staff(2)), None));
    assert_eq!(newest.created_at, second(5));
    assert_eq!(newest.next_follow_up_at, Some(second(5) + chrono::TimeDelta::days(1)));
}
