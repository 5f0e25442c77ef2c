//! `cargo xtask bench --only member_import`: 10 000 members enter at once while fresh leads go on coming
//! (member-intake.md section 4: the first notice within 5 s, and no fresh lead waits for more than 2 s meanwhile).
//! Everything runs in this process, on both databases: HTTP, the intake's worker, policy, read models, dispatchers, and
//! the provider.
//!
//! They enter by two ways: one transaction of somebody else's program writes them into a captured table (of SQLite where
//! our own database is SQLite, of PostgreSQL where it is that), or a file brings them, as `leadwire intake import` does
//! beside a service. Fresh leads are created for somebody, some in each second, whether or not the one before was
//! answered; their time is that from the commit, as the event has it, to the call at the provider, as the provider has it.
//!
//! The staff is told as an installation without settings of its own tells it: the first members by themselves, the others
//! together when ten minutes are over. The clock is moved there, and that, too, must delay no fresh lead.

mod fresh;
mod outcome;
mod rows;

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use application::intake::Engine;
use application::policies::POLICY;
use application::ports::Clock as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use domain::Position;
use infrastructure::event_log::{Filter, PAGE_MAX};
use leadwire::config::{Settings, Sources};
use leadwire::wiring::{self, Leadwire, Ports, Running};
use projections::ReadModel;
use tests::kit::MovingClock;
use tests::scratch::{Backend, ScratchDatabase};
use tests::sources::SourceDatabase;
use tokio::time::{Instant, sleep};
use wechat_simulator::{DEMO_AGENT, DEMO_CORP, DEMO_WECOM_SECRET, Received, Simulator, SimulatorHandle};

use fresh::{Desk, Office};
use outcome::{Outcome, Told};

/// Members of a run, and of a quick one.
const ROWS: usize = 10_000;
const QUICK_ROWS: usize = 1_000;
/// How long fresh leads come by themselves before the members, and in a quick run.
const BEFORE: Duration = Duration::from_secs(20);
const QUICK_BEFORE: Duration = Duration::from_secs(5);
/// How long they have been coming when counting begins.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long they go on after a step of the members is over.
const AFTER: Duration = Duration::from_secs(2);
/// When a digest leaves, and the minutes by which full and half hours are avoided.
const AFTER_DIGEST: TimeDelta = TimeDelta::minutes(14);
/// Longest wait for one step.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often something is looked at that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Who hears of members.
const AUDIENCE: &str = "HearsOfMembers";

/// How fast an import of members is, and what fresh leads feel of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer members: good for a first look, not for a number to quote
    #[arg(long)]
    quick: bool,
    /// This database alone
    #[arg(long, value_enum)]
    on: Option<Backend>,
    /// This way alone
    #[arg(long, value_enum)]
    way: Option<Way>,
    /// One line of JSON for each run instead of tables
    #[arg(long)]
    json: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// How members enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Rows of a captured table, in one transaction.
    Table,
    /// Rows of a file.
    File,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Arguments { quick, on, way, json, .. } = Arguments::parse();
    let mut held = true;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for entered in [Way::Table, Way::File] {
            if on.is_some_and(|on| on != backend) || way.is_some_and(|way| way != entered) {
                continue;
            }
            let outcome = Box::pin(measure(backend, entered, quick)).await.with_context(|| backend.name())?;
            let shown = if json { outcome.document().to_string() } else { outcome.to_string() };
            writeln!(stdout(), "{shown}")?;
            held &= outcome.holds();
        }
    }
    Ok(if held || quick { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(backend: Backend, way: Way, quick: bool) -> Result<Outcome> {
    let (rows, before) = if quick { (QUICK_ROWS, QUICK_BEFORE) } else { (ROWS, BEFORE) };
    let database = ScratchDatabase::create(backend).await?;
    let source = SourceDatabase::create(engine(backend)).await;
    source.installed().await;
    let simulator = Simulator::start("127.0.0.1:0").await?;
    let clock = Arc::new(MovingClock::default());
    let settings = settings(database.url(), source.url(), simulator.base_url())?;
    let ports = Ports { clock: clock.clone(), ..Ports::default() };
    let service = Leadwire::start_with(settings, &wiring::Role::ALL, ports).await?;
    let office = Office::open(&service, simulator.handle()).await?;
    hears_of_members(&office.desk, simulator.handle()).await?;
    service.settle(PATIENCE).await?;
    let bench = Bench { service: &service, office: &office, wechat: simulator.handle(), clock: &clock };

    let entered = bench.enter(way, &source, rows, before).await?;
    let told = bench.tell_together(rows).await?;

    ensure!(service.stop().await, "the service did not stop in time");
    simulator.stop().await;
    Ok(Outcome { backend, way, rows, entered, told })
}

/// What somebody else's program writes into, where our own database is this one.
fn engine(backend: Backend) -> Engine {
    match backend {
        Backend::Sqlite => Engine::Sqlite,
        Backend::Postgres => Engine::Postgres,
    }
}

fn settings(database: &str, source: &str, wecom: &str) -> Result<Settings> {
    let agent = DEMO_AGENT.to_string();
    let settings = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("SERVER__PUBLIC_URL", "https://crm.example.com"),
        ("DATABASE__URL", database),
        ("AUTH__JWT_SECRET", "the-secret-of-a-bench-that-is-long-enough"),
        ("LIMITS__HOLDING_CAP", "100000"),
        ("INTAKE__CRM__URL", source),
        ("WECOM_APP__CORPID", DEMO_CORP),
        ("WECOM_APP__AGENTID", &agent),
        ("WECOM_APP__SECRET", DEMO_WECOM_SECRET),
        ("WECOM_APP__BASE_URL", wecom),
        ("ROUTES__DEFAULT", "wecom_app"),
    ];
    let environment: BTreeMap<String, String> =
        settings.map(|(name, value)| (format!("LEADWIRE_{name}"), value.to_owned())).into();
    Ok(Settings::load(&Sources { file: None, environment })?)
}

/// Says who hears of members; everything else stays as it is without settings.
async fn hears_of_members(desk: &Desk, wechat: &SimulatorHandle) -> Result<()> {
    wechat.add_wecom_user(DEMO_CORP, AUDIENCE);
    desk.set("/api/wecom/config", &serde_json::json!({ "notification_recipients": AUDIENCE })).await
}

/// What the steps of a run work with.
struct Bench<'b> {
    service: &'b Running,
    office: &'b Office,
    wechat: &'b SimulatorHandle,
    clock: &'b MovingClock,
}

