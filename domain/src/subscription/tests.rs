//! The rules of the credits, one sentence each.

use proptest::prelude::*;

use super::*;
use crate::testing::{after, at, delivery, given, play};

fn grant(count: i64) -> CreditsGranted {
    CreditsGranted {
        app: "wx1".into(),
        openid: OpenId::parse("o1").unwrap(),
        template: "t1".into(),
        count,
        source: GrantSource::Callback,
        at: at(0),
    }
}

fn granted(count: i64) -> SubscriptionEvent {
    grant(count).into()
}

fn reserve(n: u128) -> SubscriptionCommand {
    SubscriptionCommand::Reserve { delivery: delivery(n), at: at(1) }
}

fn reserved(n: u128) -> SubscriptionEvent {
    CreditReserved { delivery: delivery(n), at: at(1) }.into()
}

fn consume(n: u128) -> SubscriptionCommand {
    SubscriptionCommand::Consume { delivery: delivery(n), at: at(2) }
}

fn consumed(n: u128) -> SubscriptionEvent {
    CreditConsumed { delivery: delivery(n), at: at(2) }.into()
}

fn give_back(n: u128) -> SubscriptionCommand {
    SubscriptionCommand::Return { delivery: delivery(n), at: at(2) }
}

fn returned(n: u128) -> SubscriptionEvent {
    CreditReturned { delivery: delivery(n), at: at(2) }.into()
}

fn zero(n: u128) -> SubscriptionCommand {
    SubscriptionCommand::Zero { delivery: delivery(n), reason: "43101".into(), at: at(2) }
}

fn zeroed(n: u128) -> SubscriptionEvent {
    CreditsZeroed { delivery: Some(delivery(n)), reason: "43101".into(), kept: 0, at: at(2) }.into()
}

#[test]
fn a_consent_is_a_credit() {
    given::<SubscriptionLedger>(vec![])
        .when(SubscriptionCommand::Grant(grant(1)))
        .then_expect_events(vec![granted(1)]);
    assert_eq!(after::<SubscriptionLedger>(&[granted(1), granted(2)]).available, 3);
}

#[test]
fn a_grant_has_bounds() {
    for count in [i64::MIN, -1, 0, GRANT_MAX + 1, i64::MAX] {
        given::<SubscriptionLedger>(vec![])
            .when(SubscriptionCommand::Grant(grant(count)))
            .then_expect_error(SubscriptionError::InvalidCount);
    }
}

#[test]
fn an_attempt_holds_a_credit_once() {
    given::<SubscriptionLedger>(vec![granted(2)]).when(reserve(1)).then_expect_events(vec![reserved(1)]);
    given::<SubscriptionLedger>(vec![granted(2), reserved(1)]).when(reserve(1)).then_expect_events(vec![]);
}

#[test]
fn the_last_credit_is_held_by_one_attempt_only() {
    given::<SubscriptionLedger>(vec![]).when(reserve(1)).then_expect_error(SubscriptionError::NoCredit);
    given::<SubscriptionLedger>(vec![granted(1), reserved(1)])
        .when(reserve(2))
        .then_expect_error(SubscriptionError::NoCredit);
}

#[test]
fn a_held_credit_is_spent_or_comes_back() {
    let past = vec![granted(1), reserved(1)];
    given::<SubscriptionLedger>(past.clone()).when(consume(1)).then_expect_events(vec![consumed(1)]);
    given::<SubscriptionLedger>(past).when(give_back(1)).then_expect_events(vec![returned(1)]);

    for (end, available) in [(consumed(1), 0), (returned(1), 1)] {
        let ledger: SubscriptionLedger = after(&[granted(1), reserved(1), end]);
        assert_eq!((ledger.available, ledger.reserved.len()), (available, 0));
    }
}

#[test]
fn a_credit_that_nobody_holds_is_neither_spent_nor_returned() {
    for past in [vec![granted(1)], vec![granted(1), reserved(1), consumed(1)]] {
        for command in [consume(1), give_back(1)] {
            given::<SubscriptionLedger>(past.clone()).when(command).then_expect_events(vec![]);
        }
    }
}

#[test]
fn the_providers_word_that_there_is_none_counts() {
    given::<SubscriptionLedger>(vec![granted(3), reserved(1)])
        .when(zero(1))
        .then_expect_events(vec![zeroed(1)]);
    let ledger: SubscriptionLedger = after(&[granted(3), reserved(1), reserved(2), zeroed(1)]);
    assert_eq!((ledger.available, ledger.reserved), (0, BTreeSet::from([delivery(2)])));
    given::<SubscriptionLedger>(vec![]).when(zero(1)).then_expect_events(vec![]);
}

