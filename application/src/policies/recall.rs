//! What must be taken back when a lead leaves its owner: notices that say "this lead is yours" and have not left
//! (notifications.md section 2, last row; docs/adr/0010-recall.md).
//!
//! Here is only who lost which lead. What of it is still waiting is a question of the moment, so the runner asks it.

use domain::customer::{CustomerEvent, CustomerReleased, CustomerTransferred};
use domain::{CustomerId, StaffId};

use super::{Fact, Reaction};
use crate::texts::kinds;

/// Why a delivery was taken back. Words of the delivery's record, on screens and in exports.
pub mod recall_reasons {
    /// Another person has the lead now.
    pub const LEAD_TRANSFERRED: &str = "lead_transferred";
    /// The lead went back to the pool.
    pub const LEAD_RELEASED: &str = "lead_released";
    /// The lead was deleted.
    pub const LEAD_DELETED: &str = "lead_deleted";
}

/// A lead that its owner no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The lead.
    pub customer: CustomerId,
    /// Who had it.
    pub former_owner: StaffId,
    /// How it went, one of [`recall_reasons`].
    pub reason: &'static str,
}

/// Whether somebody lost a lead with this, alone or as part of a batch.
pub fn loss(fact: &Fact) -> Option<Loss> {
    let Fact::Customer(customer, event) = fact else { return None };
    let (former_owner, reason) = match &**event {
        CustomerEvent::Transferred(CustomerTransferred { from, .. }) => {
            (*from, recall_reasons::LEAD_TRANSFERRED)
        }
        CustomerEvent::Released(CustomerReleased { from, .. }) => (*from, recall_reasons::LEAD_RELEASED),
        CustomerEvent::Deleted(deleted) => (deleted.from?, recall_reasons::LEAD_DELETED),
        CustomerEvent::Created(_)
        | CustomerEvent::Updated(_)
        | CustomerEvent::StatusChanged(_)
        | CustomerEvent::LevelChanged(_)
        | CustomerEvent::Assigned(_)
        | CustomerEvent::Claimed(_)
        | CustomerEvent::Frozen(_)
        | CustomerEvent::Unfrozen(_)
        | CustomerEvent::AutoTransferEnabled(_)
        | CustomerEvent::AutoTransferDisabled(_)
        | CustomerEvent::FollowedUp(_) => return None,
    };
    Some(Loss { customer: *customer, former_owner, reason })
}

impl Reaction {
    /// The one lead that its recipient learns to have gained. A summary of several is not taken back for one of them.
    pub fn gained(&self) -> Option<CustomerId> {
        match self.customers.as_slice() {
            [only] if kinds::LEAD_GAINED.contains(&self.scene) => Some(*only),
            _ => None,
        }
    }
}
