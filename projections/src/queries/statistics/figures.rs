//! Numbers about deliveries, and what they say.

use std::collections::BTreeMap;

use domain::notification::DeliveryState;
use serde::Serialize;

/// Key of what has no reason.
const UNNAMED: &str = "none";

/// How many deliveries stand where. `planned` is the sum of all of them but `attempted`, `delivered` (a part of
/// `accepted`) and `requested`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Decisions.
    pub planned: i64,
    /// What was to reach somebody through this channel: neither suppressed, nor merged, nor a standby that was not
    /// needed.
    pub requested: i64,
    /// What was tried at least once.
    pub attempted: i64,
    /// Waiting for an attempt, or under way.
    pub waiting: i64,
    /// Waiting for a time or for the channel before it.
    pub held: i64,
    /// Taken by the provider or the inbox.
    pub accepted: i64,
    /// Those of them that are proven to have arrived.
    pub delivered: i64,
    /// Refused for good, by who must act.
    pub rejected: BTreeMap<String, i64>,
    /// Nobody knows whether it arrived.
    pub unknown: i64,
    /// Dead letters.
    pub dead: i64,
    /// Told as part of another notice.
    pub merged: i64,
    /// Taken back, given up, or not needed.
    pub cancelled: i64,
    /// Not sent, by reason.
    pub suppressed: BTreeMap<String, i64>,
}

impl Tally {
    /// Counts `number` deliveries in `state`; `because` is the class of a refusal or the reason of a suppression.
    pub(super) fn add(&mut self, state: DeliveryState, because: Option<&str>, attempted: bool, number: i64) {
        self.planned += number;
        self.attempted += if attempted { number } else { 0 };
        let requested = match state {
            DeliveryState::Suppressed | DeliveryState::Merged => false,
            DeliveryState::Cancelled | DeliveryState::Held => attempted,
            _ => true,
        };
        self.requested += if requested { number } else { 0 };
        let place = match state {
            DeliveryState::Pending | DeliveryState::InFlight | DeliveryState::Retry => &mut self.waiting,
            DeliveryState::Held => &mut self.held,
            DeliveryState::Accepted => &mut self.accepted,
            DeliveryState::Delivered => {
                self.delivered += number;
                &mut self.accepted
            }
            DeliveryState::Unknown => &mut self.unknown,
            DeliveryState::Dead => &mut self.dead,
            DeliveryState::Merged => &mut self.merged,
            DeliveryState::Cancelled => &mut self.cancelled,
            DeliveryState::Rejected => {
                self.rejected.entry(because.unwrap_or(UNNAMED).to_owned()).or_default()
            }
            DeliveryState::Suppressed => {
                self.suppressed.entry(because.unwrap_or(UNNAMED).to_owned()).or_default()
            }
        };
        *place += number;
    }

    /// What the numbers say.
    pub fn rates(&self) -> Rates {
        let rejected: i64 = self.rejected.values().sum();
        let concluded = self.accepted + rejected + self.unknown + self.dead;
        Rates {
            success: share(self.accepted, concluded),
            sent: share(self.attempted, self.requested),
            arrival: share(self.delivered, self.accepted),
        }
    }
}

/// Shares between 0 and 1; `None` where there is nothing to take a share of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Accepted among all that ended.
    pub success: Option<f64>,
    /// Tried among all that were requested.
    pub sent: Option<f64>,
    /// Proven to have arrived among all that were accepted.
    pub arrival: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 messages")]
pub(super) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How long each part of the way took, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Latencies {
    /// From the commit to the first attempt.
    pub called: Percentiles,
    /// From the commit until the provider took it.
    pub accepted: Percentiles,
    /// From then until the proof of arrival.
    pub delivered: Percentiles,
    /// From the arrival, or the acceptance where there is no proof, until the person read the notice.
    pub read: Percentiles,
}

/// Percentiles by nearest rank: values that were measured, not interpolated ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: i64,
    /// Half of them took no longer.
    pub p50: Option<i64>,
    /// 90 % took no longer.
    pub p90: Option<i64>,
    /// 99 % took no longer.
    pub p99: Option<i64>,
    /// The longest.
    pub max: Option<i64>,
}

impl Percentiles {
    /// Of these values.
    pub fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        let rank = |percent: usize| {
            let place = (values.len() * percent).div_ceil(100).max(1);
            values.get(place - 1).copied()
        };
        Self {
            count: i64::try_from(values.len()).unwrap_or(i64::MAX),
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: values.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        assert_eq!(Percentiles::of(vec![]), Percentiles::default());
        let of = |values: Vec<i64>| {
            let found = Percentiles::of(values);
            (found.count, found.p50.unwrap(), found.p90.unwrap(), found.p99.unwrap(), found.max.unwrap())
        };
        assert_eq!(of(vec![7]), (1, 7, 7, 7, 7));
        assert_eq!(of(vec![3, 1, 2]), (3, 2, 3, 3, 3));
        assert_eq!(of((1..=100).rev().collect()), (100, 50, 90, 99, 100));
    }

    #[test]
    fn the_places_add_up_to_what_was_planned() {
        let mut tally = Tally::default();
        for state in DeliveryState::ALL {
            tally.add(*state, Some("x"), true, 2);
        }
        let places = tally.waiting
            + tally.held
            + tally.accepted
            + tally.rejected["x"]
            + tally.unknown
            + tally.dead
            + tally.merged
            + tally.cancelled
            + tally.suppressed["x"];
        assert_eq!((places, tally.delivered), (tally.planned, 2));
    }

    #[test]
    fn nothing_has_no_rate() {
        assert_eq!(Tally::default().rates(), Rates::default());
        let mut tally = Tally::default();
        tally.add(DeliveryState::Accepted, None, true, 3);
        tally.add(DeliveryState::Dead, None, true, 1);
        assert_eq!(tally.rates(), Rates { success: Some(0.75), sent: Some(1.0), arrival: Some(0.0) });
    }
}
