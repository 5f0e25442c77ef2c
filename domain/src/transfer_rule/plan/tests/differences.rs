//! Two inputs are the same plan or say what changed; their hashes agree with that.

use chrono::TimeDelta;
use proptest::prelude::{prop, prop_assert_eq, proptest};

use super::rules::text;
use super::*;
use crate::ids::TransferRuleId;
use crate::transfer_rule::run::Seed;

fn inputs() -> PlanInputs {
    PlanInputs {
        rule: TransferRuleId(Uuid::from_u128(77)),
        revision: 3,
        text: text(),
        candidates: leads_of(100, 0..4),
        targets: vec![target(0), Target { room: Some(2), balance: 5, ..target(1) }],
        seed: Seed(42),
        at: "2026-03-02T04:00:00Z".parse().unwrap(),
    }
}

/// What changed when somebody changed the inputs so.
fn changed(change: impl FnOnce(&mut PlanInputs)) -> Vec<Change> {
    let before = inputs();
    let mut now = before.clone();
    change(&mut now);
    let changes = before.difference(&now);
    assert_eq!(changes.is_empty(), before.hash() == now.hash(), "hash and difference agree: {changes:?}");
    changes
}

#[test]
fn every_change_has_a_name() {
    let (customer, owner) = (lead(2), staff(100));
    let only = |change: Change| vec![change];
    assert_eq!(changed(|now| now.revision = 4), only(Change::RuleRevised { from: 3, to: 4 }));
    assert_eq!(changed(|now| now.text.name.push('!')), only(Change::RuleRevised { from: 3, to: 3 }));
    assert_eq!(changed(|now| now.seed = Seed(43)), only(Change::AnotherDraw));
    assert_eq!(changed(|now| now.at += TimeDelta::microseconds(1)), only(Change::AnotherDraw));
    assert_eq!(changed(|now| now.candidates[2].sequence = 9), only(Change::LeadTouched { customer }));
    assert_eq!(
        changed(|now| now.candidates[2].owner = staff(101)),
        only(Change::LeadMoved { customer, from: owner, to: staff(101) })
    );
    assert_eq!(
        changed(|now| now.candidates.retain(|lead| lead.customer != customer)),
        only(Change::LeadLeft { customer, owner })
    );
    assert_eq!(
        changed(|now| now.candidates.push(candidate(9, 100))),
        only(Change::LeadCame { customer: lead(9), owner })
    );
    let staff = staff(1);
    assert_eq!(changed(|now| now.targets.truncate(1)), only(Change::TargetLeft { staff }));
    assert_eq!(
        changed(|now| now.targets.push(target(2))),
        only(Change::TargetCame { staff: super::staff(2) })
    );
    assert_eq!(changed(|now| now.targets[1].room = Some(0)), only(Change::TargetFull { staff }));
    assert_eq!(
        changed(|now| now.targets[1].room = Some(1)),
        only(Change::RoomChanged { staff, from: Some(2), to: Some(1) })
    );
    assert_eq!(
        changed(|now| now.targets[1].balance = 6),
        only(Change::BalanceChanged { staff, from: 5, to: 6 })
    );
    assert_eq!(changed(|now| now.targets.reverse()), only(Change::TargetsReordered));
}

#[test]
fn what_changes_no_plan_is_no_change() {
    assert_eq!(changed(|_| ()), []);
    assert_eq!(changed(|now| now.candidates.reverse()), [], "the order in which leads were read");
    assert_eq!(changed(|now| now.targets[0].room = Some(4)), [], "room for every lead is room enough");
    assert_eq!(changed(|now| now.targets[0].room = Some(40)), []);
}

#[test]
fn many_changes_are_all_told() {
    let changes = changed(|now| {
        now.revision = 4;
        now.candidates.remove(0);
        now.targets[1] = Target { room: Some(0), balance: 7, ..now.targets[1] };
    });
    let codes: Vec<_> = changes.iter().map(Change::code).collect();
    assert_eq!(codes, ["RULE_REVISED", "LEAD_LEFT", "TARGET_FULL", "BALANCE_CHANGED"]);
    assert!(changes.iter().all(|change| !change.zh().is_empty() && !change.en().is_empty()));
}

#[test]
fn a_hash_is_a_promise_too() {
    assert_eq!(inputs().hash(), "44127ff57ad4b4b141b857ab8bd43d65be6856df0f92843861b35554e138d145");
}

#[test]
fn inputs_that_were_kept_are_the_same_inputs() {
    let kept = serde_json::to_string(&inputs()).unwrap();
    let read: PlanInputs = serde_json::from_str(&kept).unwrap();
    assert_eq!((read.hash(), read.plan()), (inputs().hash(), inputs().plan()));
}

proptest! {
    #[test]
    fn the_same_hash_means_the_same_plan_and_no_difference(
        rooms in prop::collection::vec(prop::option::of(0..12_u32), 2), more in 0..3_u32, touched in 0..3_i64,
        order in prop::bool::ANY,
    ) {
        let before = inputs();
        let mut now = before.clone();
        for (target, room) in now.targets.iter_mut().zip(rooms) {
            target.room = room;
        }
        now.candidates.extend(leads_of(100, 10..10 + more));
        now.candidates[0].sequence += touched;
        if order {
            now.candidates.reverse();
        }
        let same = before.hash() == now.hash();
        prop_assert_eq!(same, before.difference(&now).is_empty());
        prop_assert_eq!(same, now.difference(&before).is_empty());
        if same {
            prop_assert_eq!(before.plan(), now.plan());
        }
    }
}
