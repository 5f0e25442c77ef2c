//! Sending by hand, figures, and the standing check.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use application::policies::POLICY;
use chrono::TimeDelta;
use projections::policy_runner::{self, PolicyRunner};
use projections::queries::deliveries::due;
use projections::queries::statistics::{self, By, Period};
use serde_json::json;

use super::super::arguments::{
    DeliveriesProcess, DeliveriesReconcile, DeliveriesStats, ServeArguments, ServeRole, StatsBy,
};
use super::super::open::Opened;
use super::super::{open, say, serve};
use crate::config::{Settings, Sources};
use crate::metrics::Metrics;
use crate::wiring::channels::dispatchers;
use crate::wiring::upkeep::Upkeep;

/// Most deliveries of a channel whose end is told.
const TOLD_MAX: i64 = 10_000;

/// How often the channels are gone through: a route has fewer.
const ROUNDS_MAX: usize = 8;

/// Days of the figures when nobody says.
const DAYS: i64 = 7;

pub(super) async fn process(config: Option<PathBuf>, arguments: &DeliveriesProcess) -> Result<ExitCode> {
    if arguments.daemon {
        let worker = ServeArguments { roles: vec![ServeRole::Worker] };
        return serve::serve(config, &worker).await;
    }
    let settings = Settings::load(&Sources::of_process(config.clone()))?;
    let opened = open::for_writing(config).await?;
    let done = once(&opened, &settings).await;
    opened.store.close().await;
    let (total, success) = done?;
    let failed = total - success;
    if arguments.output.json {
        say::json(&json!({ "total": total, "success": success, "failed": failed }))?;
    } else if total == 0 {
        say::line("Nothing is due.")?;
    } else {
        say::line(format_args!("{total} were due: {success} were accepted, {failed} were not."))?;
    }
    if failed > 0 {
        say::remark(
            "`leadwire deliveries list --state retry`, `--state unknown` and `--state dead` show them.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Decides what is to be decided, lets go what was held until now, sends what is due, and brings the lists up to date.
/// How many were due, and how many of them were accepted.
async fn once(opened: &Opened, settings: &Settings) -> Result<(usize, usize)> {
    let store = &opened.store;
    let policy = policy(opened, settings);
    let consumer = policy_runner::tuned(store.projections.consumer(POLICY));
    store.projections.consumers().look_around().await.context("the consumers cannot be looked at")?;
    let answered =
        consumer.catch_up(&mut policy.handler()).await.context("the policy cannot answer what happened")?;
    if answered.is_none() {
        say::remark(
            "A running service decides who is told, or the policy is stopped: `leadwire projections list`.",
        );
    }
    let upkeep = Upkeep::new(store, Arc::new(settings.channels()), settings, &opened.ports);
    let dispatchers = dispatchers(store, settings, &opened.ports, &Arc::new(Metrics::default()))?;
    for (channel, dispatcher) in &dispatchers {
        dispatcher.look_around().await.with_context(|| format!("{channel} cannot be looked at"))?;
    }
    let (mut total, mut success) = (0, 0);
    // A channel that fails makes the next one of the route speak, which may have had its turn.
    for _ in 0..ROUNDS_MAX {
        upkeep.drain_once().await.context("held and unknown deliveries cannot be looked for")?;
        let due_before = total;
        for (channel, dispatcher) in &dispatchers {
            let before = due::of_channel(store.db(), *channel, opened.ports.clock.now(), TOLD_MAX).await?;
            if !before.is_empty() && say::is_watched() {
                say::remark(format_args!("{channel}: {} are due", before.len()));
            }
            dispatcher.drain_once().await?;
            let after = due::again(store.db(), &before).await?;
            total += before.len();
            success += after.iter().filter(|row| row.is_accepted()).count();
        }
        if total == due_before {
            break;
        }
    }
    store.projections.catch_up_all().await.context("the read models cannot be brought up to date")?;
    Ok((total, success))
}

/// The policy as a service with these settings runs it.
pub(in crate::cli) fn policy(opened: &Opened, settings: &Settings) -> PolicyRunner {
    let store = &opened.store;
    let (consumers, clock) = (store.projections.consumers().clone(), opened.ports.clock.clone());
    PolicyRunner::new(store.bus.clone(), consumers, Arc::new(settings.channels()), clock)
        .with_fallback_after(settings.delivery.fallback_after)
}

pub(super) async fn stats(config: Option<PathBuf>, arguments: &DeliveriesStats) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let until = arguments.to.as_ref().map_or_else(|| opened.ports.clock.now(), |moment| moment.0);
    let from = arguments.from.as_ref().map_or(until - TimeDelta::days(DAYS), |moment| moment.0);
    let period = Period { from, until };
    let by = match arguments.by {
        StatsBy::Channel => By::Channel,
        StatsBy::Type => By::Type,
        StatsBy::Day => By::Day,
    };
    let groups = statistics::of_deliveries(opened.store.db(), by, period, &opened.settings.zone).await?;
    let authorisations = statistics::authorisations(opened.store.db(), period).await?;
    if arguments.output.json {
        let figures =
            json!({ "from": from, "until": until, "groups": groups, "authorisations": authorisations });
        return say::json(&figures);
    }
    let rows: Vec<[String; 9]> = groups
        .iter()
        .map(|group| {
            let (tally, rejected) = (&group.tally, group.tally.rejected.values().sum::<i64>());
            let p99 = group.latencies.accepted.p99.map(|ms| ms.to_string()).unwrap_or_default();
            let numbers =
                [tally.requested, tally.accepted, tally.delivered, rejected, tally.unknown, tally.dead];
            let [requested, accepted, delivered, rejected, unknown, dead] = numbers.map(|n| n.to_string());
            let suppressed = tally.suppressed.values().sum::<i64>().to_string();
            [group.key.clone(), requested, accepted, delivered, rejected, unknown, dead, suppressed, p99]
        })
        .collect();
    let heads = [
        "GROUP",
        "REQUESTED",
        "ACCEPTED",
        "DELIVERED",
        "REJECTED",
        "UNKNOWN",
        "DEAD",
        "SUPPRESSED",
        "P99 MS",
    ];
    say::table(heads, &rows)
}

pub(super) async fn reconcile(config: Option<PathBuf>, arguments: &DeliveriesReconcile) -> Result<ExitCode> {
    let settings = Settings::load(&Sources::of_process(config.clone()))?;
    let opened =
        if arguments.repair { open::for_writing(config).await? } else { open::for_reading(config).await? };
    let policy = policy(&opened, &settings);
    let repaired = if arguments.repair {
        Some(policy_runner::repair(&policy, 0).await.context("the repair stopped; run it again")?)
    } else {
        None
    };
    let found = policy_runner::reconcile(&policy, 0).await?;
    opened.store.close().await;
    let clean = found.is_clean();
    if arguments.output.json {
        say::json(&json!({ "clean": clean, "found": found, "repaired": repaired }))?;
    } else {
        if let Some(repaired) = &repaired {
            say::line(format_args!(
                "Put back: {} decisions, {} notices, {} rows; {} could not be.",
                repaired.decisions, repaired.notices, repaired.rows, repaired.unrepaired
            ))?;
        }
        say::line(format_args!(
            "{} events, {} decisions expected: {} missing, {} for nobody; {} notices missing, {} doubled; \
             {} messages without their row; {} events parked.",
            found.events,
            found.expected,
            found.missing,
            found.unexpected,
            found.notices_missing,
            found.notices_doubled,
            found.outbox_missing,
            found.parked
        ))?;
    }
    if clean {
        return Ok(ExitCode::SUCCESS);
    }
    say::remark(
        "There are differences: `leadwire deliveries reconcile --repair`, and --json for what exactly.",
    );
    Ok(ExitCode::FAILURE)
}
