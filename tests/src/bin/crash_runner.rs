//! `crash_runner`: the whole crash run, on one database or on both. `cargo xtask crash` builds everything it needs.

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tests::crash::recycle;
use tests::crash::transfer::{self, Occasion};
use tests::crash::{self, Options};
use tests::scratch::Backend;

/// Kills `leadwire serve` at random moments while four clients create and assign leads, and then looks for
/// anything lost or doubled.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  crash_runner
  crash_runner --database sqlite --seed 42
  crash_runner --leads 60 --kills 2
  crash_runner --transfer-run 10000 --occasion asked
  crash_runner --recycle-run 10000

PostgreSQL: LEADWIRE_TEST_POSTGRES names a cluster where databases may be created.")]
struct Arguments {
    /// Which database to run on
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
    /// Repeats the plan of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Leads to create and assign
    #[arg(long, default_value_t = 2000)]
    leads: usize,
    /// Number of kills: 10, and of a rule's run 2 at the most
    #[arg(long, alias = "rounds")]
    kills: Option<usize>,
    /// Instead, kill whoever carries out a transfer rule's run over so many leads
    #[arg(long, value_name = "LEADS")]
    transfer_run: Option<usize>,
    /// What begins that run; both, one after the other, unless one is named
    #[arg(long, value_enum, requires = "transfer_run")]
    occasion: Option<Occasion>,
    /// Instead, kill whoever carries out a run of the recycle rules over so many leads
    #[arg(long, value_name = "LEADS", conflicts_with = "transfer_run")]
    recycle_run: Option<usize>,
    /// The program to kill; without it the one that was built beside this runner
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

/// The databases a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Databases {
    /// Embedded SQLite alone.
    Sqlite,
    /// PostgreSQL alone.
    Postgres,
    /// One after the other.
    Both,
}

impl Databases {
    fn backends(self) -> &'static [Backend] {
        match self {
            Self::Sqlite => &[Backend::Sqlite],
            Self::Postgres => &[Backend::Postgres],
            Self::Both => &[Backend::Sqlite, Backend::Postgres],
        }
    }
}

/// Kills of a run that says no other number.
const KILLS: usize = 10;
/// The same of a rule's run: one of three processes must be left to end it.
const RULE_KILLS: usize = 2;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::parse();
    let program = arguments.program.take().map_or_else(crash::program::find, Ok)?;
    let seed = arguments.seed.unwrap_or_else(rand::random);
    say(&format!("seed {seed}; again with --seed {seed}"));
    let mut good = true;
    for backend in arguments.database.backends() {
        good &= match (arguments.transfer_run, arguments.recycle_run) {
            (Some(leads), _) => transfer_runs(&arguments, *backend, leads, seed, &program).await,
            (_, Some(leads)) => recycle_run(&arguments, *backend, leads, seed, &program).await,
            _ => crash_run(&arguments, *backend, seed, &program).await,
        };
    }
    if good {
        say("PASSED");
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("FAILED with seed {seed}; again with --seed {seed}"));
    Ok(ExitCode::FAILURE)
}

async fn crash_run(arguments: &Arguments, backend: Backend, seed: u64, program: &Path) -> bool {
    let (leads, kills) = (arguments.leads, arguments.kills.unwrap_or(KILLS));
    let program = program.to_owned();
    let options = Options { backend, leads, kills, seed, escalations: true, program };
    let report = crash::run(&options, say).await;
    told(backend, report.map(|report| (report.to_string(), report.is_good())))
}

async fn transfer_runs(
    arguments: &Arguments,
    backend: Backend,
    leads: usize,
    seed: u64,
    program: &Path,
) -> bool {
    let occasions = arguments.occasion.map_or_else(|| Occasion::value_variants().to_vec(), |one| vec![one]);
    let mut good = true;
    for occasion in occasions {
        let (kills, program) = (arguments.kills.unwrap_or(RULE_KILLS), program.to_owned());
        let options = transfer::Options { backend, occasion, leads, kills, seed, program };
        let report = transfer::run(&options, say).await;
        good &= told(backend, report.map(|report| (report.to_string(), report.is_good())));
    }
    good
}

async fn recycle_run(
    arguments: &Arguments,
    backend: Backend,
    leads: usize,
    seed: u64,
    program: &Path,
) -> bool {
    let (kills, program) = (arguments.kills.unwrap_or(RULE_KILLS), program.to_owned());
    let options = recycle::Options { backend, leads, kills, seed, program };
    let report = recycle::run(&options, say).await;
    told(backend, report.map(|report| (report.to_string(), report.is_good())))
}

/// Prints what came of a run; whether everything held.
fn told(backend: Backend, report: Result<(String, bool)>) -> bool {
    match report {
        Ok((report, good)) => {
            say(&format!("\n{report}"));
            good
        }
        Err(error) => {
            say(&format!("\n{}: the run could not be finished: {error:#}\n", backend.name()));
            false
        }
    }
}

/// Prints one line. Nobody listening any more is no reason to leave a run half done.
fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
