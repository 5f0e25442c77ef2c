//! The rules of a batch.

use uuid::Uuid;

use super::*;
use crate::testing::{at, boss, given, play, staff};

fn batch(customers: u128) -> BatchAssignmentCompleted {
    let moved = (1..=customers)
        .map(|n| MovedCustomer { customer: CustomerId(Uuid::from_u128(n)), from: (n > 1).then(|| staff(2)) })
        .collect();
    BatchAssignmentCompleted { to: staff(1), moved, reason: None, by: boss(), at: at(0) }
}

#[test]
fn a_batch_is_one_fact_that_names_what_moved() {
    given::<Batch>(vec![]).when(batch(2)).then_expect_events(vec![batch(2).into()]);
}

#[test]
fn a_batch_that_moved_nothing_is_not_told() {
    given::<Batch>(vec![]).when(batch(0)).then_expect_events(vec![]);
}

#[test]
fn a_batch_happens_once() {
    given::<Batch>(vec![batch(2).into()]).when(batch(2)).then_expect_error(BatchDone);
    play::<Batch>(
        vec![batch(0), batch(3), batch(1)],
        |_| false,
        |batch, history| {
            assert_eq!(batch.completed, history.len() == 1);
            assert!(history.len() <= 1);
        },
    );
}
