//! What it takes to give 1000 leads to somebody as one command: set-wise load, one decision a lead, guards, counts, one
//! append (performance.md P4: under 150 ms).
//!
//! `cargo bench -p infrastructure --bench batch_assign [-- --quick]`. The whole use case through the command bus; twice
//! on each database: with the states in the bus's memory, as after any recent command, and read from the log, as
//! after a start. PostgreSQL comes from `LEADWIRE_TEST_POSTGRES`; SQLite is a file in the temporary folder with
//! `synchronous=FULL`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use application::access::Caller;
use application::bus::CommandContext;
use application::customers::{BatchAssign, BatchFrom, Create, Limits, batch_assign, create};
use application::ports::{Clock, Ids};
use application::staff;
use domain::contact::Phone;
use domain::customer::{ContractStatus, LeadLevel, LeadSource, Profile};
use domain::staff::{Role, StaffCommand};
use domain::{Actor, BatchId, CommandId, CustomerId, Metadata, StaffId};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use infrastructure::bus::Bus;
use infrastructure::clock::SystemClock;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use sqlx::{Connection, PgConnection};

/// Leads of one batch: as many as one may have.
const LEADS: usize = domain::batch::BATCH_CUSTOMERS_MAX;
/// Batches that are timed on each database and of each kind.
const ROUNDS: usize = 40;
const QUICK_ROUNDS: usize = 8;
/// Creations at once while the leads are made.
const CLIENTS: usize = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds = if std::env::args().any(|argument| argument == "--quick") { QUICK_ROUNDS } else { ROUNDS };
    row(["database", "states", "p50 ms", "p99 ms", "leads/s"].map(String::from));
    let admin = postgres()?;
    let name = format!("leadwire_bench_{}", TimeOrderedIds.next().simple());
    administer(&admin, format!("CREATE DATABASE {name}")).await?;
    let mut url = url::Url::parse(&admin)?;
    url.set_path(&name);
    let measured = measure("postgres", url.as_str(), rounds).await;
    administer(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    measured?;
    let folder = tempfile::tempdir()?;
    measure("sqlite", &format!("sqlite:{}", folder.path().join("bench.db").display()), rounds).await
}

async fn measure(database: &str, url: &str, rounds: usize) -> anyhow::Result<()> {
    let db = Db::connect(url, DbOptions::default()).await?;
    db.migrate().await?;
    let log = EventLog::start(db.clone());
    let bus = Bus::new(log.clone(), Arc::new(Upcasters::none()));
    let [boss, one, two] = hire(&bus).await?;
    let leads = make(&bus, &db, &boss).await?;
    // From the log first, and not often: every batch makes every stream longer, and leads of real life have short ones.
    for (states, rounds) in [("from the log", QUICK_ROUNDS - 1), ("in memory", rounds)] {
        let mut times = Histogram::<u64>::new(3)?;
        let warm = Bus::new(log.clone(), Arc::new(Upcasters::none()));
        if states == "in memory" {
            give(&warm, &boss, &leads, two.id).await?;
        }
        for round in 0..rounds {
            let fresh = Bus::new(log.clone(), Arc::new(Upcasters::none()));
            let bus = if states == "in memory" { &warm } else { &fresh };
            let to = if round % 2 == 0 { one.id } else { two.id };
            times.record(u64::try_from(give(bus, &boss, &leads, to).await?.as_micros())?)?;
        }
        print(database, states, &times);
    }
    log.close().await;
    db.close().await;
    Ok(())
}

async fn give(bus: &Bus, boss: &Caller, leads: &[CustomerId], to: StaffId) -> anyhow::Result<Duration> {
    let context = context(boss);
    let batch = BatchAssign {
        batch: BatchId(context.metadata.command.0),
        customers: leads.to_vec(),
        to,
        reason: Some("团队调整".to_owned()),
        from: BatchFrom::Anywhere,
    };
    let started = Instant::now();
    let done = batch_assign(bus, &Limits::default(), boss, &context, batch).await?;
    let took = started.elapsed();
    if done.result.moved.len() != leads.len() {
        bail!("{} of {} leads moved", done.result.moved.len(), leads.len());
    }
    Ok(took)
}

async fn hire(bus: &Bus) -> anyhow::Result<[Caller; 3]> {
    let mut hired = Vec::new();
    for (username, role) in [("boss", Role::Manager), ("one", Role::Employee), ("two", Role::Employee)] {
        let id = StaffId(TimeOrderedIds.next());
        let caller = Caller { id, username: username.to_owned(), name: username.to_owned(), role };
        let context = context(&caller);
        let register = StaffCommand::Register {
            username: username.to_owned(),
            name: username.to_owned(),
            role,
            department: None,
            phone: None,
            email: None,
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        staff::command(bus, &context, id, register).await?;
        hired.push(caller);
    }
    hired.try_into().ok().context("three people")
}

async fn make(bus: &Bus, db: &Db, boss: &Caller) -> anyhow::Result<Vec<CustomerId>> {
    let numbers = StoredNumbers::new(db.clone());
    let numbered: Vec<usize> = (0..LEADS).collect();
    let mut leads = Vec::with_capacity(LEADS);
    for some in numbered.chunks(CLIENTS) {
        let created = some.iter().map(async |n| {
            let id = CustomerId(TimeOrderedIds.next());
            let profile = Profile {
                name: format!("客户{n}"),
                lead_source: Some(LeadSource::Douyin),
                phone: Phone::parse(&format!("138{n:08}")).ok(),
                ..Profile::default()
            };
            let (contract_status, lead_level) = (ContractStatus::Pending, LeadLevel::B);
            let new = Create { id, profile, contract_status, lead_level, owner: None, reason: None };
            let limits = Limits::default();
            create(bus, &numbers, &limits, boss, &context(boss), new).await.map(|_| id)
        });
        leads.extend(try_join_all(created).await?);
    }
    Ok(leads)
}

fn context(caller: &Caller) -> CommandContext {
    let metadata = Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "bench".to_owned(),
        causation: None,
        actor: Actor::Staff(caller.id),
    };
    CommandContext { metadata, at: SystemClock.now(), fingerprint: None }
}

#[expect(clippy::disallowed_methods, reason = "the bench's own setting, not the program's")]
fn postgres() -> anyhow::Result<String> {
    std::env::var("LEADWIRE_TEST_POSTGRES")
        .context("LEADWIRE_TEST_POSTGRES is not set: cargo xtask bench starts one")
}

async fn administer(admin: &str, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(admin).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn print(database: &str, states: &str, times: &Histogram<u64>) {
    let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    let per_second = LEADS as f64 / (ms(0.5) / 1000.0);
    row([
        database.to_owned(),
        states.to_owned(),
        format!("{:.1}", ms(0.5)),
        format!("{:.1}", ms(0.99)),
        format!("{per_second:.0}"),
    ]);
}

#[expect(clippy::print_stdout, reason = "the bench's output")]
fn row(cells: [String; 5]) {
    let [database, states, p50, p99, rate] = cells;
    println!("{database:>10} {states:>14} {p50:>10} {p99:>10} {rate:>10}");
}
