//! `transfer …`: what a rule would do, run it, try it on the past, what a run did and why. The same use cases as the API's,
//! so a plan that one of them shows can be run by the other.

mod ask;
mod execute;
mod progress;
mod told;
pub(super) mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use application::access::Caller;
use application::bus::CommandBus as _;
use application::customers::Limits;
use application::recycling::limits_in_force;
use application::transfers::Stores;
use domain::staff::Role;
use domain::transfer_rule::TransferRule;
use domain::{StaffId, StreamId, TransferRuleId};
use infrastructure::bus::Bus;
use projections::queries::transfers::{self as query, LeadCandidates};
use uuid::Uuid;

use super::arguments::TransferCommand;
use super::open::Opened;
use super::staff;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: TransferCommand) -> Result<ExitCode> {
    match command {
        TransferCommand::List(arguments) => ask::list(config, &arguments).await?,
        TransferCommand::Predict(arguments) => execute::predict(config, &arguments).await?,
        TransferCommand::Run(arguments) => return execute::run(config, &arguments).await,
        TransferCommand::WhatIf(arguments) => ask::what_if(config, &arguments).await?,
        TransferCommand::Explain(arguments) => ask::explain(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the commands work with: the leads as the read models know them, and the limits in force.
struct Desk {
    candidates: LeadCandidates,
    limits: Limits,
}

impl Desk {
    async fn of(opened: &Opened) -> Result<Self> {
        let limits = limits_in_force(&opened.store.bus, &opened.settings.limits).await?;
        Ok(Self { candidates: LeadCandidates::new(opened.store.projections.roster().clone()), limits })
    }

    fn stores<'s>(&'s self, opened: &'s Opened) -> Stores<'s, Bus> {
        Stores {
            bus: &opened.store.bus,
            candidates: &self.candidates,
            limits: &self.limits,
            clock: opened.ports.clock.as_ref(),
        }
    }
}

/// A rule and what it is called.
struct Named {
    id: TransferRuleId,
    name: String,
}

/// The rule with this id or exactly this name.
async fn find(opened: &Opened, text: &str) -> Result<Named> {
    let text = text.trim();
    let unknown = || anyhow!("there is no rule {text}; `leadwire transfer list` shows all");
    if let Ok(id) = text.parse::<TransferRuleId>() {
        let found = opened.store.bus.load::<TransferRule>(&StreamId::from(id)).await?.state;
        let exists = found.exists();
        let rule = found.text.filter(|_| exists).ok_or_else(unknown)?;
        return Ok(Named { id, name: rule.name });
    }
    let rules = query::rules(opened.store.db(), None).await?;
    let is_called = |row: &query::RuleRow| row.rule.text.as_ref().is_some_and(|rule| rule.name == text);
    let ids: Vec<TransferRuleId> = rules.iter().filter(|row| is_called(row)).map(|row| row.id).collect();
    match ids.as_slice() {
        [id] => Ok(Named { id: *id, name: text.to_owned() }),
        [] => Err(unknown()),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            bail!("{} rules are called {text}; write the id of one: {}", ids.len(), ids.join(", "))
        }
    }
}

/// Whoever may work on the database may look at every rule, and run it.
fn operator() -> Caller {
    let name = staff::ACTOR.to_owned();
    Caller { id: StaffId(Uuid::nil()), username: name.clone(), name, role: Role::Admin }
}
