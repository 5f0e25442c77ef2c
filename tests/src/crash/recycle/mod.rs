//! A run of the recycle rules whose process is killed in the middle (faults.md F9): each lead falls at most once, the run
//! completes, every former owner is told once. Meanwhile a manager touches leads that are still to fall: those stay, and
//! the run says why.
//!
//! Reading order: `office` (people, leads and the rule), `book` (what the log says), `verify`; what another rule's run has
//! in common with this one is in `carried`.

mod book;
mod office;
mod verify;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use domain::recycle_rule::run::PlannedFall;
use tokio::time::Instant;

use super::carried::crew::Crew;
use super::carried::touches::{Touched, touch};
use super::carried::{Kill, Report, moments, processes};
use super::history::History;
use super::{quiet, simulator};
use crate::scratch::{Backend, ScratchDatabase};
use book::Book;
use office::Office;
use verify::Seen;

type Watch = super::carried::Watch<Book>;

/// Leads that are touched after each kill, while none falls.
const TOUCHED_AFTER_A_KILL: usize = 9;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// On which database.
    pub backend: Backend,
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
    let mut watch = Watch::open(database.url()).await?;

    let plan = watch.until_planned().await?;
    let began = Instant::now();
    tell(&format!("{} leads are to fall", plan.len()));
    let mut scene = Scene { options, office: &office, plan, touched: Vec::new() };
    let kills = scene.kill(&mut crew, &mut watch, tell).await?;
    watch.until_completed().await?;
    let ran = began.elapsed();
    tell(&format!("the run is over after {ran:.0?}"));

    let mut history = History::default();
    let (address, service) = crew.anybody()?;
    quiet::wait(&mut watch.reader, &mut history, &address, service, tell).await?;
    let seen = Seen::through(&address, &office, &mut watch.reader, simulator.handle().ledger()).await?;
    crew.stop().await?;
    let seen = seen.with_rebuilt(&address).await;
    watch.reader.continue_reading(&mut history).await?;
    watch.read().await?;
    let checks = verify::verify(&watch.book, &history, &seen, &scene);
    simulator.stop().await;
    let Options { backend, leads, seed, .. } = options;
    let about = format!("{}, recycling, seed {seed}: {leads} leads", backend.name());
    Ok(Report { about, planned: scene.plan.len(), kills, ran, checks, elapsed: started.elapsed() })
}

/// What there is to a run besides its processes.
struct Scene<'s> {
    options: &'s Options,
    office: &'s Office,
    plan: Vec<PlannedFall>,
    /// The leads that were touched, in order.
    touched: Vec<Touched>,
}

impl Scene<'_> {
    /// Kills whoever is at it, at moments drawn from the seed.
    async fn kill(&mut self, crew: &mut Crew, watch: &mut Watch, tell: &impl Fn(&str)) -> Result<Vec<Kill>> {
        let mut kills = Vec::new();
        for done in moments(self.options.seed, self.options.kills, self.plan.len()) {
            let carrier = watch.until_done(done, || crew.last_began(office::JOB)).await?;
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
            watch.until_beyond(left).await?;
            let kill = Kill { done: left, carried_on: killed.elapsed() };
            tell(&format!(
                "process {carrier} was killed after {left} leads; another one let the next fall after {:.1?}",
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
