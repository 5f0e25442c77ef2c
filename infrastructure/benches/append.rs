//! What the event log's appender costs, beside the plain way of writing the same rows.
//!
//! `cargo bench -p infrastructure --bench append [-- --quick]`. Each client appends one event at a time to a stream
//! of its own and waits for the answer. The plain way is one transaction per event into a table of the same columns
//! and indexes whose position the database hands out (faster, and wrong: its positions have holes and arrive out
//! of order), with one connection per client. Both run in turns on the same database; figures are medians.
//! PostgreSQL comes from `LEADWIRE_TEST_POSTGRES`; SQLite is a file in the temporary folder with `synchronous=FULL`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use application::bus::{Draft, NewEvent, StreamAppend};
use application::ports::{Clock, Ids};
use domain::{Actor, CommandId, Metadata, StreamId};
use hdrhistogram::Histogram;
use infrastructure::clock::SystemClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

/// Clients that append at the same time.
const CLIENTS: [u32; 4] = [1, 8, 32, 64];
/// Runs of each way, taken in turns.
const ROUNDS: usize = 3;
/// How long one run lasts, and how long before it counts nothing.
const RUN: Duration = Duration::from_secs(3);
const QUICK_RUN: Duration = Duration::from_millis(700);
const WARM_UP: Duration = Duration::from_millis(300);

const PLAIN_POSTGRES: &str = "
CREATE TABLE plain (
  position BIGSERIAL PRIMARY KEY, event_id UUID NOT NULL UNIQUE, stream_id TEXT NOT NULL, stream_type TEXT NOT NULL,
  sequence BIGINT NOT NULL, event_type TEXT NOT NULL, schema_version INTEGER NOT NULL, payload TEXT NOT NULL,
  metadata TEXT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, UNIQUE (stream_id, sequence));
CREATE INDEX plain_by_type ON plain (event_type, position);";

const PLAIN_SQLITE: &str = "
CREATE TABLE plain (
  position INTEGER PRIMARY KEY AUTOINCREMENT, event_id UUID NOT NULL UNIQUE, stream_id TEXT NOT NULL,
  stream_type TEXT NOT NULL, sequence BIGINT NOT NULL, event_type TEXT NOT NULL, schema_version INTEGER NOT NULL,
  payload TEXT NOT NULL, metadata TEXT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, UNIQUE (stream_id, sequence));
CREATE INDEX plain_by_type ON plain (event_type, position);";

