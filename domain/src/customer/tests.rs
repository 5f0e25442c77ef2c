//! The customer's rules, one sentence each.

mod moves;
mod properties;
mod rules;

use super::*;
use crate::contact::{Phone, WechatId};
use crate::ids::StaffId;
use crate::testing::{after, at, boss, given, staff};

fn profile() -> Profile {
    Profile {
        name: "王女士".into(),
        lead_source: Some(LeadSource::Meituan),
        phone: Phone::parse("13812348999").ok(),
        ..Profile::default()
    }
}

fn create(profile: Profile, owner: Option<(StaffId, String)>) -> CustomerCommand {
    let placement = owner.map_or(Placement::Nobody, |(owner, reason)| Placement::Owner(owner, reason));
    create_at(profile, placement)
}

fn create_at(profile: Profile, placement: Placement) -> CustomerCommand {
    CustomerCommand::Create {
        number: CustomerNumber::nth(1),
        profile: Box::new(profile),
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::B,
        placement,
        import: None,
        by: boss(),
        at: at(0),
    }
}

fn update(changes: ProfilePatch) -> CustomerCommand {
    CustomerCommand::Update {
        changes: Box::new(changes),
        contract_status: None,
        lead_level: None,
        by: boss(),
        at: at(10),
    }
}

fn assign(to: StaffId) -> CustomerCommand {
    let reason = Some("换班".to_owned());
    CustomerCommand::Assign { to, reason, source: AssignmentSource::Manual, by: boss(), at: at(20) }
}

fn created() -> CustomerEvent {
    CustomerCreated {
        number: CustomerNumber::nth(1),
        profile: profile(),
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::B,
        pooled: None,
        import: None,
        by: boss(),
        at: at(0),
    }
    .into()
}

fn assigned(to: StaffId, reason: &str, source: AssignmentSource, seconds: i64) -> CustomerEvent {
    let out_of_pool = false;
    CustomerAssigned { to, by: boss(), reason: Some(reason.into()), source, out_of_pool, at: at(seconds) }
        .into()
}

fn owned_by(owner: StaffId) -> Vec<CustomerEvent> {
    vec![created(), assigned(owner, "创建默认分配给创建人", AssignmentSource::Create, 0)]
}

fn transferred(from: StaffId, to: StaffId) -> CustomerEvent {
    CustomerTransferred {
        from,
        to,
        by: boss(),
        reason: Some("换班".into()),
        source: AssignmentSource::Manual,
        at: at(20),
    }
    .into()
}

#[test]
fn a_lead_without_an_owner_is_only_created() {
    given::<Customer>(vec![]).when(create(profile(), None)).then_expect_events(vec![created()]);
}

#[test]
fn a_lead_with_an_owner_is_created_and_assigned_in_one_breath() {
    let owner = Some((staff(1), "创建默认分配给创建人".to_owned()));
    given::<Customer>(vec![]).when(create(profile(), owner)).then_expect_events(owned_by(staff(1)));
}

#[test]
fn a_lead_is_created_once() {
    given::<Customer>(vec![created()])
        .when(create(profile(), None))
        .then_expect_error(CustomerError::AlreadyExists);
}

#[test]
fn a_lead_needs_a_name() {
    let nameless = Profile { name: " ".into(), ..profile() };
    given::<Customer>(vec![]).when(create(nameless, None)).then_expect_error_message("客户姓名不能为空");
}

#[test]
fn a_lead_needs_a_phone_or_a_wechat_id() {
    let unreachable = Profile { phone: None, ..profile() };
    given::<Customer>(vec![])
        .when(create(unreachable.clone(), None))
        .then_expect_error_message("请填写手机号或微信号");

    let by_wechat = Profile { wechat_id: WechatId::parse("wang_88").unwrap(), ..unreachable };
    let decided = Customer::default().decide(create(by_wechat, None)).unwrap();
    assert_eq!(decided.len(), 1);
}

#[test]
fn a_lead_that_nobody_has_is_assigned() {
    given::<Customer>(vec![created()]).when(assign(staff(1))).then_expect_events(vec![assigned(
        staff(1),
        "换班",
        AssignmentSource::Manual,
        20,
    )]);
}

