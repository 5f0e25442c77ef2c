//! Leads that come by themselves.

use domain::customer::{Ownership, ServiceCategory};

use super::*;

fn form(n: usize, phone_of: usize) -> WebsiteLead {
    WebsiteLead {
        id: lead(n),
        name: "王女士".into(),
        phone: phone(phone_of),
        service_category: Some(ServiceCategory::ALL[0]),
        remarks: None,
    }
}

fn by_the_website() -> CommandContext {
    let mut context = context(ADMIN, 5);
    context.metadata.actor = Actor::System(WEBSITE.into());
    context
}

fn submit(bus: &Memory, n: usize, phone_of: usize, default_owner: Option<usize>) -> Submitted {
    let owner = default_owner.map(staff);
    ready(website_lead(bus, &Numbers, &by_the_website(), owner, form(n, phone_of))).unwrap()
}

#[test]
fn they_wait_in_the_pool_and_nobody_made_them() {
    let bus = office();
    assert!(matches!(submit(&bus, 0, 0, None), Submitted::Lead(_)));
    let customer = bus.customer(0);
    assert_eq!(customer.created.as_ref().map(|c| c.by.clone()), Some(Actor::System("官网".into())));
    assert!(matches!(customer.ownership, Ownership::InPool { former_owner: None, .. }));
    assert_eq!(customer.profile.lead_source, Some(LeadSource::Website));
    assert_eq!(
        (customer.contract_status, customer.lead_level),
        (Some(ContractStatus::Pending), Some(LeadLevel::O))
    );
}

#[test]
fn they_go_to_the_default_owner_while_that_person_may_own_leads() {
    let bus = office();
    submit(&bus, 0, 0, Some(EMPLOYEE));
    assert_eq!((bus.customer(0).owner(), bus.held(EMPLOYEE)), (Some(staff(EMPLOYEE)), 1));
    let by = Actor::System("test".into());
    let suspend = StaffCommand::Suspend { by, at: at(1) };
    ready(crate::staff::command(&bus, &context(ADMIN, 1), staff(EMPLOYEE), suspend)).unwrap();
    submit(&bus, 1, 1, Some(EMPLOYEE));
    assert!(bus.customer(1).in_pool());
    assert_eq!(bus.held(EMPLOYEE), 1);
}

#[test]
fn a_known_phone_changes_nothing() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    let head = bus.head();
    assert_eq!(submit(&bus, 1, 0, None), Submitted::Known);
    assert_eq!(bus.head(), head);
    assert!(!bus.customer(1).exists());
    assert_eq!(bus.customer(0).owner(), Some(staff(EMPLOYEE)));
}

#[test]
fn a_key_is_used_up_whether_the_phone_was_known_or_not() {
    let bus = office();
    bus.owned(EMPLOYEE, [0]);
    for phone_of in [0, 1] {
        let keyed = CommandContext { fingerprint: Some("first".into()), ..by_the_website() };
        let other = CommandContext { fingerprint: Some("other".into()), ..keyed.clone() };
        let send = |context, phone_of| {
            ready(website_lead(&bus, &Numbers, context, None, form(7 + phone_of, phone_of)))
        };
        assert!(send(&keyed, phone_of).is_ok());
        assert!(send(&keyed, phone_of).is_ok(), "the same form again");
        let reused = send(&other, 5);
        assert!(
            matches!(reused, Err(ExecuteError::Append(AppendError::KeyReused))),
            "{phone_of}: {reused:?}"
        );
    }
}