const INSERT_PLAIN: &str = "
INSERT INTO plain (event_id, stream_id, stream_type, sequence, event_type, schema_version, payload, metadata,
                   recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// One way of writing events.
#[derive(Clone)]
enum Way {
    Leadwire(EventLog),
    Plain(Db),
}

#[derive(Clone, Copy)]
struct Figure {
    per_second: f64,
    p99: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let run = if quick { QUICK_RUN } else { RUN };
    let admin = postgres()?;
    row(["database", "clients", "leadwire ev/s", "p99 ms", "plain ev/s", "p99 ms", "ratio"].map(String::from));
    for clients in CLIENTS {
        let name = format!("leadwire_bench_{}", TimeOrderedIds.next().simple());
        administer(&admin, format!("CREATE DATABASE {name}")).await?;
        let mut url = url::Url::parse(&admin)?;
        url.set_path(&name);
        let measured = compare(url.as_str(), PLAIN_POSTGRES, clients, run).await;
        administer(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        print("postgres", clients, measured?);
    }
    for clients in CLIENTS {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        print("sqlite", clients, compare(&url, PLAIN_SQLITE, clients, run).await?);
    }
    Ok(())
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

/// Both ways on one fresh database, in turns, so that neither has the better minute of a shared machine.
async fn compare(
    url: &str,
    plain: &'static str,
    clients: u32,
    run: Duration,
) -> anyhow::Result<(Figure, Figure)> {
    let options = DbOptions { postgres_connections: clients, ..DbOptions::default() };
    let db = Db::connect(url, options).await?;
    db.migrate().await?;
    let mut tx = db.begin_write().await?;
    infrastructure::with_tx!(&mut tx, conn => sqlx::raw_sql(plain).execute(conn).await.map(drop))?;
    tx.commit().await?;
    let log = EventLog::start(db.clone());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(measure(&Way::Leadwire(log.clone()), clients, run).await?);
        theirs.push(measure(&Way::Plain(db.clone()), clients, run).await?);
    }
    log.close().await;
    db.close().await;
    Ok((median(ours), median(theirs)))
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    figures[figures.len() / 2]
}

async fn measure(way: &Way, clients: u32, run: Duration) -> anyhow::Result<Figure> {
    let payload: Arc<RawValue> = to_raw_value(&serde_json::json!({
        "customer": "0190c7a0-0000-7000-8000-000000000000", "from": null, "text": "x".repeat(300),
    }))?
    .into();
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(client(way.clone(), payload.clone(), started + WARM_UP, run));
    }
    let mut latencies = Histogram::<u64>::new(3)?;
    for latency in tasks.join_all().await {
        latencies.add(latency?)?;
    }
    let count = u32::try_from(latencies.len())?;
    Ok(Figure {
        per_second: f64::from(count) / run.as_secs_f64(),
        p99: Duration::from_micros(latencies.value_at_quantile(0.99)),
    })
}

/// One client: appends until the time is over, counting what falls into the measured part.
async fn client(
    way: Way,
    payload: Arc<RawValue>,
    from: Instant,
    run: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let stream = StreamId::new("customer", TimeOrderedIds.next());
    let mut latencies = Histogram::new(3)?;
    for sequence in 0.. {
        let begun = Instant::now();
        if begun >= from + run {
            break;
        }
        match &way {
            Way::Leadwire(log) => {
                let draft = draft(&stream, sequence, (*payload).to_owned());
                log.append(draft).await?;
            }
            Way::Plain(db) => insert(db, &stream, sequence + 1, &payload).await?,
        }
        if begun >= from {
            latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
    }
    Ok(latencies)
}

fn metadata() -> Metadata {
    Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "0190c7a0-0000-7000-8000-000000000000".to_owned(),
        causation: None,
        actor: Actor::System("bench".to_owned()),
    }
}

fn draft(stream: &StreamId, expected: i64, payload: Box<RawValue>) -> Draft {
    let event = NewEvent { event_type: "CustomerAssigned", schema_version: 1, payload };
    Draft {
        metadata: metadata(),
        recorded_at: SystemClock.now(),
        streams: vec![StreamAppend { stream: stream.clone(), expected, events: vec![event], because: None }],
        guards: Vec::new(),
        receipt: None,
    }
}

async fn insert(db: &Db, stream: &StreamId, sequence: i64, payload: &RawValue) -> anyhow::Result<()> {
    let metadata = serde_json::to_string(&metadata())?;
    macro_rules! insert {
        ($connection:expr) => {
            sqlx::query(INSERT_PLAIN)
                .bind(TimeOrderedIds.next())
                .bind(stream.as_str())
                .bind(stream.kind())
                .bind(sequence)
                .bind("CustomerAssigned")
                .bind(1_i32)
                .bind(payload.get())
                .bind(&metadata)
                .bind(SystemClock.now())
                .execute($connection)
                .await
                .map(|_| ())?
        };
    }
    // A single statement is a transaction by itself; BEGIN and COMMIT around it would only make this way slower.
    match db {
        Db::Postgres(pool) => insert!(pool),
        Db::Sqlite(sqlite) => insert!(sqlite.writer()),
    }
    Ok(())
}

fn print(database: &str, clients: u32, (ours, theirs): (Figure, Figure)) {
    let milliseconds = |latency: Duration| format!("{:.2}", latency.as_secs_f64() * 1000.0);
    row([
        database.to_owned(),
        clients.to_string(),
        format!("{:.0}", ours.per_second),
        milliseconds(ours.p99),
        format!("{:.0}", theirs.per_second),
        milliseconds(theirs.p99),
        format!("{:.2}", ours.per_second / theirs.per_second),
    ]);
}

#[expect(clippy::print_stdout, reason = "the bench's answer")]
fn row(cells: [String; 7]) {
    println!("{}", cells.map(|cell| format!("{cell:>14}")).join(""));
}
