//! How many leads a person may own and claim, and the counts that hold them to it inside the append (product.md G12).
//!
//! Every change of ownership counts, whoever is held to the limit, so that a limit can be switched on at any moment.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::StaffId;
use domain::staff::Role;

use super::Refusal;
use crate::bus::{CommandBus, CountKind, ExecuteError, GuardChange, LoadError};

/// Leads one person may own unless the installation says otherwise (domain.md section 2).
pub const HOLDING_CAP: i64 = 50;

/// What people are held to. Plain values from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Leads a person of any role may own.
    pub holding_cap: i64,
    /// Roles with a cap of their own.
    pub holding_cap_by_role: BTreeMap<Role, i64>,
    /// Whether assignments by people are held to the cap too; in system A they were not.
    pub assignments_held_to_cap: bool,
    /// Leads a person may claim on one day; `None`: any number.
    pub claims_per_day: Option<i64>,
    /// Least time between two claims of a person; `None`: none.
    pub claim_gap: Option<TimeDelta>,
    /// How long a former owner must leave a released lead to others; `None`: not at all.
    pub cool_off: Option<TimeDelta>,
    /// Where a day begins and ends.
    pub zone: Tz,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            holding_cap: HOLDING_CAP,
            holding_cap_by_role: BTreeMap::new(),
            assignments_held_to_cap: false,
            claims_per_day: None,
            claim_gap: None,
            cool_off: None,
            zone: chrono_tz::Asia::Shanghai,
        }
    }
}

impl Limits {
    /// Leads a person of this role may own.
    pub fn cap(&self, role: Role) -> i64 {
        self.holding_cap_by_role.get(&role).copied().unwrap_or(self.holding_cap)
    }

    /// The cap that an assignment by a person is held to.
    pub(super) fn cap_of_assignment(&self, role: Role) -> Option<i64> {
        self.assignments_held_to_cap.then(|| self.cap(role))
    }

    /// How many more a person may be given at this moment; `None`: any number.
    pub(super) async fn room_for_assignment<B: CommandBus>(
        &self,
        bus: &B,
        to: StaffId,
        role: Role,
    ) -> Result<Option<Used>, LoadError> {
        let Some(limit) = self.cap_of_assignment(role) else { return Ok(None) };
        Ok(Some(Used { limit, current: holding(bus, to).await? }))
    }

    /// Refuses to give one more lead to a person who has no room for it. The append checks again; looking here
    /// first spares the attempts that could only end the same.
    pub(super) async fn require_room<B: CommandBus>(
        &self,
        bus: &B,
        to: StaffId,
        role: Role,
    ) -> Result<(), ExecuteError<Refusal>> {
        match self.room_for_assignment(bus, to, role).await? {
            Some(used) if !used.has_room_for(1) => {
                let Used { limit, current } = used;
                Err(ExecuteError::Refused(Refusal::HoldingLimit { limit, current }))
            }
            _ => Ok(()),
        }
    }

    /// The key of a person's claims on the day of `at`.
    fn day_key(&self, staff: StaffId, at: DateTime<Utc>) -> String {
        format!("{staff}:{}", at.with_timezone(&self.zone).format("%Y-%m-%d"))
    }

    /// The counts of a claim of `count` leads, held to every limit.
    pub(super) fn claimed(&self, by: StaffId, role: Role, count: i64, at: DateTime<Utc>) -> Vec<GuardChange> {
        let day = GuardChange::Count {
            kind: CountKind::ClaimsOfDay,
            key: self.day_key(by, at),
            by: count,
            max: self.claims_per_day,
        };
        let pace = GuardChange::Pace { key: by.to_string(), at, gap: self.claim_gap };
        vec![owned(by, count, Some(self.cap(role))), day, pace]
    }

