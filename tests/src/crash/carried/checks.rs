//! What must hold of every run of a rule, whatever the rule does with a lead.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use domain::notification::{Channel, DeliveryState};
use domain::{CustomerId, Position, StaffId};
use wechat_simulator::Received;

use super::touches::{Touched, Way};
use crate::crash::history::{Delivery, History};
use crate::crash::verify::Check;

pub(in crate::crash) fn check(name: &'static str, found: String, violations: Vec<String>) -> Check {
    Check { name, found, violations }
}

/// One lead of a plan.
pub(in crate::crash) trait Planned: Copy + Eq + Hash {
    fn customer(&self) -> CustomerId;
}

/// A run that is over, in the words of its kind.
pub(in crate::crash) struct Course<'r, P> {
    /// What a lead did that did not stay: `moved`, `fell`.
    pub(in crate::crash) did: &'static str,
    /// Where the plan stands in the log.
    pub(in crate::crash) planned_at: Position,
    pub(in crate::crash) plan: &'r [P],
    /// What the end of the run names as done.
    pub(in crate::crash) named: &'r [P],
    /// What the end names as left alone, and why.
    pub(in crate::crash) stayed: Vec<(CustomerId, &'r str)>,
    /// What the log holds of the leads themselves, each with the position of what had happened to the lead before.
    pub(in crate::crash) happened: Vec<(P, Position)>,
}

impl<P: Planned> Course<'_, P> {
    /// The end names exactly what happened.
    pub(in crate::crash) fn the_end_is_what_happened(&self, name: &'static str) -> Check {
        let did = self.did;
        let happened: HashSet<P> = self.happened.iter().map(|(one, _)| *one).collect();
        let said: HashSet<P> = self.named.iter().copied().collect();
        let mut violations: Vec<String> = Vec::new();
        violations.extend(
            happened.difference(&said).map(|one| format!("{} {did} and is not named", one.customer())),
        );
        violations.extend(
            said.difference(&happened).map(|one| format!("{} is named and nothing {did}", one.customer())),
        );
        if self.named.len() != said.len() {
            violations.push(format!("what {did} is named twice"));
        }
        check(name, format!("{} named", said.len()), violations)
    }

    /// Each planned lead is once among those that went and those that stayed.
    pub(in crate::crash) fn every_lead_has_a_fate(&self, name: &'static str) -> Check {
        let went = self.named.iter().map(P::customer);
        let mut fates: HashMap<CustomerId, usize> = HashMap::new();
        for customer in went.chain(self.stayed.iter().map(|(customer, _)| *customer)) {
            *fates.entry(customer).or_default() += 1;
        }
        let wrong = self.plan.iter().filter(|one| fates.remove(&one.customer()) != Some(1));
        let mut violations: Vec<String> = wrong
            .map(|one| format!("{} is not once among those that {} or stayed", one.customer(), self.did))
            .collect();
        violations.extend(fates.keys().map(|customer| format!("{customer} was not planned")));
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, reason) in &self.stayed {
            *reasons.entry(reason).or_default() += 1;
        }
        let reasons: Vec<_> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let found = format!(
            "{} {}, {} stayed: {}",
            self.named.len(),
            self.did,
            self.stayed.len(),
            reasons.join(", ")
        );
        check(name, found, violations)
    }

    /// Whoever was touched after the plan and before its turn stays with a reason of the touch, and nobody else stays.
    pub(in crate::crash) fn touched_leads_stay(
        &self,
        touched: &[Touched],
        reasons: impl Fn(Way) -> &'static [&'static str],
        last: impl Fn(CustomerId) -> Position,
    ) -> Check {
        let stale = self.happened.iter().filter(|(_, after)| *after > self.planned_at);
        let mut violations: Vec<String> = stale
            .map(|(one, _)| format!("{} was touched and {} all the same", one.customer(), self.did))
            .collect();
        let touched: HashMap<CustomerId, Way> = touched.iter().map(|one| (one.customer, one.way)).collect();
        for (customer, reason) in &self.stayed {
            let reasons = touched.get(customer).map(|way| reasons(*way));
            if !reasons.is_some_and(|reasons| reasons.contains(reason)) {
                violations.push(format!("{customer} stayed: {reason}, not {reasons:?}"));
            }
            if last(*customer) < self.planned_at {
                violations.push(format!("{customer} stayed and nobody had touched it"));
            }
        }
        if self.stayed.is_empty() {
            violations.push("no lead that was touched stayed".to_owned());
        }
        let found = format!("{} touched, {} of them stayed", touched.len(), self.stayed.len());
        check("leads that were touched stay, with the reason", found, violations)
    }
}

