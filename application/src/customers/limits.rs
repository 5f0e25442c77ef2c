//! How many leads a person may own and claim, and the counts that hold them to it inside the append (product.md G12).
//!
//! Every change of ownership and every signature counts, whoever is held to the limit, so that a limit can be switched on
//! at any moment. There are two counts of a person's leads, of all and of the unsigned ones; the cap is held against one of
//! them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::StaffId;
use domain::customer::{ContractStatus, Customer};
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
    /// Whether signed customers do not count as owned.
    pub cap_ignores_signed: bool,
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
            cap_ignores_signed: false,
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

    /// The same, and which leads are held against it.
    pub fn held_to(&self, role: Role) -> Cap {
        Cap { max: self.cap(role), ignores_signed: self.cap_ignores_signed }
    }

    /// The cap that an assignment by a person is held to.
    pub(super) fn cap_of_assignment(&self, role: Role) -> Option<Cap> {
        self.assignments_held_to_cap.then(|| self.held_to(role))
    }

    /// How many more a person may be given at this moment; `None`: any number.
    pub(super) async fn room_for_assignment<B: CommandBus>(
        &self,
        bus: &B,
        to: StaffId,
        role: Role,
    ) -> Result<Option<Used>, LoadError> {
        let Some(cap) = self.cap_of_assignment(role) else { return Ok(None) };
        Ok(Some(Used { limit: cap.max, current: held_under(bus, to, cap).await? }))
    }

    /// Refuses to give one more lead, signed or not, to a person who has no room for it. The append checks again; looking
    /// here first spares the attempts that could only end the same.
    pub(super) async fn require_room<B: CommandBus>(
        &self,
        bus: &B,
        (to, role): (StaffId, Role),
        status: Option<ContractStatus>,
    ) -> Result<(), ExecuteError<Refusal>> {
        if self.held_to(role).ignores(status) {
            return Ok(());
        }
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

    /// The counts of a claim of `count` leads besides those of who owns what, held to their limits.
    pub(super) fn claimed(&self, by: StaffId, count: i64, at: DateTime<Utc>) -> [GuardChange; 2] {
        let day = GuardChange::Count {
            kind: CountKind::ClaimsOfDay,
            key: self.day_key(by, at),
            by: count,
            max: self.claims_per_day,
        };
        let pace = GuardChange::Pace { key: by.to_string(), at, gap: self.claim_gap };
        [day, pace]
    }

    /// How much room a person has for claims at this moment.
    pub(super) async fn room<B: CommandBus>(
        &self,
        bus: &B,
        by: StaffId,
        role: Role,
        at: DateTime<Utc>,
    ) -> Result<Room, LoadError> {
        let cap = self.held_to(role);
        let current = held_under(bus, by, cap).await?;
        let claimed = match self.claims_per_day {
            Some(_) => bus.count(CountKind::ClaimsOfDay, &self.day_key(by, at)).await?,
            None => 0,
        };
        let quota = self.claims_per_day.map(|limit| Used { limit, current: claimed });
        Ok(Room { holding: Used { limit: cap.max, current }, quota })
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

/// How many leads a person may own, and which of them count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Most leads.
    pub max: i64,
    /// Whether signed ones do not count.
    pub ignores_signed: bool,
}

impl Cap {
    /// Whether a lead of this status does not count.
    pub(super) fn ignores(self, status: Option<ContractStatus>) -> bool {
        self.ignores_signed && is_signed(status)
    }

    /// The count that is held against it.
    fn kind(self) -> CountKind {
        if self.ignores_signed { CountKind::UnsignedLeads } else { CountKind::OwnedLeads }
    }
}

/// A lead as it counts for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Who owns it.
    pub owner: StaffId,
    /// Whether it is signed.
    pub signed: bool,
}

impl Holding {
    /// Of a lead that somebody owns.
    pub fn of(customer: &Customer) -> Option<Self> {
        customer.owner().map(|owner| Self { owner, signed: is_signed(customer.contract_status) })
    }

    /// A lead of this person's that is not signed.
    #[cfg(test)]
    pub(crate) fn unsigned(owner: StaffId) -> Self {
        Self { owner, signed: false }
    }

    /// The counts that it is one of.
    pub fn kinds(self) -> impl Iterator<Item = CountKind> {
        let unsigned = (!self.signed).then_some(CountKind::UnsignedLeads);
        std::iter::once(CountKind::OwnedLeads).chain(unsigned)
    }
}

fn is_signed(status: Option<ContractStatus>) -> bool {
    status == Some(ContractStatus::Signed)
}

/// Leads a person owns, as every change of ownership left them.
pub async fn holding<B: CommandBus>(bus: &B, staff: StaffId) -> Result<i64, LoadError> {
    bus.count(CountKind::OwnedLeads, &staff.to_string()).await
}

/// Those of a person's leads that count against the cap.
pub async fn held_under<B: CommandBus>(bus: &B, staff: StaffId, cap: Cap) -> Result<i64, LoadError> {
    bus.count(cap.kind(), &staff.to_string()).await
}

/// The same of many people at once, in the order asked: one question for each kind of cap, however many they are.
pub(crate) async fn all_held_under<B: CommandBus>(
    bus: &B,
    people: &[(StaffId, Cap)],
) -> Result<Vec<i64>, LoadError> {
    let mut by_kind: BTreeMap<CountKind, Vec<usize>> = BTreeMap::new();
    for (place, (_, cap)) in people.iter().enumerate() {
        by_kind.entry(cap.kind()).or_default().push(place);
    }
    let mut held = vec![0; people.len()];
    for (kind, places) in by_kind {
        let keys: Vec<String> = places.iter().map(|place| people[*place].0.to_string()).collect();
        for (place, count) in places.into_iter().zip(bus.counts(kind, &keys).await?) {
            held[place] = count;
        }
    }
    Ok(held)
}

