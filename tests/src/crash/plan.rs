//! What a run will do, drawn from one seed before anything starts.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;

use domain::StaffId;

use super::seats::Seats;

/// People who work at the same time, each with requests of their own.
pub const CLIENTS: usize = 4;

/// Most owners one lead is given after its first.
const TRANSFERS_MAX: usize = 2;

/// Longest wait between the chosen request and the kill: about as long as a few requests take, so that a kill may
/// fall anywhere within one.
const KILL_DELAY_MAX_MICROSECONDS: u64 = 40_000;

/// The share of the requests, at both ends, in which nobody kills: there must be something to lose.
const CALM_PERCENT: u64 = 3;

/// One lead's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Its name: the same in the lead, in the message on the phone and in no other lead.
    pub name: String,
    /// Its phone, unique as well.
    pub phone: String,
    /// The owner it is created with; its creator without one.
    pub first_owner: Option<StaffId>,
    /// Who gets it afterwards, one after the other. Nobody gets the same lead twice, so that one person may
    /// receive at most one message that names it.
    pub owners: Vec<Assignment>,
}

/// A lead goes to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// To whom.
    pub to: StaffId,
    /// By which of the two routes.
    pub route: Route,
}

/// The routes that assign one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `PATCH /api/customers/:id/assign`
    Web,
    /// `PATCH /api/customers/miniprogram/:id/assign`
    MiniProgram,
}

/// When to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Once so many requests were answered …
    pub answered: usize,
    /// … and after this time.
    pub then: Duration,
}

/// The whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The leads. Client `n` of [`CLIENTS`] looks after every lead whose number leaves the rest `n`.
    pub leads: Vec<Lead>,
    /// The kills, in order.
    pub kills: Vec<Moment>,
}

impl Plan {
    /// Draws the plan. The same seed, counts and people give the same plan.
    pub fn new(seed: u64, leads: usize, kills: usize, seats: &Seats) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let employees = seats.employee_ids();
        let leads: Vec<Lead> = (0..leads).map(|number| lead(&mut dice, number, &employees)).collect();
        let requests = leads.iter().map(Lead::requests).sum();
        let mut moments: Vec<usize> = (0..kills).map(|_| moment(&mut dice, requests)).collect();
        moments.sort_unstable();
        let delay = |dice: &mut StdRng| dice.random_range(0..KILL_DELAY_MAX_MICROSECONDS);
        let kills = moments
            .into_iter()
            .map(|answered| Moment { answered, then: Duration::from_micros(delay(&mut dice)) })
            .collect();
        Self { leads, kills }
    }

    /// Requests that change something.
    pub fn requests(&self) -> usize {
        self.leads.iter().map(Lead::requests).sum()
    }
}

impl Lead {
    fn requests(&self) -> usize {
        1 + self.owners.len()
    }
}

fn lead(dice: &mut StdRng, number: usize, employees: &[StaffId]) -> Lead {
    let transfers = dice.random_range(1..=TRANSFERS_MAX);
    let mut owners = employees.sample(dice, transfers + 1).copied();
    let first_owner = owners.next().filter(|_| dice.random_bool(0.5));
    let owners: Vec<StaffId> = owners.collect();
    let assignment = |dice: &mut StdRng, to| {
        let route = if dice.random_bool(0.5) { Route::Web } else { Route::MiniProgram };
        Assignment { to, route }
    };
    Lead {
        name: format!("客户{number:05}"),
        phone: format!("138{number:08}"),
        first_owner,
        owners: owners.into_iter().map(|to| assignment(dice, to)).collect(),
    }
}

fn moment(dice: &mut StdRng, requests: usize) -> usize {
    let requests = u64::try_from(requests).unwrap_or(u64::MAX);
    let calm = requests * CALM_PERCENT / 100;
    let answered = dice.random_range(calm..=requests.saturating_sub(calm).max(calm));
    usize::try_from(answered).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::crash::seats;

    #[test]
    fn a_seed_gives_its_plan_and_another_seed_another_one() {
        let plan = |seed| Plan::new(seed, 50, 10, &seats::six());
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn nobody_is_given_the_same_lead_twice_and_no_two_leads_look_alike() {
        let plan = Plan::new(7, 300, 10, &seats::six());
        for lead in &plan.leads {
            let owners: Vec<StaffId> =
                lead.first_owner.into_iter().chain(lead.owners.iter().map(|to| to.to)).collect();
            assert_eq!(owners.iter().collect::<BTreeSet<_>>().len(), owners.len(), "{lead:?}");
            assert!(!lead.owners.is_empty());
        }
        assert_eq!(plan.leads.iter().map(|lead| &lead.name).collect::<BTreeSet<_>>().len(), 300);
        assert_eq!(plan.leads.iter().map(|lead| &lead.phone).collect::<BTreeSet<_>>().len(), 300);
    }

    #[test]
    fn kills_come_in_order_and_never_at_the_very_beginning_or_end() {
        let plan = Plan::new(7, 1000, 50, &seats::six());
        assert!(plan.kills.is_sorted_by_key(|kill| kill.answered));
        let (first, last) = (plan.kills[0].answered, plan.kills[49].answered);
        assert!(first > 0 && last < plan.requests(), "{first} to {last} of {}", plan.requests());
    }
}
