//! The proof: whoever gained a lead was told once, in the inbox and on the phone, and nobody got anything else on the
//! phone. The messages are counted in the simulator's ledger, not in ours.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::notification::{Channel, DeliveryState};

use projections::policy_runner::{Reconciliation, reconcile};

use super::story::{self, Facts};
use super::world::World;
use crate::cli::say;

/// What should have arrived, and what did.
pub(super) struct Proof {
    rows: Vec<Row>,
    received_before: u64,
    doubles: usize,
    missing: usize,
    /// Every event of the log against every recorded decision and notice.
    reconciliation: Reconciliation,
}

/// One person who gained something in one step.
struct Row {
    step: String,
    person: &'static str,
    inbox: usize,
    phone: usize,
}

/// Messages each person should get for one step on each way.
const ONCE: usize = 1;

impl Proof {
    /// Nothing is shown yet.
    pub(super) fn begin(world: &World) -> Self {
        Self {
            rows: vec![],
            received_before: story::last_received(world),
            doubles: 0,
            missing: 0,
            reconciliation: Reconciliation::default(),
        }
    }

    /// Notes one step.
    pub(super) fn note(
        &mut self,
        world: &World,
        title: &str,
        facts: &Facts,
        gaining: &[&'static str],
    ) -> Result<()> {
        let step = title.split(':').next().unwrap_or(title).to_owned();
        for person in gaining {
            let id = world.people.id(person)?;
            let inbox = facts.notices.iter().filter(|notice| {
                notice.request.recipient == id
                    && notice.deliveries.iter().any(|found| {
                        found.delivery.channel == Channel::InApp
                            && found.delivery.state == DeliveryState::Delivered
                    })
            });
            let phone = facts.received.iter().filter(|(username, _)| username == person);
            let (inbox, phone) = (inbox.count(), phone.count());
            self.rows.push(Row { step: step.clone(), person, inbox, phone });
        }
        Ok(())
    }

    /// Counts again over all steps: a message that came late, or to somebody who gained nothing, is a double too.
    pub(super) async fn finish(&mut self, world: &World) -> Result<()> {
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.rows {
            *wanted.entry(row.person).or_default() += ONCE;
        }
        let mut got: BTreeMap<String, usize> = BTreeMap::new();
        for (username, _) in story::received_since(world, self.received_before) {
            *got.entry(username).or_default() += 1;
        }
        let inbox =
            |compare: fn(usize) -> usize| self.rows.iter().map(|row| compare(row.inbox)).sum::<usize>();
        let phone_missing: usize =
            wanted.iter().map(|(person, n)| n.saturating_sub(got.get(*person).copied().unwrap_or(0))).sum();
        let phone_doubles: usize = got
            .iter()
            .map(|(person, n)| n.saturating_sub(wanted.get(person.as_str()).copied().unwrap_or(0)))
            .sum();
        self.missing = phone_missing + inbox(|n| ONCE.saturating_sub(n));
        self.doubles = phone_doubles + inbox(|n| n.saturating_sub(ONCE));
        self.reconciliation = reconcile(world.leadwire.policy(), 0).await?;
        Ok(())
    }

    /// Whether every assignment was told once.
    pub(super) fn holds(&self) -> bool {
        let each_once = self.rows.iter().all(|row| row.inbox == ONCE && row.phone == ONCE);
        !self.rows.is_empty()
            && each_once
            && self.doubles == 0
            && self.missing == 0
            && self.reconciliation.is_clean()
    }

    /// Prints the table and the verdict.
    pub(super) fn print(&self) -> Result<()> {
        say::line("\nProof: one message per assignment")?;
        let rows: Vec<[String; 5]> = self
            .rows
            .iter()
            .map(|row| {
                let verdict = if row.inbox == ONCE && row.phone == ONCE { "ok" } else { "WRONG" };
                let counts = [row.inbox.to_string(), row.phone.to_string()];
                let [inbox, phone] = counts;
                [row.step.clone(), row.person.to_owned(), inbox, phone, verdict.to_owned()]
            })
            .collect();
        say::table(["STEP", "PERSON", "INBOX", "PHONE", ""], &rows)?;
        let clean = if self.reconciliation.is_clean() { "clean" } else { "NOT CLEAN" };
        say::line(format_args!("Reconciliation of every event with every decision: {clean}."))?;
        let verdict = if self.holds() { "PROVEN" } else { "NOT PROVEN" };
        say::line(format_args!(
            "{verdict}: {} assignments, {} doubles, {} missing.",
            self.rows.len(),
            self.doubles,
            self.missing
        ))
    }
}
