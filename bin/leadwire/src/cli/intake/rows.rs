//! `intake parked` and `retry`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use application::intake::Mode;
use application::intake::worker::{Ledger as _, Tally};
use infrastructure::intake::{IntakeWorker, SourceSettings};
use serde_json::{Value, json};

use super::choose::one;
use super::{connected, explained};
use crate::cli::arguments::{IntakeParked, IntakeRetry};
use crate::cli::open::{self, Opened};
use crate::cli::say;
use crate::wiring::intake::tools;

/// Shows what was put aside: in the source's capture table, and by polls and comparisons in our database.
pub(super) async fn parked(config: Option<PathBuf>, arguments: &IntakeParked) -> Result<ExitCode> {
    let settings = open::settings(config.clone())?;
    let source = one(&settings, &arguments.which)?;
    let mut rows: Vec<Value> = Vec::new();
    if source.mode == Mode::Triggers {
        let found = connected(&source)?.parked(i64::MIN, arguments.limit).await;
        for row in found.map_err(|error| explained(&source, &error))? {
            rows.push(json!({
                "number": row.row.number, "key": row.row.key, "operation": row.row.operation.as_str(),
                "at": row.row.at, "attempts": row.attempts, "reason": row.reason,
            }));
        }
    }
    match open::for_reading(config).await {
        Ok(opened) => {
            for row in worker(&opened, &source)?.ledger().aside().await? {
                rows.push(json!({
                    "number": null, "key": row.key, "operation": null, "at": null,
                    "attempts": row.attempts, "reason": row.reason,
                }));
            }
        }
        Err(error) => {
            say::remark(format_args!("what polls and comparisons put aside is not known: {error:#}"));
        }
    }
    if arguments.output.json {
        say::json(&rows)?;
    } else if rows.is_empty() {
        say::line("No row is put aside.")?;
    } else {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let shown = |value: &Value| if value.is_null() { "-".to_owned() } else { text(value) };
        let rows: Vec<[String; 5]> = rows
            .iter()
            .map(|row| ["number", "key", "operation", "attempts", "reason"].map(|name| shown(&row[name])))
            .collect();
        say::table(["NUMBER", "KEY", "", "ATTEMPTS", "WHY"], &rows)?;
        say::remark("`leadwire intake retry` lets them be tried again.");
    }
    Ok(ExitCode::SUCCESS)
}

fn worker(opened: &Opened, source: &SourceSettings) -> Result<IntakeWorker> {
    IntakeWorker::new(source.clone(), tools(&opened.store, &opened.ports))
        .map_err(|error| explained(source, &error))
}

/// Lets rows be tried again: the capture table's by whoever works next, ours at once.
pub(super) async fn retry(config: Option<PathBuf>, arguments: &IntakeRetry) -> Result<ExitCode> {
    let settings = open::settings(config.clone())?;
    let source = one(&settings, &arguments.which)?;
    let is_json = arguments.output.json;
    if arguments.numbers.is_empty() {
        retry_all(config, &source, is_json).await
    } else {
        retry_some(&source, &arguments.numbers, is_json).await
    }
}

/// Rows of the capture table: that needs the source alone.
async fn retry_some(source: &SourceSettings, numbers: &[i64], is_json: bool) -> Result<ExitCode> {
    if source.mode == Mode::Poll {
        bail!("a polled source has no numbers; `leadwire intake retry` without them tries all again");
    }
    let count = connected(source)?.retry(Some(numbers)).await.map_err(|error| explained(source, &error))?;
    if count == 0 {
        bail!("none of {numbers:?} is put aside; `leadwire intake parked` shows what is");
    }
    released(count, None, is_json)
}

/// Everything that `intake parked` shows.
async fn retry_all(config: Option<PathBuf>, source: &SourceSettings, is_json: bool) -> Result<ExitCode> {
    let opened = match open::for_writing(config).await {
        Ok(opened) => opened,
        Err(error) if source.mode == Mode::Triggers => {
            let count = connected(source)?.retry(None).await.map_err(|error| explained(source, &error))?;
            say::remark(format_args!("what comparisons put aside was not tried again: {error:#}"));
            return released(count, None, is_json);
        }
        Err(error) => return Err(error),
    };
    let done = worker(&opened, source)?.retry(None).await;
    opened.store.close().await;
    let (count, tally) = done.map_err(|outage| anyhow!("source {}: {outage}", source.name))?;
    if source.mode == Mode::Triggers {
        return released(count, Some(&tally), is_json);
    }
    if is_json {
        say::json(&tally)?;
    } else {
        tried(&tally)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells how many rows of the capture table wait again, and what came of ours if they were tried.
fn released(count: u64, ours: Option<&Tally>, is_json: bool) -> Result<ExitCode> {
    if is_json {
        say::json(&json!({ "released": count, "rows": ours }))?;
    } else {
        say::line(format_args!("{count} rows wait again."))?;
        if let Some(tally) = ours.filter(|tally| tally.seen > 0) {
            tried(tally)?;
        }
    }
    say::remark("A running service takes them within seconds; else `leadwire intake run --once`.");
    Ok(ExitCode::SUCCESS)
}

fn tried(tally: &Tally) -> Result<()> {
    say::line(format_args!("{} rows tried, {} are put aside again.", tally.seen, tally.parked))
}
