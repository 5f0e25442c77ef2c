//! The targets while a plan is being made: how much room is left, and how the balances move with every lead.

use std::collections::{HashMap, HashSet};

use super::{NoPlace, Target};
use crate::ids::StaffId;

/// The targets in the rule's order, each once.
pub(super) struct Seats {
    seats: Vec<Target>,
    /// Where a person sits: the owner of a lead may be a target as well.
    places: HashMap<StaffId, usize>,
}

impl Seats {
    pub(super) fn new(targets: &[Target]) -> Self {
        let mut seen = HashSet::new();
        let seats: Vec<Target> = targets.iter().filter(|target| seen.insert(target.staff)).copied().collect();
        let places = seats.iter().enumerate().map(|(place, seat)| (seat.staff, place)).collect();
        Self { seats, places }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn balance(&self, place: usize) -> i64 {
        self.seats.get(place).map_or(0, |seat| seat.balance)
    }

    /// Whether the one who sits there may get a lead of this owner.
    pub(super) fn may_get(&self, place: usize, owner: StaffId) -> bool {
        self.seats.get(place).is_some_and(|seat| seat.staff != owner && seat.room != Some(0))
    }

    /// Hands a lead of `owner` to the one who sits there: one place less, and both balances move, so that a
    /// compensation is used up by what it brings.
    pub(super) fn give(&mut self, place: usize, owner: StaffId) -> StaffId {
        if let Some(loser) = self.places.get(&owner).and_then(|place| self.seats.get_mut(*place)) {
            loser.balance = loser.balance.saturating_add(1);
        }
        let gainer = &mut self.seats[place];
        gainer.room = gainer.room.map(|room| room.saturating_sub(1));
        gainer.balance = gainer.balance.saturating_sub(1);
        gainer.staff
    }

    /// Why nobody may get a lead of this owner.
    pub(super) fn why_not(&self, owner: StaffId) -> NoPlace {
        if self.seats.is_empty() {
            NoPlace::NoTargets
        } else if self.seats.iter().all(|seat| seat.staff == owner) {
            NoPlace::EveryTargetOwnsIt
        } else {
            NoPlace::NoRoom
        }
    }
}
