//! `intake import`: members in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use application::intake::{CheckedFile, FileFault, FileImported, check_file, import_file};
use infrastructure::spreadsheet::{self, SheetError};
use infrastructure::unique_values::StoredValues;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::arguments::IntakeImport;
use crate::cli::open::{self, Opened};
use crate::cli::say;

/// Hexadecimal digits by which a file is known.
const DIGEST_DIGITS: usize = 16;

/// Rows after which somebody who watches is told how far it is.
const TOLD_EVERY: usize = 1000;

/// Takes the members of a file in, or says what is wrong with it.
pub(super) async fn import(config: Option<PathBuf>, arguments: &IntakeImport) -> Result<ExitCode> {
    let name = arguments.file.display();
    let bytes = std::fs::read(&arguments.file).with_context(|| format!("{name} cannot be read"))?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(DIGEST_DIGITS)
        .map(digit)
        .collect();
    // The libraries may panic on what they did not expect: then the file is damaged.
    let read = tokio::task::spawn_blocking(move || spreadsheet::read(&bytes)).await;
    let sheet = read.unwrap_or(Err(SheetError::Damaged)).map_err(|error| anyhow!("{name}: {error}"))?;
    let checked = check_file(&sheet, &digest).map_err(|error| anyhow!("{name}: {error}"))?;
    for column in &checked.ignored {
        say::remark(format_args!("the column {column} means nothing here and was left out"));
    }
    let done = if arguments.dry_run {
        FileImported::default()
    } else {
        let opened = open::for_writing(config).await?;
        let done = take_in(&opened, &checked, &digest).await;
        opened.store.close().await;
        done?
    };
    tell(arguments, checked, done)
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

async fn take_in(opened: &Opened, checked: &CheckedFile, digest: &str) -> Result<FileImported> {
    let (store, watched) = (&opened.store, say::is_watched());
    let told = |done: usize| {
        if watched && done.is_multiple_of(TOLD_EVERY) {
            say::remark(format_args!("{done} rows"));
        }
    };
    let unique = StoredValues::new(store.db().clone());
    let run = format!("intake import {digest}");
    let done = import_file(&store.bus, &unique, &*opened.ports.clock, &run, &checked.rows, &told).await;
    done.context("the file was not taken in to its end; the same command carries on")
}

fn tell(arguments: &IntakeImport, checked: CheckedFile, done: FileImported) -> Result<ExitCode> {
    let mut faults: Vec<FileFault> = checked.faults.into_iter().chain(done.faults).collect();
    faults.sort();
    let refused = faults.iter().map(|fault| fault.row).collect::<std::collections::BTreeSet<_>>().len();
    if arguments.output.json {
        let listed: Vec<_> = faults
            .iter()
            .map(|fault| json!({ "row": fault.row, "column": fault.column, "rule": fault.rule }))
            .collect();
        say::json(&json!({
            "dryRun": arguments.dry_run, "good": checked.rows.len(), "registered": done.registered,
            "unchanged": done.unchanged, "refused": refused, "faults": listed,
        }))?;
    } else {
        for fault in &faults {
            say::remark(format_args!("row {}, {}: {}", fault.row, fault.column, fault.rule));
        }
        say::line(if arguments.dry_run {
            format!("{} rows can be taken in, {refused} cannot; nothing was written.", checked.rows.len())
        } else {
            format!(
                "{} members registered, {} rows were known, {refused} rows were refused.",
                done.registered, done.unchanged
            )
        })?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
