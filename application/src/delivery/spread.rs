//! Half the world schedules for the full and the half hour, and providers are slow and strict then (wechat-apis.md
//! section 8): what is planned for such a minute is spread over the two that follow.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use domain::StaffId;

/// Most that something is moved back.
const SPREAD_MILLISECONDS_MAX: u128 = 120_000;

/// The two minutes of an hour that everybody chooses. All zones our providers and people live in agree on them.
const CROWDED_EVERY_MINUTES: u32 = 30;

/// `at`, or a moment at most two minutes later when `at` lies in a minute that everybody chooses.
///
/// The same person always gets the same moment: all that was held for somebody becomes due together and can be told
/// as one.
pub fn spread(at: DateTime<Utc>, recipient: StaffId) -> DateTime<Utc> {
    if !at.minute().is_multiple_of(CROWDED_EVERY_MINUTES) {
        return at;
    }
    let share = recipient.0.as_u128() % (SPREAD_MILLISECONDS_MAX + 1);
    let later = i64::try_from(share).ok().and_then(TimeDelta::try_milliseconds);
    later.and_then(|later| at.checked_add_signed(later)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    fn someone(n: u128) -> StaffId {
        StaffId(Uuid::from_u128(n))
    }

    #[test]
    fn only_the_full_and_the_half_hour_are_spread() {
        for (at, spread_to) in [
            ("2026-03-01T00:00:00Z", "2026-03-01T00:01:00Z"),
            ("2026-03-01T00:30:59Z", "2026-03-01T00:31:59Z"),
            ("2026-03-01T00:29:59.999Z", "2026-03-01T00:29:59.999Z"),
            ("2026-03-01T00:01:00Z", "2026-03-01T00:01:00Z"),
            ("2026-03-01T00:31:00Z", "2026-03-01T00:31:00Z"),
        ] {
            let expected: DateTime<Utc> = spread_to.parse().unwrap();
            assert_eq!(spread(at.parse().unwrap(), someone(60_000)), expected, "{at}");
        }
    }

    #[test]
    fn people_are_spread_over_two_minutes_and_each_keeps_a_moment() {
        let at: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let person = |n: u128| someone(n.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
        let moments: BTreeSet<DateTime<Utc>> = (0..1000).map(|n| spread(at, person(n))).collect();
        assert!(moments.len() > 900, "{}", moments.len());
        assert!(moments.iter().all(|moment| (0..=120_000).contains(&(*moment - at).num_milliseconds())));
        assert!(moments.last().is_some_and(|last| *last - at > TimeDelta::seconds(100)));
        assert_eq!(spread(at, person(7)), spread(at, person(7)));
    }
}
