//! `schedules …`: the jobs, when each runs next, and what came of its last run.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use infrastructure::scheduler;

use super::arguments::{SchedulesCommand, SchedulesList};
use super::{moment, open, say};
use crate::http::schedules::ScheduleDocument;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: SchedulesCommand) -> Result<ExitCode> {
    match command {
        SchedulesCommand::List(arguments) => list(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: Option<PathBuf>, arguments: &SchedulesList) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let (jobs, now) = (scheduler::all(opened.store.db()).await?, opened.ports.clock.now());
    if arguments.output.json {
        let jobs: Vec<_> = jobs.into_iter().map(|row| ScheduleDocument::of(row, now)).collect();
        return say::json(&jobs);
    }
    if jobs.is_empty() {
        say::remark("no jobs are known yet: they appear when a worker first starts");
    }
    let rows: Vec<[String; 7]> = jobs
        .into_iter()
        .map(|row| {
            let succeeded = match row.succeeded {
                Some(true) => "ok",
                Some(false) => "failed",
                None => "",
            };
            let when = format!("{} {}", row.cron, row.zone);
            let (state, next) = (row.state().as_str().to_owned(), row.next(now));
            [
                row.name,
                when,
                state,
                next.map(|next| moment::shown(next.0)).unwrap_or_default(),
                row.ended_at.map(moment::shown).unwrap_or_default(),
                succeeded.to_owned(),
                row.outcome.unwrap_or_default(),
            ]
        })
        .collect();
    say::table(["NAME", "WHEN", "STATE", "NEXT", "LAST ENDED", "RESULT", "OUTCOME"], &rows)
}
