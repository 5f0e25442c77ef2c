//! Who loses a lead, and which notices say that somebody gained one.

use domain::customer::{
    CustomerClaimed, CustomerDeleted, CustomerFrozen, CustomerRecycled, CustomerReleased, FollowUpKind,
    FollowUpRecorded,
};
use domain::{FollowUpId, RecycleRuleId, RecycleRunId};

use super::super::{Loss, Untrue, loss, recall_reasons as reasons};
use super::*;

fn lost(event: impl Into<CustomerEvent>) -> Option<(StaffId, &'static str)> {
    let loss = loss(&Fact::Customer(LEAD, Box::new(event.into())), None)?;
    let Loss { customer, former_owner, untrue, reason } = loss;
    assert_eq!((customer, untrue), (LEAD, Untrue::Everything));
    assert!(loss.takes_back(kinds::CUSTOMER_ASSIGNED) && loss.takes_back(kinds::CUSTOMER_RECYCLE_WARNING));
    Some((former_owner, reason))
}

#[test]
fn a_lead_is_lost_by_each_way_out_also_within_a_batch() {
    let (by, at) = (Actor::Staff(ADMIN), at());
    let release = |batch| CustomerReleased { from: OLD, by: by.clone(), reason: "x".to_owned(), batch, at };
    let delete = |from| CustomerDeleted { from, by: by.clone(), at };
    assert_eq!(lost(transferred(OLD, NEW, ADMIN, Manual)), Some((OLD, reasons::LEAD_TRANSFERRED)));
    assert_eq!(lost(transferred(OLD, NEW, ADMIN, Batch(BATCH))), Some((OLD, reasons::LEAD_TRANSFERRED)));
    assert_eq!(lost(release(None)), Some((OLD, reasons::LEAD_RELEASED)));
    assert_eq!(lost(release(Some(BATCH))), Some((OLD, reasons::LEAD_RELEASED)));
    for run in [None, Some(RecycleRunId(Uuid::nil()))] {
        let (rule, reason) = (RecycleRuleId(Uuid::nil()), "x".to_owned());
        let recycle = CustomerRecycled { from: OLD, rule, reason, run, at };
        assert_eq!(lost(recycle), Some((OLD, reasons::LEAD_RECYCLED)), "{run:?}");
    }
    assert_eq!(lost(delete(Some(OLD))), Some((OLD, reasons::LEAD_DELETED)));
    assert_eq!(lost(delete(None)), None);
    assert_eq!(lost(assigned(NEW, ADMIN, Manual)), None);
    assert_eq!(lost(CustomerClaimed { by: NEW, at }), None);
    assert_eq!(loss(&batch(&[(1, Some(OLD))]), None), None, "the leads of a batch say it themselves");
}

#[test]
fn a_follow_up_takes_back_what_asked_for_it_and_nothing_else() {
    let followed = |content: &str| {
        let event = FollowUpRecorded {
            id: FollowUpId(Uuid::nil()),
            kind: FollowUpKind::Other,
            content: content.to_owned(),
            next_follow_up_at: None,
            by: Actor::Staff(MANAGER),
            at: at(),
        };
        let happened = lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), event.into()]);
        loss(&happened.fact, happened.customer.as_ref())
    };
    let done = followed("已联系").unwrap();
    assert_eq!((done.former_owner, done.reason), (OLD, reasons::LEAD_FOLLOWED_UP), "whoever followed up");
    assert!(
        done.takes_back(kinds::CUSTOMER_RECYCLE_WARNING) && done.takes_back(kinds::CUSTOMER_FOLLOW_UP_DUE)
    );
    for scene in kinds::LEAD_GAINED {
        assert!(!done.takes_back(scene), "the lead is still theirs: {scene}");
    }
    assert_eq!(followed("系统：负责人由 张三 变更为 李四"), None, "nobody followed up");
}

#[test]
fn what_no_rule_recycles_any_more_takes_the_warning_back_and_nothing_else() {
    let status =
        |to| CustomerStatusChanged { from: ContractStatus::Pending, to, by: Actor::Staff(MANAGER), at: at() };
    let frozen = CustomerFrozen { reason: None, by: Actor::Staff(MANAGER), at: at() };
    let after = |event: CustomerEvent| {
        let happened = lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), event]);
        assert!(happened.fact.needs_customer(), "its owner is asked for");
        loss(&happened.fact, happened.customer.as_ref())
    };
    for (event, reason) in
        [(status(ContractStatus::Signed).into(), reasons::LEAD_SIGNED), (frozen.into(), reasons::LEAD_FROZEN)]
    {
        let stays = after(event).unwrap();
        assert_eq!((stays.former_owner, stays.reason), (OLD, reason));
        assert!(stays.takes_back(kinds::CUSTOMER_RECYCLE_WARNING));
        for scene in [kinds::CUSTOMER_FOLLOW_UP_DUE].into_iter().chain(kinds::LEAD_GAINED) {
            assert!(!stays.takes_back(scene), "{reason}: {scene} is as true as before");
        }
    }
    assert_eq!(after(status(ContractStatus::Matching).into()), None);
}

#[test]
fn only_a_notice_of_one_gained_lead_can_be_taken_back() {
    let gained = |happened: Happened| -> Vec<Option<CustomerId>> {
        let (_, reactions) = answer(happened, &wechat());
        reactions.iter().map(Reaction::gained).collect()
    };
    let owned = vec![created(ADMIN), assigned(OLD, ADMIN, Create)];
    let one = CustomerId(Uuid::from_u128(1));
    assert_eq!(gained(lead(owned.clone())), [Some(LEAD)]);
    let moved = owned.into_iter().chain([transferred(OLD, NEW, ADMIN, Manual)]).collect();
    assert_eq!(gained(lead(moved)), [Some(LEAD), None]);
    assert_eq!(gained(lead(vec![created(OLD)])), [None, None, None]);
    assert_eq!(gained(batch(&[(1, None)]).into()), [Some(one)], "a batch of one names one lead");
    assert_eq!(gained(batch(&[(1, None), (2, None)]).into()), [None]);
}
