//! A run of a transfer rule whose process is killed in the middle (faults.md F9): each lead moved at most once,
//! the run completes, everybody concerned is told once.
//!
//! On PostgreSQL three processes serve, and the one that carries the run out is killed for good; on SQLite the one
//! process is killed and started again. The run comes from the schedule or from somebody who asks for it. Meanwhile a
//! manager touches leads that are still to be moved: those stay, and the run says why.
//!
//! Reading order: `office` (people, leads and the rule), `crew` (the processes, and which of them is at it),
//! `asking` (somebody who asks for a run and repeats the request until there is an answer), `book` (what the log
//! says), `seen` (what the service says), `verify`, `report`.

mod asking;
mod book;
mod crew;
mod office;
mod report;
mod seen;
mod touches;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use domain::transfer_rule::run::PlannedMove;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use super::history::{History, Reader};
use super::{quiet, simulator};
use crate::scratch::{Backend, ScratchDatabase};
use asking::Asking;
use book::Book;
use crew::Crew;
use office::Office;
pub use report::Report;
use seen::Seen;
use touches::{Touched, touch};

/// Processes on PostgreSQL.
const PROCESSES: usize = 3;

/// Percent of the plan between which kills fall.
const MIDDLE: (usize, usize) = (15, 60);

/// Leads that are touched after each kill, while nobody moves any.
const TOUCHED_AFTER_A_KILL: usize = 9;

/// Leads that are touched while others move.
const TOUCHED_MEANWHILE: usize = 6;

/// How often the log is looked at.
const POLL: Duration = Duration::from_millis(15);

/// Longest wait for the next step of a run: longer than a lease, and than the minutes after which a run that somebody
/// asked for is taken for left.
const PATIENCE: Duration = Duration::from_mins(6);

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

/// A kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Leads moved before it.
    pub moved: usize,
    /// From the kill until another process moved the next lead, or ended the run.
    pub carried_on: Duration,
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
    let processes = if options.backend == Backend::Postgres { PROCESSES } else { 1 };
    ensure!(processes == 1 || options.kills < processes, "somebody must be left to end the run");
    let started = Instant::now();
    let simulator = simulator().await?;
    let office = Office::open(database, options, simulator.base_url(), simulator.handle()).await?;
    tell(&format!("{} leads on {} after {:.0?}", options.leads, options.backend.name(), started.elapsed()));
    let mut crew = Crew::start(&office.address, processes).await?;
    let asking = (options.occasion == Occasion::Asked).then(|| Asking::begin(&crew, &office));
    let mut watch = Watch { reader: Reader::open(database.url()).await?, book: Book::default() };

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
    let planned = scene.plan.len();
    Ok(Report { options: options.clone(), planned, kills, ran, checks, elapsed: started.elapsed() })
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
            self.touched.extend(touch(&api, self.office, planned, self.touched.len()).await?);
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
        for moved in moments(self.options, self.plan.len()) {
            let carrier = watch.until_moved(moved, || crew.carrier(asking)).await?;
            let address = crew.kill(carrier).await?;
            let killed = Instant::now();
            let left = watch.moved().await?;
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
            watch.until_moved_beyond(left).await?;
            let kill = Kill { moved: left, carried_on: killed.elapsed() };
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
            self.touched.extend(touch(&api, self.office, planned, self.touched.len()).await?);
        }
        Ok(())
    }
}

/// After how many moves to kill, in order.
fn moments(options: &Options, planned: usize) -> Vec<usize> {
    let mut dice = StdRng::seed_from_u64(options.seed);
    let (from, to) = (planned * MIDDLE.0 / 100, planned * MIDDLE.1 / 100);
    // Each kill has a share of its own of the middle, so that something is moved between two.
    let share = (to - from) / options.kills.max(1);
    (0..options.kills).map(|n| from + n * share + dice.random_range(0..share.max(1))).collect()
}

/// Looks at the log while things happen.
struct Watch {
    reader: Reader,
    book: Book,
}

impl Watch {
    async fn read(&mut self) -> Result<()> {
        self.book.read_on(&mut self.reader).await
    }

    /// Moves so far.
    async fn moved(&mut self) -> Result<usize> {
        self.read().await?;
        Ok(self.book.moved())
    }

    async fn is_completed(&mut self) -> Result<bool> {
        self.read().await?;
        Ok(self.book.is_completed())
    }

    async fn until_planned(&mut self) -> Result<Vec<PlannedMove>> {
        self.until("a plan", async |watch| {
            watch.read().await?;
            Ok(watch.book.plan().map(<[PlannedMove]>::to_vec))
        })
        .await
    }

    async fn until_moved<T>(&mut self, count: usize, at_work: impl Fn() -> Option<T>) -> Result<T> {
        self.until("the middle of the run", async |watch| {
            let far_enough = watch.moved().await? >= count;
            Ok(far_enough.then(&at_work).flatten())
        })
        .await
    }

    async fn until_moved_beyond(&mut self, count: usize) -> Result<()> {
        self.until("somebody to carry the run on", async |watch| {
            Ok((watch.moved().await? > count || watch.is_completed().await?).then_some(()))
        })
        .await
    }

    async fn until_completed(&mut self) -> Result<()> {
        self.until("the end of the run", async |watch| Ok(watch.is_completed().await?.then_some(()))).await
    }

    async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self).await? {
                return Ok(found);
            }
            ensure!(started.elapsed() < PATIENCE, "{what} did not come; {} moves so far", self.book.moved());
            sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_fall_into_the_middle_in_order_and_follow_from_the_seed() {
        let options = |seed| Options {
            backend: Backend::Postgres,
            occasion: Occasion::Period,
            leads: 10_000,
            kills: 2,
            seed,
            program: PathBuf::new(),
        };
        for seed in 0..50 {
            let at = moments(&options(seed), 10_000);
            assert_eq!(at, moments(&options(seed), 10_000));
            assert!(1500 <= at[0] && at[0] < 3750 && 3750 <= at[1] && at[1] < 6000, "{at:?}");
        }
    }
}
