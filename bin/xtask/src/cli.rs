//! The command line of `cargo xtask`: names, flags, help texts and examples, and nothing that acts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::steps::Step;

/// The commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// One variant per command.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Format, clippy, docs, and every test on SQLite, on PostgreSQL and with MariaDB
    Test(TestArguments),
    /// Build Leadwire and play its demo on loopback
    Demo(DemoArguments),
    /// Run the benchmarks on SQLite and on a PostgreSQL cluster with fsync on
    Bench(BenchArguments),
    /// Kill `leadwire serve` at random moments and check that nothing was lost or sent twice
    Crash(CrashArguments),
    /// Let schemathesis try every route of the OpenAPI document
    Contract(ContractArguments),
    /// Run one command with a scratch PostgreSQL cluster
    Postgres(PostgresArguments),
    /// Run one command with a scratch MariaDB server
    Mariadb(MariadbArguments),
}

const TEST_EXAMPLES: &str = "Examples:
  cargo xtask test
  cargo xtask test --only clippy
  cargo xtask test --only tests -- customer

The PostgreSQL cluster and the MariaDB server are started here, in temporary folders, and removed afterwards. \
Where one is not installed, Debian's `postgresql` or `mariadb-server-core` package is installed if this user may do so; \
otherwise one line says what to install.";

/// Flags of `cargo xtask test`.
#[derive(Debug, Args)]
#[command(after_help = TEST_EXAMPLES)]
pub(crate) struct TestArguments {
    /// Run this step alone
    #[arg(long, value_enum, value_name = "STEP")]
    pub(crate) only: Option<Step>,
    /// Passed on to the test runner: cargo nextest run, or cargo test where nextest is missing
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) runner: Vec<String>,
}

const DEMO_EXAMPLES: &str = "Examples:
  cargo xtask demo
  cargo xtask demo --once
  cargo xtask demo --data ./demo-data --port 4000";

/// Flags of `cargo xtask demo`, the same as those of `leadwire demo`.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArguments {
    /// Keep the data here instead of in a fresh temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Port on 127.0.0.1; the simulator takes the next one
    #[arg(long, default_value_t = 3000)]
    pub(crate) port: u16,
    /// Play the scenario, then exit 0 if it was proven and 1 if not
    #[arg(long)]
    pub(crate) once: bool,
    /// Use this PostgreSQL database instead of embedded SQLite
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

const BENCH_EXAMPLES: &str = "Examples:
  cargo xtask bench
  cargo xtask bench --quick
  cargo xtask bench --only append";

/// Flags of `cargo xtask bench`.
#[derive(Debug, Args)]
#[command(after_help = BENCH_EXAMPLES)]
pub(crate) struct BenchArguments {
    /// Shorter runs: good for a first look, not for a number to quote
    #[arg(long)]
    pub(crate) quick: bool,
    /// Run the benchmark of this name alone
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Option<String>,
}

const CRASH_EXAMPLES: &str = "Examples:
  cargo xtask crash
  cargo xtask crash --database postgres --rounds 10
  cargo xtask crash --database sqlite --seed 42
  cargo xtask crash --transfer-run 10000
  cargo xtask crash --recycle-run 10000";

/// Flags of `cargo xtask crash`.
#[derive(Debug, Args)]
#[command(after_help = CRASH_EXAMPLES)]
pub(crate) struct CrashArguments {
    /// Which database to run on
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    pub(crate) database: Databases,
    /// Seed of the kill moments, to repeat a run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Number of kills
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
    /// Instead, kill whoever carries out a transfer rule's run over so many leads
    #[arg(long, value_name = "LEADS")]
    pub(crate) transfer_run: Option<u32>,
    /// Instead, kill whoever carries out a run of the recycle rules over so many leads
    #[arg(long, value_name = "LEADS", conflicts_with = "transfer_run")]
    pub(crate) recycle_run: Option<u32>,
}

/// The databases a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Databases {
    /// Embedded SQLite alone.
    Sqlite,
    /// PostgreSQL alone.
    Postgres,
    /// One after the other.
    Both,
}

const CONTRACT_EXAMPLES: &str = "Examples:
  cargo xtask contract
  cargo xtask contract --database postgres --examples 100
  cargo xtask contract --seed 42

schemathesis is installed from PyPI into target/schemathesis; python3 with the venv module is needed for that.";

/// Flags of `cargo xtask contract`.
#[derive(Debug, Args)]
#[command(after_help = CONTRACT_EXAMPLES)]
pub(crate) struct ContractArguments {
    /// Which database to run on
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    pub(crate) database: Databases,
    /// Requests made up for every route and phase
    #[arg(long)]
    pub(crate) examples: Option<u32>,
    /// Repeats the requests of an earlier run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

const POSTGRES_EXAMPLES: &str = "Examples:
  cargo xtask postgres -- cargo nextest run -p infrastructure
  cargo xtask postgres -- sh -c 'psql \"$LEADWIRE_TEST_POSTGRES\" -c \"select version()\"'

The command finds the cluster in LEADWIRE_TEST_POSTGRES; its exit code becomes ours.";

/// Flags of `cargo xtask postgres`.
#[derive(Debug, Args)]
#[command(after_help = POSTGRES_EXAMPLES)]
pub(crate) struct PostgresArguments {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

const MARIADB_EXAMPLES: &str = "Examples:
  cargo xtask mariadb -- cargo nextest run -p infrastructure intake::
  cargo xtask postgres -- cargo xtask mariadb -- cargo nextest run -p infrastructure

The command finds the server in LEADWIRE_TEST_MARIADB; its exit code becomes ours.";

/// Flags of `cargo xtask mariadb`.
#[derive(Debug, Args)]
#[command(after_help = MARIADB_EXAMPLES)]
pub(crate) struct MariadbArguments {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        for task in cli.get_subcommands_mut() {
            let help = task.render_help().to_string();
            let example = format!("  cargo xtask {}", task.get_name());
            assert!(help.contains(&example), "no example in the help of {}", task.get_name());
        }
    }

    #[test]
    fn arguments_behind_the_dashes_belong_to_the_test_runner() {
        let cli = Cli::parse_from(["xtask", "test", "--only", "tests", "--", "--no-capture", "customer"]);
        let Task::Test(arguments) = cli.task else { panic!("not the test command") };
        assert_eq!(arguments.only, Some(Step::Tests));
        assert_eq!(arguments.runner, ["--no-capture", "customer"]);
    }
}
