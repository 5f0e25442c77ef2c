//! `cargo xtask demo`: builds Leadwire and becomes `leadwire demo`.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{cli::DemoArguments, processes};

/// Turns this process into cargo, which builds and in turn becomes `leadwire`. There is no parent left that would
/// have to pass on Ctrl-C or the exit code. The dev profile is used because it is what builds fastest on a fresh
/// machine. Returns only if cargo could not be started.
pub(crate) fn demo(arguments: &DemoArguments) -> Result<ExitCode> {
    let mut command = Command::new("cargo");
    command.args(["run", "--package", "leadwire", "--bin", "leadwire", "--", "demo"]);
    command.args(["--port", &arguments.port.to_string()]);
    if let Some(folder) = &arguments.data {
        command.arg("--data").arg(folder);
    }
    if arguments.once {
        command.arg("--once");
    }
    if let Some(url) = &arguments.database_url {
        command.args(["--database-url", url]);
    }
    processes::forget_cargo_run(&mut command);
    Err(command.exec()).context("cannot start `cargo`")
}
