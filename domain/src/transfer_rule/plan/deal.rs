//! Round robin: the shuffled leads are dealt one by one in the order of the rule's targets.

use super::seats::Seats;
use crate::ids::StaffId;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Pointer(usize);

impl Pointer {
    /// The next target who may get a lead of this owner, and the turn passes to the one after. Whoever is skipped
    /// waits for the next round, as in system A (existing-systems.md section 5.3, number 7).
    pub(super) fn next(&mut self, seats: &Seats, owner: StaffId) -> Option<usize> {
        let count = seats.len();
        let chosen =
            (0..count).map(|step| (self.0 + step) % count).find(|place| seats.may_get(*place, owner))?;
        self.0 = (chosen + 1) % count;
        Some(chosen)
    }
}
