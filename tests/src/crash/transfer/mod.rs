//! A run of a transfer rule whose process is killed in the middle (faults.md F9): each lead moved at most once,
//! the run completes, everybody concerned is told once.
//!
//! On PostgreSQL three processes serve, and the one that carries the run out is killed for good; on SQLite the one
//! process is killed and started again. The run comes from the schedule or from somebody who asks for it. Meanwhile a
//! manager touches leads that are still to be moved: those stay, and the run says why.
//!
//! Reading order: `office` (people, leads and the rule), `asking` (somebody who asks for a run and repeats the request until
//! there is an answer), `book` (what the log says), `seen` (what the service says), `verify`; what another rule's run has in
//! common with this one is in `carried`.

mod asking;
mod book;
mod office;
mod seen;
mod verify;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use domain::transfer_rule::run::PlannedMove;
use tokio::time::Instant;

use super::carried::crew::Crew;
use super::carried::touches::{Touched, touch};
use super::carried::{Kill, Report, moments, processes};
use super::history::History;
use super::{quiet, simulator};
use crate::scratch::{Backend, ScratchDatabase};
use asking::Asking;
use book::Book;
use office::Office;
use seen::Seen;
pub(super) use seen::inbox;

type Watch = super::carried::Watch<Book>;

/// The job that runs the rules …
const PERIOD: &str = "lead_transfer";
/// … and the one that goes on with what was left.
const LEFT: &str = "transfer_runs";

/// Leads that are touched after each kill, while nobody moves any.
const TOUCHED_AFTER_A_KILL: usize = 9;

/// Leads that are touched while others move.
const TOUCHED_MEANWHILE: usize = 6;

/// Why the rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Occasion {
    /// Its period came.
    Period,
    /// Somebody asked for it.
    Asked,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// On which database.
    pub backend: Backend,
    /// Why the rule runs.
    pub occasion: Occasion,
    /// Leads that the rule finds.
    pub leads: usize,
    /// Times to kill.
    pub kills: usize,
    /// Fixes the moments.
    pub seed: u64,
    /// The `leadwire` program.
    pub program: PathBuf,
}

/// One whole run. An error means that it could not be carried out; what was found wrong is in the report.
pub async fn run(options: &Options, tell: impl Fn(&str) + Send + Sync) -> Result<Report> {
    let database = ScratchDatabase::create(options.backend).await?;
    let result = Box::pin(run_on(&database, options, &tell)).await;
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
    let processes = processes(options.backend, options.kills)?;
    let started = Instant::now();
    let simulator = simulator().await?;
    let office = Office::open(database, options, simulator.base_url(), simulator.handle()).await?;
    tell(&format!("{} leads on {} after {:.0?}", options.leads, options.backend.name(), started.elapsed()));
    let mut crew = Crew::start(&office.address, processes).await?;
    let asking = (options.occasion == Occasion::Asked).then(|| Asking::begin(&crew, &office));
    let mut watch = Watch::open(database.url()).await?;

    let plan = watch.until_planned().await?;
    let began = Instant::now();
    tell(&format!("{} moves are planned", plan.len()));
    let mut scene = Scene { options, office: &office, plan, touched: Vec::new() };
    scene.touch_meanwhile(&crew).await?;
    let kills = scene.kill(&mut crew, &mut watch, asking.as_ref(), tell).await?;
    watch.until_completed().await?;
    let ran = began.elapsed();
    if let Some(asking) = asking {
        asking.answered().await?;
    }
    tell(&format!("the run is over after {ran:.0?}"));

    let mut history = History::default();
    let (address, service) = crew.anybody()?;
    quiet::wait(&mut watch.reader, &mut history, &address, service, tell).await?;
    let run = watch.book.the_run()?;
    let seen = Seen::through(&address, &office, run, &mut watch.reader, simulator.handle().ledger()).await?;
    crew.stop().await?;
    let seen = seen.with_rebuilt(&address).await;
    watch.reader.continue_reading(&mut history).await?;
    watch.read().await?;
    let checks = verify::verify(&watch.book, &history, &seen, &scene);
    simulator.stop().await;
    let Options { backend, occasion, leads, seed, .. } = options;
    let about = format!("{}, {occasion:?}, seed {seed}: {leads} leads", backend.name());
    Ok(Report { about, planned: scene.plan.len(), kills, ran, checks, elapsed: started.elapsed() })
}

/// What there is to a run besides its processes.
struct Scene<'s> {
    options: &'s Options,
    office: &'s Office,
    plan: Vec<PlannedMove>,
    /// The leads that were touched, in order.
    touched: Vec<Touched>,
}

impl Scene<'_> {
    /// Touches a few leads of the second half while others move: some of them are faster, some are not.
    async fn touch_meanwhile(&mut self, crew: &Crew) -> Result<()> {
        let api = self.office.manager(&crew.free()?)?;
        let half = self.plan.len() / 2;
        let some = (0..TOUCHED_MEANWHILE).map(|n| half + n * half / (2 * TOUCHED_MEANWHILE));
        for planned in some.map(|n| self.plan[n]).collect::<Vec<_>>() {
            let (outsider, n) = (self.office.outsider.id, self.touched.len());
            self.touched.extend(touch(&api, outsider, planned.customer, n).await?);
        }
        Ok(())
    }

    /// Kills whoever is at it, at moments drawn from the seed.
    async fn kill(
        &mut self,
        crew: &mut Crew,
        watch: &mut Watch,
        asking: Option<&Asking>,
        tell: &impl Fn(&str),
    ) -> Result<Vec<Kill>> {
        let mut kills = Vec::new();
        for done in moments(self.options.seed, self.options.kills, self.plan.len()) {
            let carrier = watch.until_done(done, || carrier(crew, asking)).await?;
            let address = crew.kill(carrier).await?;
            let killed = Instant::now();
            let left = watch.done().await?;
            ensure!(
                left < self.plan.len() && !watch.is_completed().await?,
                "the run was over before the kill"
            );
            if self.options.backend == Backend::Sqlite {
                crew.start_again(carrier, &address).await?;
            }
            self.touch_some(crew, kills.len()).await?;
            if let Some(asking) = asking {
                asking.go_on();
            }
            watch.until_beyond(left).await?;
            let kill = Kill { done: left, carried_on: killed.elapsed() };
            tell(&format!(
                "process {carrier} was killed after {left} moves; another one moved the next after {:.1?}",
                kill.carried_on
            ));
            kills.push(kill);
        }
        Ok(kills)
    }

    /// Touches some of the last leads of the plan.
    async fn touch_some(&mut self, crew: &Crew, kill: usize) -> Result<()> {
        let api = self.office.manager(&crew.free()?)?;
        let end = self.plan.len() - kill * TOUCHED_AFTER_A_KILL;
        for planned in self.plan[end - TOUCHED_AFTER_A_KILL..end].iter().copied() {
            let (outsider, n) = (self.office.outsider.id, self.touched.len());
            self.touched.extend(touch(&api, outsider, planned.customer, n).await?);
        }
        Ok(())
    }
}

/// Who carries the run out: whom the request went to, or who last began a job that does.
fn carrier(crew: &Crew, asking: Option<&Asking>) -> Option<usize> {
    let at = asking.map(Asking::at).filter(|at| crew.lives(*at));
    at.or_else(|| crew.last_began(if asking.is_some() { LEFT } else { PERIOD }))
}
