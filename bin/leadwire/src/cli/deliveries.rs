//! `deliveries …`: what became of each, and what an operator decides. `decisions`: why there is one or none.

mod decide;
pub(super) mod work;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use domain::StaffId;
use projections::policy_runner::decisions_of_event;
use projections::queries;
use projections::queries::deliveries::{self, DeliveryDetail, DeliveryFilter, DeliveryRow};
use serde::Serialize;

use super::arguments::{DecisionsArguments, DeliveriesCommand, DeliveriesList, DeliveriesShow, Narrowed};
use super::open::Opened;
use super::{moment, open, say, staff};

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: DeliveriesCommand) -> Result<ExitCode> {
    match command {
        DeliveriesCommand::List(arguments) => list(config, arguments).await?,
        DeliveriesCommand::Show(arguments) => show(config, &arguments).await?,
        DeliveriesCommand::Process(arguments) => return Box::pin(work::process(config, &arguments)).await,
        DeliveriesCommand::Retry(arguments) => decide::retry(config, arguments).await?,
        DeliveriesCommand::Discard(arguments) => decide::discard(config, arguments).await?,
        DeliveriesCommand::Settle(arguments) => decide::settle(config, arguments).await?,
        DeliveriesCommand::Stats(arguments) => work::stats(config, &arguments).await?,
        DeliveriesCommand::Reconcile(arguments) => return work::reconcile(config, &arguments).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The filter that the flags mean; the caller adds the state.
async fn filter(opened: &Opened, narrowed: Narrowed) -> Result<DeliveryFilter> {
    let recipient = match &narrowed.recipient {
        Some(text) => Some(staff::find(opened, text).await?),
        None => None,
    };
    Ok(DeliveryFilter {
        state: None,
        channel: narrowed.channel,
        scene: narrowed.scene.map(str::to_owned),
        recipient,
        class: narrowed.class,
        from: narrowed.from.map(|moment| moment.0),
        to: narrowed.to.map(|moment| moment.0),
        cursor: None,
    })
}

async fn list(config: Option<PathBuf>, arguments: DeliveriesList) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let filter = DeliveryFilter { state: arguments.state, ..filter(&opened, arguments.filter).await? };
    let found = deliveries::list(opened.store.db(), &filter, arguments.limit).await?;
    let names = Names::of(&opened, found.iter().map(|row| row.recipient)).await?;
    if arguments.output.json {
        let rows: Vec<_> = found.iter().map(|row| names.beside(row.recipient, row)).collect();
        return say::json(&rows);
    }
    let rows: Vec<[String; 8]> = found
        .iter()
        .map(|row| {
            [
                row.id.to_string(),
                moment::shown(row.created_at),
                names.shown(row.recipient),
                row.scene.clone(),
                row.channel.as_str().to_owned(),
                row.state.as_str().to_owned(),
                row.attempts.to_string(),
                why(row),
            ]
        })
        .collect();
    say::table(["ID", "CREATED", "RECIPIENT", "TYPE", "CHANNEL", "STATE", "ATTEMPTS", "WHY"], &rows)
}

async fn show(config: Option<PathBuf>, arguments: &DeliveriesShow) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let found = deliveries::by_id(opened.store.db(), arguments.id).await?;
    let found =
        found.ok_or_else(|| anyhow!("there is no delivery {}; `leadwire deliveries list`", arguments.id))?;
    let names = Names::of(&opened, [found.delivery.recipient]).await?;
    if arguments.output.json {
        return say::json(&names.beside(found.delivery.recipient, &found));
    }
    let DeliveryDetail { delivery, tries } = &found;
    say::line(format_args!("delivery      {}", delivery.id))?;
    say::line(format_args!("notification  {} ({})", delivery.notification, delivery.scene))?;
    say::line(format_args!("caused by     {}", delivery.cause))?;
    say::line(format_args!("recipient     {} ({})", names.shown(delivery.recipient), delivery.recipient))?;
    say::line(format_args!("channel       {}", delivery.channel.as_str()))?;
    say::line(format_args!("state         {} {}", delivery.state.as_str(), why(delivery)))?;
    if let Some(due) = delivery.due_at {
        say::line(format_args!("due           {}", moment::shown(due)))?;
    }
    let rows: Vec<[String; 6]> = tries
        .iter()
        .map(|attempt| {
            [
                attempt.number.to_string(),
                moment::shown(attempt.started_at),
                attempt.ended_at.map(moment::shown).unwrap_or_default(),
                attempt.outcome.clone().unwrap_or_else(|| "under way".to_owned()),
                attempt.code.map(|code| code.to_string()).unwrap_or_default(),
                [attempt.class.clone(), attempt.detail.clone()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(": "),
            ]
        })
        .collect();
    say::table(["ATTEMPT", "STARTED", "ENDED", "OUTCOME", "CODE", "WHY"], &rows)
}

/// Prints what was decided for one event.
pub(crate) async fn decisions(config: Option<PathBuf>, arguments: &DecisionsArguments) -> Result<ExitCode> {
    let opened = open::for_reading(config).await?;
    let found = decisions_of_event(opened.store.db(), arguments.event).await?;
    if found.is_empty() && opened.store.bus.log().event(arguments.event).await?.is_none() {
        bail!("there is no event {}; `leadwire events show STREAM --json` prints the ids", arguments.event);
    }
    if arguments.output.json {
        say::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        say::remark("Nobody is told of this event, or the policy has not come to it yet.");
    }
    let names = Names::of(&opened, found.iter().map(|record| record.recipient)).await?;
    let rows: Vec<[String; 5]> = found
        .into_iter()
        .map(|record| {
            let channel = record.channel.as_str().to_owned();
            let reason = record.reason.unwrap_or_default();
            [names.shown(record.recipient), record.scene, channel, record.decision, reason]
        })
        .collect();
    say::table(["RECIPIENT", "TYPE", "CHANNEL", "DECISION", "WHY"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn why(row: &DeliveryRow) -> String {
    match (&row.failure, &row.reason) {
        (Some(failure), _) => format!("{}: {}", failure.class.as_str(), failure.detail),
        (None, Some(reason)) => reason.clone(),
        (None, None) => String::new(),
    }
}

/// What the people of a list are called.
struct Names(HashMap<StaffId, String>);

/// Something printed as JSON with the name of whom it is for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named<'n, T> {
    #[serde(flatten)]
    of: &'n T,
    /// `null` while the staff directory does not know the person.
    recipient_name: Option<&'n str>,
}

impl Names {
    async fn of(opened: &Opened, people: impl IntoIterator<Item = StaffId>) -> Result<Self> {
        let mut people: Vec<StaffId> = people.into_iter().collect();
        people.sort_unstable();
        people.dedup();
        let found = queries::staff::by_ids(opened.store.db(), &people).await?;
        Ok(Self(found.into_iter().map(|row| (row.id, row.name().to_owned())).collect()))
    }

    /// The name, or the id of somebody the directory does not know.
    fn shown(&self, person: StaffId) -> String {
        self.0.get(&person).cloned().unwrap_or_else(|| person.to_string())
    }

    fn beside<'n, T>(&'n self, recipient: StaffId, of: &'n T) -> Named<'n, T> {
        Named { of, recipient_name: self.0.get(&recipient).map(String::as_str) }
    }
}
