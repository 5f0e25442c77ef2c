//! The staff as the policy needs them: names, roles, who is active, where WeChat reaches them.

use std::collections::BTreeMap;

use domain::staff::{Role, Staff, StaffEvent};
use domain::{Actor, Aggregate, StaffId};

use crate::customers::WEBSITE;

/// Shown for a person whose account the log does not know.
const UNKNOWN_PERSON: &str = "未知用户";
/// Shown for an act of no person.
const SYSTEM: &str = "系统";

/// Who hears of every new customer (existing-systems.md section 4.2), if active (fault A-23d).
const SUPERVISORS: [Role; 3] = [Role::Admin, Role::Manager, Role::Operator];

/// Every member of staff, folded from the staff events up to one position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StaffDirectory {
    staff: BTreeMap<StaffId, Staff>,
}

impl StaffDirectory {
    /// Folds one event in.
    pub fn evolve(&mut self, staff: StaffId, event: &StaffEvent) {
        self.staff.entry(staff).or_default().evolve(event);
    }

    /// One person.
    pub fn get(&self, staff: StaffId) -> Option<&Staff> {
        self.staff.get(&staff)
    }

    /// Whether the person has an account that is not cut off.
    pub fn is_active(&self, staff: StaffId) -> bool {
        self.get(staff).is_some_and(Staff::is_active)
    }

    /// What the person is; `None` without an account.
    pub fn role(&self, staff: StaffId) -> Option<Role> {
        Some(self.get(staff)?.account.as_ref()?.role)
    }

    /// Everybody, in the order of their ids.
    pub fn everybody(&self) -> impl Iterator<Item = StaffId> + '_ {
        self.staff.keys().copied()
    }

    /// Everybody who is this, in the order of their ids.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = StaffId> + '_ {
        let is_one = move |staff: &Staff| staff.account.as_ref().is_some_and(|account| account.role == role);
        self.staff.iter().filter(move |(_, staff)| is_one(staff)).map(|(id, _)| *id)
    }

    /// The name on screens.
    pub fn name(&self, staff: StaffId) -> &str {
        self.get(staff)
            .and_then(|staff| staff.account.as_ref())
            .map_or(UNKNOWN_PERSON, |account| &account.name)
    }

    /// The name of whoever acted.
    pub fn actor_name(&self, actor: &Actor) -> &str {
        match actor {
            Actor::Staff(staff) => self.name(*staff),
            Actor::System(name) if name == WEBSITE => WEBSITE,
            Actor::System(_) => SYSTEM,
        }
    }

    /// Every active admin, manager and operator, in the order of their ids.
    pub fn supervisors(&self) -> impl Iterator<Item = StaffId> {
        let is_one = |role: Role| SUPERVISORS.contains(&role);
        let active = self.staff.iter().filter(|(_, staff)| staff.is_active());
        active.map(|(id, _)| *id).filter(move |id| self.role(*id).is_some_and(is_one))
    }
}
