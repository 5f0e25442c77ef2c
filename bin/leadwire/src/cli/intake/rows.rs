//! `intake parked` and `retry`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use application::intake::worker::Tally;
use application::intake::{Mode, PAGE_ROWS_MAX, SourceError};
use infrastructure::intake::{ASIDE_PAGE, IntakeWorker, SourceSettings};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::choose::one;
use super::{connected, explained};
use crate::cli::arguments::{IntakeParked, IntakeRetry};
use crate::cli::open::{self, Opened};
use crate::cli::say;
use crate::wiring::intake::tools;

/// Rows that are put aside, as they are shown.
struct Listed {
    /// Those of the page.
    rows: Vec<Value>,
    /// All there are, as far as they could be counted.
    total: u64,
}

/// Shows what was put aside: in the source's capture table, and by polls and comparisons in our database.
pub(super) async fn parked(config: Option<PathBuf>, arguments: &IntakeParked) -> Result<ExitCode> {
    let settings = open::settings(config.clone())?;
    let source = one(&settings, &arguments.which)?;
    let (skip, limit) = (arguments.skip, u64::from(arguments.limit));
    let mut listed = Listed { rows: Vec::new(), total: 0 };
    if source.mode == Mode::Triggers {
        captured(&source, skip, limit, &mut listed).await.map_err(|error| explained(&source, &error))?;
    }
    match open::for_reading(config).await {
        Ok(opened) => ours(&opened, &source, skip, limit, &mut listed).await?,
        Err(error) => {
            say::remark(format_args!("what polls and comparisons put aside is not known: {error:#}"));
        }
    }
    shown(&listed, arguments)?;
    Ok(ExitCode::SUCCESS)
}

/// Adds those of the capture table.
async fn captured(
    source: &SourceSettings,
    skip: u64,
    limit: u64,
    listed: &mut Listed,
) -> Result<(), SourceError> {
    let at = infrastructure::intake::open(source.url.expose_secret(), source.mapping.clone())?;
    let total = at.backlog().await?.parked;
    listed.total += total;
    let (mut passed, mut after) = (0, i64::MIN);
    while passed < total && count(&listed.rows) < limit {
        let page = at.parked(after, PAGE_ROWS_MAX).await?;
        let Some(last) = page.last() else { break };
        after = last.row.number;
        for row in page {
            passed += 1;
            if passed > skip && count(&listed.rows) < limit {
                listed.rows.push(json!({
                    "number": row.row.number, "key": row.row.key, "operation": row.row.operation.as_str(),
                    "at": row.row.at, "attempts": row.attempts, "reason": row.reason,
                }));
            }
        }
    }
    Ok(())
}

/// Adds those of our database, which follow.
async fn ours(
    opened: &Opened,
    source: &SourceSettings,
    skip: u64,
    limit: u64,
    listed: &mut Listed,
) -> Result<()> {
    let worker = worker(opened, source)?;
    let state = worker.ledger().state().await?;
    let mut passed = listed.total;
    listed.total += state.map_or(0, |state| u64::try_from(state.aside_here).unwrap_or(0));
    let mut after: Option<String> = None;
    while passed < listed.total && count(&listed.rows) < limit {
        let page = worker.ledger().aside_page(after.as_deref(), ASIDE_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for row in page {
            passed += 1;
            if passed > skip && count(&listed.rows) < limit {
                listed.rows.push(json!({
                    "number": null, "key": row.key, "operation": null, "at": null,
                    "attempts": row.attempts, "reason": row.reason,
                }));
            }
        }
    }
    Ok(())
}

fn count(rows: &[Value]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

fn shown(listed: &Listed, arguments: &IntakeParked) -> Result<()> {
    let Listed { rows, total } = listed;
    if arguments.output.json {
        return say::json(&json!({ "total": total, "skipped": arguments.skip, "rows": rows }));
    }
    if *total == 0 {
        return say::line("No row is put aside.");
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let shown = |value: &Value| if value.is_null() { "-".to_owned() } else { text(value) };
    let table: Vec<[String; 5]> = rows
        .iter()
        .map(|row| ["number", "key", "operation", "attempts", "reason"].map(|name| shown(&row[name])))
        .collect();
    say::table(["NUMBER", "KEY", "", "ATTEMPTS", "WHY"], &table)?;
    let end = arguments.skip + count(rows);
    if end < *total {
        say::remark(format_args!("{} of {total} rows put aside; --skip {end} shows the next.", count(rows)));
    } else {
        say::remark(format_args!("{} of {total} rows put aside.", count(rows)));
    }
    say::remark("`leadwire intake retry` lets them be tried again.");
    Ok(())
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
