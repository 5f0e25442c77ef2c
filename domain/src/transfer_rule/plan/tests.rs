//! What every plan promises, and what the two strategies do with it.

mod differences;
mod differential;
mod explanations;
mod properties;
mod rules;
mod strategies;

use uuid::Uuid;

use super::*;

fn staff(n: u32) -> StaffId {
    StaffId(Uuid::from_u128(1 + u128::from(n)))
}

fn lead(n: u32) -> CustomerId {
    CustomerId(Uuid::from_u128(1_000_000 + u128::from(n)))
}

/// A lead of `owner`.
fn candidate(n: u32, owner: u32) -> Candidate {
    Candidate { customer: lead(n), owner: staff(owner), sequence: 1 }
}

/// So many leads of `owner`.
fn leads_of(owner: u32, ns: impl IntoIterator<Item = u32>) -> Vec<Candidate> {
    ns.into_iter().map(|n| candidate(n, owner)).collect()
}

fn target(n: u32) -> Target {
    Target { staff: staff(n), room: None, balance: 0 }
}

fn targets(ns: impl IntoIterator<Item = u32>) -> Vec<Target> {
    ns.into_iter().map(target).collect()
}

fn round_robin() -> Distribution {
    Distribution { strategy: Strategy::RoundRobin, ..Distribution::default() }
}

fn balanced(compensation_priority: u32) -> Distribution {
    Distribution { compensation_priority, ..Distribution::default() }
}

/// How many leads a person gets.
fn gained(plan: &Plan, n: u32) -> usize {
    plan.moves.iter().filter(|one| one.to == staff(n)).count()
}
