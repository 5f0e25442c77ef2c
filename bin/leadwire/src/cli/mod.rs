//! The command line: what there is (`arguments`), and one module for each family of commands.
//!
//! Exit codes: 0 done, 1 not done, 2 wrong arguments or settings.

mod arguments;
mod channels;
mod config_check;
mod deliveries;
mod doctor;
mod events;
mod intake;
mod moment;
mod open;
mod personal;
mod projections;
mod recycle;
pub(crate) mod say;
mod schedules;
mod serve;
mod staff;
mod stream;
mod templates;
mod tokens;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use crate::config::ConfigError;
use crate::demo;
use arguments::{Cli, Command};

/// Wrong arguments or settings; the same code that clap uses.
const EXIT_USAGE: u8 = 2;

/// Runs the command that the arguments name.
pub async fn run() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    match Box::pin(carry_out(config, command)).await {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say::remark(format_args!("error: {}", told(&error)));
            match error.downcast_ref::<ConfigError>() {
                Some(_) => {
                    say::remark("`leadwire config check` shows the settings in force.");
                    ExitCode::from(EXIT_USAGE)
                }
                None => ExitCode::FAILURE,
            }
        }
    }
}

async fn carry_out(config: Option<PathBuf>, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve::serve(config, &arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Migrate(arguments) => serve::migrate(config, &arguments).await,
        Command::Staff(command) => staff::run(config, command).await,
        Command::Tokens(command) => tokens::run(config, command).await,
        Command::Events(command) => events::run(config, command).await,
        Command::Projections(command) => projections::run(config, command).await,
        Command::Deliveries(command) => Box::pin(deliveries::run(config, command)).await,
        Command::Schedules(command) => schedules::run(config, command).await,
        Command::Transfer(command) => transfer::run(config, command).await,
        Command::Recycle(command) => recycle::run(config, command).await,
        Command::Intake(command) => Box::pin(intake::run(config, command)).await,
        Command::Templates(command) => templates::run(config, command).await,
        Command::Channels(command) => channels::run(config, command).await,
        Command::Decisions(arguments) => deliveries::decisions(config, &arguments).await,
        Command::Doctor(arguments) => Box::pin(doctor::run(config, &arguments)).await,
        Command::Config(arguments::ConfigCommand::Check(arguments)) => {
            config_check::check(config, &arguments)
        }
    }
}

/// An error with its causes. A cause that the text before it tells already is left out: some libraries repeat theirs.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}

/// Whether the reader of our output went away: `leadwire events tail | head` is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no such table")
            .context("error returned from database: no such table")
            .context("cannot read");
        assert_eq!(told(&error), "cannot read: error returned from database: no such table");
    }
}
