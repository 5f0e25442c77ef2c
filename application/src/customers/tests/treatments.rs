//! What is decided about one lead apart from who owns it.

use domain::FollowUpId;
use domain::customer::FollowUpKind;

use super::*;
use crate::bus::GuardKind;

fn treat(lead: usize, what: Treatment) -> Ask {
    Ask::Treat { by: ADMIN, lead, what }
}

fn freeze() -> Treatment {
    Treatment::Freeze { reason: Some("核实".into()) }
}

#[test]
fn a_frozen_lead_stays_but_can_be_assigned() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.done(&Limits::default(), treat(0, freeze()));
    let refused = |asked| ask(&bus, &Limits::default(), asked, 1).unwrap_err();
    assert_eq!(refused(treat(0, freeze())), CustomerError::AlreadyFrozen.into());
    assert_eq!(refused(Ask::Release { by: EMPLOYEE, lead: 0 }), CustomerError::Frozen.into());
    let in_batch = refused(Ask::BatchRelease { by: EMPLOYEE, leads: vec![0] });
    assert_eq!(in_batch, Refusal::Batch(vec![(lead(0), BatchItemRefusal::Frozen)]));
    bus.done(&Limits::default(), Ask::Assign { by: MANAGER, to: COLLEAGUE, lead: 0 });
    bus.done(&Limits::default(), treat(0, Treatment::Unfreeze { reason: None }));
    let again = treat(0, Treatment::Unfreeze { reason: None });
    assert_eq!(refused(again), CustomerError::NotFrozen.into());
    bus.done(&Limits::default(), Ask::Release { by: COLLEAGUE, lead: 0 });
}

#[test]
fn saying_it_again_changes_nothing() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    for what in [Treatment::AutoTransfer { enabled: false }, Treatment::LevelO] {
        assert_eq!(bus.done(&Limits::default(), treat(0, what.clone())).changed, [lead(0)]);
        assert_eq!(bus.done(&Limits::default(), treat(0, what)), Done::default());
    }
    assert!(bus.customer(0).auto_transfer_disabled);
    assert_eq!(bus.customer(0).lead_level, Some(LeadLevel::O));
}

#[test]
fn a_follow_up_keeps_what_was_said_and_when_to_call_again() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    let follow_up = FollowUp {
        id: FollowUpId(Uuid::from_u128(7)),
        kind: FollowUpKind::Visit,
        content: " 看了两位阿姨 ".into(),
        next_at: Some(at(3600)),
    };
    let asked = Ask::Treat { by: EMPLOYEE, lead: 0, what: Treatment::FollowUp(follow_up.clone()) };
    ask(&bus, &Limits::default(), asked, 60).unwrap();
    let CustomerEvent::FollowedUp(event) = bus.last_of(0) else { panic!("not followed up") };
    assert_eq!((event.id, event.content.as_str()), (follow_up.id, "看了两位阿姨"));
    let customer = bus.customer(0);
    assert_eq!((customer.next_follow_up_at, customer.last_activity_at), (Some(at(3600)), Some(at(60))));
    let empty = FollowUp { content: " ".into(), ..follow_up };
    let refused = ask(&bus, &Limits::default(), treat(0, Treatment::FollowUp(empty)), 61);
    assert_eq!(refused, Err(CustomerError::EmptyFollowUp.into()));
}

#[test]
fn a_deleted_lead_is_not_found_and_its_phone_is_free() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    assert!(bus.holder(GuardKind::CustomerPhone, phone(0).as_str()).is_some());
    bus.done(&Limits::default(), treat(0, Treatment::Delete));
    assert_eq!((bus.holder(GuardKind::CustomerPhone, phone(0).as_str()), bus.held(EMPLOYEE)), (None, 0));
    for asked in [
        treat(0, Treatment::Delete),
        treat(0, freeze()),
        Ask::Assign { by: ADMIN, to: EMPLOYEE, lead: 0 },
        Ask::Release { by: ADMIN, lead: 0 },
    ] {
        assert_eq!(ask(&bus, &Limits::default(), asked, 1), Err(CustomerError::NotFound.into()));
    }
    for asked in [
        Ask::Claim { by: EMPLOYEE, leads: vec![0] },
        Ask::PoolAssign { by: ADMIN, to: EMPLOYEE, leads: vec![0] },
        Ask::BatchAssign { by: ADMIN, to: EMPLOYEE, leads: vec![0] },
        Ask::BatchRelease { by: ADMIN, leads: vec![0] },
    ] {
        let gone = Refusal::Batch(vec![(lead(0), BatchItemRefusal::CustomerNotFound)]);
        assert_eq!(ask(&bus, &Limits::default(), asked, 1), Err(gone));
    }
}

#[test]
fn a_version_that_is_old_is_refused_whatever_is_asked() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    bus.done(&Limits::default(), Ask::Assign { by: ADMIN, to: COLLEAGUE, lead: 0 });
    for what in [freeze(), Treatment::AutoTransfer { enabled: false }, Treatment::LevelO, Treatment::Delete] {
        let request = |expected| Treat { customer: lead(0), expected: Some(expected), what: what.clone() };
        let stale = ready(super::treat(&bus, &caller(ADMIN), &context(ADMIN, 1), request(2)));
        let owner = Some(staff(COLLEAGUE));
        assert_eq!(settled(stale), Err(Refusal::Stale { owner, sequence: 3 }), "{what:?}");
    }
    let release = Release { customer: lead(0), expected: Some(3), reason: REASON.into() };
    let fresh = ready(super::release(&bus, &caller(ADMIN), &context(ADMIN, 1), release));
    assert!(settled(fresh).unwrap().changed);
}
