//! Finds the `leadwire` program that was built together with these tests.

use std::env::current_exe;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

const NAME: &str = "leadwire";

/// Where everything lies that the program is made of.
const SOURCES: [&str; 6] = [
    "domain/src",
    "application/src",
    "infrastructure/src",
    "infrastructure/migrations",
    "projections/src",
    "bin/leadwire/src",
];

/// The program beside the running test or runner, in the same profile.
pub fn find() -> Result<PathBuf> {
    let here = current_exe().context("cannot tell where this program is")?;
    let found = here.ancestors().skip(1).map(|folder| folder.join(NAME)).find(|path| path.is_file());
    found.with_context(|| {
        format!("there is no {NAME} above {}: run `cargo build --package {NAME}`", here.display())
    })
}

/// The same, and built when it is missing or older than its sources: a test must never meet the program of yesterday.
/// It is built as a test run over the whole workspace builds it: for itself alone, its dependencies would have other
/// features, and be built again for minutes.
pub async fn current() -> Result<PathBuf> {
    match find() {
        Ok(program) if is_current(&program).unwrap_or(false) => return Ok(program),
        _ => {}
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--bin", NAME]).current_dir(repository);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status().await?.success(), "{NAME} does not build");
    find()
}

/// Whether the program is younger than everything it may be made of.
fn is_current(program: &Path) -> std::io::Result<bool> {
    let built = program.metadata()?.modified()?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|folder| repository.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.metadata()?.modified()? > built {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
