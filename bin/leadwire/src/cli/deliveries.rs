//! `deliveries …`: what became of each, and one more try. `decisions`: why there is one or none.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use domain::Actor;
use infrastructure::outbox::decide::DecideError;
use infrastructure::outbox::requeue::requeue;
use projections::policy_runner::decisions_of_event;
use projections::queries::deliveries::{self, DeliveryDetail, DeliveryFilter, DeliveryRow};

use super::arguments::{
    DecisionsArguments, DeliveriesCommand, DeliveriesList, DeliveriesRetry, DeliveriesShow,
};
use super::{moment, open, say, staff};

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: DeliveriesCommand) -> Result<ExitCode> {
    match command {
        DeliveriesCommand::List(arguments) => list(config, arguments).await?,
        DeliveriesCommand::Show(arguments) => show(config, &arguments).await?,
        DeliveriesCommand::Retry(arguments) => retry(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: Option<PathBuf>, arguments: DeliveriesList) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let recipient = match &arguments.recipient {
        Some(text) => Some(staff::find(&opened, text).await?),
        None => None,
    };
    let filter = DeliveryFilter {
        state: arguments.state,
        channel: arguments.channel,
        scene: arguments.scene,
        recipient,
        class: None,
        from: arguments.from.map(|moment| moment.0),
        to: arguments.to.map(|moment| moment.0),
        cursor: None,
    };
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

async fn retry(config: Option<PathBuf>, arguments: &DeliveriesRetry) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let by = Actor::System(staff::ACTOR.to_owned());
    let (clock, ids) = (opened.ports.clock.as_ref(), opened.ports.ids.as_ref());
    let sent = requeue(&opened.store.bus, (clock, ids), arguments.id, by, &arguments.reason).await;
    opened.store.close().await;
    let position = match sent {
        Err(DecideError::NotFound) => {
            return Err(anyhow!(
                "no delivery {} ever needed a provider; `leadwire deliveries list`",
                arguments.id
            ));
        }
        sent => sent.context("the delivery is not sent again")?,
    };
    say::line(format_args!(
        "{} is due at once; recorded at position {position}. A running worker sends it.",
        arguments.id
    ))
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