/// The counts when one command leaves a lead otherwise than it was: with somebody else, signed, or not signed any more.
/// A new owner is held to the cap; whoever only loses a signature is not.
pub(crate) fn recounted(
    before: Option<Holding>,
    after: Option<Holding>,
    cap: Option<Cap>,
) -> Vec<GuardChange> {
    let kept = before.map(|one| one.owner) == after.map(|one| one.owner);
    recounted_all([(before, after)], cap.filter(|_| !kept))
}

/// The counts of many leads that one command moves, one change for each person and count.
pub(crate) fn recounted_all(
    leads: impl IntoIterator<Item = (Option<Holding>, Option<Holding>)>,
    cap: Option<Cap>,
) -> Vec<GuardChange> {
    let mut net: BTreeMap<(StaffId, CountKind), i64> = BTreeMap::new();
    for (before, after) in leads {
        for (one, by) in [(before, -1), (after, 1)] {
            let Some(one) = one else { continue };
            for kind in one.kinds() {
                *net.entry((one.owner, kind)).or_default() += by;
            }
        }
    }
    let changed = net.into_iter().filter(|(_, by)| *by != 0);
    let change = |((owner, kind), by): ((StaffId, CountKind), i64)| GuardChange::Count {
        kind,
        key: owner.to_string(),
        by,
        max: cap.filter(|cap| by > 0 && cap.kind() == kind).map(|cap| cap.max),
    };
    changed.map(change).collect()
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
        let cap = Cap { max: 5, ignores_signed: false };
        assert_eq!(strict.cap_of_assignment(Role::Dispatch), Some(cap));
    }

    #[test]
    fn a_day_ends_at_midnight_in_the_configured_zone() {
        let limits = Limits::default();
        let before: DateTime<Utc> = "2026-03-01T15:59:59Z".parse().unwrap();
        let after = before + TimeDelta::seconds(1);
        assert!(limits.day_key(staff(1), before).ends_with(":2026-03-01"));
        assert!(limits.day_key(staff(1), after).ends_with(":2026-03-02"));
    }

    /// Of both counts of a person.
    fn both(n: u128, by: i64, max: Option<i64>) -> Vec<GuardChange> {
        let count = |kind, max| GuardChange::Count { kind, key: staff(n).to_string(), by, max };
        vec![count(CountKind::OwnedLeads, max), count(CountKind::UnsignedLeads, None)]
    }

    fn unsigned(n: u128) -> Holding {
        Holding::unsigned(staff(n))
    }

    fn signed(n: u128) -> Holding {
        Holding { owner: staff(n), signed: true }
    }

    const CAP: Option<Cap> = Some(Cap { max: 9, ignores_signed: false });
    const IGNORES: Option<Cap> = Some(Cap { max: 9, ignores_signed: true });

    #[test]
    fn many_moves_are_one_change_for_each_person_and_count() {
        let moves = [
            (Some(unsigned(1)), Some(unsigned(2))),
            (None, Some(unsigned(2))),
            (Some(unsigned(2)), Some(unsigned(1))),
        ];
        assert_eq!(recounted_all(moves, CAP), both(2, 1, Some(9)));
        let away = [(Some(unsigned(1)), None), (Some(unsigned(1)), None)];
        assert_eq!(recounted_all(away, CAP), both(1, -2, None));
    }

    #[test]
    fn who_keeps_a_lead_is_not_counted_again() {
        assert_eq!(recounted(Some(unsigned(1)), Some(unsigned(1)), CAP), vec![]);
        assert_eq!(recounted(None, None, CAP), vec![]);
    }

    #[test]
    fn a_signature_changes_one_count_and_is_held_to_no_cap() {
        let one = |by| GuardChange::Count {
            kind: CountKind::UnsignedLeads,
            key: staff(1).to_string(),
            by,
            max: None,
        };
        for cap in [CAP, IGNORES] {
            assert_eq!(recounted(Some(unsigned(1)), Some(signed(1)), cap), vec![one(-1)]);
            assert_eq!(recounted(Some(signed(1)), Some(unsigned(1)), cap), vec![one(1)]);
        }
    }

    #[test]
    fn a_cap_is_held_against_the_leads_that_count() {
        use CountKind::{OwnedLeads, UnsignedLeads};

        let maxima = |changes: Vec<GuardChange>| -> Vec<(CountKind, i64, Option<i64>)> {
            let read = |change| match change {
                GuardChange::Count { kind, by, max, .. } => (kind, by, max),
                other => panic!("{other:?}"),
            };
            changes.into_iter().map(read).collect()
        };
        for (cap, lead, expected) in [
            (CAP, Some(unsigned(1)), vec![(OwnedLeads, 1, Some(9)), (UnsignedLeads, 1, None)]),
            (CAP, Some(signed(1)), vec![(OwnedLeads, 1, Some(9))]),
            (IGNORES, Some(unsigned(1)), vec![(OwnedLeads, 1, None), (UnsignedLeads, 1, Some(9))]),
            (IGNORES, Some(signed(1)), vec![(OwnedLeads, 1, None)]),
        ] {
            assert_eq!(maxima(recounted(None, lead, cap)), expected, "{cap:?} {lead:?}");
        }
    }
}
