//! `cargo xtask postgres -- COMMAND`: a scratch cluster for the time of one command.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    cli::PostgresArguments,
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
};

/// Runs the command where the user stands, with the cluster's URL; its exit code is ours.
pub(crate) async fn postgres(processes: &mut Processes, arguments: &PostgresArguments) -> Result<ExitCode> {
    let (program, rest) = arguments.command.split_first().context("no command was given")?;
    let binaries = postgres::find_or_install(processes).await?;
    let cluster = Cluster::start(&binaries, Durability::Off)?;
    let mut command = Command::new(program);
    command.args(rest).env(postgres::URL_VARIABLE, cluster.url());
    processes::forget_cargo_run(&mut command);
    let status = processes.run(command).await?;
    drop(cluster);
    Ok(processes::exit_code(status))
}
