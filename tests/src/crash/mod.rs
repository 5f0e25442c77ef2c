//! The crash run: `kill -9` of the real `leadwire serve` while clients create and assign leads, then a search for
//! anything lost or doubled (faults.md; product.md G1, G2, G6, G8, G9).
//!
//! Nothing here knows the inside of the program. It sees the command line, HTTP, the rows of the event log, and the
//! simulator's hidden ledger of what people really received. What should be there is computed anew from the events
//! by [`expected`], never taken from what the program derived.
//!
//! Reading order: [`plan`] (what will be done, from one seed), [`service`] (the process that is killed),
//! [`client`] and [`load`] (people who retry with their keys), [`killer`], [`quiet`] (waiting for the dust to
//! settle), [`history`] (the events, read back), [`expected`], [`verify`] and [`report`]. [`program`] finds what is killed.
//! [`transfer`] and [`recycle`] are other runs: of a rule, carried out by processes that are killed in the middle of it;
//! [`carried`] has what they share.
//!
//! A seed fixes the plan: owners, moments counted in answered requests, delays. It cannot fix how the machine
//! schedules; a failure usually comes back within a few runs of its seed.

pub mod carried;
pub mod client;
pub mod expected;
pub mod history;
pub mod killer;
pub mod load;
pub mod plan;
pub mod program;
pub mod quiet;
pub mod recycle;
pub mod report;
pub mod seats;
pub mod service;
pub mod transfer;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use wechat_simulator::{RunningSimulator, Simulator, SimulatorConfig, Switches};

use crate::scratch::{Backend, ScratchDatabase};
use history::Reader;
use load::Load;
use plan::Plan;
use report::Report;
use seats::Seats;
use service::{Address, Service};
use verify::Seen;

/// Real milliseconds the simulator takes for a message: long enough for a kill to hit some of them on their way.
const SEND_TAKES_MS: u64 = 5;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// On which database.
    pub backend: Backend,
    /// Leads to create and assign.
    pub leads: usize,
    /// Times to kill.
    pub kills: usize,
    /// Fixes the plan.
    pub seed: u64,
    /// Whether there are people for whom another channel stands by behind a message that nobody can know of: such a one
    /// speaks two minutes after a kill, which a short run has not.
    pub escalations: bool,
    /// The `leadwire` program.
    pub program: PathBuf,
}

/// One whole run. An error means that it could not be carried out; what was found wrong is in the report.
/// `tell` hears what is going on.
pub async fn run(options: &Options, tell: impl Fn(&str) + Send + Sync) -> Result<Report> {
    let database = ScratchDatabase::create(options.backend).await?;
    let result = run_on(&database, options, &tell).await;
    if !result.as_ref().is_ok_and(Report::is_good) {
        tell(&format!("database and logs are kept in {}", database.keep().display()));
    }
    result
}

async fn run_on(
    database: &ScratchDatabase,
    options: &Options,
    tell: &(impl Fn(&str) + Send + Sync),
) -> Result<Report> {
    let started = Instant::now();
    let simulator = simulator().await?;
    let wechat = simulator.handle();
    let address = Address::new(&options.program, database, simulator.base_url())
        .context("cannot prepare the service")?
        .with_every_channel(simulator.base_url());
    seats::register(&address, options, wechat).await?;
    let mut service = Service::start(&address).await?;
    tell(&format!("serving on {} with {}", address.base_url(), options.backend.name()));
    let seats = Seats::learn(&address, options).await?;
    seats.enter_the_cloud(wechat);
    let plan = Arc::new(Plan::new(options.seed, options.leads, options.kills, &seats));

    let load = Load::start(&address, &seats, &plan).await?;
    let kills = killer::kill_and_restart(&mut service, &plan, &load, wechat, tell).await?;
    let answers = load.finish().await?;

    let mut reader = Reader::open(database.url()).await?;
    let mut history = reader.read().await?;
    tell(&format!("{} requests answered; {} events so far", answers.requests, history.rows));
    quiet::wait(&mut reader, &mut history, &address, &mut service, tell).await?;
    let seen = Seen::through(&address, &mut reader, &seats, answers, wechat.ledger()).await?;
    service.stop().await?;
    reader.continue_reading(&mut history).await?;

    let checks = verify::verify(&history, &seen, &seats, &plan);
    simulator.stop().await;
    Ok(Report::new(options, kills, seen.answers, checks, started.elapsed()))
}

/// The WeChat of this run, in this process: it must outlive every kill.
pub(crate) async fn simulator() -> Result<RunningSimulator> {
    let switches = Switches { send_takes_ms: SEND_TAKES_MS, ..Switches::default() };
    let config = SimulatorConfig { switches, ..SimulatorConfig::default() };
    Simulator::start_with(config, "127.0.0.1:0").await.context("cannot start the simulator")
}
