//! `contract_runner`: the real program with a little data, met by a tester who knows nothing but its OpenAPI document.
//! `cargo xtask contract` installs the tester (schemathesis) and builds everything this needs.
//!
//! The document does not say which ids exist. The tester is told, and names them in most of its requests: otherwise every
//! route with an id in its path would answer 404 to everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};
use tests::crash::client::Api;
use tests::crash::program;
use tests::crash::seats::{self, PASSWORD};
use tests::crash::service::{Address, Service};
use tests::kit::{lead, phone};
use tests::scratch::{Backend, ScratchDatabase};
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use wechat_simulator::Simulator;

/// Leads that there are when the tester comes.
const LEADS: usize = 12;

/// Name at login of whom the tester acts for: nobody else reaches every route.
const ADMIN: &str = "contract-admin";

/// Who an employee is to the mini program.
const OPENID: &str = "o-contract-employee";

/// Checks that are left out, each with its reason.
const LEFT_OUT: [&str; 3] = [
    // A header that no client sends (TRACE, for one) is answered with 405 and needs no entry of its own in the document.
    "unsupported_method",
    // Names a body "valid" that breaks a rule no schema can say, such as a phone that exists already.
    "positive_data_acceptance",
    // And a body "invalid" that is read generously on purpose, as system A read it: numbers as text, blanks as absent.
    "negative_data_rejection",
];

/// How long lists may take to show what was done.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at them.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the tester names what exists; the other ids are made up.
const KNOWN: f64 = 0.7;

/// Things of a kind: so many that some are left when the tester has done its worst to others.
const OF_EACH: usize = 3;

/// Where what exists is named: its kind, the paths whose `{id}` it is, and the parameters that name it elsewhere.
const PLACES: [(&str, Option<&str>, &[&str]); 8] = [
    ("leads", Some("^/api/customers/"), &["query.customerId", "body.customerIds[*]"]),
    ("numbers", None, &["path.customerId"]),
    ("phones", None, &["path.phone"]),
    ("transfer_rules", Some("^/api/lead-transfer/rules/"), &["query.ruleId", "body.ruleId"]),
    ("recycle_rules", Some("^/api/recycle-rules/"), &[]),
    (
        "people",
        Some("^/api/users/"),
        &[
            "path.userId",
            "query.assignedTo",
            "query.fromUserId",
            "query.toUserId",
            "body.assignedTo",
            "body.sourceUserIds[*]",
            "body.targetUserIds[*]",
        ],
    ),
    ("notices", Some("^/api/notifications/.*id"), &["body.notificationIds[*]"]),
    ("deliveries", Some("^/api/deliveries/"), &[]),
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
    let known = furnish(&address, &api).await?;
    let told = address.password_file().with_file_name("schemathesis.toml");
    std::fs::write(&told, configuration(&known)).context("cannot write the tester's configuration")?;

    let status = tester(&arguments, &address, &told, api.token()).status().await;
    let passed = status.context("cannot start schemathesis")?.success();
    service.check_alive()?;
    service.stop().await?;
    simulator.stop().await;
    let word = if passed { "PASSED" } else { "FAILED" };
    let _ = writeln!(stdout(), "{word} on {}", backend.name());
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the tester meets, and the ids of it by kind.
async fn furnish(address: &Address, api: &Api) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let mut known: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for n in 0..LEADS {
        let body = lead(&format!("客户{n}"), &phone(n));
        let made = api.command(Method::POST, "/api/customers", &format!("lead-{n}"), &body).await?;
        known.entry("leads").or_default().push(id(&made.data)?);
        known.entry("numbers").or_default().push(text(&made.data, "customerId")?);
        known.entry("phones").or_default().push(phone(n));
    }
    for n in 0..OF_EACH {
        let username = format!("contract-employee-{n}");
        seats::create(address, &username, "employee").await?;
    }
    // Somebody whom the mini program reaches, so that there is something to deliver.
    let bind = ["staff", "bind-wechat", "contract-employee-0", "--openid", OPENID, "--credits", "50"];
    address.command(bind).await?;
    let everybody = api.get("/api/users?page=1&pageSize=50").await?;
    let others = rows(&everybody).filter(|user| user["username"] != ADMIN);
    known.insert("people", others.map(id).collect::<Result<_>>()?);
    let note = json!({ "type": "phone", "content": "约了周六看阿姨" });
    let path = format!("/api/customers/{}/follow-ups", known["leads"][0]);
    api.command(Method::POST, &path, "note", &note).await?;
    for (n, person) in known["people"].iter().enumerate() {
        let path = format!("/api/customers/{}/assign", known["leads"][n]);
        api.command(Method::PATCH, &path, &format!("assign-{n}"), &json!({ "assignedTo": person })).await?;
    }
    for n in 0..OF_EACH {
        let rule = json!({
            "ruleName": format!("规则{n}"), "triggerConditions": { "contractStatuses": ["待定"] },
            "sourceUserIds": [known["people"][0]], "targetUserIds": known["people"],
        });
        let made =
            api.command(Method::POST, "/api/lead-transfer/rules", &format!("transfer-{n}"), &rule).await?;
        known.entry("transfer_rules").or_default().push(id(&made.data)?);
        let rule = json!({ "name": format!("规则{n}"), "kind": "no_follow_up", "days": 30 + n });
        let made = api.command(Method::POST, "/api/recycle-rules", &format!("recycle-{n}"), &rule).await?;
        known.entry("recycle_rules").or_default().push(id(&made.data)?);
    }
    for (kind, path) in [("notices", "/api/notifications"), ("deliveries", "/api/deliveries")] {
        known.insert(kind, noticed(api, path).await?);
    }
    Ok(known)
}

