//! What lists, searches and statistics cost with 100 000 leads of 200 people.
//!
//! `cargo bench -p projections --bench lists [-- --quick]`. The leads are made through the log and folded by the
//! projectors. Then one caller asks: each filter with each order for each kind of caller, a random page of the
//! first twenty, total included. A row is one of the three with all values of the other two; figures are of single
//! answers, first byte of the question to last row in memory. PostgreSQL comes from `LEADWIRE_TEST_POSTGRES`; SQLite
//! is a file in the temporary folder.

mod leads;
mod questions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use application::ports::Ids;
use hdrhistogram::Histogram;
use infrastructure::clock::SystemClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use projections::Projections;
use sqlx::{Connection, PgConnection};

use questions::{Figures, ask};

/// Leads of a run, as many as an agency gathers in two years; and of a quick one.
const LEADS: u32 = 100_000;
const QUICK_LEADS: u32 = 10_000;
/// How often each combination is asked.
const ROUNDS: u32 = 8;
const QUICK_ROUNDS: u32 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (leads, rounds) = if quick { (QUICK_LEADS, QUICK_ROUNDS) } else { (LEADS, ROUNDS) };
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    measure("sqlite", &url, leads, rounds).await?;

    let admin = postgres()?;
    let name = format!("leadwire_bench_{}", TimeOrderedIds.next().simple());
    administer(&admin, format!("CREATE DATABASE {name}")).await?;
    let mut url = url::Url::parse(&admin)?;
    url.set_path(&name);
    let measured = measure("postgres", url.as_str(), leads, rounds).await;
    administer(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    measured
}

#[expect(clippy::disallowed_methods, reason = "the bench's own setting, not the program's")]
fn postgres() -> anyhow::Result<String> {
    std::env::var("LEADWIRE_TEST_POSTGRES").context("LEADWIRE_TEST_POSTGRES names the cluster to measure on")
}

async fn administer(admin: &str, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(admin).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(())
}

async fn measure(database: &str, url: &str, leads: u32, rounds: u32) -> anyhow::Result<()> {
    let db = Db::connect(url, DbOptions::default()).await?;
    db.migrate().await?;
    projections::migrate(&db, &SystemClock).await?;
    let log = EventLog::start(db.clone());
    let owner = TimeOrderedIds.next();
    let projections =
        Projections::new(log.clone(), Arc::new(SystemClock), owner, Arc::new(Upcasters::none()));

    let began = Instant::now();
    let events = leads::append(&log, leads).await?;
    note(&format!("{database}: {leads} leads, {events} events appended in {}", seconds(began.elapsed())));
    let began = Instant::now();
    projections.catch_up_all().await?;
    note(&format!("{database}: folded into every read model in {}", seconds(began.elapsed())));
    let began = Instant::now();
    let known = projections.roster().warm().await?;
    note(&format!("{database}: {known} leads read into memory in {}", seconds(began.elapsed())));

    let mut figures = Figures::default();
    ask(&log, &projections, rounds, &mut figures).await?;
    row(["database", "what", "answers", "p50 ms", "p99 ms", "max ms", "bar ms", ""].map(String::from));
    for (what, bar, latencies) in figures.rows() {
        print(database, what, bar, latencies);
    }
    log.close().await;
    db.close().await;
    Ok(())
}

fn print(database: &str, what: &str, bar: Option<Duration>, latencies: &Histogram<u64>) {
    let milliseconds = |micros: u64| format!("{:.2}", Duration::from_micros(micros).as_secs_f64() * 1000.0);
    let p99 = latencies.value_at_quantile(0.99);
    let over = bar.is_some_and(|bar| u128::from(p99) >= bar.as_micros());
    row([
        database.to_owned(),
        what.to_owned(),
        latencies.len().to_string(),
        milliseconds(latencies.value_at_quantile(0.5)),
        milliseconds(p99),
        milliseconds(latencies.max()),
        bar.map_or_else(|| "-".to_owned(), |bar| bar.as_millis().to_string()),
        if over { "over" } else { "" }.to_owned(),
    ]);
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[expect(clippy::print_stdout, reason = "the bench's answer")]
fn note(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stdout, reason = "the bench's answer")]
fn row([database, what, answers, p50, p99, max, bar, over]: [String; 8]) {
    println!("{database:<10}{what:<44}{answers:>9}{p50:>9}{p99:>9}{max:>9}{bar:>8}  {over}");
}
