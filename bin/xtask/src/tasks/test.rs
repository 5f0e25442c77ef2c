//! `cargo xtask test`: what CI runs, and what a person runs before a push.
//!
//! Every step runs even if an earlier one failed, so that one run shows all there is to repair. The exception is a
//! machine without PostgreSQL, MariaDB or Node.js: it is found out before the first minute is spent.

mod socketio_client;

use std::{
    num::NonZero,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    cli::TestArguments,
    environment,
    mariadb::{self, Server},
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
    say::{self, Elapsed},
    steps::{self, Runner, Step},
};

/// The programs of the servers that tests need.
struct Servers {
    postgres: postgres::Binaries,
    mariadb: mariadb::Binaries,
}

/// How a step went.
struct Report {
    step: Step,
    passed: bool,
    elapsed: Duration,
}

/// Runs the chosen steps and prints the summary.
pub(crate) async fn test(processes: &mut Processes, arguments: &TestArguments) -> Result<ExitCode> {
    let steps = steps::selected(arguments.only);
    let runner = runner();
    let servers = if steps.iter().any(|step| step.needs_servers()) {
        socketio_client::install(processes).await?;
        Some(find_servers(processes).await?)
    } else {
        None
    };
    let mut reports = Vec::new();
    for step in steps {
        let started = Instant::now();
        let passed = run(processes, step, runner, &arguments.runner, servers.as_ref()).await?;
        if processes.stopped() {
            bail!("stopped during {}; run it again with `{}`", step.name(), step.again());
        }
        let report = Report { step, passed, elapsed: started.elapsed() };
        let word = if passed { "passed" } else { "FAILED" };
        say::line(&format!("<== {} {word} after {}", step.name(), Elapsed(report.elapsed)));
        reports.push(report);
    }
    let (passed, text) = summary(&reports);
    say::line(&format!("\n{text}"));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find_servers(processes: &mut Processes) -> Result<Servers> {
    say::heading("PostgreSQL and MariaDB");
    let started = Instant::now();
    let postgres = postgres::find_or_install(processes).await?;
    let mariadb = mariadb::find_or_install(processes).await?;
    say::line(&format!("<== found in {postgres} and {mariadb} after {}", Elapsed(started.elapsed())));
    Ok(Servers { postgres, mariadb })
}

/// Runs one step; whether it passed. Servers live exactly as long as the step that needs them.
async fn run(
    processes: &mut Processes,
    step: Step,
    runner: Runner,
    runner_arguments: &[String],
    servers: Option<&Servers>,
) -> Result<bool> {
    let arguments = step.arguments(runner);
    let mut command = processes::cargo(arguments.iter().copied());
    command.envs(step.variable());
    if environment::is_ci() {
        command.env(INCREMENTAL_VARIABLE, "0");
    }
    if step == Step::Tests {
        command.env(SLOTS_VARIABLE, slots(cores()).to_string());
    }
    say::heading(&format!("{}: cargo {}", step.name(), arguments.join(" ")));
    let Some(servers) = servers.filter(|_| step.needs_servers()) else {
        return Ok(processes.run(command).await?.success());
    };
    let cluster = Cluster::start(&servers.postgres, Durability::Off)?;
    let server = Server::start(&servers.mariadb)?;
    let urls = [(postgres::URL_VARIABLE, cluster.url()), (mariadb::URL_VARIABLE, server.url())];
    for (name, url) in &urls {
        say::line(&format!("{name}={url}"));
    }
    command.envs(urls).args(runner_arguments);
    let status = processes.run(command).await?;
    drop((cluster, server));
    Ok(status.success())
}

/// What tells cargo whether to keep what makes a second build quicker. CI builds once.
const INCREMENTAL_VARIABLE: &str = "CARGO_INCREMENTAL";

/// What tells nextest how many slots there are.
const SLOTS_VARIABLE: &str = "NEXTEST_TEST_THREADS";

/// Slots of the profile `ci`: a test takes three, and one that mostly waits takes one (`.config/nextest.toml`). There is
/// room for a test on each core, and for one that waits beside them.
fn slots(cores: usize) -> usize {
    3 * cores + 1
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn runner() -> Runner {
    let has_nextest = processes::succeeds(&mut processes::cargo(["nextest", "--version"]));
    if has_nextest { Runner::Nextest } else { Runner::CargoTest }
}

/// Whether all passed, and the closing line: what failed and how to run it alone.
fn summary(reports: &[Report]) -> (bool, String) {
    let total: Duration = reports.iter().map(|report| report.elapsed).sum();
    let failed: Vec<String> = reports
        .iter()
        .filter(|report| !report.passed)
        .map(|report| format!("{} (again: `{}`)", report.step.name(), report.step.again()))
        .collect();
    if failed.is_empty() {
        let names: Vec<&str> = reports.iter().map(|report| report.step.name()).collect();
        return (true, format!("PASSED in {}: {}", Elapsed(total), names.join(", ")));
    }
    (false, format!("FAILED in {}: {}", Elapsed(total), failed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: Step, passed: bool) -> Report {
        Report { step, passed, elapsed: Duration::from_secs(2) }
    }

    #[test]
    fn there_is_a_test_on_each_core_and_one_that_waits() {
        for cores in [1, 2, 16] {
            assert_eq!((slots(cores) / 3, slots(cores) % 3), (cores, 1));
        }
    }

    #[test]
    fn the_summary_of_a_good_run_names_what_was_checked() {
        let (passed, text) = summary(&[report(Step::Fmt, true), report(Step::Tests, true)]);
        assert!(passed);
        assert_eq!(text, "PASSED in 4.0 s: fmt, tests");
    }

    #[test]
    fn the_summary_of_a_bad_run_names_the_step_and_the_command_to_repeat_it() {
        let (passed, text) = summary(&[report(Step::Fmt, true), report(Step::Clippy, false)]);
        assert!(!passed);
        assert_eq!(text, "FAILED in 4.0 s: clippy (again: `cargo xtask test --only clippy`)");
    }
}
