//! Who has a lead. Pool membership is a state of its own, apart from the level (fault A-34), and there is one way
//! into each state, so that what belongs together is always set together (faults ).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::events::{AssignmentSource, CustomerAssigned, CustomerEvent, CustomerTransferred};
use super::{Customer, CustomerError};
use crate::envelope::Actor;
use crate::ids::StaffId;

/// Who has the lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Ownership {
    /// Nobody yet.
    #[default]
    Unassigned,
    /// One person.
    Owned {
        /// The owner.
        owner: StaffId,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Nobody: it waits in the public pool 公海 for whoever claims it.
    InPool {
        /// Since when.
        since: DateTime<Utc>,
        /// Why it is there.
        reason: String,
        /// Who had it before; `None` when it began there.
        former_owner: Option<StaffId>,
    },
}

impl Ownership {
    /// Whether it is in the public pool.
    pub fn in_pool(&self) -> bool {
        matches!(self, Self::InPool { .. })
    }
}

impl Customer {
    /// The owner, if somebody owns it.
    pub fn owner(&self) -> Option<StaffId> {
        match self.ownership {
            Ownership::Owned { owner, .. } => Some(owner),
            Ownership::Unassigned | Ownership::InPool { .. } => None,
        }
    }

    /// Since when the owner has it.
    pub fn assigned_at(&self) -> Option<DateTime<Utc>> {
        match self.ownership {
            Ownership::Owned { since, .. } => Some(since),
            Ownership::Unassigned | Ownership::InPool { .. } => None,
        }
    }

    /// Whether it waits in the public pool.
    pub fn in_pool(&self) -> bool {
        self.ownership.in_pool()
    }

    /// The event that makes `to` the owner: assigned when nobody had it, transferred when somebody did.
    pub(super) fn handed_to(
        &self,
        to: StaffId,
        reason: Option<String>,
        source: AssignmentSource,
        by: Actor,
        at: DateTime<Utc>,
    ) -> CustomerEvent {
        let out_of_pool = self.in_pool();
        match self.owner() {
            None => CustomerAssigned { to, by, reason, source, out_of_pool, at }.into(),
            Some(from) => CustomerTransferred { from, to, by, reason, source, at }.into(),
        }
    }

    /// Refuses when it is not in the pool, or when `claimer` gave it back so recently that others come first.
    pub(super) fn require_claimable(
        &self,
        claimer: StaffId,
        cool_off: Option<TimeDelta>,
        at: DateTime<Utc>,
    ) -> Result<(), CustomerError> {
        let Ownership::InPool { since, former_owner, .. } = &self.ownership else {
            return Err(CustomerError::NotInPool);
        };
        let until = cool_off.map(|wait| *since + wait).filter(|until| at < *until);
        match until {
            Some(until) if *former_owner == Some(claimer) => Err(CustomerError::CoolOff { until }),
            _ => Ok(()),
        }
    }

    /// The one way into `Owned`.
    pub(super) fn owned_by(
        &mut self,
        owner: StaffId,
        by: &Actor,
        reason: Option<&String>,
        at: DateTime<Utc>,
    ) {
        self.ownership = Ownership::Owned { owner, since: at };
        self.assigned_by = Some(by.clone());
        self.assignment_reason = reason.cloned();
        self.recycle_warnings.clear();
        self.touched(at);
    }

    /// The one way into `InPool`. Level, status and idle clock stay as they are.
    pub(super) fn pooled(&mut self, reason: &str, former_owner: Option<StaffId>, at: DateTime<Utc>) {
        self.ownership = Ownership::InPool { since: at, reason: reason.to_owned(), former_owner };
        self.recycle_warnings.clear();
        self.updated_at = Some(at);
    }
}
