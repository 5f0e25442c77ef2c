//! `cargo xtask crash`: builds the real programs and lets the crash runner kill them.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum as _;

use crate::{
    cli::{CrashArguments, Databases},
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
};

/// Builds what is killed, then runs the runner, with a cluster if PostgreSQL is among the databases. Only our own
/// programs are killed, never the database server, so the cluster needs no fsync.
pub(crate) async fn crash(processes: &mut Processes, arguments: &CrashArguments) -> Result<ExitCode> {
    let binaries = match arguments.database {
        Databases::Sqlite => None,
        Databases::Postgres | Databases::Both => Some(postgres::find_or_install(processes).await?),
    };
    let build = processes::cargo(["build", "--package", "leadwire", "--package", "wechat-simulator"]);
    if !processes.run(build).await?.success() {
        bail!("the programs under test do not build");
    }
    let cluster = binaries.map(|binaries| Cluster::start(&binaries, Durability::Off)).transpose()?;
    let mut command = processes::cargo(["run", "--package", "tests", "--bin", "crash_runner", "--"]);
    command.args(runner_arguments(arguments));
    command.envs(cluster.as_ref().map(|cluster| (postgres::URL_VARIABLE, cluster.url())));
    let status = processes.run(command).await?;
    drop(cluster);
    Ok(processes::exit_code(status))
}

fn runner_arguments(arguments: &CrashArguments) -> Vec<String> {
    let database = arguments.database.to_possible_value().map(|value| value.get_name().to_owned());
    [
        ("--database", database),
        ("--seed", arguments.seed.map(|seed| seed.to_string())),
        ("--rounds", arguments.rounds.map(|rounds| rounds.to_string())),
        ("--transfer-run", arguments.transfer_run.map(|leads| leads.to_string())),
        ("--recycle-run", arguments.recycle_run.map(|leads| leads.to_string())),
    ]
    .into_iter()
    .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flags_that_were_given_reach_the_runner() {
        let (seed, rounds, transfer_run, recycle_run) = (None, None, None, None);
        let database = Databases::Both;
        let mut arguments = CrashArguments { database, seed, rounds, transfer_run, recycle_run };
        assert_eq!(runner_arguments(&arguments), ["--database", "both"]);
        arguments =
            CrashArguments { database: Databases::Sqlite, seed: Some(42), rounds: Some(3), ..arguments };
        assert_eq!(runner_arguments(&arguments), ["--database", "sqlite", "--seed", "42", "--rounds", "3"]);
        arguments = CrashArguments { transfer_run: Some(10_000), ..arguments };
        assert_eq!(runner_arguments(&arguments)[6..], ["--transfer-run", "10000"]);
        arguments = CrashArguments { transfer_run: None, recycle_run: Some(9_000), ..arguments };
        assert_eq!(runner_arguments(&arguments)[6..], ["--recycle-run", "9000"]);
    }
}
