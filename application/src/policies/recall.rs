//! What must be taken back when a lead leaves its owner: notices that say "this lead is yours" and have not left
//! (notifications.md section 2, last row; docs/adr/0010-recall.md).
//!
//! Here is only who lost which lead. What of it is still waiting is a question of the moment, so the runner asks it.

use domain::customer::{
    ContractStatus, Customer, CustomerEvent, CustomerReleased, CustomerTransferred, is_system_note,
};
use domain::{CustomerId, StaffId};

use super::{Fact, Reaction};
use crate::texts::kinds;

/// Why a delivery was taken back. Words of the delivery's record, on screens and in exports.
pub mod recall_reasons {
    /// Another person has the lead now.
    pub const LEAD_TRANSFERRED: &str = "lead_transferred";
    /// The lead went back to the pool.
    pub const LEAD_RELEASED: &str = "lead_released";
    /// A rule put the lead back into the pool.
    pub const LEAD_RECYCLED: &str = "lead_recycled";
    /// Somebody followed up, which is what the message asked for.
    pub const LEAD_FOLLOWED_UP: &str = "lead_followed_up";
    /// The lead is signed: no rule puts it into the pool.
    pub const LEAD_SIGNED: &str = "lead_signed";
    /// The lead must stay where it is: no rule puts it into the pool.
    pub const LEAD_FROZEN: &str = "lead_frozen";
    /// The lead was deleted.
    pub const LEAD_DELETED: &str = "lead_deleted";
}

/// A lead that its owner no longer has, or no longer has to be warned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The lead.
    pub customer: CustomerId,
    /// Who had it, or who was warned.
    pub former_owner: StaffId,
    /// What of it is untrue now.
    pub untrue: Untrue,
    /// How it went, one of [`recall_reasons`].
    pub reason: &'static str,
}

/// Which messages about a lead are untrue, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untrue {
    /// That the person has it, and that the person should act on it.
    Everything,
    /// That the person should act on it.
    Warnings,
    /// That it goes back into the pool.
    Fall,
}

impl Loss {
    /// Whether a message of this kind is taken back.
    pub fn takes_back(&self, scene: &str) -> bool {
        match self.untrue {
            Untrue::Everything => true,
            Untrue::Warnings => kinds::LEAD_WARNED.contains(&scene),
            Untrue::Fall => scene == kinds::CUSTOMER_RECYCLE_WARNING,
        }
    }
}

/// Whether somebody lost a lead with this, alone or as part of a batch, or did what a warning asked for. `after` is the
/// lead right after it; without it no warning is taken back.
pub fn loss(fact: &Fact, after: Option<&Customer>) -> Option<Loss> {
    let Fact::Customer(customer, event) = fact else { return None };
    let mut untrue = Untrue::Everything;
    let (former_owner, reason) = match &**event {
        CustomerEvent::Transferred(CustomerTransferred { from, .. }) => {
            (*from, recall_reasons::LEAD_TRANSFERRED)
        }
        CustomerEvent::Released(CustomerReleased { from, .. }) => (*from, recall_reasons::LEAD_RELEASED),
        CustomerEvent::Recycled(recycled) => (recycled.from, recall_reasons::LEAD_RECYCLED),
        CustomerEvent::Deleted(deleted) => (deleted.from?, recall_reasons::LEAD_DELETED),
        CustomerEvent::FollowedUp(followed) if !is_system_note(followed.kind, &followed.content) => {
            untrue = Untrue::Warnings;
            (after?.owner()?, recall_reasons::LEAD_FOLLOWED_UP)
        }
        CustomerEvent::StatusChanged(changed) if changed.to == ContractStatus::Signed => {
            untrue = Untrue::Fall;
            (after?.owner()?, recall_reasons::LEAD_SIGNED)
        }
        CustomerEvent::Frozen(_) => {
            untrue = Untrue::Fall;
            (after?.owner()?, recall_reasons::LEAD_FROZEN)
        }
        CustomerEvent::Created(_)
        | CustomerEvent::Updated(_)
        | CustomerEvent::StatusChanged(_)
        | CustomerEvent::LevelChanged(_)
        | CustomerEvent::Assigned(_)
        | CustomerEvent::Claimed(_)
        | CustomerEvent::Unfrozen(_)
        | CustomerEvent::AutoTransferEnabled(_)
        | CustomerEvent::AutoTransferDisabled(_)
        | CustomerEvent::RecycleWarned(_)
        | CustomerEvent::FollowUpDue(_)
        | CustomerEvent::FollowedUp(_) => return None,
    };
    Some(Loss { customer: *customer, former_owner, untrue, reason })
}

impl Reaction {
    /// The one lead that its recipient learns to have gained, or is told to act on: with the lead the message goes. A
    /// summary of several is not taken back for one of them.
    pub fn gained(&self) -> Option<CustomerId> {
        let goes = kinds::LEAD_GAINED.contains(&self.scene) || kinds::LEAD_WARNED.contains(&self.scene);
        match self.customers.as_slice() {
            [only] if goes => Some(*only),
            _ => None,
        }
    }
}
