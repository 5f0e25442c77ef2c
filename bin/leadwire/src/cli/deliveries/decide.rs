//! What an operator decides about deliveries. Each decision is an event; a running worker does the rest.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use application::forms::RETRIES_MAX;
use chrono::{DateTime, Utc};
use domain::notification::NotificationCommand;
use domain::{Actor, CommandId, DeliveryId, Metadata, Position};
use infrastructure::outbox::decide::{DecideError, decide};
use projections::queries::deliveries::{self as query, DeliveryFilter, RETRYABLE};
use serde_json::json;

use super::super::arguments::{DeliveriesDiscard, DeliveriesRetry, DeliveriesSettle};
use super::super::open::Opened;
use super::super::{open, say, staff};
use crate::http::deliveries::act::settlement;

/// Deliveries after which the progress is told.
const PROGRESS_EVERY: usize = 500;

pub(super) async fn retry(config: Option<PathBuf>, arguments: DeliveriesRetry) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let done = match arguments.id {
        Some(id) => retry_one(&opened, id, &arguments.reason).await,
        None => retry_many(&opened, arguments).await,
    };
    opened.store.close().await;
    done
}

async fn retry_one(opened: &Opened, id: DeliveryId, reason: &str) -> Result<()> {
    let position = put(opened, id, |by, at| requeue(id, by, reason, at)).await;
    let position =
        position.map_err(|error| explained(error, id)).context("the delivery is not sent again")?;
    say::line(format_args!("{id} is due at once{}. A running worker sends it.", recorded(position)))
}

async fn retry_many(opened: &Opened, arguments: DeliveriesRetry) -> Result<()> {
    let DeliveriesRetry { state, filter, dry_run, expect, reason, output, .. } = arguments;
    if let Some(state) = state.filter(|state| !RETRYABLE.contains(state)) {
        bail!("what is {state} cannot be sent again; --state is dead, rejected or unknown");
    }
    opened.store.projections.catch_up_all().await.context("the read models cannot be brought up to date")?;
    let filter = DeliveryFilter { state, ..super::filter(opened, filter).await? };
    let db = opened.store.db();
    let count = query::count_retryable(db, &filter).await?;
    if dry_run {
        if output.json {
            return say::json(&json!({ "count": count, "requeued": 0, "refused": 0 }));
        }
        return say::line(format_args!("{count} deliveries. Send them with `--expect {count}`."));
    }
    let Some(expected) = expect else {
        bail!("there are {count} of them: look with --dry-run, then say --expect {count}");
    };
    if expected != count {
        bail!("there are {count} of them now, not {expected}: look again, then say --expect {count}");
    }
    if count > RETRIES_MAX {
        bail!("{count} are too many at once; narrow the filter to {RETRIES_MAX}");
    }
    let found = query::retryable(db, &filter, u32::try_from(count).unwrap_or(u32::MAX)).await?;
    let (mut requeued, mut refused) = (0_usize, 0_usize);
    for (n, id) in found.iter().copied().enumerate() {
        match put(opened, id, |by, at| requeue(id, by, &reason, at)).await {
            Ok(_) => requeued += 1,
            Err(DecideError::Refused(_) | DecideError::BodyGone | DecideError::NotFound) => refused += 1,
            Err(error) => {
                return Err(error).context("the store failed; run the command again with what is left");
            }
        }
        if (n + 1).is_multiple_of(PROGRESS_EVERY) && say::is_watched() {
            say::remark(format_args!("{} of {count}", n + 1));
        }
    }
    if output.json {
        return say::json(&json!({ "count": count, "requeued": requeued, "refused": refused }));
    }
    say::line(format_args!(
        "{requeued} are due at once, {refused} could not be sent again. A running worker sends them."
    ))
}

pub(super) async fn discard(config: Option<PathBuf>, arguments: DeliveriesDiscard) -> Result<()> {
    let DeliveriesDiscard { id, reason } = arguments;
    let opened = open::for_writing(config).await?;
    let given_up =
        put(&opened, id, |by, at| NotificationCommand::Discard { delivery: id, by, reason, at }).await;
    opened.store.close().await;
    let position = given_up.map_err(|error| explained(error, id)).context("the delivery is not given up")?;
    say::line(format_args!("{id} is given up{}; it stays listed as cancelled.", recorded(position)))
}

pub(super) async fn settle(config: Option<PathBuf>, arguments: DeliveriesSettle) -> Result<()> {
    let DeliveriesSettle { id, as_what, reason } = arguments;
    let opened = open::for_writing(config).await?;
    let settled = put(&opened, id, |by, at| settlement(as_what, reason, id, by, at)).await;
    opened.store.close().await;
    let position = settled.map_err(|error| explained(error, id)).context("nothing was decided")?;
    say::line(format_args!("{id} counts as {as_what}{}.", recorded(position)))
}

fn requeue(delivery: DeliveryId, by: Actor, reason: &str, at: DateTime<Utc>) -> NotificationCommand {
    NotificationCommand::Requeue { delivery, by, reason: reason.to_owned(), at }
}

async fn put(
    opened: &Opened,
    delivery: DeliveryId,
    command: impl FnOnce(Actor, DateTime<Utc>) -> NotificationCommand,
) -> Result<Option<Position>, DecideError> {
    let (at, by) = (opened.ports.clock.now(), Actor::System(staff::ACTOR.to_owned()));
    let metadata = Metadata {
        command: CommandId(opened.ports.ids.next()),
        correlation: format!("delivery-{delivery}"),
        causation: None,
        actor: by.clone(),
    };
    decide(&opened.store.bus, delivery, command(by, at), metadata, at).await
}

fn explained(error: DecideError, id: DeliveryId) -> anyhow::Error {
    match error {
        DecideError::NotFound => {
            anyhow!("no delivery {id} ever needed a provider; `leadwire deliveries list`")
        }
        refused @ DecideError::Refused(_) => {
            anyhow::Error::new(refused).context(format!("see `leadwire deliveries show {id}`"))
        }
        other => anyhow::Error::new(other),
    }
}

fn recorded(position: Option<Position>) -> String {
    position.map(|position| format!("; recorded at position {position}")).unwrap_or_default()
}
