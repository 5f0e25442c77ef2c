//! Pool, freeze, follow-up, deletion: one sentence each.

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::ids::{BatchId, FollowUpId};

fn released(from: StaffId, seconds: i64) -> CustomerEvent {
    let reason = "客户找到了".to_owned();
    CustomerReleased { from, by: boss(), reason, batch: None, at: at(seconds) }.into()
}

fn pooled_by(owner: StaffId) -> Vec<CustomerEvent> {
    [owned_by(owner), vec![released(owner, 100)]].concat()
}

fn claim(by: StaffId, seconds: i64) -> CustomerCommand {
    CustomerCommand::Claim { by, cool_off: Some(TimeDelta::seconds(60)), at: at(seconds) }
}

fn release(seconds: i64) -> CustomerCommand {
    CustomerCommand::Release { reason: "客户找到了".into(), batch: None, by: boss(), at: at(seconds) }
}

fn from_pool(to: StaffId) -> CustomerCommand {
    CustomerCommand::Assign { to, reason: None, source: AssignmentSource::Pool, by: boss(), at: at(200) }
}

fn freeze() -> CustomerCommand {
    CustomerCommand::Freeze { reason: Some("核实中".into()), by: boss(), at: at(50) }
}

fn frozen() -> CustomerEvent {
    CustomerFrozen { reason: Some("核实中".into()), by: boss(), at: at(50) }.into()
}

fn follow_up(kind: FollowUpKind, content: &str, by: Actor) -> FollowUpRecorded {
    let id = FollowUpId(Uuid::from_u128(1));
    FollowUpRecorded { id, kind, content: content.into(), next_follow_up_at: Some(at(999)), by, at: at(60) }
}

#[test]
fn a_website_lead_begins_in_the_pool() {
    let command = create_at(profile(), Placement::Pool("官网提交".into()));
    let events = Customer::default().decide(command).unwrap();
    let customer: Customer = after(&events);
    assert_eq!(events.len(), 1);
    assert_eq!(
        customer.ownership,
        Ownership::InPool { since: at(0), reason: "官网提交".into(), former_owner: None }
    );
}

#[test]
fn a_released_lead_keeps_level_and_status_and_remembers_who_had_it() {
    given::<Customer>(owned_by(staff(1)))
        .when(release(100))
        .then_expect_events(vec![released(staff(1), 100)]);
    let customer: Customer = after(&pooled_by(staff(1)));
    assert_eq!((customer.owner(), customer.lead_level), (None, Some(LeadLevel::B)));
    let former_owner = Some(staff(1));
    assert_eq!(
        customer.ownership,
        Ownership::InPool { since: at(100), reason: "客户找到了".into(), former_owner }
    );
}

#[test]
fn only_an_owned_lead_can_be_released() {
    given::<Customer>(pooled_by(staff(1))).when(release(110)).then_expect_error_message("客户已在公海中");
    given::<Customer>(vec![created()]).when(release(110)).then_expect_error(CustomerError::NotOwned);
}

#[test]
fn a_claimed_lead_is_the_claimers_and_out_of_the_pool() {
    given::<Customer>(pooled_by(staff(1)))
        .when(claim(staff(2), 110))
        .then_expect_events(vec![CustomerClaimed { by: staff(2), at: at(110) }.into()]);
    let mut history = pooled_by(staff(1));
    history.push(CustomerClaimed { by: staff(2), at: at(110) }.into());
    let customer: Customer = after(&history);
    assert_eq!((customer.owner(), customer.assigned_at()), (Some(staff(2)), Some(at(110))));
    assert_eq!((customer.claim_count, customer.transfer_count), (1, 0));
    assert_eq!(customer.last_activity_at, Some(at(110)));
    given::<Customer>(history).when(claim(staff(3), 120)).then_expect_error(CustomerError::NotInPool);
}

#[test]
fn who_gave_a_lead_back_leaves_it_to_others_for_a_while() {
    given::<Customer>(pooled_by(staff(1)))
        .when(claim(staff(1), 159))
        .then_expect_error(CustomerError::CoolOff { until: at(160) });
    let customer: Customer = after(&pooled_by(staff(1)));
    assert!(customer.decide(claim(staff(1), 160)).is_ok());
    assert!(customer.decide(claim(staff(2), 101)).is_ok());
}

#[test]
fn assigning_takes_a_lead_out_of_the_pool_by_either_path() {
    for source in [AssignmentSource::Pool, AssignmentSource::Manual] {
        let command = CustomerCommand::Assign { to: staff(1), reason: None, source, by: boss(), at: at(200) };
        let expected = CustomerAssigned {
            to: staff(1),
            by: boss(),
            reason: None,
            source,
            out_of_pool: true,
            at: at(200),
        };
        given::<Customer>(pooled_by(staff(1))).when(command).then_expect_events(vec![expected.into()]);
    }
}

#[test]
fn only_a_pooled_lead_is_assigned_from_the_pool() {
    for history in [owned_by(staff(1)), vec![created()]] {
        given::<Customer>(history).when(from_pool(staff(1))).then_expect_error(CustomerError::NotInPool);
    }
}

#[test]
fn a_frozen_lead_stays_but_a_person_may_assign_it() {
    let mut history = owned_by(staff(1));
    given::<Customer>(history.clone()).when(freeze()).then_expect_events(vec![frozen()]);
    history.push(frozen());
    given::<Customer>(history.clone())
        .when(release(100))
        .then_expect_error_message("该线索已被冻结，无法释放到公海");
    given::<Customer>(history.clone()).when(freeze()).then_expect_error_message("该线索已处于冻结状态");
    given::<Customer>(history.clone())
        .when(assign(staff(2)))
        .then_expect_events(vec![transferred(staff(1), staff(2))]);
    let unfreeze = || CustomerCommand::Unfreeze { reason: None, by: boss(), at: at(60) };
    let unfrozen: CustomerEvent = CustomerUnfrozen { reason: None, by: boss(), at: at(60) }.into();
    given::<Customer>(history.clone()).when(unfreeze()).then_expect_events(vec![unfrozen.clone()]);
    history.push(unfrozen);
    given::<Customer>(history).when(unfreeze()).then_expect_error_message("该线索未处于冻结状态");
}

