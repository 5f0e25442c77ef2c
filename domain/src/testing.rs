//! What the tests of all aggregates share.

use chrono::{DateTime, Utc};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use uuid::Uuid;

use crate::{Actor, Aggregate, DeliveryId, StaffId, StoredEvent};

/// Some seconds after the first second of December 2025 in UTC.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_547_200 + seconds, 0).unwrap()
}

pub(crate) fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

pub(crate) fn delivery(n: u128) -> DeliveryId {
    DeliveryId(Uuid::from_u128(n))
}

/// The person who acts in the tests.
pub(crate) fn boss() -> Actor {
    Actor::Staff(staff(99))
}

/// An aggregate with this past.
pub(crate) fn given<A>(events: Vec<A::Event>) -> AggregateTestExecutor<A>
where
    A: cqrs_es::Aggregate<Services = ()>,
{
    TestFramework::with(()).given(events)
}

/// The state that events leave.
pub(crate) fn after<A: Aggregate>(events: &[A::Event]) -> A {
    let mut state = A::default();
    for event in events {
        state.evolve(event);
    }
    state
}

/// Gives the commands to a fresh aggregate one after the other and holds it to what is true of every aggregate:
/// what it decides can be written and read back, so can its state, and a command repeated right away has no
/// second effect (unless `adds_up`). `check` sees the state and the whole history after every command.
pub(crate) fn play<A>(
    commands: Vec<A::Command>,
    adds_up: impl Fn(&A::Command) -> bool,
    check: impl Fn(&A, &[A::Event]),
) where
    A: Aggregate + PartialEq + std::fmt::Debug,
    A::Command: Clone + std::fmt::Debug,
{
    let mut state = A::default();
    let mut history = Vec::new();
    for command in commands {
        let Ok(events) = state.decide(command.clone()) else { continue };
        for event in events {
            let payload = event.encode().unwrap();
            assert_eq!(A::Event::decode(event.name(), payload.get()).unwrap(), event);
            state.evolve(&event);
            history.push(event);
        }
        let written = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<A>(&written).unwrap(), state);
        check(&state, &history);
        if !adds_up(&command)
            && let Ok(again) = state.decide(command.clone())
        {
            assert!(again.is_empty(), "{command:?} had a second effect: {again:?}");
        }
    }
}