#[test]
fn a_lead_that_somebody_has_is_transferred() {
    given::<Customer>(owned_by(staff(1)))
        .when(assign(staff(2)))
        .then_expect_events(vec![transferred(staff(1), staff(2))]);
}

#[test]
fn a_lead_given_to_its_owner_stays_and_nobody_is_told() {
    given::<Customer>(owned_by(staff(1))).when(assign(staff(1))).then_expect_events(vec![]);
}

#[test]
fn a_lead_that_does_not_exist_cannot_be_changed() {
    for command in [assign(staff(1)), update(ProfilePatch::default())] {
        given::<Customer>(vec![]).when(command).then_expect_error_message("客户不存在");
    }
}

#[test]
fn an_update_records_only_the_fields_that_differ() {
    let changes =
        ProfilePatch {
            name: Some("王女士".into()), home_area: Some(Some(120)), ..ProfilePatch::default()
        };
    let differing = ProfilePatch { home_area: Some(Some(120)), ..ProfilePatch::default() };
    given::<Customer>(vec![created()])
        .when(update(changes))
        .then_expect_events(vec![CustomerUpdated { changes: differing, by: boss(), at: at(10) }.into()]);
}

#[test]
fn an_update_that_changes_nothing_is_no_event() {
    let changes =
        ProfilePatch { phone: Some(profile().phone), address: Some(None), ..ProfilePatch::default() };
    given::<Customer>(owned_by(staff(1))).when(update(changes)).then_expect_events(vec![]);
}

#[test]
fn status_and_level_have_events_of_their_own() {
    let by = boss();
    let command = CustomerCommand::Update {
        changes: Box::default(),
        contract_status: Some(ContractStatus::Signed),
        lead_level: Some(LeadLevel::O),
        by: by.clone(),
        at: at(10),
    };
    let (from, to) = (ContractStatus::Pending, ContractStatus::Signed);
    let status = CustomerStatusChanged { from, to, by: by.clone(), at: at(10) };
    let level = CustomerLevelChanged { from: LeadLevel::B, to: LeadLevel::O, by, at: at(10) };
    given::<Customer>(vec![created()]).when(command).then_expect_events(vec![status.into(), level.into()]);
}

#[test]
fn the_last_way_to_reach_a_customer_stays() {
    let changes = ProfilePatch { phone: Some(None), ..ProfilePatch::default() };
    given::<Customer>(vec![created()]).when(update(changes)).then_expect_error(CustomerError::MissingContact);
}

#[test]
fn a_name_cannot_be_blanked() {
    let changes = ProfilePatch { name: Some("  ".into()), ..ProfilePatch::default() };
    given::<Customer>(vec![created()]).when(update(changes)).then_expect_error(CustomerError::MissingName);
}

#[test]
fn whoever_owns_a_lead_has_it_with_actor_reason_time_and_a_fresh_idle_clock() {
    let mut history = owned_by(staff(1));
    history.push(transferred(staff(1), staff(2)));
    let customer: Customer = after(&history);
    assert_eq!((customer.owner(), customer.assigned_at()), (Some(staff(2)), Some(at(20))));
    assert_eq!(customer.assigned_by, Some(boss()));
    assert_eq!(customer.assignment_reason.as_deref(), Some("换班"));
    assert_eq!((customer.last_activity_at, customer.last_transferred_at), (Some(at(20)), Some(at(20))));
    assert_eq!(customer.transfer_count, 1);
    assert!(customer.created_by(staff(99)) && !customer.created_by(staff(2)));
}

#[test]
fn the_follow_up_status_tells_new_from_transferred_and_nothing_of_the_signed() {
    let owner = assigned(staff(1), "r", AssignmentSource::Manual, 1);
    let (new, gone) = (FollowUpStatus::NewUntouched, FollowUpStatus::TransferredUntouched);
    let mut customer: Customer = after(&[created(), owner]);
    assert_eq!(customer.follow_up_status(), Some(new));
    customer.transfer_count = 1;
    assert_eq!(customer.follow_up_status(), Some(gone));
    customer.lead_level = Some(LeadLevel::O);
    assert_eq!(customer.follow_up_status(), None);
    customer.lead_level = Some(LeadLevel::A);
    customer.contract_status = Some(ContractStatus::Signed);
    assert_eq!(customer.follow_up_status(), None);
}
