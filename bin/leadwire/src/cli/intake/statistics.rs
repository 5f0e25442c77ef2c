//! `intake statistics`: where members came from, whichever way it was.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use projections::queries::members::statistics::{sources, unknown_codes};
use serde_json::json;

use crate::cli::arguments::IntakeStatistics;
use crate::cli::{moment, open, say};

/// Counts members by source, and their unknown codes.
pub(super) async fn show(config: Option<PathBuf>, arguments: &IntakeStatistics) -> Result<ExitCode> {
    let opened = open::for_reading(config).await?;
    let counts = sources(opened.store.db()).await?;
    let codes = unknown_codes(opened.store.db()).await?;
    if arguments.output.json {
        let sources: Vec<_> = counts
            .iter()
            .map(|count| {
                json!({
                    "source": count.source, "way": count.way.as_str(), "members": count.total,
                    "membersActive": count.active, "membersDeleted": count.deleted,
                    "lastLearntAt": count.last_learnt_at,
                })
            })
            .collect();
        say::json(&json!({ "sources": sources, "unknownCodes": codes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if counts.is_empty() {
        say::line("No member is known yet.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 6]> = counts
        .into_iter()
        .map(|count| {
            let [total, active, deleted] =
                [count.total, count.active, count.deleted].map(|number| number.to_string());
            let last = count.last_learnt_at.map_or_else(|| "never".to_owned(), moment::shown);
            [count.source, count.way.as_str().to_owned(), total, active, deleted, last]
        })
        .collect();
    say::table(["SOURCE", "WAY", "MEMBERS", "ACTIVE", "DELETED", "LAST LEARNT OF"], &rows)?;
    if !codes.is_empty() {
        say::line("")?;
        let rows: Vec<[String; 3]> =
            codes.into_iter().map(|code| [code.field, code.code, code.members.to_string()]).collect();
        say::table(["COLUMN", "UNKNOWN CODE", "MEMBERS"], &rows)?;
        say::remark(
            "These codes stand in no table and are shown as they are; a mapping's [values.…] gives them a meaning.",
        );
    }
    Ok(ExitCode::SUCCESS)
}
