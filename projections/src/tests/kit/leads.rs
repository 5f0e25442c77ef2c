//! What happens to leads and to the people who work with them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerAssigned, CustomerClaimed, CustomerCreated, CustomerDeleted,
    CustomerEvent, CustomerNumber, CustomerReleased, CustomerStatusChanged, CustomerTransferred,
    FollowUpKind, FollowUpRecorded, LeadLevel, Profile,
};
use domain::staff::{Role, StaffEvent, StaffRegistered};
use domain::{Actor, FollowUpId};

use super::{by, dawn, staff};

pub(in crate::tests) fn profile(name: &str) -> Profile {
    Profile { name: name.to_owned(), ..Profile::default() }
}

pub(in crate::tests) fn with_phone(name: &str, phone: &str) -> Profile {
    Profile { phone: Some(Phone::parse(phone).unwrap()), ..profile(name) }
}

pub(in crate::tests) fn created(n: u128, profile: Profile, at: DateTime<Utc>) -> CustomerEvent {
    let number = CustomerNumber::nth(u64::try_from(n).unwrap());
    let (contract_status, lead_level) = (ContractStatus::Matching, LeadLevel::A);
    let (pooled, import, by) = (None, None, by(1));
    CustomerCreated { number, profile, contract_status, lead_level, pooled, import, by, at }.into()
}

pub(in crate::tests) fn assigned(to: u128, at: DateTime<Utc>) -> CustomerEvent {
    let reason = Some("离得近".to_owned());
    let (source, out_of_pool) = (AssignmentSource::Manual, false);
    CustomerAssigned { to: staff(to), by: by(1), reason, source, out_of_pool, at }.into()
}

pub(in crate::tests) fn transferred(from: u128, to: u128, at: DateTime<Utc>) -> CustomerEvent {
    let by = Actor::System("rule".to_owned());
    let source = AssignmentSource::MiniProgram;
    CustomerTransferred { from: staff(from), to: staff(to), by, reason: None, source, at }.into()
}

/// Created into the public pool.
pub(in crate::tests) fn pooled(n: u128, profile: Profile, at: DateTime<Utc>) -> CustomerEvent {
    match created(n, profile, at) {
        CustomerEvent::Created(e) => CustomerCreated {
            pooled: Some("官网留资".to_owned()),
            by: Actor::System("website".to_owned()),
            ..e
        }
        .into(),
        other => other,
    }
}

pub(in crate::tests) fn released(from: u128, at: DateTime<Utc>) -> CustomerEvent {
    let reason = "客户不需要了".to_owned();
    CustomerReleased { from: staff(from), by: by(from), reason, batch: None, at }.into()
}

pub(in crate::tests) fn claimed(by: u128, at: DateTime<Utc>) -> CustomerEvent {
    CustomerClaimed { by: staff(by), at }.into()
}

/// Given to somebody out of the public pool.
pub(in crate::tests) fn assigned_from_pool(to: u128, at: DateTime<Utc>) -> CustomerEvent {
    match assigned(to, at) {
        CustomerEvent::Assigned(e) => {
            CustomerAssigned { out_of_pool: true, source: AssignmentSource::Pool, ..e }.into()
        }
        other => other,
    }
}

pub(in crate::tests) fn followed_up(
    id: u128,
    author: u128,
    content: &str,
    at: DateTime<Utc>,
) -> CustomerEvent {
    FollowUpRecorded {
        id: FollowUpId(uuid::Uuid::from_u128(id)),
        kind: FollowUpKind::Other,
        content: content.to_owned(),
        next_follow_up_at: Some(at + TimeDelta::days(1)),
        by: by(author),
        at,
    }
    .into()
}

pub(in crate::tests) fn deleted(from: Option<u128>, at: DateTime<Utc>) -> CustomerEvent {
    CustomerDeleted { from: from.map(staff), by: by(1), at }.into()
}

pub(in crate::tests) fn moved_to(to: ContractStatus, at: DateTime<Utc>) -> CustomerEvent {
    CustomerStatusChanged { from: ContractStatus::Matching, to, by: by(2), at }.into()
}

pub(in crate::tests) fn registered(n: u128, name: &str) -> StaffEvent {
    StaffRegistered {
        username: format!("user{n}"),
        name: name.to_owned(),
        role: Role::Employee,
        department: Some("一部".to_owned()),
        phone: None,
        email: None,
        by: Actor::System("cli".to_owned()),
        at: dawn(),
    }
    .into()
}
