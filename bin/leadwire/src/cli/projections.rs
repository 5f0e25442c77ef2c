//! `projections …`: where the read models stand, and making one again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use projections::ReadModel;
use projections::rebuild::{
    OldTables, OnMismatch, Phase, RebuildOptions, RebuildProgress, Rebuilt, rebuild, rollback,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::arguments::{
    ProjectionsCommand, ProjectionsList, ProjectionsRebuild, ProjectionsResume, ProjectionsRollback,
};
use super::{moment, open, say};
use crate::lifecycle::stop_signal;

/// Where nobody watches, a line is printed whenever so much more of the log is in.
const PLAIN_STEP_PERCENT: i64 = 10;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: ProjectionsCommand) -> Result<ExitCode> {
    match command {
        ProjectionsCommand::List(arguments) => list(config, &arguments).await?,
        ProjectionsCommand::Rebuild(arguments) => rebuild_some(config, &arguments).await?,
        ProjectionsCommand::Rollback(arguments) => roll_back(config, &arguments).await?,
        ProjectionsCommand::Resume(arguments) => resume(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: Option<PathBuf>, arguments: &ProjectionsList) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let consumers = opened.store.projections.status().await?;
    if arguments.output.json {
        return say::json(&consumers);
    }
    let rows: Vec<[String; 7]> = consumers
        .into_iter()
        .map(|consumer| {
            [
                consumer.name,
                consumer.version.to_string(),
                consumer.position.to_string(),
                consumer.lag.to_string(),
                consumer.state.as_str().to_owned(),
                moment::shown(consumer.updated_at),
                consumer.error.unwrap_or_default(),
            ]
        })
        .collect();
    say::table(["NAME", "VERSION", "POSITION", "BEHIND", "STATE", "UPDATED", "ERROR"], &rows)
}

async fn rebuild_some(config: Option<PathBuf>, arguments: &ProjectionsRebuild) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let options = RebuildOptions {
        on_mismatch: if arguments.force { OnMismatch::Switch } else { OnMismatch::Refuse },
        old_tables: if arguments.keep { OldTables::Keep } else { OldTables::Drop },
    };
    let models = arguments.name.map_or_else(|| ReadModel::ALL.to_vec(), |model| vec![model]);
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(cancel_on_signal(cancel.clone()));
    let mut done = Vec::new();
    opened.store.projections.consumers().look_around().await?;
    for model in models {
        // Where no service runs, the live tables may stand anywhere before the head.
        opened.store.projections.catch_up(model).await?;
        let mut shown = Shown::new(model);
        let rebuilt =
            rebuild(&opened.store.projections, model, options, &cancel, |progress| shown.update(progress))
                .await
                .with_context(|| format!("{model} was not rebuilt; the live tables are as they were"))?;
        shown.finish();
        if !arguments.output.json {
            print(model, &rebuilt)?;
        }
        done.push(as_json(model, &rebuilt));
    }
    watcher.abort();
    opened.store.close().await;
    if arguments.output.json { say::json(&done) } else { Ok(()) }
}

async fn cancel_on_signal(cancel: CancellationToken) {
    if stop_signal().await.is_ok() {
        cancel.cancel();
    }
}

async fn roll_back(config: Option<PathBuf>, arguments: &ProjectionsRollback) -> Result<()> {
    let opened = open::for_writing(config).await?;
    rollback(&opened.store.projections, arguments.name).await?;
    opened.store.close().await;
    say::line(format_args!("{} is served from its earlier tables.", arguments.name))
}

async fn resume(config: Option<PathBuf>, arguments: &ProjectionsResume) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let resumed = opened.store.projections.consumers().resume(&arguments.name).await?;
    opened.store.close().await;
    if !resumed {
        bail!("no consumer {} is stopped; `leadwire projections list`", arguments.name);
    }
    say::line(format_args!("{} goes on from its checkpoint in a running worker.", arguments.name))
}

fn print(model: ReadModel, rebuilt: &Rebuilt) -> Result<()> {
    let rows: Vec<String> =
        rebuilt.rows.iter().map(|(table, rows)| format!("{rows} rows of {table}")).collect();
    say::line(format_args!(
        "{model} is rebuilt: version {}, position {}, {}, appends held {} ms.",
        rebuilt.version,
        rebuilt.position,
        rows.join(", "),
        rebuilt.held.as_millis()
    ))?;
    rebuilt.differences.iter().try_for_each(|difference| say::line(format_args!("  differed: {difference}")))
}

fn as_json(model: ReadModel, rebuilt: &Rebuilt) -> Value {
    let rows: serde_json::Map<String, Value> =
        rebuilt.rows.iter().map(|(table, rows)| ((*table).to_owned(), Value::from(*rows))).collect();
    let differences: Vec<String> = rebuilt.differences.iter().map(ToString::to_string).collect();
    json!({
        "name": model.name(),
        "version": rebuilt.version,
        "position": rebuilt.position,
        "rows": rows,
        "differences": differences,
        "heldMicroseconds": u64::try_from(rebuilt.held.as_micros()).unwrap_or(u64::MAX),
    })
}

/// The progress: a bar for a person, plain lines for a file.
enum Shown {
    Bar(ProgressBar),
    Lines { model: ReadModel, next_percent: i64 },
}

impl Shown {
    fn new(model: ReadModel) -> Self {
        if !say::is_watched() {
            return Self::Lines { model, next_percent: PLAIN_STEP_PERCENT };
        }
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar.with_prefix(model.name()))
    }

    fn update(&mut self, progress: RebuildProgress) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(u64::try_from(progress.head).unwrap_or_default());
                bar.set_position(u64::try_from(progress.position).unwrap_or_default());
                bar.set_message(words(&progress));
            }
            Self::Lines { model, next_percent } => {
                let percent = progress.position * 100 / progress.head.max(1);
                if percent >= *next_percent {
                    let (position, head) = (progress.position, progress.head);
                    say::remark(format_args!("{model} {position}/{head} {}", words(&progress)));
                    *next_percent = percent - percent % PLAIN_STEP_PERCENT + PLAIN_STEP_PERCENT;
                }
            }
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn words(progress: &RebuildProgress) -> String {
    let phase = match progress.phase {
        Phase::Reading => "reading",
        Phase::Indexing => "indexing",
        Phase::Comparing => "comparing",
        Phase::Switching => "switching",
    };
    let eta = progress.eta.filter(|eta| *eta > Duration::ZERO);
    let eta = eta.map_or_else(String::new, |eta| format!(", {} left", HumanDuration(eta)));
    format!("{phase}, {:.0} events/s{eta}", progress.per_second)
}
