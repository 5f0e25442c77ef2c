//! One job in one process: looks, claims, works, shows that it lives, writes down what came of it.

use std::sync::{Arc, Mutex, PoisonError};

use application::ports::Clock;
use application::schedules::{Job, Period};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::store::{self, Ended, ScheduleRow};
use super::{ATTEMPTS_MAX, JobError, LOOKS_MAX, PACE, ScheduledJob};
use crate::db::{Db, DbError};

/// How long a period is left alone after its first failure; it doubles with each.
const RETRY_WAIT: TimeDelta = TimeDelta::minutes(1);
/// Most doublings, whatever the number of attempts becomes.
const DOUBLINGS_MAX: u32 = 6;

/// What stands as the outcome of a period that was begun too often, by processes that died.
const GIVEN_UP: &str = "given up: it was begun several times and never ended";

/// A job, as one process runs it.
pub struct Runner {
    db: Db,
    clock: Arc<dyn Clock>,
    owner: Uuid,
    job: Job,
    work: Arc<dyn ScheduledJob>,
    /// The lease of somebody else, as it was seen last.
    seen: Mutex<Seen>,
}

/// A lease and how often it was looked at without a sign of life.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    token: i64,
    beat: i64,
    looks: u32,
}

/// A period that this process may work on until somebody takes it for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The period.
    pub period: Period,
    attempt: i64,
    token: i64,
    started_at: DateTime<Utc>,
}

