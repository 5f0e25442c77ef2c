//! `intake …`: the databases that somebody else writes members into.
//!
//! A source's address may hold a password: it is shown without it, and nothing of a row is ever printed but its key.

mod choose;
mod import;
mod rows;
mod statistics;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use application::intake::{Mode, Source, SourceError, Unfinished, Verdict};
use infrastructure::intake::SourceSettings;
use infrastructure::intake::open as connect;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::arguments::{IntakeCheck, IntakeCommand, IntakeInstall, IntakeUninstall};
use super::{open, say};
use choose::one;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: IntakeCommand) -> Result<ExitCode> {
    match command {
        IntakeCommand::Install(arguments) => install(config, &arguments).await,
        IntakeCommand::Uninstall(arguments) => uninstall(config, &arguments).await,
        IntakeCommand::Check(arguments) => check(config, &arguments).await,
        IntakeCommand::Status(arguments) => work::status(config, &arguments).await,
        IntakeCommand::Statistics(arguments) => statistics::show(config, &arguments).await,
        IntakeCommand::Run(arguments) => work::run(config, &arguments).await,
        IntakeCommand::Reconcile(arguments) => work::reconcile(config, &arguments).await,
        IntakeCommand::Parked(arguments) => rows::parked(config, &arguments).await,
        IntakeCommand::Import(arguments) => import::import(config, &arguments).await,
        IntakeCommand::Retry(arguments) => rows::retry(config, &arguments).await,
    }
}

/// A source with what it is called and set to.
fn connected(source: &SourceSettings) -> Result<Box<dyn Source>> {
    connect(source.url.expose_secret(), source.mapping.clone()).map_err(|error| explained(source, &error))
}

/// What went wrong at a source, and what to do next.
fn explained(source: &SourceSettings, error: &SourceError) -> anyhow::Error {
    let next = match error {
        SourceError::Unreachable(_) => {
            "check that it runs and that the address is right; what is captured there waits"
        }
        SourceError::Denied(_) => "`leadwire intake check` names what is missing",
        SourceError::Unfinished(_) => {
            "`leadwire intake run --once` drains them, `leadwire intake parked` shows those put aside, --discard gives them up"
        }
        SourceError::Unsuitable { .. } => "name another table with --table, or describe it with --mapping",
        SourceError::Address(_) => {
            "an address is mysql://user@host/database, postgres://user@host/database or sqlite:path"
        }
        _ => "",
    };
    let told = anyhow!("source {}: {error}", source.name);
    if next.is_empty() { told } else { anyhow!("{told}\n{next}") }
}

async fn install(config: Option<PathBuf>, arguments: &IntakeInstall) -> Result<ExitCode> {
    let (settings, source) = (open::settings(config)?, &arguments.which);
    let source = one(&settings, source)?;
    if source.mode == Mode::Poll {
        bail!(
            "source {} is polled: there is nothing to install; `leadwire intake run` reads its table",
            source.name
        );
    }
    let at = connected(&source)?;
    let statements = if arguments.dry_run { at.plan_install().await } else { at.install().await };
    let statements = statements.map_err(|error| explained(&source, &error))?;
    shown(&statements, arguments.dry_run, arguments.output.json)?;
    if !arguments.dry_run {
        say::remark("`leadwire intake check` tells whether a member's change arrives.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn uninstall(config: Option<PathBuf>, arguments: &IntakeUninstall) -> Result<ExitCode> {
    let settings = open::settings(config)?;
    let source = one(&settings, &arguments.which)?;
    let at = connected(&source)?;
    let unfinished = if arguments.discard { Unfinished::Discard } else { Unfinished::Keep };
    let statements =
        if arguments.dry_run { at.plan_uninstall().await } else { at.uninstall(unfinished).await };
    let statements = statements.map_err(|error| explained(&source, &error))?;
    shown(&statements, arguments.dry_run, arguments.output.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The statements, as they can be given to the database's own client.
fn shown(statements: &[String], dry_run: bool, as_json: bool) -> Result<()> {
    if as_json {
        return say::json(&json!({ "dryRun": dry_run, "statements": statements }));
    }
    if statements.is_empty() {
        return say::line("Everything is as it should be; there is nothing to do.");
    }
    for statement in statements {
        let end = if statement.trim_end().ends_with(';') { "" } else { ";" };
        say::line(format_args!("{}{end}", statement.trim()))?;
    }
    say::remark(match (dry_run, statements.len()) {
        (true, n) => format!("{n} statements would be run; none was."),
        (false, n) => format!("{n} statements were run."),
    });
    Ok(())
}

async fn check(config: Option<PathBuf>, arguments: &IntakeCheck) -> Result<ExitCode> {
    let settings = open::settings(config)?;
    let source = one(&settings, &arguments.which)?;
    let report = connected(&source)?.check(source.mode).await;
    let report =
        report.map_err(|error| explained(&source, &error)).context("the source cannot be looked at")?;
    let word = |verdict| match verdict {
        Verdict::Good => "good",
        Verdict::Warning => "warning",
        Verdict::Failed => "failed",
    };
    if arguments.output.json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|found| json!({ "subject": found.subject, "verdict": word(found.verdict), "said": found.said }))
            .collect();
        let verdict = word(report.verdict());
        say::json(&json!({ "source": source.name, "verdict": verdict, "findings": findings }))?;
    } else {
        let rows: Vec<[String; 3]> = report
            .findings
            .iter()
            .map(|found| [word(found.verdict).to_owned(), found.subject.to_owned(), found.said.clone()])
            .collect();
        say::table(["", "WHAT", "WHAT WAS SEEN"], &rows)?;
    }
    Ok(if report.verdict() == Verdict::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
