//! The rules of a batch.

use uuid::Uuid;

use super::*;
use crate::testing::{after, at, boss, given, play, staff};

fn assigned(customers: u128) -> BatchAssignmentCompleted {
    let moved = (1..=customers)
        .map(|n| MovedCustomer { customer: CustomerId(Uuid::from_u128(n)), from: (n > 1).then(|| staff(2)) })
        .collect();
    BatchAssignmentCompleted { to: staff(1), moved, reason: None, out_of_pool: false, by: boss(), at: at(0) }
}

fn leads(customers: u128) -> Vec<OwnedCustomer> {
    (1..=customers)
        .map(|n| OwnedCustomer { customer: CustomerId(Uuid::from_u128(n)), owner: staff(n) })
        .collect()
}

fn released(customers: u128) -> BatchReleaseCompleted {
    BatchReleaseCompleted {
        released: leads(customers), reason: "客户找到了".into(), by: boss(), at: at(0)
    }
}

fn started() -> ImportStarted {
    ImportStarted { rows: 3, by: boss(), at: at(0) }
}

fn chunk(customers: u128) -> ImportChunkStored {
    ImportChunkStored { created: leads(customers), at: at(1) }
}

#[test]
fn a_batch_is_one_fact_that_names_what_moved() {
    given::<Batch>(vec![])
        .when(BatchCommand::CompleteAssignment(assigned(2)))
        .then_expect_events(vec![assigned(2).into()]);
    given::<Batch>(vec![])
        .when(BatchCommand::CompleteRelease(released(2)))
        .then_expect_events(vec![released(2).into()]);
}

#[test]
fn a_batch_that_moved_nothing_is_not_told() {
    given::<Batch>(vec![]).when(BatchCommand::CompleteAssignment(assigned(0))).then_expect_events(vec![]);
    given::<Batch>(vec![]).when(BatchCommand::CompleteRelease(released(0))).then_expect_events(vec![]);
}

#[test]
fn a_batch_happens_once() {
    let again = BatchCommand::CompleteRelease(released(1));
    given::<Batch>(vec![assigned(2).into()]).when(again).then_expect_error(BatchError::Done);
}

#[test]
fn an_import_ends_with_every_lead_of_its_chunks() {
    let created = [leads(2), leads(1)].concat();
    let ended = ImportCompleted { created, by: boss(), at: at(2) };
    let history = vec![started().into(), chunk(2).into(), chunk(1).into()];
    given::<Batch>(history.clone())
        .when(BatchCommand::CompleteImport { at: at(2) })
        .then_expect_events(vec![ended.clone().into()]);
    let mut over = history;
    over.push(ended.into());
    given::<Batch>(over.clone()).when(BatchCommand::CompleteImport { at: at(3) }).then_expect_events(vec![]);
    given::<Batch>(over).when(BatchCommand::StoreChunk(chunk(1))).then_expect_error(BatchError::Done);
}

#[test]
fn a_chunk_belongs_to_an_import() {
    given::<Batch>(vec![]).when(BatchCommand::StoreChunk(chunk(1))).then_expect_error(BatchError::NoImport);
    assert!(after::<Batch>(&[started().into()]).import.is_some());
}

#[test]
fn whatever_is_asked_of_a_batch_it_is_completed_once() {
    use BatchCommand as C;
    let assignment = |n| C::CompleteAssignment(assigned(n));
    let end = || C::CompleteImport { at: at(3) };
    let stories = [
        vec![assignment(0), assignment(3), C::CompleteRelease(released(1)), end()],
        vec![
            C::StartImport(started()),
            C::StoreChunk(chunk(2)),
            C::StoreChunk(chunk(2)),
            end(),
            assignment(1),
        ],
    ];
    for story in stories {
        let adds_up = |command: &C| matches!(command, C::StoreChunk(_));
        play::<Batch>(story, adds_up, |batch, history| {
            let ends = history.iter().filter(|event| {
                !matches!(event, BatchEvent::ImportStarted(_) | BatchEvent::ImportChunkStored(_))
            });
            assert_eq!(usize::from(batch.completed), ends.count());
        });
    }
}