    /// How much room a person has for claims at this moment.
    pub(super) async fn room<B: CommandBus>(
        &self,
        bus: &B,
        by: StaffId,
        role: Role,
        at: DateTime<Utc>,
    ) -> Result<Room, LoadError> {
        let held = bus.count(CountKind::OwnedLeads, &by.to_string()).await?;
        let claimed = match self.claims_per_day {
            Some(_) => bus.count(CountKind::ClaimsOfDay, &self.day_key(by, at)).await?,
            None => 0,
        };
        let quota = self.claims_per_day.map(|limit| Used { limit, current: claimed });
        Ok(Room { holding: Used { limit: self.cap(role), current: held }, quota })
    }
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) limit: i64,
    pub(super) current: i64,
}

impl Used {
    /// Whether `more` go in.
    pub(super) fn has_room_for(self, more: i64) -> bool {
        self.current + more <= self.limit
    }
}

/// What a person may still claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) holding: Used,
    pub(super) quota: Option<Used>,
}

/// Leads a person owns, as every change of ownership left them.
pub async fn holding<B: CommandBus>(bus: &B, staff: StaffId) -> Result<i64, LoadError> {
    bus.count(CountKind::OwnedLeads, &staff.to_string()).await
}

/// The counts when leads go from one owner to another: `max` is what the new one is held to.
pub(crate) fn moved(from: Option<StaffId>, to: Option<StaffId>, max: Option<i64>) -> Vec<GuardChange> {
    if from == to {
        return Vec::new();
    }
    let lost = from.map(|from| owned(from, -1, None));
    let gained = to.map(|to| owned(to, 1, max));
    lost.into_iter().chain(gained).collect()
}

/// The counts of many moves, one change for each person.
pub(crate) fn moved_many(
    moves: impl IntoIterator<Item = (Option<StaffId>, Option<StaffId>)>,
    max: Option<i64>,
) -> Vec<GuardChange> {
    let mut net: BTreeMap<StaffId, i64> = BTreeMap::new();
    for (from, to) in moves {
        if let Some(from) = from {
            *net.entry(from).or_default() -= 1;
        }
        if let Some(to) = to {
            *net.entry(to).or_default() += 1;
        }
    }
    let changed = net.into_iter().filter(|(_, by)| *by != 0);
    changed.map(|(staff, by)| owned(staff, by, max.filter(|_| by > 0))).collect()
}

fn owned(staff: StaffId, by: i64, max: Option<i64>) -> GuardChange {
    GuardChange::Count { kind: CountKind::OwnedLeads, key: staff.to_string(), by, max }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn staff(n: u128) -> StaffId {
        StaffId(Uuid::from_u128(n))
    }

    #[test]
    fn a_role_may_have_a_cap_of_its_own() {
        let limits =
            Limits { holding_cap_by_role: BTreeMap::from([(Role::Dispatch, 5)]), ..Limits::default() };
        assert_eq!((limits.cap(Role::Dispatch), limits.cap(Role::Employee)), (5, HOLDING_CAP));
        assert_eq!(limits.cap_of_assignment(Role::Dispatch), None);
        let strict = Limits { assignments_held_to_cap: true, ..limits };
        assert_eq!(strict.cap_of_assignment(Role::Dispatch), Some(5));
    }

    #[test]
    fn a_day_ends_at_midnight_in_the_configured_zone() {
        let limits = Limits::default();
        let before: DateTime<Utc> = "2026-03-01T15:59:59Z".parse().unwrap();
        let after = before + TimeDelta::seconds(1);
        assert!(limits.day_key(staff(1), before).ends_with(":2026-03-01"));
        assert!(limits.day_key(staff(1), after).ends_with(":2026-03-02"));
    }

    #[test]
    fn many_moves_are_one_change_for_each_person() {
        let (one, two) = (staff(1), staff(2));
        let moves = [(Some(one), Some(two)), (None, Some(two)), (Some(two), Some(one))];
        assert_eq!(moved_many(moves, Some(9)), vec![owned(two, 1, Some(9))]);
        let away = [(Some(one), None), (Some(one), None)];
        assert_eq!(moved_many(away, Some(9)), vec![owned(one, -2, None)]);
    }

    #[test]
    fn who_keeps_a_lead_is_not_counted_again() {
        assert_eq!(moved(Some(staff(1)), Some(staff(1)), None), vec![]);
        assert_eq!(moved(None, Some(staff(1)), None), vec![owned(staff(1), 1, None)]);
    }
}
