//! What holds for a notice whatever is asked of it.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::play;

fn any_decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        4 => Just(Decision::Deliver),
        1 => Just(Decision::Merge { into: "batch".into() }),
        1 => Just(Decision::Hold { until: at(60), reason: "quiet_hours".into() }),
        2 => select(Channel::ALL).prop_map(|after| Decision::Standby { after }),
        1 => Just(Decision::Suppress { reason: "channel_not_configured".into() }),
    ]
}

fn any_request() -> impl Strategy<Value = NotificationCommand> {
    let deliveries = prop::collection::vec((select(Channel::ALL), any_decision()), 0..4);
    deliveries.prop_map(|deliveries| {
        let numbered = (0..).zip(deliveries);
        let deliveries = numbered.map(|(n, (channel, decision))| planned(n, channel, decision)).collect();
        NotificationCommand::Request(Box::new(request(deliveries)))
    })
}

fn any_conclusion() -> impl Strategy<Value = Conclusion> {
    let failure = (select(FailureClass::ALL), proptest::option::of(any::<i64>()), ".{0,8}")
        .prop_map(|(class, code, detail)| Failure { class, code, detail });
    (0..5_u8, failure, 0..100_i64, any::<bool>()).prop_map(|(kind, failure, due, counted)| match kind {
        0 => Conclusion::Accepted { provider_message_id: None },
        1 => Conclusion::Rejected(failure),
        2 => Conclusion::Retry { failure, due_at: at(due), counted },
        3 => Conclusion::Uncertain(failure),
        _ => Conclusion::Died(failure),
    })
}

fn any_command() -> impl Strategy<Value = NotificationCommand> {
    let which = || (0..4_u128).prop_map(delivery);
    let conclude = (which(), 0..4_i64, any_conclusion(), 0..100_i64).prop_map(
        |(delivery, attempt, conclusion, seconds)| NotificationCommand::Conclude {
            delivery,
            attempt,
            conclusion,
            at: at(seconds),
        },
    );
    let requeue = which().prop_map(|delivery| NotificationCommand::Requeue {
        delivery,
        by: boss(),
        reason: "x".into(),
        at: at(3),
    });
    prop_oneof![
        1 => any_request(),
        6 => (which(), 0..100_i64).prop_map(|(delivery, s)| NotificationCommand::Start { delivery, at: at(s) }),
        8 => conclude,
        1 => requeue,
        1 => which().prop_map(|delivery| cancel(delivery, 4)),
        2 => (which(), 0..6_u8).prop_map(|(delivery, what)| decision(delivery, what)),
    ]
}

/// What an operator, the releaser or the provider may ask.
fn decision(delivery: DeliveryId, what: u8) -> NotificationCommand {
    let (by, reason, at) = (boss(), "核实".to_owned(), at(5));
    let into = crate::ids::NotificationId(uuid::Uuid::from_u128(9));
    match what {
        0 => NotificationCommand::Release { delivery, at },
        1 => NotificationCommand::Merge { delivery, into, at },
        2 => NotificationCommand::Settle { delivery, settlement: Settlement::Escalated, by, reason, at },
        3 => NotificationCommand::Discard { delivery, by, reason, at },
        4 => NotificationCommand::Refute { delivery, failure: failure(), at },
        _ => NotificationCommand::Confirm {
            delivery,
            proof: "subscribe_msg_sent_event".to_owned(),
            provider_message_id: None,
            at,
        },
    }
}

/// Follows the history event by event and compares each step of each delivery.
fn holds(notice: &Notification, history: &[NotificationEvent]) {
    let mut state = Notification::default();
    for event in history {
        let before = state.clone();
        state.evolve(event);
        let Some((subject, _)) = event.subject() else { continue };
        let (old, new) = (&before.deliveries[&subject], &state.deliveries[&subject]);
        let requeued = matches!(event, NotificationEvent::Requeued(_));
        let decided = matches!(
            event,
            NotificationEvent::Settled(_)
                | NotificationEvent::Discarded(_)
                | NotificationEvent::Confirmed(_)
                | NotificationEvent::Released(_)
        );
        let refuted = matches!(event, NotificationEvent::Rejected(_))
            && matches!(old.state, DeliveryState::Accepted | DeliveryState::Unknown);
        let started = matches!(event, NotificationEvent::Started(_));
        let left_behind = matches!(event, NotificationEvent::Cancelled(_))
            && old.state == DeliveryState::Cancelled
            && old.stands_by
            && !new.stands_by;
        assert!(
            !old.state.is_final() || requeued || decided || refuted || left_behind,
            "{} stays final but for a decision or a later word of the provider: {event:?}",
            old.state
        );
        assert_eq!(new.attempt, old.attempt + i64::from(started), "each start is one attempt: {event:?}");
        assert!(!started || old.state != DeliveryState::InFlight, "one attempt at a time: {event:?}");
        let cancelled = matches!(event, NotificationEvent::Cancelled(_));
        assert!(
            !cancelled || old.state != DeliveryState::InFlight,
            "nothing under way is taken back: {event:?}"
        );
        if matches!(event, NotificationEvent::Accepted(_)) {
            assert_eq!(old.state, DeliveryState::InFlight, "only what is under way is accepted");
        }
        assert!((0..=new.attempt).contains(&new.counted), "{new:?}");
        assert_eq!(new.due_at.is_some(), new.state == DeliveryState::Retry, "{new:?}");
        let others = |n: &Notification| {
            let mut deliveries = n.deliveries.clone();
            deliveries.remove(&subject);
            deliveries
        };
        assert_eq!(others(&before), others(&state), "an event concerns one delivery");
    }
    assert_eq!(&state, notice);
}

proptest! {
    #[test]
    fn a_notice_keeps_its_promises(
        request in any_request(),
        commands in prop::collection::vec(any_command(), 0..60),
    ) {
        let commands = std::iter::once(request).chain(commands).collect();
        play::<Notification>(commands, |_| false, holds);
    }
}
