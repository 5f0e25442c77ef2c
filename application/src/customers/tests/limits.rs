//! What people are held to, and that a refused command uses nothing up.

use std::collections::BTreeMap;

use super::*;

fn claim(by: usize, leads: &[usize]) -> Ask {
    Ask::Claim { by, leads: leads.to_vec() }
}

fn cap(holding_cap: i64) -> Limits {
    Limits { holding_cap, ..Limits::default() }
}

fn full(limit: i64, n: usize) -> (CustomerId, BatchItemRefusal) {
    (lead(n), BatchItemRefusal::HoldingLimit { limit, current: limit })
}

#[test]
fn a_claim_takes_what_there_is_room_for_and_refuses_the_rest_one_by_one() {
    let bus = office();
    bus.owned(EMPLOYEE, [9]);
    bus.pooled(COLLEAGUE, 0..4);
    let done = ask(&bus, &cap(3), claim(EMPLOYEE, &[2, 0, 3, 1]), 1).unwrap();
    assert_eq!((done.changed, done.failed), (leads(&[2, 0]), vec![full(3, 3), full(3, 1)]));
    assert_eq!(bus.held(EMPLOYEE), 3);
    let nothing = ask(&bus, &cap(3), claim(EMPLOYEE, &[1]), 2).unwrap_err();
    assert_eq!(nothing, Refusal::Batch(vec![full(3, 1)]));
    assert_eq!(nothing.to_string(), "没有客户操作成功");
    assert_eq!(full(3, 1).1.to_string(), "您已达到客户持有上限（3个），无法继续领取");
}

#[test]
fn what_is_not_in_the_pool_takes_no_room() {
    let bus = office();
    bus.owned(COLLEAGUE, [0]);
    bus.pooled(COLLEAGUE, [1]);
    let done = ask(&bus, &cap(1), claim(EMPLOYEE, &[0, 1]), 1).unwrap();
    assert_eq!(done.changed, leads(&[1]));
}

#[test]
fn room_that_somebody_else_took_meanwhile_is_seen_by_the_next_plan() {
    let bus = office();
    bus.pooled(COLLEAGUE, 0..3);
    bus.meanwhile(|bus| {
        bus.done(&cap(2), claim(EMPLOYEE, &[2]));
    });
    let done = ask(&bus, &cap(2), claim(EMPLOYEE, &[0, 1]), 1).unwrap();
    assert_eq!((done.changed, done.failed), (leads(&[0]), vec![full(2, 1)]));
    assert_eq!(bus.held(EMPLOYEE), 2);
}

#[test]
fn a_role_has_its_own_cap() {
    let bus = office();
    bus.pooled(EMPLOYEE, 0..4);
    let limits = Limits { holding_cap_by_role: BTreeMap::from([(Role::Dispatch, 1)]), ..cap(2) };
    let dispatch = ask(&bus, &limits, claim(DISPATCH, &[0, 1]), 1).unwrap();
    assert_eq!((dispatch.changed.len(), dispatch.failed), (1, vec![full(1, 1)]));
    let colleague = ask(&bus, &limits, claim(COLLEAGUE, &[1, 2, 3]), 1).unwrap();
    assert_eq!((colleague.changed.len(), colleague.failed), (2, vec![full(2, 3)]));
}

#[test]
fn the_quota_of_a_day_is_used_up_by_claims_alone_and_new_the_next_day() {
    const DAY: i64 = 24 * 60 * 60;
    let bus = office();
    bus.pooled(COLLEAGUE, 0..5);
    let limits = Limits { claims_per_day: Some(2), ..Limits::default() };
    bus.done(&limits, Ask::PoolAssign { by: MANAGER, to: EMPLOYEE, leads: vec![4] });
    let done = ask(&bus, &limits, claim(EMPLOYEE, &[0, 1, 2]), 1).unwrap();
    let used_up = |n| (lead(n), BatchItemRefusal::ClaimQuota { limit: 2, current: 2 });
    assert_eq!((done.changed, done.failed), (leads(&[0, 1]), vec![used_up(2)]));
    bus.done(&limits, Ask::Release { by: EMPLOYEE, lead: 0 });
    let given_back = ask(&bus, &limits, claim(EMPLOYEE, &[3]), 2).unwrap_err();
    assert_eq!(given_back, Refusal::Batch(vec![used_up(3)]), "a claim that was given back was a claim");
    assert_eq!(ask(&bus, &limits, claim(COLLEAGUE, &[3]), 3).map(|done| done.changed), Ok(leads(&[3])));
    assert_eq!(ask(&bus, &limits, claim(EMPLOYEE, &[2]), DAY).map(|done| done.changed), Ok(leads(&[2])));
}

