//! What runs of rules have in common when the process that carries one out is killed (faults.md F9): a plan in the log,
//! leads that go one after the other, somebody else who goes on, and people who touch leads in between.
//!
//! On PostgreSQL three processes serve, and the one that carries the run out is killed for good; on SQLite the one process
//! is killed and started again. `crew` has the processes, `maker` what was there hours ago, `touches` what a manager does
//! meanwhile, `checks` what must hold of every run, `report` what was found.

pub(super) mod checks;
pub(super) mod crew;
pub(super) mod maker;
mod report;
pub(super) mod touches;

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use super::history::Reader;
use crate::scratch::Backend;
pub use report::Report;

/// Processes on PostgreSQL.
const PROCESSES: usize = 3;

/// Percent of the plan between which kills fall.
const MIDDLE: (usize, usize) = (15, 60);

/// How often the log is looked at.
const POLL: Duration = Duration::from_millis(15);

/// Longest wait for the next step of a run: longer than a lease, and than the minutes after which a run that somebody
/// asked for is taken for left.
const PATIENCE: Duration = Duration::from_mins(6);

/// A kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Leads that had gone before it.
    pub done: usize,
    /// From the kill until another process took the next lead, or ended the run.
    pub carried_on: Duration,
}

/// How many processes serve.
pub(super) fn processes(backend: Backend, kills: usize) -> Result<usize> {
    let processes = if backend == Backend::Postgres { PROCESSES } else { 1 };
    ensure!(processes == 1 || kills < processes, "somebody must be left to end the run");
    Ok(processes)
}

/// After how many leads to kill, in order.
pub(super) fn moments(seed: u64, kills: usize, planned: usize) -> Vec<usize> {
    let mut dice = StdRng::seed_from_u64(seed);
    let (from, to) = (planned * MIDDLE.0 / 100, planned * MIDDLE.1 / 100);
    // Each kill has a share of its own of the middle, so that something happens between two.
    let share = (to - from) / kills.max(1);
    (0..kills).map(|n| from + n * share + dice.random_range(0..share.max(1))).collect()
}

/// What the log says about a run, folded anew.
pub(super) trait Book: Default {
    /// One lead of the plan.
    type Planned: Clone;

    /// Reads what was appended since.
    async fn read_on(&mut self, reader: &mut Reader) -> Result<()>;
    /// The first plan there is.
    fn plan(&self) -> Option<&[Self::Planned]>;
    /// Leads that went their way so far.
    fn done(&self) -> usize;
    /// Whether every run is over.
    fn is_completed(&self) -> bool;
}

/// Looks at the log while things happen.
pub(super) struct Watch<B> {
    pub(super) reader: Reader,
    pub(super) book: B,
}

impl<B: Book> Watch<B> {
    pub(super) async fn open(url: &str) -> Result<Self> {
        Ok(Self { reader: Reader::open(url).await?, book: B::default() })
    }

    pub(super) async fn read(&mut self) -> Result<()> {
        self.book.read_on(&mut self.reader).await
    }

    /// Leads that went their way so far.
    pub(super) async fn done(&mut self) -> Result<usize> {
        self.read().await?;
        Ok(self.book.done())
    }

    pub(super) async fn is_completed(&mut self) -> Result<bool> {
        self.read().await?;
        Ok(self.book.is_completed())
    }

    pub(super) async fn until_planned(&mut self) -> Result<Vec<B::Planned>> {
        self.until("a plan", async |watch| {
            watch.read().await?;
            Ok(watch.book.plan().map(<[B::Planned]>::to_vec))
        })
        .await
    }

    pub(super) async fn until_done<T>(&mut self, count: usize, at_work: impl Fn() -> Option<T>) -> Result<T> {
        self.until("the middle of the run", async |watch| {
            let far_enough = watch.done().await? >= count;
            Ok(far_enough.then(&at_work).flatten())
        })
        .await
    }

    pub(super) async fn until_beyond(&mut self, count: usize) -> Result<()> {
        self.until("somebody to carry the run on", async |watch| {
            Ok((watch.done().await? > count || watch.is_completed().await?).then_some(()))
        })
        .await
    }

    pub(super) async fn until_completed(&mut self) -> Result<()> {
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
            ensure!(started.elapsed() < PATIENCE, "{what} did not come; {} leads so far", self.book.done());
            sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_fall_into_the_middle_in_order_and_follow_from_the_seed() {
        for seed in 0..50 {
            let at = moments(seed, 2, 10_000);
            assert_eq!(at, moments(seed, 2, 10_000));
            assert!(1500 <= at[0] && at[0] < 3750 && 3750 <= at[1] && at[1] < 6000, "{at:?}");
        }
    }
}