fn consent(second: i64) -> SubscriptionCommand {
    SubscriptionCommand::Grant(CreditsGranted { at: at(second), ..grant(1) })
}

fn consented(second: i64) -> SubscriptionEvent {
    CreditsGranted { at: at(second), ..grant(1) }.into()
}

fn revoke(second: i64) -> SubscriptionCommand {
    SubscriptionCommand::Revoke { reason: "change".into(), at: at(second) }
}

fn revoked(second: i64, kept: i64) -> SubscriptionEvent {
    CreditsZeroed { delivery: None, reason: "change".into(), kept, at: at(second) }.into()
}

#[test]
fn whoever_switches_the_messages_off_has_no_credit_left() {
    given::<SubscriptionLedger>(vec![granted(3)]).when(revoke(5)).then_expect_events(vec![revoked(5, 0)]);
    let ledger: SubscriptionLedger = after(&[granted(3), reserved(1), revoked(5, 0)]);
    assert_eq!((ledger.available, ledger.reserved.len()), (0, 1), "what is on its way stays on its way");
}

#[test]
fn switching_off_is_told_once_however_often_it_is_said() {
    for second in [4, 5] {
        given::<SubscriptionLedger>(vec![revoked(5, 0), consented(6)])
            .when(revoke(second))
            .then_expect_events(vec![]);
    }
}

#[test]
fn consent_and_rejection_count_in_the_order_in_which_they_were_given() {
    // (what was told before, what is told now, what comes of it)
    let rows = [
        (vec![revoked(5, 0)], consent(4), vec![]),
        (vec![revoked(5, 0)], consent(5), vec![consented(5)]),
        (vec![revoked(5, 0)], consent(6), vec![consented(6)]),
        (vec![consented(6)], revoke(5), vec![revoked(5, 1)]),
        (vec![consented(4), consented(6), consented(7)], revoke(5), vec![revoked(5, 2)]),
        (vec![consented(6), reserved(1)], revoke(5), vec![revoked(5, 0)]),
    ];
    for (past, command, expected) in rows {
        given::<SubscriptionLedger>(past).when(command).then_expect_events(expected);
    }
}

#[test]
fn an_operators_correction_counts_whatever_was_switched_off() {
    let correction = CreditsGranted { source: GrantSource::Operator, ..grant(1) };
    given::<SubscriptionLedger>(vec![revoked(5, 0)])
        .when(SubscriptionCommand::Grant(correction.clone()))
        .then_expect_events(vec![correction.into()]);
}

#[test]
fn a_ledger_knows_what_was_granted_and_spent_so_far() {
    let ledger: SubscriptionLedger =
        after(&[granted(2), reserved(1), consumed(1), reserved(2), returned(2), consented(9)]);
    assert_eq!((ledger.granted, ledger.spent, ledger.available), (3, 1, 2));
    assert_eq!((ledger.last_granted_at, ledger.last_spent_at), (Some(at(9)), Some(at(2))));
}

#[test]
fn few_consents_are_remembered() {
    let many: Vec<_> = (0..100).map(consented).collect();
    assert_eq!(after::<SubscriptionLedger>(&many).consents.len(), CONSENTS_REMEMBERED);
}

fn any_command() -> impl Strategy<Value = SubscriptionCommand> {
    prop_oneof![
        (-1..GRANT_MAX + 2).prop_map(|count| SubscriptionCommand::Grant(grant(count))),
        (0..4_u128).prop_map(reserve),
        (0..4_u128).prop_map(consume),
        (0..4_u128).prop_map(give_back),
        (0..4_u128).prop_map(zero),
        (0..6_i64).prop_map(revoke),
    ]
}

proptest! {
    #[test]
    fn a_ledger_keeps_its_promises(commands in prop::collection::vec(any_command(), 0..40)) {
        // Two consents are two credits; that one consent is counted once is the command id's work.
        let adds_up = |command: &SubscriptionCommand| matches!(command, SubscriptionCommand::Grant(_));
        play::<SubscriptionLedger>(commands, adds_up, |ledger, history| {
            assert!(ledger.available >= 0);
            let count = |matches: fn(&SubscriptionEvent) -> bool| {
                i64::try_from(history.iter().filter(|e| matches(e)).count()).unwrap()
            };
            let consents: i64 = history.iter().map(|event| match event {
                SubscriptionEvent::Granted(e) => e.count,
                _ => 0,
            }).sum();
            let spent = count(|e| matches!(e, SubscriptionEvent::Consumed(_)));
            let held = i64::try_from(ledger.reserved.len()).unwrap();
            assert!(ledger.available + held + spent <= consents, "no credit out of nothing");
        });
    }
}
