//! The leads of a run, whatever it does with them: planned before the first of them is touched, each of them once; and
//! at the end something is said of every one. Runs of transfer rules and of recycle rules are held to the same.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::ids::CustomerId;

/// Most leads of one run. More than these wait for the next period.
pub const RUN_LEADS_MAX: usize = 10_000;

/// Most leads of one event: a plan of a whole run would be a payload of megabytes.
pub const PLANNED_LEADS_MAX: usize = 1000;

/// What is to be done with one lead.
pub trait PlannedLead: PartialEq {
    /// The lead.
    fn customer(&self) -> CustomerId;
}

/// A planned lead with which nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stayed {
    /// The lead.
    pub customer: CustomerId,
    /// Why, as a code; `application` has their words.
    pub reason: String,
}

/// Why a plan, or an end, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanFlaw {
    /// More leads than one run takes.
    #[error("一次执行最多{max}条线索，计划了{found}条", max = RUN_LEADS_MAX)]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A lead stands in it twice.
    #[error("线索{0}在计划中重复")]
    Repeated(CustomerId),
    /// What is said of a lead was not planned so.
    #[error("线索{0}的结果不在计划中")]
    NotPlanned(CustomerId),
    /// Nothing is said of so many planned leads.
    #[error("计划中有{0}条线索没有结果")]
    Forgotten(usize),
}

/// Refuses leads that no run can have planned.
pub(crate) fn require_plan(leads: &[CustomerId]) -> Result<(), PlanFlaw> {
    if leads.len() > RUN_LEADS_MAX {
        return Err(PlanFlaw::TooMany { found: leads.len() });
    }
    require_distinct(leads.iter().copied())
}

/// Refuses an end that does not say of every planned lead, once, what became of it: who reads it later must be able to
/// ask of each.
pub(crate) fn require_end<P: PlannedLead>(
    planned: &[P],
    done: &[P],
    stayed: &[Stayed],
) -> Result<(), PlanFlaw> {
    let said = done.iter().map(P::customer).chain(stayed.iter().map(|one| one.customer));
    require_distinct(said)?;
    let known: HashMap<CustomerId, &P> = planned.iter().map(|one| (one.customer(), one)).collect();
    if let Some(other) = done.iter().find(|one| known.get(&one.customer()) != Some(one)) {
        return Err(PlanFlaw::NotPlanned(other.customer()));
    }
    if let Some(other) = stayed.iter().find(|one| !known.contains_key(&one.customer)) {
        return Err(PlanFlaw::NotPlanned(other.customer));
    }
    match planned.len().saturating_sub(done.len() + stayed.len()) {
        0 => Ok(()),
        forgotten => Err(PlanFlaw::Forgotten(forgotten)),
    }
}

fn require_distinct(leads: impl Iterator<Item = CustomerId>) -> Result<(), PlanFlaw> {
    let mut seen = HashSet::new();
    for lead in leads {
        if !seen.insert(lead) {
            return Err(PlanFlaw::Repeated(lead));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// A lead, and what is to become of it.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Painted(u128, &'static str);

    impl PlannedLead for Painted {
        fn customer(&self) -> CustomerId {
            lead(self.0)
        }
    }

    /// What was done, what stayed, and whether that is an end.
    type Row<'r> = (&'r [Painted], &'r [u128], Result<(), PlanFlaw>);

    fn lead(n: u128) -> CustomerId {
        CustomerId(Uuid::from_u128(n))
    }

    #[test]
    fn a_plan_names_each_lead_once_and_no_more_than_a_run_takes() {
        let leads = |numbers: &[u128]| numbers.iter().map(|n| lead(*n)).collect::<Vec<_>>();
        assert_eq!(require_plan(&leads(&[1, 2, 3])), Ok(()));
        assert_eq!(require_plan(&leads(&[1, 2, 1])), Err(PlanFlaw::Repeated(lead(1))));
        let many: Vec<_> = (0..=RUN_LEADS_MAX as u128).map(lead).collect();
        assert_eq!(require_plan(&many[1..]), Ok(()));
        assert_eq!(require_plan(&many), Err(PlanFlaw::TooMany { found: RUN_LEADS_MAX + 1 }));
    }

    #[test]
    fn an_end_says_of_every_planned_lead_once_what_became_of_it() {
        let plan = [Painted(1, "red"), Painted(2, "red"), Painted(3, "blue")];
        let stays = |n| Stayed { customer: lead(n), reason: "dry".to_owned() };
        let rows: [Row<'_>; 8] = [
            (&plan, &[], Ok(())),
            (&plan[1..], &[1], Ok(())),
            (&[], &[3, 1, 2], Ok(())),
            (&plan, &[1], Err(PlanFlaw::Repeated(lead(1)))),
            (&[Painted(1, "blue")], &[2, 3], Err(PlanFlaw::NotPlanned(lead(1)))),
            (&[Painted(9, "red")], &[], Err(PlanFlaw::NotPlanned(lead(9)))),
            (&plan[1..], &[9], Err(PlanFlaw::NotPlanned(lead(9)))),
            (&plan[..1], &[2], Err(PlanFlaw::Forgotten(1))),
        ];
        for (done, stayed, expected) in rows {
            let stayed: Vec<_> = stayed.iter().map(|n| stays(*n)).collect();
            assert_eq!(require_end(&plan, done, &stayed), expected, "{done:?} {stayed:?}");
        }
    }
}
