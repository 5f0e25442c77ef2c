//! What must hold afterwards, and whether it does.

mod messages;
mod notices;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use domain::{CustomerId, DeliveryId, StaffId};
use wechat_simulator::Received;

use super::client::Api;
use super::history::{Decided, History, Reader};
use super::load::Answers;
use super::plan::Plan;
use super::seats::Seats;
use super::service::Address;

/// Rows listed at once; the most that a page may hold.
const PAGE: usize = 200;

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    /// What was looked at.
    pub found: String,
    /// Where it does not hold.
    pub violations: Vec<String>,
}

/// What the outside was told and shows, to be held against the event log.
#[derive(Debug)]
pub struct Seen {
    /// What the clients were told.
    pub answers: Answers,
    /// What people really received.
    pub ledger: Vec<Received>,
    /// The owners in the list of customers.
    pub listed_owners: BTreeMap<CustomerId, StaffId>,
    /// How many notices everybody's inbox has.
    pub inboxes: BTreeMap<StaffId, u64>,
    /// The deliveries that the command line lists as unknown.
    pub unknown: BTreeSet<DeliveryId>,
    /// Every recorded decision.
    pub decided: Vec<Decided>,
    /// The events that the policy could not answer.
    pub parked: Vec<String>,
    /// What the program's own check of everything found wrong.
    pub unreconciled: Option<String>,
}

impl Seen {
    /// Looks through the API and the command line of the running service, and into the tables that are no event.
    pub async fn through(
        address: &Address,
        reader: &mut Reader,
        seats: &Seats,
        answers: Answers,
        ledger: Vec<Received>,
    ) -> Result<Self> {
        let mut inboxes = BTreeMap::new();
        for person in seats.everybody() {
            let api = Api::login(address, &person.username).await?;
            let inbox = api.get("/api/notifications?pageSize=1").await?;
            inboxes.insert(person.id, inbox["total"].as_u64().context("an inbox without a total")?);
        }
        let api = Api::login(address, &seats.clerk(0).username).await?;
        let listed_owners = listed_owners(&api).await?;
        let unknown = unknown_deliveries(address, seats).await?;
        let (decided, parked) = (reader.decisions().await?, reader.parked().await?);
        let unreconciled = address.json(&["deliveries", "reconcile"]).await.err();
        let unreconciled = unreconciled.map(|error| format!("{error:#}"));
        Ok(Self { answers, ledger, listed_owners, inboxes, unknown, decided, parked, unreconciled })
    }
}

async fn listed_owners(api: &Api) -> Result<BTreeMap<CustomerId, StaffId>> {
    let mut owners = BTreeMap::new();
    for page in 1.. {
        let data = api.get(&format!("/api/customers?page={page}&limit={PAGE}")).await?;
        let rows = data["customers"].as_array().context("a page without customers")?;
        for row in rows {
            let id = row["_id"].as_str().context("a customer without _id")?.parse()?;
            let owner =
                row["assignedTo"]["_id"].as_str().context("a listed lead without an owner")?.parse()?;
            owners.insert(id, owner);
        }
        if rows.len() < PAGE {
            break;
        }
    }
    Ok(owners)
}

/// Asked for one person at a time, so that nobody has more than a page holds.
async fn unknown_deliveries(address: &Address, seats: &Seats) -> Result<BTreeSet<DeliveryId>> {
    let limit = PAGE.to_string();
    let mut unknown = BTreeSet::new();
    for person in seats.reachable() {
        let of_person = ["--recipient", &person.username, "--limit", &limit];
        let list = [["deliveries", "list", "--state", "unknown"], of_person].concat();
        let listed = address.json(&list).await?;
        let listed = listed.as_array().context("`deliveries list --json` is no list")?;
        for row in listed {
            unknown.insert(row["id"].as_str().context("a delivery without id")?.parse()?);
        }
    }
    Ok(unknown)
}

/// Every check, the one that explains most first.
pub fn verify(history: &History, seen: &Seen, seats: &Seats, plan: &Plan) -> Vec<Check> {
    let mut checks = vec![
        positions(history),
        leads(history, plan),
        owners(history, seen, seats),
        listed(history, seen, seats),
        Check {
            name: "the program's own reconciliation is clean",
            found: "deliveries reconcile".to_owned(),
            violations: seen.unreconciled.iter().cloned().collect(),
        },
    ];
    checks.extend(notices::checks(history, seen, seats));
    checks.extend(messages::checks(history, seen, seats));
    checks
}

fn positions(history: &History) -> Check {
    Check {
        name: "positions 1..n and every stream without a hole",
        found: format!("{} events", history.rows),
        violations: history.faults.clone(),
    }
}

fn leads(history: &History, plan: &Plan) -> Check {
    let mut counts: BTreeMap<&str, usize> = plan.leads.iter().map(|lead| (lead.name.as_str(), 0)).collect();
    let mut violations = Vec::new();
    for creation in &history.creations {
        match counts.get_mut(creation.name.as_str()) {
            Some(count) => *count += 1,
            None => violations.push(format!("{} was created and nobody asked for it", creation.name)),
        }
    }
    let wrong = counts.iter().filter(|(_, count)| **count != 1);
    violations.extend(wrong.map(|(name, count)| format!("{name} was created {count} times")));
    Check {
        name: "every lead was created once",
        found: format!("{} leads", history.creations.len()),
        violations,
    }
}

fn owners(history: &History, seen: &Seen, seats: &Seats) -> Check {
    Check {
        name: "the log has the owner of each last answer",
        found: format!("{} handovers", history.handovers.len()),
        violations: different(&seen.answers.owners, &history.owners(), history, seats),
    }
}

fn listed(history: &History, seen: &Seen, seats: &Seats) -> Check {
    Check {
        name: "the list of customers has it too",
        found: format!("{} rows", seen.listed_owners.len()),
        violations: different(&seen.answers.owners, &seen.listed_owners, history, seats),
    }
}

fn different(
    told: &BTreeMap<CustomerId, StaffId>,
    found: &BTreeMap<CustomerId, StaffId>,
    history: &History,
    seats: &Seats,
) -> Vec<String> {
    let names = history.names();
    let name = |id: &CustomerId| names.get(id).map_or_else(|| id.to_string(), |name| (*name).to_owned());
    let owner = |owner: Option<&StaffId>| owner.map_or_else(|| "nobody".to_owned(), |id| seats.name(*id));
    let all: BTreeSet<&CustomerId> = told.keys().chain(found.keys()).collect();
    let wrong = all.into_iter().filter(|id| told.get(*id) != found.get(*id));
    wrong
        .map(|id| {
            let (told, found) = (owner(told.get(id)), owner(found.get(id)));
            format!("{} belongs to {found}, and the last answer said {told}", name(id))
        })
        .collect()
}