#[test]
fn claims_keep_their_distance() {
    let bus = office();
    bus.pooled(COLLEAGUE, 0..3);
    let limits = Limits { claim_gap: Some(TimeDelta::seconds(60)), ..Limits::default() };
    assert!(ask(&bus, &limits, claim(EMPLOYEE, &[0]), 0).is_ok());
    let soon = Refusal::ClaimTooSoon { until: at(60) };
    assert_eq!(ask(&bus, &limits, claim(EMPLOYEE, &[1]), 30), Err(soon.clone()));
    assert_eq!(ask(&bus, &limits, claim(EMPLOYEE, &[1]), 59), Err(soon), "a refusal is no claim");
    assert!(ask(&bus, &limits, claim(COLLEAGUE, &[2]), 30).is_ok());
    assert!(ask(&bus, &limits, claim(EMPLOYEE, &[1]), 60).is_ok());
    assert_eq!(bus.held(EMPLOYEE), 2);
}

#[test]
fn a_former_owner_leaves_it_to_others_for_a_while() {
    const HOUR: i64 = 60 * 60;
    let bus = office();
    bus.pooled(EMPLOYEE, [0, 1]);
    let limits = Limits { cool_off: Some(TimeDelta::hours(2)), ..Limits::default() };
    let waits = Refusal::Batch(vec![(lead(0), BatchItemRefusal::CoolOff { until: at(2 * HOUR) })]);
    assert_eq!(ask(&bus, &limits, claim(EMPLOYEE, &[0]), 2 * HOUR - 1), Err(waits));
    assert!(ask(&bus, &limits, claim(COLLEAGUE, &[1]), 1).is_ok());
    assert!(ask(&bus, &limits, claim(EMPLOYEE, &[0]), 2 * HOUR).is_ok());
}

/// Every way in which a person gives a lead to somebody who has one already.
fn assignments() -> [Ask; 4] {
    [
        Ask::Create { by: MANAGER, to: Some(EMPLOYEE), lead: 7 },
        Ask::Assign { by: MANAGER, to: EMPLOYEE, lead: 1 },
        Ask::BatchAssign { by: MANAGER, to: EMPLOYEE, leads: vec![1] },
        Ask::PoolAssign { by: MANAGER, to: EMPLOYEE, leads: vec![2] },
    ]
}

fn with_leads() -> Memory {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.owned(COLLEAGUE, [1]);
    bus.pooled(COLLEAGUE, [2]);
    bus
}

#[test]
fn assignments_by_people_go_beyond_the_cap_as_in_system_a() {
    for asked in assignments() {
        let bus = with_leads();
        bus.done(&cap(1), asked);
        assert_eq!(bus.held(EMPLOYEE), 2, "counted all the same");
    }
}

#[test]
fn assignments_can_be_held_to_the_cap() {
    let strict = |cap_of_all| Limits { assignments_held_to_cap: true, ..cap(cap_of_all) };
    for asked in assignments() {
        let bus = with_leads();
        let head = bus.head();
        let refusal = ask(&bus, &strict(1), asked.clone(), 1).unwrap_err();
        let expected = match refusal.clone() {
            Refusal::Batch(items) => {
                assert_eq!(items.len(), 1, "{asked:?}");
                assert_eq!(items[0].1, BatchItemRefusal::OwnerHoldingLimit { limit: 1, current: 1 });
                items[0].1.to_string()
            }
            refusal => {
                assert_eq!(refusal, Refusal::HoldingLimit { limit: 1, current: 1 }, "{asked:?}");
                refusal.to_string()
            }
        };
        assert_eq!(expected, "指定的负责人已达到客户持有上限（1个）");
        assert_eq!((bus.held(EMPLOYEE), bus.head()), (1, head), "{asked:?}");
        assert!(ask(&bus, &strict(2), asked, 1).is_ok());
    }
}

#[test]
fn a_batch_fills_what_room_there_is() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.owned(COLLEAGUE, 1..4);
    let limits = Limits { assignments_held_to_cap: true, ..cap(2) };
    let asked = Ask::BatchAssign { by: MANAGER, to: EMPLOYEE, leads: vec![0, 3, 1, 2] };
    let done = ask(&bus, &limits, asked, 1).unwrap();
    let beyond = |n| (lead(n), BatchItemRefusal::OwnerHoldingLimit { limit: 2, current: 2 });
    assert_eq!((done.changed, done.failed), (leads(&[3]), vec![beyond(1), beyond(2)]));
    assert_eq!(bus.held(EMPLOYEE), 2);
}

