//! Balanced random: every target is drawn with the weight `1 + (balance > 0 ? balance × priority : 0)`, the formula
//! that system A promised and never ran (fault A-26h).

use super::chance::Chance;
use super::seats::Seats;
use crate::ids::StaffId;
use crate::transfer_rule::Distribution;

/// Most one target may weigh: the weights of as many targets as a rule may have stay far below 2^64.
const WEIGHT_MAX: u64 = u32::MAX as u64;

/// Draws a target who may get a lead of this owner.
pub(super) fn draw(
    seats: &Seats,
    owner: StaffId,
    distribution: Distribution,
    chance: &mut Chance,
) -> Option<usize> {
    let weighed = || {
        let open = (0..seats.len()).filter(|place| seats.may_get(*place, owner));
        open.map(|place| (place, weight(seats.balance(place), distribution)))
    };
    let total: u64 = weighed().map(|(_, weight)| weight).sum();
    if total == 0 {
        return None; // nobody may get it: whoever may weighs at least 1
    }
    let mut left = chance.below(total);
    weighed()
        .find(|(_, weight)| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        })
        .map(|(place, _)| place)
}

/// What a balance weighs.
pub(super) fn weight(balance: i64, distribution: Distribution) -> u64 {
    let lost = u64::try_from(balance).unwrap_or(0);
    let priority = u64::from(distribution.compensation_priority);
    let compensation = if distribution.enable_compensation { lost.saturating_mul(priority) } else { 0 };
    compensation.saturating_add(1).min(WEIGHT_MAX)
}
