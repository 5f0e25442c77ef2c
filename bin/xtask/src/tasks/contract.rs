//! `cargo xtask contract`: schemathesis, which knows nothing but the OpenAPI document, tries every route of the real
//! program: no 5xx, no undocumented status, no answer that its schema does not know.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    cli::{ContractArguments, Databases},
    environment,
    postgres::{self, Cluster, Durability},
    processes::{self, Processes},
    say,
};

/// The version that the left-out checks of the runner were chosen for.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Installs the tester, builds what is tested, and runs the one against the other on each database.
pub(crate) async fn contract(processes: &mut Processes, arguments: &ContractArguments) -> Result<ExitCode> {
    let tester = install(processes).await?;
    let build = processes::cargo(["build", "--package", "leadwire", "--package", "tests", "--bins"]);
    if !processes.run(build).await?.success() {
        bail!("the program under test does not build");
    }
    let mut outcome = ExitCode::SUCCESS;
    for database in databases(arguments.database) {
        say::heading(&format!("schemathesis on {database}"));
        let cluster = match *database {
            "postgres" => {
                Some(Cluster::start(&postgres::find_or_install(processes).await?, Durability::Off)?)
            }
            _ => None,
        };
        let mut command = processes::cargo(["run", "--package", "tests", "--bin", "contract_runner", "--"]);
        command.arg("--schemathesis").arg(&tester).args(["--database", database]);
        command.args(numbers(arguments));
        command.envs(cluster.as_ref().map(|cluster| (postgres::URL_VARIABLE, cluster.url())));
        let status = processes.run(command).await?;
        drop(cluster);
        if !status.success() {
            outcome = processes::exit_code(status);
        }
    }
    Ok(outcome)
}

fn databases(wanted: Databases) -> &'static [&'static str] {
    match wanted {
        Databases::Sqlite => &["sqlite"],
        Databases::Postgres => &["postgres"],
        Databases::Both => &["sqlite", "postgres"],
    }
}

fn numbers(arguments: &ContractArguments) -> Vec<String> {
    let given = [
        ("--examples", arguments.examples.map(|examples| examples.to_string())),
        ("--seed", arguments.seed.map(|seed| seed.to_string())),
    ];
    given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
}

/// The tester in a virtual environment of its own, which is made when it is missing or of another version.
async fn install(processes: &mut Processes) -> Result<PathBuf> {
    let folder = environment::repository().join("target").join("schemathesis");
    let tester = folder.join("bin").join("schemathesis");
    let wanted = folder.join(SCHEMATHESIS);
    if tester.exists() && wanted.exists() {
        return Ok(tester);
    }
    say::heading(&format!("installing {SCHEMATHESIS}"));
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv", "--clear"]).arg(&folder);
    run(processes, environment, "python3 with the venv module is needed (Debian: python3-venv)").await?;
    let mut pip = Command::new(folder.join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]);
    run(processes, pip, "schemathesis cannot be installed from PyPI").await?;
    mark(&wanted)?;
    Ok(tester)
}

async fn run(processes: &mut Processes, command: Command, otherwise: &'static str) -> Result<()> {
    if processes.run(command).await.context(otherwise)?.success() { Ok(()) } else { bail!(otherwise) }
}

fn mark(path: &Path) -> Result<()> {
    std::fs::write(path, "").with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flags_that_were_given_reach_the_runner() {
        let mut arguments = ContractArguments { database: Databases::Both, examples: None, seed: None };
        assert!(numbers(&arguments).is_empty());
        arguments = ContractArguments { examples: Some(5), seed: Some(42), ..arguments };
        assert_eq!(numbers(&arguments), ["--examples", "5", "--seed", "42"]);
        assert_eq!(databases(Databases::Both).len(), 2);
    }
}
