//! `cargo xtask`: the commands a fresh clone needs and nothing else has to know.
//!
//! It exists so that a person and CI run the very same thing, and so that "the tests need PostgreSQL" is this
//! program's problem and not the reader's. It uses no crate of the workspace: it must build when they do not.

mod cli;
mod environment;
mod keeper;
mod mariadb;
mod package;
mod postgres;
mod processes;
mod say;
mod steps;
mod tasks;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Cli, Task},
    processes::Processes,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Test(arguments) => with_processes(async |it| tasks::test(it, &arguments).await).await,
        Task::Demo(arguments) => tasks::demo(&arguments),
        Task::Bench(arguments) => with_processes(async |it| tasks::bench(it, &arguments).await).await,
        Task::Crash(arguments) => with_processes(async |it| tasks::crash(it, &arguments).await).await,
        Task::Contract(arguments) => with_processes(async |it| tasks::contract(it, &arguments).await).await,
        Task::Postgres(arguments) => with_processes(async |it| tasks::postgres(it, &arguments).await).await,
        Task::Mariadb(arguments) => with_processes(async |it| tasks::mariadb(it, &arguments).await).await,
    };
    outcome.unwrap_or_else(|error| {
        say::error(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// Takes over the stop signals first, so that every cluster a task starts is also stopped.
async fn with_processes(
    task: impl AsyncFnOnce(&mut Processes) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    task(&mut Processes::new()?).await
}
