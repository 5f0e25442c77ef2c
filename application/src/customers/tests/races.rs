//! Somebody else moves the lead between a decision and its append: the other one has it, and the loser learns that.

use super::*;

/// Where the lead is when both look: in the pool after having been `EMPLOYEE`'s, or with `EMPLOYEE`.
#[derive(Debug, Clone, Copy)]
enum Start {
    Pool,
    Owned,
}

/// What the loser hears of a race that left the lead at its 3rd or 4th event.
fn lost(mine: Ask, theirs: Ask, start: Start) -> Refusal {
    let bus = office();
    match start {
        Start::Pool => bus.pooled(EMPLOYEE, [0]),
        Start::Owned => bus.owned(EMPLOYEE, [0]),
    }
    let before = bus.events(lead(0));
    let told = format!("{mine:?} against {theirs:?}");
    bus.meanwhile(move |bus| {
        bus.done(&Limits::default(), theirs);
    });
    let refusal = ask(&bus, &Limits::default(), mine, 1).expect_err(&told);
    assert_eq!(bus.events(lead(0)).len(), before.len() + 1, "{told}: one of the two happened");
    for (n, (name, _)) in PEOPLE.into_iter().enumerate() {
        let owns = i64::from(bus.customer(0).owner() == Some(staff(n)));
        assert_eq!(bus.held(n), owns, "{told}: leads of {name}");
    }
    refusal
}

fn not_in_pool(owner: usize) -> Refusal {
    Refusal::Batch(vec![(lead(0), BatchItemRefusal::NotInPool { owner: Some(staff(owner)) })])
}

#[test]
fn who_comes_second_learns_who_has_it_now() {
    let claim = || Ask::Claim { by: DISPATCH, leads: vec![0] };
    let claimed = || Ask::Claim { by: COLLEAGUE, leads: vec![0] };
    let pool_assign = || Ask::PoolAssign { by: MANAGER, to: OPERATOR, leads: vec![0] };
    let assign = || Ask::Assign { by: ADMIN, to: MANAGER, lead: 0 };
    let batch = || Ask::BatchAssign { by: ADMIN, to: MANAGER, leads: vec![0] };
    for (mine, theirs, refusal) in [
        (claim(), claimed(), not_in_pool(COLLEAGUE)),
        (claim(), pool_assign(), not_in_pool(OPERATOR)),
        (claim(), assign(), not_in_pool(MANAGER)),
        (claim(), batch(), not_in_pool(MANAGER)),
        (pool_assign(), claimed(), not_in_pool(COLLEAGUE)),
        (pool_assign(), assign(), not_in_pool(MANAGER)),
        (assign(), claimed(), Refusal::Stale { owner: Some(staff(COLLEAGUE)), sequence: 4 }),
        (assign(), pool_assign(), Refusal::Stale { owner: Some(staff(OPERATOR)), sequence: 4 }),
        (batch(), claimed(), Refusal::Batch(vec![(lead(0), BatchItemRefusal::VersionConflict)])),
    ] {
        assert_eq!(lost(mine, theirs, Start::Pool), refusal);
    }
}

#[test]
fn an_owned_lead_moves_once_too() {
    let release = |by| Ask::Release { by, lead: 0 };
    let assign = || Ask::Assign { by: ADMIN, to: COLLEAGUE, lead: 0 };
    let batch_release = |by| Ask::BatchRelease { by, leads: vec![0] };
    let batch_refused = |refusal| Refusal::Batch(vec![(lead(0), refusal)]);
    let with_colleague = || Refusal::Stale { owner: Some(staff(COLLEAGUE)), sequence: 3 };
    let in_pool = || Refusal::Stale { owner: None, sequence: 3 };
    for (mine, theirs, refusal) in [
        (release(EMPLOYEE), assign(), with_colleague()),
        (release(MANAGER), assign(), with_colleague()),
        (release(MANAGER), release(EMPLOYEE), in_pool()),
        (assign(), release(EMPLOYEE), in_pool()),
        (
            assign(),
            Ask::Assign { by: MANAGER, to: OPERATOR, lead: 0 },
            Refusal::Stale { owner: Some(staff(OPERATOR)), sequence: 3 },
        ),
        (batch_release(MANAGER), assign(), batch_refused(BatchItemRefusal::VersionConflict)),
        (batch_release(EMPLOYEE), assign(), batch_refused(BatchItemRefusal::CustomerNotFound)),
    ] {
        assert_eq!(lost(mine, theirs, Start::Owned), refusal);
    }
}

#[test]
fn a_lead_that_was_deleted_meanwhile_is_gone() {
    let delete = || Ask::Treat { by: ADMIN, lead: 0, what: Treatment::Delete };
    let gone = || Refusal::Batch(vec![(lead(0), BatchItemRefusal::CustomerNotFound)]);
    for (mine, start, refusal) in [
        (Ask::Claim { by: COLLEAGUE, leads: vec![0] }, Start::Pool, gone()),
        (Ask::Assign { by: MANAGER, to: COLLEAGUE, lead: 0 }, Start::Owned, CustomerError::NotFound.into()),
        (Ask::Release { by: EMPLOYEE, lead: 0 }, Start::Owned, CustomerError::NotFound.into()),
    ] {
        assert_eq!(lost(mine, delete(), start), refusal);
    }
}

#[test]
fn what_does_not_move_the_lead_is_no_race() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.meanwhile(|bus| {
        let what = Treatment::AutoTransfer { enabled: false };
        bus.done(&Limits::default(), Ask::Treat { by: ADMIN, lead: 0, what });
    });
    let done = ask(&bus, &Limits::default(), Ask::Assign { by: MANAGER, to: COLLEAGUE, lead: 0 }, 1);
    assert_eq!(done.map(|done| done.changed), Ok(vec![lead(0)]));
    assert_eq!(bus.events(lead(0))[2..], ["AutoTransferDisabled", "CustomerTransferred"]);
}

#[test]
fn of_a_batch_only_the_items_that_lost_are_refused() {
    let bus = office();
    bus.pooled(EMPLOYEE, 0..3);
    bus.meanwhile(|bus| {
        bus.done(&Limits::default(), Ask::Claim { by: COLLEAGUE, leads: vec![1] });
    });
    let done = ask(&bus, &Limits::default(), Ask::Claim { by: DISPATCH, leads: vec![0, 1, 2] }, 1).unwrap();
    assert_eq!(done.changed, leads(&[0, 2]));
    let owner = Some(staff(COLLEAGUE));
    assert_eq!(done.failed, [(lead(1), BatchItemRefusal::NotInPool { owner })]);
    assert_eq!((bus.held(DISPATCH), bus.held(COLLEAGUE)), (2, 1));
}
