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
    CreditsZeroed { delivery: Some(delivery(n)), reason: "43101".into(), at: at(2) }.into()
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

fn any_command() -> impl Strategy<Value = SubscriptionCommand> {
    prop_oneof![
        (-1..GRANT_MAX + 2).prop_map(|count| SubscriptionCommand::Grant(grant(count))),
        (0..4_u128).prop_map(reserve),
        (0..4_u128).prop_map(consume),
        (0..4_u128).prop_map(give_back),
        (0..4_u128).prop_map(zero),
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
