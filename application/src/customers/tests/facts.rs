//! What stands in the log for the policy: one fact a batch, none for a batch of one out of the pool, the source of
//! each move; and that a repeated key gives the first answer again.

use domain::batch::{BatchEvent, MovedCustomer, OwnedCustomer};

use super::*;

fn batch_request(ns: &[usize], from: BatchFrom, context: &CommandContext) -> BatchAssign {
    let batch = BatchId(context.metadata.command.0);
    BatchAssign { batch, customers: leads(ns), to: staff(COLLEAGUE), reason: Some("新人".into()), from }
}

fn assigned(bus: &Memory, ns: &[usize], from: BatchFrom) -> BatchId {
    let context = context(MANAGER, 1);
    let request = batch_request(ns, from, &context);
    let batch = request.batch;
    let done = ready(batch_assign(bus, &Limits::default(), &caller(MANAGER), &context, request));
    assert_eq!(done.unwrap().result.moved, leads(ns));
    batch
}

fn source(bus: &Memory, n: usize) -> AssignmentSource {
    match bus.last_of(n) {
        CustomerEvent::Assigned(e) => e.source,
        CustomerEvent::Transferred(e) => e.source,
        other => panic!("not an assignment: {other:?}"),
    }
}

#[test]
fn one_lead_out_of_the_pool_is_told_as_itself() {
    let bus = office();
    bus.pooled(EMPLOYEE, [0]);
    let batch = assigned(&bus, &[0], BatchFrom::Pool);
    assert_eq!(source(&bus, 0), AssignmentSource::Pool);
    assert!(bus.events(batch).is_empty());
}

#[test]
fn several_out_of_the_pool_are_one_fact() {
    let bus = office();
    bus.pooled(EMPLOYEE, [0, 1]);
    let batch = assigned(&bus, &[0, 1], BatchFrom::Pool);
    assert_eq!(source(&bus, 1), AssignmentSource::PoolBatch(batch));
    let BatchEvent::Completed(fact) = bus.last(batch) else { panic!("no fact") };
    assert!(fact.out_of_pool);
    assert_eq!((fact.to, fact.reason.as_deref()), (staff(COLLEAGUE), Some("新人")));
    let moved = leads(&[0, 1]).into_iter().map(|customer| MovedCustomer { customer, from: None });
    assert_eq!(fact.moved, moved.collect::<Vec<_>>());
}

#[test]
fn a_batch_from_anywhere_is_a_batch_even_of_one_and_empties_the_pool() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.pooled(EMPLOYEE, [1]);
    let batch = assigned(&bus, &[0, 1], BatchFrom::Anywhere);
    assert_eq!((source(&bus, 0), source(&bus, 1)), (AssignmentSource::Batch(batch), source(&bus, 0)));
    let BatchEvent::Completed(fact) = bus.last(batch) else { panic!("no fact") };
    assert!(!fact.out_of_pool);
    assert_eq!(fact.moved[0].from, Some(staff(EMPLOYEE)));
    assert_eq!(fact.moved[1].from, None);
    assert!(!bus.customer(1).in_pool());
    bus.owned(EMPLOYEE, [5]);
    let alone = assigned(&bus, &[5], BatchFrom::Anywhere);
    assert_eq!(bus.events(alone), ["BatchAssignmentCompleted"]);
}

#[test]
fn what_the_owner_has_already_is_no_part_of_the_fact() {
    let bus = office();
    bus.owned(COLLEAGUE, [0, 1]);
    let context = context(MANAGER, 1);
    let request = batch_request(&[0, 1], BatchFrom::Anywhere, &context);
    let batch = request.batch;
    let head = bus.head();
    let done = ready(batch_assign(&bus, &Limits::default(), &caller(MANAGER), &context, request)).unwrap();
    assert_eq!((done.result.moved.len(), done.result.unchanged), (0, leads(&[0, 1])));
    assert_eq!((bus.events(batch).len(), bus.head()), (0, head));
}

#[test]
fn a_batch_of_releases_names_who_had_what_and_one_alone_is_told_as_itself() {
    let bus = office();
    bus.owned(EMPLOYEE, [0, 3]);
    bus.owned(COLLEAGUE, [1]);
    let release = |ns: &[usize]| {
        let context = context(MANAGER, 1);
        let batch = BatchId(context.metadata.command.0);
        let request = BatchRelease { batch, customers: leads(ns), reason: REASON.into() };
        let done = ready(batch_release(&bus, &caller(MANAGER), &context, request)).unwrap();
        (batch, done.result)
    };
    let (batch, receipt) = release(&[0, 1, 2]);
    assert_eq!((receipt.to, receipt.moved), (None, leads(&[0, 1])));
    assert_eq!(receipt.failed, [(lead(2), BatchItemRefusal::CustomerNotFound)]);
    let BatchEvent::Released(fact) = bus.last(batch) else { panic!("no fact") };
    let owned = |customer, owner| OwnedCustomer { customer: lead(customer), owner: staff(owner) };
    assert_eq!(fact.released, [owned(0, EMPLOYEE), owned(1, COLLEAGUE)]);
    let CustomerEvent::Released(event) = bus.last_of(0) else { panic!("not released") };
    assert_eq!(event.batch, Some(batch));

    let (alone, _) = release(&[3]);
    assert!(bus.events(alone).is_empty());
    let CustomerEvent::Released(event) = bus.last_of(3) else { panic!("not released") };
    assert_eq!(event.batch, None);
}

#[test]
fn a_repeated_key_gives_the_first_answer_again_and_counts_nothing_twice() {
    let bus = office();
    bus.pooled(EMPLOYEE, 0..3);
    let keyed = CommandContext { fingerprint: Some("f".into()), ..context(COLLEAGUE, 1) };
    let limits = Limits { claims_per_day: Some(1), ..Limits::default() };
    let ask = || ready(super::claim(&bus, &limits, &caller(COLLEAGUE), &keyed, leads(&[0, 1])));
    let first = ask().unwrap();
    assert_eq!((first.result.moved.len(), first.result.failed.len(), first.replayed), (1, 1, false));
    let again = ask().unwrap();
    assert!(again.replayed);
    assert_eq!((again.result, again.position), (first.result, first.position));
    assert_eq!(bus.held(COLLEAGUE), 1);
    let other = CommandContext { fingerprint: Some("g".into()), ..keyed.clone() };
    let reused = ready(super::claim(&bus, &limits, &caller(COLLEAGUE), &other, leads(&[2])));
    assert!(matches!(reused, Err(ExecuteError::Append(AppendError::KeyReused))));
}

#[test]
fn a_claim_leaves_the_level_and_starts_the_idle_clock() {
    let bus = office();
    bus.pooled(EMPLOYEE, [0]);
    ask(&bus, &Limits::default(), Ask::Claim { by: COLLEAGUE, leads: vec![0] }, 90).unwrap();
    let customer = bus.customer(0);
    assert_eq!((customer.owner(), customer.claim_count), (Some(staff(COLLEAGUE)), 1));
    assert_eq!((customer.lead_level, customer.last_activity_at), (Some(LeadLevel::A), Some(at(90))));
    assert!(!customer.in_pool());
}
