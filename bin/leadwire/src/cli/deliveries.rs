//! `deliveries …`: what became of each, and what an operator decides. `decisions`: why there is one or none.

mod decide;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use projections::policy_runner::decisions_of_event;
use projections::queries::deliveries::{self, DeliveryDetail, DeliveryFilter, DeliveryRow};

use super::arguments::{DecisionsArguments, DeliveriesCommand, DeliveriesList, DeliveriesShow, Narrowed};
use super::open::Opened;
use super::{moment, open, say, staff};

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: DeliveriesCommand) -> Result<ExitCode> {
    match command {
        DeliveriesCommand::List(arguments) => list(config, arguments).await?,
        DeliveriesCommand::Show(arguments) => show(config, &arguments).await?,
        DeliveriesCommand::Process(arguments) => return work::process(config, &arguments).await,
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
        scene: narrowed.scene,
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
    if arguments.output.json {
        return say::json(&found);
    }
    let rows: Vec<[String; 7]> = found
        .iter()
        .map(|row| {
            [
                row.id.to_string(),
                moment::shown(row.created_at),
                row.scene.clone(),
                row.channel.as_str().to_owned(),
                row.state.as_str().to_owned(),
                row.attempts.to_string(),
                why(row),
            ]
        })
        .collect();
    say::table(["ID", "CREATED", "TYPE", "CHANNEL", "STATE", "ATTEMPTS", "WHY"], &rows)
}

async fn show(config: Option<PathBuf>, arguments: &DeliveriesShow) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let found = deliveries::by_id(opened.store.db(), arguments.id).await?;
    let found =
        found.ok_or_else(|| anyhow!("there is no delivery {}; `leadwire deliveries list`", arguments.id))?;
    if arguments.output.json {
        return say::json(&found);
    }
    let DeliveryDetail { delivery, tries } = &found;
    say::line(format_args!("delivery      {}", delivery.id))?;
    say::line(format_args!("notification  {} ({})", delivery.notification, delivery.scene))?;
    say::line(format_args!("caused by     {}", delivery.cause))?;
    say::line(format_args!("recipient     {}", delivery.recipient))?;
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
    if arguments.output.json {
        say::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 5]> = found
        .into_iter()
        .map(|record| {
            let channel = record.channel.as_str().to_owned();
            let reason = record.reason.unwrap_or_default();
            [record.recipient.to_string(), record.scene, channel, record.decision, reason]
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
