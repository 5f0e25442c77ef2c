//! `intake run`, `reconcile` and `status`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use application::intake::Mode;
use application::intake::worker::Deletions;
use application::ports::Clock as _;
use chrono::{DateTime, Utc};
use infrastructure::clock::SystemClock;
use infrastructure::intake::{self, Comparing, IntakeWorker, Run, SourceSettings, SourceState, mode_name};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::choose::some;
use super::{connected, explained};
use crate::cli::arguments::{IntakeReconcile, IntakeRun, IntakeStatus, Which};
use crate::cli::open::{self, Opened};
use crate::cli::{moment, say};
use crate::lifecycle::stop_signal;
use crate::wiring::intake::tools;

/// Log lines of `--debug`.
const DEBUG: &str = "info,leadwire=debug,infrastructure=debug,application=debug";

/// Longest rest of a daemon whose source or database cannot be used, in intervals.
const RESTS_AFTER_FAILURES: u32 = 3;

/// Failures in a row after which a daemon rests longer.
const FAILURES_BEFORE_REST: u32 = 5;

/// Works off what was captured: once, or again and again.
pub(super) async fn run(config: Option<PathBuf>, arguments: &IntakeRun) -> Result<ExitCode> {
    if arguments.debug {
        open::log_as(config.clone(), DEBUG)?;
    }
    let opened = open::for_writing(config).await?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    let signals = tokio::spawn(async move {
        // Whoever cannot be told to stop is killed, which loses nothing either.
        if stop_signal().await.is_ok() {
            told.cancel();
        }
    });
    let done = work(&opened, arguments, &stop).await;
    signals.abort();
    opened.store.close().await;
    done
}

async fn work(opened: &Opened, arguments: &IntakeRun, stop: &CancellationToken) -> Result<ExitCode> {
    let workers = workers(opened, &arguments.which)?;
    let mut failures = 0;
    loop {
        let mut good = true;
        for worker in &workers {
            let run = worker.drain(stop).await;
            good &= run.outage.is_none() && run.held.is_none();
            print(opened, worker, &run)?;
        }
        if !arguments.daemon {
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        failures = if good { 0 } else { failures + 1 };
        let times = if failures >= FAILURES_BEFORE_REST { RESTS_AFTER_FAILURES } else { 1 };
        tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(arguments.interval * times) => {}
        }
    }
}

fn workers(opened: &Opened, which: &Which) -> Result<Vec<IntakeWorker>> {
    let worker = |source: SourceSettings| {
        IntakeWorker::new(source.clone(), tools(&opened.store, &opened.ports))
            .map_err(|error| explained(&source, &error))
    };
    some(&opened.settings, which)?.into_iter().map(worker).collect()
}

/// One line of JSON a run, for logs.
fn print(opened: &Opened, worker: &IntakeWorker, run: &Run) -> Result<()> {
    let mut document = run.document(worker);
    if let Value::Object(line) = &mut document {
        line.insert("at".to_owned(), json!(opened.ports.clock.now()));
        let level = if run.outage.is_some() || run.held.is_some() { "error" } else { "info" };
        line.insert("level".to_owned(), json!(level));
    }
    say::json_line(&document)
}

/// Compares source and store.
pub(super) async fn reconcile(config: Option<PathBuf>, arguments: &IntakeReconcile) -> Result<ExitCode> {
    let opened = open::for_writing(config).await?;
    let done = compare(&opened, arguments).await;
    opened.store.close().await;
    done
}