#[test]
fn rules_are_switched_off_and_on_once() {
    let set = |enabled| CustomerCommand::SetAutoTransfer { enabled, by: boss(), at: at(5) };
    let off: CustomerEvent = AutoTransferDisabled { by: boss(), at: at(5) }.into();
    let on: CustomerEvent = AutoTransferEnabled { by: boss(), at: at(5) }.into();
    given::<Customer>(vec![created()]).when(set(true)).then_expect_events(vec![]);
    given::<Customer>(vec![created()]).when(set(false)).then_expect_events(vec![off.clone()]);
    given::<Customer>(vec![created(), off.clone()]).when(set(false)).then_expect_events(vec![]);
    given::<Customer>(vec![created(), off]).when(set(true)).then_expect_events(vec![on]);
}

#[test]
fn a_follow_up_starts_the_idle_clock_and_says_when_the_next_is_due() {
    let mut history = owned_by(staff(1));
    history.push(follow_up(FollowUpKind::Phone, "约了周六", Actor::Staff(staff(1))).into());
    let customer: Customer = after(&history);
    assert_eq!((customer.last_activity_at, customer.next_follow_up_at), (Some(at(60)), Some(at(999))));
    assert_eq!(customer.follow_up_status(), Some(FollowUpStatus::FollowedUp));
}

#[test]
fn only_the_present_owners_follow_up_counts() {
    let mut history = owned_by(staff(1));
    history.push(follow_up(FollowUpKind::Phone, "约了周六", Actor::Staff(staff(1))).into());
    history.push(transferred(staff(1), staff(2)));
    let customer: Customer = after(&history);
    assert_eq!(customer.follow_up_status(), Some(FollowUpStatus::TransferredUntouched));
}

#[test]
fn a_note_of_system_a_is_no_follow_up() {
    let notes = ["系统：张三从公海领取了该客户", "系统:x", "由系统自动流转", "负责人由张三变更为李四"];
    for note in notes {
        assert!(is_system_note(FollowUpKind::Other, note), "{note}");
        assert!(!is_system_note(FollowUpKind::Phone, note), "{note}");
        let mut history = owned_by(staff(1));
        history.push(follow_up(FollowUpKind::Other, note, Actor::Staff(staff(1))).into());
        let customer: Customer = after(&history);
        assert_eq!(customer.follow_up_status(), Some(FollowUpStatus::NewUntouched));
        assert_eq!(customer.last_follow_up, None);
    }
    assert!(!is_system_note(FollowUpKind::Other, "客户说负责人由她妈妈决定"));
}

#[test]
fn a_follow_up_says_something() {
    let command = CustomerCommand::RecordFollowUp {
        id: FollowUpId(Uuid::from_u128(1)),
        kind: FollowUpKind::Phone,
        content: " \n".into(),
        next_follow_up_at: None,
        by: boss(),
        at: at(60),
    };
    given::<Customer>(owned_by(staff(1))).when(command).then_expect_error(CustomerError::EmptyFollowUp);
}

#[test]
fn a_deleted_lead_is_gone_for_every_command() {
    let delete = || CustomerCommand::Delete { by: boss(), at: at(70) };
    let deleted: CustomerEvent = CustomerDeleted { from: Some(staff(1)), by: boss(), at: at(70) }.into();
    let mut history = owned_by(staff(1));
    given::<Customer>(history.clone()).when(delete()).then_expect_events(vec![deleted.clone()]);
    history.push(deleted);
    let commands = [
        delete(),
        assign(staff(2)),
        release(80),
        claim(staff(2), 80),
        freeze(),
        update(ProfilePatch::default()),
    ];
    for command in commands {
        given::<Customer>(history.clone()).when(command).then_expect_error(CustomerError::NotFound);
    }
}

#[test]
fn a_signed_contract_is_dated_until_it_is_undone() {
    let changed = |from, to, seconds| {
        CustomerEvent::from(CustomerStatusChanged { from, to, by: boss(), at: at(seconds) })
    };
    let (pending, signed) = (ContractStatus::Pending, ContractStatus::Signed);
    let mut history = vec![created(), changed(pending, signed, 30)];
    assert_eq!(after::<Customer>(&history).signed_at, Some(at(30)));
    history.push(changed(signed, pending, 40));
    assert_eq!(after::<Customer>(&history).signed_at, None);
}

#[test]
fn the_rows_of_an_import_name_it() {
    let import = BatchId(Uuid::from_u128(9));
    let CustomerCommand::Create { number, profile, contract_status, lead_level, by, at, .. } =
        create(profile(), None)
    else {
        unreachable!("create makes a creation")
    };
    let placement = Placement::Owner(staff(1), "导入".into());
    let import_of = Some(import);
    let command = CustomerCommand::Create {
        number,
        profile,
        contract_status,
        lead_level,
        placement,
        import: import_of,
        by,
        at,
    };
    let events = Customer::default().decide(command).unwrap();
    assert!(matches!(&events[0], CustomerEvent::Created(e) if e.import == Some(import)));
    assert!(matches!(&events[1], CustomerEvent::Assigned(e) if e.source == AssignmentSource::Import(import)));
}
