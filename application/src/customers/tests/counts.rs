//! Whatever happens in whatever order: the counts are what the leads say.

use proptest::prelude::*;

use super::*;
use crate::bus::{CountKind, GuardKind};

const LEADS: usize = 5;
const CAP: i64 = 3;
const CLAIMS: i64 = 4;

fn any_ask() -> impl Strategy<Value = Ask> {
    let person = || 0..PEOPLE.len();
    let some = || prop::collection::btree_set(0..LEADS, 1..LEADS).prop_map(|set| set.into_iter().collect());
    prop_oneof![
        2 => (person(), prop::option::of(person()), 0..LEADS)
            .prop_map(|(by, to, lead)| Ask::Create { by, to, lead }),
        4 => (person(), some()).prop_map(|(by, leads)| Ask::Claim { by, leads }),
        2 => (person(), person(), some()).prop_map(|(by, to, leads)| Ask::PoolAssign { by, to, leads }),
        2 => (person(), person(), 0..LEADS).prop_map(|(by, to, lead)| Ask::Assign { by, to, lead }),
        2 => (person(), person(), some()).prop_map(|(by, to, leads)| Ask::BatchAssign { by, to, leads }),
        3 => (person(), 0..LEADS).prop_map(|(by, lead)| Ask::Release { by, lead }),
        3 => (person(), some()).prop_map(|(by, leads)| Ask::BatchRelease { by, leads }),
        3 => (person(), 0..LEADS, prop_oneof![Just(ContractStatus::Signed), Just(ContractStatus::Refunded)])
            .prop_map(|(by, lead, to)| Ask::Status { by, lead, to }),
        1 => (person(), 0..LEADS).prop_map(|(by, lead)| Ask::Treat { by, lead, what: Treatment::Delete }),
    ]
}

fn claims(bus: &Memory, by: usize) -> i64 {
    let key = format!("{}:2026-03-02", staff(by));
    ready(bus.count(CountKind::ClaimsOfDay, &key)).unwrap()
}

/// What every moment must satisfy.
fn holds(bus: &Memory, limits: &Limits) {
    for (by, (name, _)) in PEOPLE.into_iter().enumerate() {
        let owned = (0..LEADS).filter(|n| bus.customer(*n).owner() == Some(staff(by))).count();
        assert_eq!(bus.held(by), i64::try_from(owned).unwrap(), "leads of {name}");
        let unsigned = (0..LEADS).map(|n| bus.customer(n)).filter(|lead| {
            lead.owner() == Some(staff(by)) && lead.contract_status != Some(ContractStatus::Signed)
        });
        assert_eq!(bus.unsigned(by), i64::try_from(unsigned.count()).unwrap(), "unsigned leads of {name}");
        assert!(claims(bus, by) <= CLAIMS);
        if limits.assignments_held_to_cap && !limits.cap_ignores_signed {
            assert!(bus.held(by) <= CAP, "{name} has {}", bus.held(by));
        }
    }
    for n in 0..LEADS {
        let holder = bus.holder(GuardKind::CustomerPhone, phone(n).as_str());
        assert_eq!(holder.is_some(), bus.customer(n).exists(), "the phone of lead {n}");
    }
}

proptest! {
    #[test]
    fn counts_are_what_the_leads_say(asks in prop::collection::vec(any_ask(), 1..60), strict: bool, ignores: bool) {
        let bus = office();
        let limits = Limits {
            holding_cap: CAP,
            assignments_held_to_cap: strict,
            cap_ignores_signed: ignores,
            claims_per_day: Some(CLAIMS),
            ..Limits::default()
        };
        for asked in asks {
            if matches!(asked, Ask::Create { lead: n, .. } if !bus.events(lead(n)).is_empty()) {
                continue; // an id is drawn for one lead
            }
            let claimer = match &asked {
                Ask::Claim { by, .. } => Some(*by),
                _ => None,
            };
            let head = bus.head();
            let before: Vec<(i64, i64)> = (0..PEOPLE.len()).map(|n| (bus.held(n), bus.unsigned(n))).collect();
            let shown = format!("{asked:?}");
            let done = ask(&bus, &limits, asked, 0);
            let changed = done.as_ref().is_ok_and(|done| !done.changed.is_empty());
            prop_assert_eq!(bus.head() > head, changed, "{} wrote what it did not answer", shown);
            if let Some(by) = claimer.filter(|_| changed) {
                let counted = if ignores { bus.unsigned(by) } else { bus.held(by) };
                // Only who took nothing that counts may be beyond the cap: a signature was taken back.
                prop_assert!(counted <= CAP || (ignores && counted == before[by].1), "{} has {counted}", by);
                prop_assert!(PEOPLE[by].1 != Role::Admissions);
            }
            holds(&bus, &limits);
        }
    }
}
