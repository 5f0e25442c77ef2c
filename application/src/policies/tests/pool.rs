//! Into the public pool and out of it.

use domain::batch::{BatchReleaseCompleted, OwnedCustomer};
use domain::customer::{CustomerClaimed, CustomerDeleted, CustomerFrozen, CustomerReleased};

use super::*;
use AssignmentSource::{Pool, PoolBatch};

const FROM_POOL: &str = kinds::CUSTOMER_ASSIGNED_FROM_POOL;
const RECLAIMED: &str = kinds::CUSTOMER_RECLAIMED;

fn released(by: StaffId, batch: Option<BatchId>) -> CustomerEvent {
    let reason = "长期未跟进".to_owned();
    CustomerReleased { from: OLD, by: Actor::Staff(by), reason, batch, at: at() }.into()
}

fn owned() -> Vec<CustomerEvent> {
    vec![created(ADMIN), assigned(OLD, ADMIN, Create)]
}

fn then(event: CustomerEvent) -> Happened {
    lead(owned().into_iter().chain([event]).collect())
}

/// Leads that went to the pool: (lead, its owner).
fn release_batch(by: StaffId, released: &[(u128, StaffId)]) -> Fact {
    let owned = |(n, owner): &(u128, StaffId)| OwnedCustomer {
        customer: CustomerId(Uuid::from_u128(*n)),
        owner: *owner,
    };
    let released = released.iter().map(owned).collect();
    let reason = "离职交接".to_owned();
    Fact::Batch(BATCH, BatchReleaseCompleted { released, reason, by: Actor::Staff(by), at: at() }.into())
}

fn contents(happened: impl Into<Happened>) -> Vec<String> {
    let (_, reactions) = answer(happened.into(), &wechat());
    reactions.iter().filter_map(|reaction| Some(reaction.notice.as_ref()?.message.content.clone())).collect()
}

#[test]
fn an_assignment_out_of_the_pool_says_so() {
    let pooled = [created(ADMIN), assigned(OLD, ADMIN, Create), released(OLD, None)];
    let given = |source| lead(pooled.iter().cloned().chain([assigned(NEW, ADMIN, source)]).collect());
    check(given(Pool), &[(NEW, FROM_POOL, BOTH)]);
    assert_eq!(contents(given(Pool)), ["管理员从公海分配了客户 陈女士 给您，请及时跟进"]);
    check(given(PoolBatch(BATCH)), &[(NEW, FROM_POOL, MERGED)]);
}

#[test]
fn a_batch_out_of_the_pool_is_one_summary() {
    let Fact::Batch(_, domain::batch::BatchEvent::Completed(completed)) = batch(&[(1, None), (2, None)])
    else {
        unreachable!()
    };
    let out_of_pool = BatchAssignmentCompleted { out_of_pool: true, ..completed };
    let fact = || Fact::Batch(BATCH, out_of_pool.clone().into());
    check(fact(), &[(NEW, FROM_POOL, BOTH)]);
    assert_eq!(contents(fact()), ["管理员从公海分配了 2 个客户给您，请及时跟进"]);
}

#[test]
fn a_claim_tells_nobody() {
    let pooled = [created(ADMIN), assigned(OLD, ADMIN, Create), released(OLD, None)];
    let claimed = CustomerClaimed { by: NEW, at: at() };
    check(lead(pooled.into_iter().chain([claimed.into()]).collect()), &[]);
}

#[test]
fn a_release_tells_the_former_owner_unless_they_did_it() {
    check(then(released(ADMIN, None)), &[(OLD, RECLAIMED, INBOX)]);
    check(then(released(OLD, None)), &[(OLD, RECLAIMED, ACTOR)]);
    check(then(released(ADMIN, Some(BATCH))), &[(OLD, RECLAIMED, MERGED)]);
    assert_eq!(contents(then(released(ADMIN, None))), ["您的客户 陈女士 已被回收到公海，原因：长期未跟进"]);
}

#[test]
fn a_batch_of_releases_is_one_summary_for_each_loser_but_the_actor() {
    check(release_batch(ADMIN, &[]), &[]);
    let mixed = || release_batch(OLD, &[(1, UNBOUND), (2, OLD), (3, NEW), (4, NEW)]);
    check(mixed(), &[(OLD, RECLAIMED, ACTOR), (NEW, RECLAIMED, INBOX), (UNBOUND, RECLAIMED, INBOX)]);
    assert_eq!(
        contents(mixed()),
        ["您的 2 个客户已被回收到公海，原因：离职交接", "您的 1 个客户已被回收到公海，原因：离职交接",]
    );
}

#[test]
fn a_lead_of_the_website_is_said_to_come_from_there() {
    let CustomerEvent::Created(lead_of_nobody) = created(ADMIN) else { unreachable!() };
    let from_website = CustomerCreated {
        pooled: Some("官网提交".to_owned()),
        by: Actor::System("官网".to_owned()),
        ..lead_of_nobody
    };
    let happened = || lead(vec![from_website.clone().into()]);
    let scene = kinds::CUSTOMER_CREATED;
    check(happened(), &[(ADMIN, scene, INBOX), (MANAGER, scene, INBOX), (OPERATOR, scene, INBOX)]);
    assert_eq!(contents(happened())[0], "官网 创建了新客户：陈女士（138****8999），来源：抖音");
}

#[test]
fn orders_to_the_rules_and_a_deletion_tell_nobody() {
    let (by, at) = (Actor::Staff(ADMIN), at());
    check(then(CustomerFrozen { reason: None, by: by.clone(), at }.into()), &[]);
    check(then(CustomerDeleted { from: Some(OLD), by, at }.into()), &[]);
}