/// The members came in.
struct Entered {
    /// From the moment they were there to the first card.
    first_card: TimeDelta,
    /// To the registration of the last of them.
    registered: TimeDelta,
    /// To the policy's answer to that.
    answered: TimeDelta,
    /// To the last read model that has it.
    shown: TimeDelta,
    /// Fresh leads before them, and meanwhile.
    quiet: fresh::Delays,
    meanwhile: fresh::Delays,
}

impl Bench<'_> {
    /// Lets fresh leads come, then the members, and waits until nothing of these waits but what is to be told together.
    async fn enter(
        &self,
        way: Way,
        source: &SourceDatabase,
        rows: usize,
        before: Duration,
    ) -> Result<Entered> {
        let head = self.service.app().bus.log().head().await?;
        let working = self.office.work();
        sleep(WARM_UP).await;
        let quiet = self.clock.now();
        sleep(before).await;
        let began = match way {
            Way::Table => rows::into_table(source, rows, self.clock).await?,
            Way::File => rows::from_file(self.service.app(), rows, self.clock).await?,
        };
        let last = self.until_there_are(rows, "MemberRegistered", head).await?;
        let registered = self.clock.now();
        self.until_seen(&[POLICY], last).await?;
        let answered = self.clock.now();
        self.until_seen(&ReadModel::ALL.iter().map(|model| model.name()).collect::<Vec<_>>(), last).await?;
        let shown = self.clock.now();
        sleep(AFTER).await;
        working.stop().await?;
        self.service.settle(PATIENCE).await?;

        let first =
            self.cards().into_iter().map(|card| card.time).min().context("nobody heard of a member")?;
        let leads = self.office.delays(self.service, head, &self.wechat.ledger()).await?;
        Ok(Entered {
            first_card: first - began,
            registered: registered - began,
            answered: answered - began,
            shown: shown - began,
            quiet: leads.within(quiet, began)?,
            meanwhile: leads.within(began, shown)?,
        })
    }

    /// Moves on to when a digest leaves, while fresh leads come.
    async fn tell_together(&self, rows: usize) -> Result<Told> {
        let alone = self.cards().len();
        let head = self.service.app().bus.log().head().await?;
        let seconds = u64::try_from(AFTER_DIGEST.num_seconds())?;
        self.clock.advance(AFTER_DIGEST);
        self.wechat.advance(seconds)?;
        let working = self.office.work();
        let (due, began) = (self.clock.now(), Instant::now());
        while rows > alone && self.cards().len() == alone {
            ensure!(began.elapsed() < PATIENCE, "nobody was told together");
            sleep(LOOK_AGAIN).await;
        }
        let told = self.clock.now();
        // What belongs to a digest is marked with it and behind it, some at a time.
        self.until_there_are(rows - alone, "DeliveryMerged", head).await?;
        let calm = self.clock.now();
        working.stop().await?;
        self.service.settle(PATIENCE).await?;
        let leads = self.office.delays(self.service, head, &self.wechat.ledger()).await?;
        Ok(Told {
            alone,
            together: rows - alone,
            digests: self.cards().len() - alone,
            after: told - due,
            marked: calm - due,
            meanwhile: leads.within(due, calm)?,
        })
    }

    /// Every card about members so far.
    fn cards(&self) -> Vec<Received> {
        self.wechat.received_by(AUDIENCE)
    }

    /// Waits until there are so many events of this name behind a position, and no more; where the last of them stands.
    async fn until_there_are(&self, wanted: usize, name: &str, after: Position) -> Result<Position> {
        let (log, began) = (self.service.app().bus.log(), Instant::now());
        let (mut found, mut last) = (0, after);
        while found < wanted {
            ensure!(began.elapsed() < PATIENCE, "{found} of {wanted} {name}");
            let page = log.page(last, PAGE_MAX, Filter::Types(&[name])).await?;
            found += page.len();
            match page.last() {
                Some(event) => last = event.position,
                None => sleep(LOOK_AGAIN).await,
            }
        }
        ensure!(found == wanted, "{found} {name} instead of {wanted}");
        Ok(last)
    }

    async fn until_seen(&self, consumers: &[&str], position: Position) -> Result<()> {
        for consumer in consumers {
            let progress = self.service.app().projections.progress();
            ensure!(progress.wait_for(consumer, position, PATIENCE).await, "{consumer} is behind");
        }
        Ok(())
    }
}

/// Milliseconds of a time.
fn milliseconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64() * 1000.0
}

/// A moment of a message or of an event.
type Moment = DateTime<Utc>;