/// What came of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing was due, or somebody else has it.
    Nothing,
    /// The period was run to its end; the sentence that tells what came of it.
    Done(Period, String),
    /// The attempt failed; the sentence that tells why.
    Failed(Period, String),
    /// The service stops: the period was given back.
    Stopped(Period),
    /// Another process had taken this one for dead, and carries the period on.
    Lost(Period),
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("job", &self.job).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner that does nothing yet. `owner` is this process: a fresh id for every start.
    pub fn new(db: Db, clock: Arc<dyn Clock>, owner: Uuid, job: Job, work: Arc<dyn ScheduledJob>) -> Self {
        Self { db, clock, owner, job, work, seen: Mutex::default() }
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Makes the job known. A job that is new begins with its next period: it has nothing to make up for.
    pub async fn register(&self) -> Result<(), DbError> {
        store::register(&self.db, &self.job, self.clock.now()).await
    }

    /// Works on a job that is known, until told to stop. Dropping the future is a crash: another process carries the
    /// period on.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            match self.turn(&stop).await {
                Ok(turn) => self.tell(&turn),
                Err(error) => {
                    tracing::error!(%error, job.name = self.job.name, "job {} cannot be looked at", self.job.name);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PACE) => {}
            }
        }
    }

    /// Looks once, and runs to its end what is due.
    pub async fn turn(&self, stop: &CancellationToken) -> Result<Turn, DbError> {
        match self.claim().await? {
            Some(claimed) => self.work_on(claimed, stop).await,
            None => Ok(Turn::Nothing),
        }
    }

    /// Looks once, and claims what is due: the next period, or one whose owner failed, stopped or died.
    pub async fn claim(&self) -> Result<Option<Claimed>, DbError> {
        let Some(row) = store::one(&self.db, self.job.name).await? else { return Ok(None) };
        let now = self.clock.now();
        let Some(period) = self.claimable(&row, now) else { return Ok(None) };
        let Some(token) = store::claim(&self.db, &row, period, self.owner, now).await? else {
            return Ok(None);
        };
        let begun_before = if row.done { 0 } else { row.attempt };
        let claimed = Claimed { period, attempt: begun_before + 1, token, started_at: now };
        if claimed.attempt > ATTEMPTS_MAX {
            self.end(&claimed, Err(GIVEN_UP)).await?;
            return Ok(None);
        }
        Ok(Some(claimed))
    }

    /// The period that this process may claim.
    fn claimable(&self, row: &ScheduleRow, now: DateTime<Utc>) -> Option<Period> {
        let unfinished = Period(row.period);
        if row.done {
            return self.job.due(unfinished, now);
        }
        if row.owner.is_some() {
            return self.is_dead(row).then_some(unfinished);
        }
        row.retry_at.is_none_or(|at| at <= now).then_some(unfinished)
    }

    /// Whether the owner gave no sign of life for too many looks.
    fn is_dead(&self, row: &ScheduleRow) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if (seen.token, seen.beat) != (row.lease_token, row.lease_beat) {
            *seen = Seen { token: row.lease_token, beat: row.lease_beat, looks: 0 };
        }
        seen.looks += 1;
        seen.looks > LOOKS_MAX
    }

    /// A sign of life. `false`: the period is somebody else's now.
    pub async fn beat(&self, claimed: &Claimed) -> Result<bool, DbError> {
        store::beat(&self.db, self.job.name, claimed.token).await
    }

    /// Runs what was claimed to its end.
    pub async fn work_on(&self, claimed: Claimed, stop: &CancellationToken) -> Result<Turn, DbError> {
        let (period, told) = (claimed.period, stop.child_token());
        self.tell_of_beginning(&claimed);
        let (work, token) = (Arc::clone(&self.work), told.clone());
        // In a task of its own, so that a panic is a failure of the job and a crash of this future ends it.
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { work.run(period, token).await });
        let ended = loop {
            tokio::select! {
                ended = tasks.join_next() => break ended,
                () = tokio::time::sleep(PACE) => {}
            }
            match self.beat(&claimed).await {
                Ok(true) => {}
                Ok(false) => {
                    told.cancel();
                    tasks.shutdown().await;
                    return Ok(Turn::Lost(period));
                }
                // The end will say whether it is still ours.
                Err(error) => {
                    tracing::warn!(%error, job.name = self.job.name, "no sign of life could be given");
                }
            }
        };
        match ended.unwrap_or(Ok(Err(JobError::Stopped))) {
            Ok(Ok(sentence)) => self.end(&claimed, Ok(&sentence)).await,
            Ok(Err(JobError::Stopped)) => {
                store::put_back(&self.db, self.job.name, claimed.token).await?;
                Ok(Turn::Stopped(period))
            }
            Ok(Err(error)) => self.end(&claimed, Err(&error.to_string())).await,
            Err(error) => self.end(&claimed, Err(broken(&error))).await,
        }
    }

    /// Writes down what came of an attempt.
    pub async fn end(&self, claimed: &Claimed, result: Result<&str, &str>) -> Result<Turn, DbError> {
        let (at, period) = (self.clock.now(), claimed.period);
        let retries = result.is_err() && claimed.attempt < ATTEMPTS_MAX;
        let ended = Ended {
            done: !retries,
            retry_at: retries.then(|| at + retry_wait(claimed.attempt)),
            at,
            took_ms: (at - claimed.started_at).num_milliseconds().max(0),
            succeeded: result.is_ok(),
            outcome: result.unwrap_or_else(|error| error),
        };
        if !store::end(&self.db, self.job.name, claimed.token, &ended).await? {
            return Ok(Turn::Lost(period));
        }
        Ok(match result {
            Ok(sentence) => Turn::Done(period, sentence.to_owned()),
            Err(error) => Turn::Failed(period, error.to_owned()),
        })
    }

    fn tell_of_beginning(&self, Claimed { period, attempt, .. }: &Claimed) {
        let name = self.job.name;
        if *attempt == 1 {
            tracing::debug!(job.name = name, job.period = %period, "job {name} of {period} begins");
        } else {
            tracing::info!(job.name = name, job.period = %period, job.attempt = attempt,
                "job {name} of {period} is begun again: nobody had ended it");
        }
    }

    fn tell(&self, turn: &Turn) {
        let name = self.job.name;
        match turn {
            Turn::Nothing => {}
            Turn::Done(period, sentence) => {
                tracing::info!(job.name = name, job.period = %period, "job {name} of {period}: {sentence}");
            }
            Turn::Failed(period, error) => {
                tracing::error!(job.name = name, job.period = %period, "job {name} of {period} failed: {error}");
            }
            Turn::Stopped(period) => {
                tracing::info!(job.name = name, job.period = %period, "job {name} of {period} was put back");
            }
            Turn::Lost(period) => {
                tracing::warn!(job.name = name, job.period = %period,
                    "job {name} of {period} is carried on by another process, which took this one for dead");
            }
        }
    }
}

/// How long to wait after the `attempt`-th failure.
fn retry_wait(attempt: i64) -> TimeDelta {
    let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(DOUBLINGS_MAX);
    RETRY_WAIT * 2_i32.pow(doublings)
}

/// What is told of a job that did not end by itself. What it panicked with may hold anything and stays out.
fn broken(error: &JoinError) -> &'static str {
    if error.is_panic() { "it panicked" } else { "it was cut off" }
}