/// How a run stands in the log: its id, how often it began and ended, and the leads of its plan.
pub(in crate::crash) struct Outline {
    pub(in crate::crash) id: String,
    pub(in crate::crash) begun: usize,
    pub(in crate::crash) ended: usize,
    pub(in crate::crash) planned: Vec<CustomerId>,
}

/// There is one run, of every lead.
pub(in crate::crash) fn one_run(runs: &[Outline], leads: usize) -> Check {
    let mut violations = Vec::new();
    for Outline { id, begun, ended, planned } in runs {
        if (*begun, *ended) != (1, 1) {
            violations.push(format!("run {id} began {begun} times and ended {ended} times"));
        }
        let different: HashSet<&CustomerId> = planned.iter().collect();
        if different.len() != leads || planned.len() != leads {
            violations.push(format!("run {id} planned {} turns of {} leads", planned.len(), different.len()));
        }
    }
    if runs.len() != 1 {
        violations.push(format!("there are {} runs", runs.len()));
    }
    check("one run, begun once, ended once, of every lead", format!("{} runs", runs.len()), violations)
}

/// Who owns how many leads: recounted, and what is wrong with the counts that the limits use.
pub(in crate::crash) fn recount(
    owners: &HashMap<CustomerId, Option<StaffId>>,
    counted: &BTreeMap<StaffId, i64>,
    name: impl Fn(StaffId) -> String,
) -> (BTreeMap<StaffId, i64>, Vec<String>) {
    let mut owned: BTreeMap<StaffId, i64> = BTreeMap::new();
    for owner in owners.values().flatten() {
        *owned.entry(*owner).or_default() += 1;
    }
    let people: BTreeSet<StaffId> = owned.keys().chain(counted.keys()).copied().collect();
    let count = |of: &BTreeMap<StaffId, i64>, person| of.get(person).copied().unwrap_or_default();
    let wrong = people.iter().filter(|person| count(&owned, person) != count(counted, person));
    let violations = wrong
        .map(|person| {
            let name = name(*person);
            format!("{name} owns {} and {} are counted", count(&owned, person), count(counted, person))
        })
        .collect();
    (owned, violations)
}

/// Deliveries of a summary that did not end as they must: told in the inbox and over WeCom, and nowhere else.
pub(in crate::crash) fn astray(history: &History, notice: usize) -> impl Iterator<Item = &Delivery> {
    history.deliveries.values().filter(move |one| {
        one.notice == notice
            && !match one.channel {
                Channel::InApp => one.state == DeliveryState::Delivered,
                Channel::WecomApp => matches!(one.state, DeliveryState::Accepted | DeliveryState::Delivered),
                _ => one.state == DeliveryState::Suppressed,
            }
    })
}

/// Each summary reached its phone as often as it must.
pub(in crate::crash) fn messages(wanted: &BTreeMap<&str, usize>, ledger: &[Received]) -> Check {
    let mut received: BTreeMap<&str, usize> = BTreeMap::new();
    for message in ledger {
        *received.entry(&message.openid).or_default() += 1;
    }
    let violations = if *wanted == received { vec![] } else { vec![format!("{received:?}, not {wanted:?}")] };
    check("each summary reached its phone once", format!("{} messages", ledger.len()), violations)
}
