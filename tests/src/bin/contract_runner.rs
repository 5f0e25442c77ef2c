//! `contract_runner`: the real program with a little data, met by a tester who knows nothing but its OpenAPI document.
//! `cargo xtask contract` installs the tester (schemathesis) and builds everything this needs.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use reqwest::Method;
use serde_json::json;
use tests::crash::client::Api;
use tests::crash::program;
use tests::crash::seats::{self, PASSWORD};
use tests::crash::service::{Address, Service};
use tests::kit::{lead, phone};
use tests::scratch::{Backend, ScratchDatabase};
use tokio::process::Command;
use wechat_simulator::Simulator;

/// Leads that there are when the tester comes.
const LEADS: usize = 12;

/// Name at login of whom the tester acts for: nobody else reaches every route.
const ADMIN: &str = "contract-admin";

/// Checks that are left out, each with its reason.
const LEFT_OUT: [&str; 3] = [
    // A header that no client sends (TRACE, for one) is answered with 405 and needs no entry of its own in the document.
    "unsupported_method",
    // Names a body "valid" that breaks a rule no schema can say, such as a phone that exists already.
    "positive_data_acceptance",
    // And a body "invalid" that is read generously on purpose, as system A read it: numbers as text, blanks as absent.
    "negative_data_rejection",
];

/// Runs schemathesis against `leadwire serve`.
#[derive(Debug, Parser)]
#[command(after_help = "Example:
  contract_runner --schemathesis target/schemathesis/bin/schemathesis --database sqlite")]
struct Arguments {
    /// The tester
    #[arg(long, value_name = "PATH")]
    schemathesis: PathBuf,
    /// Which database to run on
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// Requests made up for every route and phase
    #[arg(long, default_value_t = 40)]
    examples: usize,
    /// Repeats the requests of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Database {
    /// Embedded SQLite.
    Sqlite,
    /// PostgreSQL, in the cluster of LEADWIRE_TEST_POSTGRES.
    Postgres,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let backend = match arguments.database {
        Database::Sqlite => Backend::Sqlite,
        Database::Postgres => Backend::Postgres,
    };
    let database = ScratchDatabase::create(backend).await?;
    let simulator = Simulator::start("127.0.0.1:0").await.context("cannot start the simulator")?;
    let address = Address::new(&program::find()?, &database, simulator.base_url())?;
    address.command(["migrate"]).await?;
    std::fs::write(address.password_file(), PASSWORD).context("cannot write the password file")?;
    seats::create(&address, ADMIN, "admin").await?;
    let mut service = Service::start(&address).await?;
    let api = Api::login(&address, ADMIN).await?;
    for n in 0..LEADS {
        let body = lead(&format!("客户{n}"), &phone(n));
        api.command(Method::POST, "/api/customers", &format!("lead-{n}"), &body).await?;
    }
    let note = json!({ "type": "phone", "content": "约了周六看阿姨" });
    let rows = api.get("/api/customers?limit=1").await?;
    let first = rows["customers"][0]["_id"].as_str().context("a lead without _id")?.to_owned();
    api.command(Method::POST, &format!("/api/customers/{first}/follow-ups"), "note", &note).await?;

    let status = tester(&arguments, &address, api.token()).status().await;
    let passed = status.context("cannot start schemathesis")?.success();
    service.check_alive()?;
    service.stop().await?;
    simulator.stop().await;
    let word = if passed { "PASSED" } else { "FAILED" };
    let _ = writeln!(stdout(), "{word} on {}", backend.name());
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tester(arguments: &Arguments, address: &Address, token: &str) -> Command {
    let mut command = Command::new(&arguments.schemathesis);
    command.arg("run").arg(format!("{}/api/openapi.json", address.base_url()));
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--exclude-checks", &LEFT_OUT.join(",")]);
    command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"]);
    command.args(["--max-examples", &arguments.examples.to_string(), "--request-timeout", "30"]);
    command.args(["--suppress-health-check", "all", "--generation-database", "none"]);
    // To be logged out, to exchange the token or to lose the password would end the test of every other route.
    command.args(["--exclude-path-regex", "/api/auth/(logout|refresh)$|/password$|/suspend$"]);
    if let Some(seed) = arguments.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    command
}