async fn compare(opened: &Opened, arguments: &IntakeReconcile) -> Result<ExitCode> {
    // A member that registered a moment ago is known to the list that gone ones are looked for in.
    opened.store.projections.catch_up_all().await?;
    let mut good = true;
    for worker in workers(opened, &arguments.which)? {
        let watched = say::is_watched();
        let told = |tally: &application::intake::worker::Tally| {
            if watched {
                say::remark(format_args!("{} rows compared", tally.seen));
            }
        };
        let deletions = if arguments.accept_deletions { Deletions::Accepted } else { Deletions::Held };
        let run = worker.reconcile(Comparing { older: arguments.all, deletions }, &told).await;
        good &= run.outage.is_none() && run.held.is_none();
        if arguments.output.json {
            print(opened, &worker, &run)?;
            continue;
        }
        let (name, rows) = (&worker.settings().name, &run.tally);
        match &run.outage {
            Some(outage) => say::remark(format_args!("error: source {name}: {outage}")),
            None => say::line(format_args!(
                "{name}: {} rows compared, {} members registered, {} changed, {} rows put aside",
                rows.seen, rows.registered, rows.changed, rows.parked
            ))?,
        }
        if let Some(held) = &run.held {
            say::remark(format_args!("error: source {name}: {held}"));
        }
        if rows.older > 0 {
            say::remark(format_args!(
                "{} members registered before the first run on {name} and were left alone; --all takes note of them too, \
                 and the staff is told of each.",
                rows.older
            ));
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How far each source is: what it says itself, and what its last run left.
pub(super) async fn status(config: Option<PathBuf>, arguments: &IntakeStatus) -> Result<ExitCode> {
    let settings = open::settings(config.clone())?;
    let sources = some(&settings, &arguments.which)?;
    // The sources can be asked without our own database; then only the last runs are not known.
    let opened = match open::for_reading(config).await {
        Ok(opened) => Some(opened),
        Err(error) => {
            say::remark(format_args!("the last runs are not known: {error:#}"));
            None
        }
    };
    let states = match &opened {
        Some(opened) => intake::all(opened.store.db()).await?,
        None => Vec::new(),
    };
    let mut good = opened.is_some();
    let mut documents = Vec::new();
    for source in &sources {
        let state = states
            .iter()
            .find(|state| state.source == source.name && state.table_name == source.mapping.source_table());
        let (document, is_good) = document(source, state, SystemClock.now()).await;
        good &= is_good;
        documents.push(document);
    }
    if arguments.output.json {
        say::json(&documents)?;
    } else {
        tell(&documents)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A source as it is now, and whether nobody needs to look.
async fn document(source: &SourceSettings, state: Option<&SourceState>, now: DateTime<Utc>) -> (Value, bool) {
    let status = match (source.mode, connected(source)) {
        (_, Err(error)) => Err(error),
        (Mode::Poll, Ok(_)) => Ok(None),
        (Mode::Triggers, Ok(at)) => at.status().await.map(Some).map_err(|error| explained(source, &error)),
    };
    let error = status.as_ref().err().map(ToString::to_string);
    let status = status.ok().flatten();
    let table = source.mapping.source_table();
    let untouched = || SourceState::untouched(&source.name, &table, source.mode, now);
    let mut current = state.cloned().unwrap_or_else(untouched);
    if let Some(status) = &status {
        current.saw(&status.backlog, now);
    }
    let is_known = status.is_some() || state.is_some();
    let alarm = current.alarm(now, source.alarm_age).map(|alarm| alarm.to_string());
    let good = error.is_none() && alarm.is_none() && current.failure.is_none();
    let document = json!({
        "source": source.name,
        "table": table,
        "mode": mode_name(source.mode),
        "waiting": status.map(|status| status.backlog.waiting),
        "leased": status.map(|status| status.leased),
        "parked": is_known.then(|| current.aside()),
        "done": status.map(|status| status.done),
        "oldestSeconds": current.oldest_at(now),
        "alarm": alarm.is_some(),
        "alarmReason": alarm,
        "held": current.held(),
        "error": error,
        "lastRun": state.map(|state| json!({
            "begunAt": state.begun_at, "endedAt": state.ended_at, "failedAt": state.failed_at,
            "failure": state.failure, "reconciledAt": state.reconciled_at, "since": state.since,
        })),
        "sums": state.map(|state| json!({
            "rows": state.rows_seen, "registered": state.registered, "changed": state.changed,
            "unchanged": state.unchanged, "parked": state.parked, "putOff": state.put_off,
            "contested": state.contested,
        })),
    });
    (document, good)
}

fn tell(documents: &[Value]) -> Result<()> {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows: Vec<[String; 7]> = documents
        .iter()
        .map(|one| {
            let ended = one["lastRun"]["endedAt"].as_str().and_then(|at| at.parse().ok());
            let ended = ended.map_or_else(|| "never".to_owned(), moment::shown);
            let [source, table, mode] = ["source", "table", "mode"].map(|name| text(&one[name]));
            let [waiting, parked, oldest] =
                ["waiting", "parked", "oldestSeconds"].map(|name| text(&one[name]));
            [source, table, mode, waiting, parked, oldest, ended]
        })
        .collect();
    say::table(["SOURCE", "TABLE", "MODE", "WAITING", "PARKED", "OLDEST (s)", "LAST GOOD RUN"], &rows)?;
    for one in documents {
        for said in [&one["error"], &one["lastRun"]["failure"], &one["alarmReason"]] {
            if let Some(said) = said.as_str() {
                say::remark(format_args!("{}: {said}", text(&one["source"])));
            }
        }
    }
    Ok(())
}