/// The ids of a list that consumers fill: what was done a moment ago is there after a moment.
async fn noticed(api: &Api, path: &str) -> Result<Vec<String>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found: Vec<String> = rows(&api.get(path).await?).map(id).collect::<Result<_>>()?;
        if !found.is_empty() {
            return Ok(found);
        }
        ensure!(Instant::now() < until, "nothing came to {path}");
        sleep(PAUSE).await;
    }
}

/// The rows of a list, whatever their member is called.
fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    let members = list.as_object().into_iter().flat_map(|members| members.values());
    members.filter_map(Value::as_array).flatten()
}

fn id(document: &Value) -> Result<String> {
    text(document, "_id")
}

fn text(document: &Value, member: &str) -> Result<String> {
    let text = document[member].as_str().with_context(|| format!("no {member} in {document}"))?;
    Ok(text.to_owned())
}

/// What the tester is told of what exists, as its configuration file has it.
fn configuration(known: &BTreeMap<&'static str, Vec<String>>) -> String {
    let mut text = String::new();
    for (kind, ids) in known {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[dictionaries.{kind}]\nvalues = {ids:?}\n");
    }
    let taken = |kind: &str| format!("{{ dictionary = \"{kind}\", probability = {KNOWN} }}");
    let _ = writeln!(text, "[parameters]");
    for (kind, _, names) in PLACES {
        for name in names {
            let _ = writeln!(text, "\"{name}\" = {}", taken(kind));
        }
    }
    for (kind, paths) in PLACES.iter().filter_map(|(kind, paths, _)| Some((kind, (*paths)?))) {
        let _ = writeln!(text, "\n[[operations]]\ninclude-path-regex = '{paths}'");
        let _ = writeln!(text, "parameters = {{ \"path.id\" = {} }}", taken(kind));
    }
    text
}

fn tester(arguments: &Arguments, address: &Address, told: &Path, token: &str) -> Command {
    let mut command = Command::new(&arguments.schemathesis);
    command.arg("--config-file").arg(told).arg("run").arg(format!("{}/api/openapi.json", address.base_url()));
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
