//! `crash_runner`: the whole crash run, on one database or on both. `cargo xtask crash` builds everything it needs.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tests::crash::{self, Options};
use tests::scratch::Backend;

/// Kills `leadwire serve` at random moments while four clients create and assign leads, and then looks for
/// anything lost or doubled.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  crash_runner
  crash_runner --database sqlite --seed 42
  crash_runner --leads 60 --kills 2

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
    /// Number of kills
    #[arg(long, alias = "rounds", default_value_t = 10)]
    kills: usize,
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

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Arguments { database, seed, leads, kills, program } = Arguments::parse();
    let program = program.map_or_else(crash::program::find, Ok)?;
    let seed = seed.unwrap_or_else(rand::random);
    say(&format!("seed {seed}; again with --seed {seed}"));
    let mut good = true;
    for backend in database.backends() {
        let options =
            Options { backend: *backend, leads, kills, seed, escalations: true, program: program.clone() };
        match crash::run(&options, say).await {
            Ok(report) => {
                say(&format!("\n{report}"));
                good &= report.is_good();
            }
            Err(error) => {
                say(&format!("\n{}: the run could not be finished: {error:#}\n", backend.name()));
                good = false;
            }
        }
    }
    if good {
        say("PASSED");
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("FAILED with seed {seed}; again with --seed {seed}"));
    Ok(ExitCode::FAILURE)
}

/// Prints one line. Nobody listening any more is no reason to leave a run half done.
fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
