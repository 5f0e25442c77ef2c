//! `staff recount`: the counts of everybody's leads, held against the log and made anew.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use infrastructure::recount::{Compared, compare, recount};
use serde_json::json;

use crate::cli::arguments::StaffRecount;
use crate::cli::{open, say};

/// Runs it. A difference that stays is a failure.
pub(super) async fn run(config: Option<PathBuf>, arguments: &StaffRecount) -> Result<ExitCode> {
    let found = if arguments.dry_run {
        let opened = open::for_reading(config).await?;
        let bus = &opened.store.bus;
        compare(bus.log(), bus.upcasters()).await.context("the leads were not counted")?
    } else {
        let opened = open::for_writing(config).await?;
        let bus = &opened.store.bus;
        let counted = recount(bus.log(), bus.upcasters()).await;
        opened.store.close().await;
        counted.context("the leads were not counted; the counts are as they were")?
    };
    if arguments.output.json {
        let Compared { position, leads, differing, differences } = &found;
        say::json(&json!({
            "dryRun": arguments.dry_run,
            "position": position,
            "leads": leads,
            "differing": differing,
            "differences": differences,
        }))?;
    } else {
        print(&found, arguments.dry_run)?;
    }
    let wrong = arguments.dry_run && !found.is_clean();
    if wrong {
        say::remark("`leadwire staff recount` makes the counts anew.");
    }
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(found: &Compared, dry_run: bool) -> Result<()> {
    let Compared { position, leads, differing, differences } = found;
    if found.is_clean() {
        return say::line(format_args!(
            "{leads} leads are owned at position {position}; every count is what the log says."
        ));
    }
    let rows: Vec<[String; 4]> = differences
        .iter()
        .map(|one| {
            let count = one.count.as_str().to_owned();
            [one.staff.clone(), count, one.kept.to_string(), one.counted.to_string()]
        })
        .collect();
    say::table(["STAFF", "COUNT", "KEPT", "LOG SAYS"], &rows)?;
    let more = differing - differences.len();
    if more > 0 {
        say::line(format_args!("… and {more} more."))?;
    }
    let words = if dry_run { "differ" } else { "differed, and are what the log says now" };
    say::line(format_args!("{leads} leads are owned at position {position}; {differing} counts {words}."))
}
