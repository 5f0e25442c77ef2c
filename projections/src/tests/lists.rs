//! The customer list: what its filters find, whom it hides what from, single rows, pages and cursors.

mod cursors;
mod filters;
mod lookups;
mod scopes;

use application::access::RowScope;
use domain::contact::WechatId;
use domain::customer::{ContractStatus, LeadSource, Profile, ServiceCategory};

use super::kit::{
    Backend, World, customer, deleted, moved_to, profile, released, second, transferred, with_phone,
};
use crate::queries::customers::{CustomerFilter, CustomerRow, PAGE_CUSTOMERS_MAX, list};
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

async fn list_all(world: &World, filter: CustomerFilter) -> Page<CustomerRow> {
    let page = PageRequest::new(1, PAGE_CUSTOMERS_MAX, PAGE_CUSTOMERS_MAX);
    list(world.roster(), &filter, RowScope::All, page).await.unwrap()
}

fn ids(page: &Page<CustomerRow>) -> Vec<domain::CustomerId> {
    page.items.iter().map(|row| row.id).collect()
}