#[test]
fn who_has_it_already_needs_no_room() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    let limits = Limits { assignments_held_to_cap: true, ..cap(1) };
    let again = Ask::Assign { by: MANAGER, to: EMPLOYEE, lead: 0 };
    assert_eq!(ask(&bus, &limits, again, 1), Ok(Done::default()));
}

fn status(lead: usize, to: ContractStatus) -> Ask {
    Ask::Status { by: ADMIN, lead, to }
}

#[test]
fn signed_customers_take_no_room_where_the_rules_say_so() {
    let bus = office();
    bus.pooled(COLLEAGUE, 0..5);
    let (counts, ignores) = (cap(2), Limits { cap_ignores_signed: true, ..cap(2) });
    bus.done(&counts, claim(EMPLOYEE, &[0, 1]));
    bus.done(&counts, status(0, ContractStatus::Signed));
    assert_eq!((bus.held(EMPLOYEE), bus.unsigned(EMPLOYEE)), (2, 1));
    let refused = ask(&bus, &counts, claim(EMPLOYEE, &[2]), 1).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Batch(vec![full(2, 2)]),
        "every customer counts unless the rules say otherwise"
    );
    let done = ask(&bus, &ignores, claim(EMPLOYEE, &[2, 3]), 2).unwrap();
    assert_eq!((done.changed, done.failed), (leads(&[2]), vec![full(2, 3)]));
    assert_eq!((bus.held(EMPLOYEE), bus.unsigned(EMPLOYEE)), (3, 2));

    // A signed one may come whatever there is; one whose signature is taken back may stay, and takes room again.
    bus.done(&counts, status(4, ContractStatus::Signed));
    let done = ask(&bus, &ignores, claim(EMPLOYEE, &[4, 3]), 3).unwrap();
    assert_eq!((done.changed, done.failed), (leads(&[4]), vec![full(2, 3)]));
    bus.done(&ignores, status(4, ContractStatus::Refunded));
    assert_eq!((bus.held(EMPLOYEE), bus.unsigned(EMPLOYEE)), (4, 3));
    let refused = ask(&bus, &ignores, claim(EMPLOYEE, &[3]), 4).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Batch(vec![(lead(3), BatchItemRefusal::HoldingLimit { limit: 2, current: 3 })])
    );
}

#[test]
fn assignments_by_people_ask_the_same_count() {
    let bus = office();
    let ignores = Limits { assignments_held_to_cap: true, cap_ignores_signed: true, ..cap(1) };
    bus.owned(EMPLOYEE, [0]);
    bus.owned(COLLEAGUE, 1..5);
    let give = |lead| Ask::Assign { by: ADMIN, to: EMPLOYEE, lead };
    let refused = ask(&bus, &ignores, give(1), 1).unwrap_err();
    assert_eq!(refused, Refusal::HoldingLimit { limit: 1, current: 1 });
    bus.done(&ignores, status(1, ContractStatus::Signed));
    bus.done(&ignores, give(1));
    bus.done(&ignores, status(0, ContractStatus::Signed));
    bus.done(&ignores, status(2, ContractStatus::Signed));
    let several = Ask::BatchAssign { by: ADMIN, to: EMPLOYEE, leads: vec![2, 3, 4] };
    let done = ask(&bus, &ignores, several, 2).unwrap();
    let stays = (lead(4), BatchItemRefusal::OwnerHoldingLimit { limit: 1, current: 1 });
    assert_eq!((done.changed, done.failed), (leads(&[2, 3]), vec![stays]));
    assert_eq!((bus.held(EMPLOYEE), bus.unsigned(EMPLOYEE)), (4, 1));
}

#[test]
fn of_two_who_ask_at_once_for_the_last_place_among_the_unsigned_one_gets_it() {
    let bus = office();
    let ignores = Limits { cap_ignores_signed: true, ..cap(1) };
    bus.pooled(COLLEAGUE, 0..2);
    bus.meanwhile(|bus| {
        let ignores = Limits { cap_ignores_signed: true, ..cap(1) };
        bus.done(&ignores, claim(EMPLOYEE, &[1]));
    });
    let refused = ask(&bus, &ignores, claim(EMPLOYEE, &[0]), 1).unwrap_err();
    assert_eq!(refused, Refusal::Batch(vec![full(1, 0)]));
    assert_eq!(bus.unsigned(EMPLOYEE), 1);
}
