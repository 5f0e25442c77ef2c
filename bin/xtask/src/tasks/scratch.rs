//! `cargo xtask postgres -- COMMAND` and `cargo xtask mariadb -- COMMAND`: a scratch server for the time of one command.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    cli::{MariadbArguments, PostgresArguments},
    mariadb::{self, Server},
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
};

/// Runs the command where the user stands, with the cluster's URL; its exit code is ours.
pub(crate) async fn postgres(processes: &mut Processes, arguments: &PostgresArguments) -> Result<ExitCode> {
    let binaries = postgres::find_or_install(processes).await?;
    let cluster = Cluster::start(&binaries, Durability::Off)?;
    let outcome = run(processes, &arguments.command, (postgres::URL_VARIABLE, cluster.url())).await;
    drop(cluster);
    outcome
}

/// The same with a MariaDB server.
pub(crate) async fn mariadb(processes: &mut Processes, arguments: &MariadbArguments) -> Result<ExitCode> {
    let binaries = mariadb::find_or_install(processes).await?;
    let server = Server::start(&binaries)?;
    let outcome = run(processes, &arguments.command, (mariadb::URL_VARIABLE, server.url())).await;
    drop(server);
    outcome
}

async fn run(processes: &mut Processes, command: &[String], variable: (&str, String)) -> Result<ExitCode> {
    let (program, rest) = command.split_first().context("no command was given")?;
    let mut command = Command::new(program);
    command.args(rest).env(variable.0, variable.1);
    processes::forget_cargo_run(&mut command);
    Ok(processes::exit_code(processes.run(command).await?))
}
