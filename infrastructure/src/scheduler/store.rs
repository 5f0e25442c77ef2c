//! The rows of the jobs.

use application::schedules::{Grid, Job, Period};
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// Most characters of an outcome.
const OUTCOME_CHARS_MAX: usize = 500;

/// A job that is new has nothing to make up for, and neither has one with a new grid: its last moment was none when it
/// came. A period that was begun is carried on first.
const REGISTER: &str = "
INSERT INTO schedules (name, cron, zone, misfire, period, done, attempt, lease_token, lease_beat)
VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0)
ON CONFLICT (name) DO UPDATE
   SET cron = excluded.cron, zone = excluded.zone, misfire = excluded.misfire,
       period = CASE WHEN schedules.done AND schedules.period < excluded.period
                      AND (schedules.cron <> excluded.cron OR schedules.zone <> excluded.zone)
                     THEN excluded.period ELSE schedules.period END";

const COLUMNS: &str = "
SELECT name, cron, zone, misfire, period, done, attempt, started_at, retry_at, owner, lease_token, lease_beat,
       ended_period, ended_at, took_ms, succeeded, outcome
  FROM schedules WHERE name = $1";

const ALL: &str = "
SELECT name, cron, zone, misfire, period, done, attempt, started_at, retry_at, owner, lease_token, lease_beat,
       ended_period, ended_at, took_ms, succeeded, outcome
  FROM schedules ORDER BY name";

/// Only as the row was seen: a sign of life or an end in between means that somebody else was first.
const CLAIM: &str = "
UPDATE schedules
   SET period = $4, done = $5, attempt = $6, started_at = $7, retry_at = NULL, owner = $8,
       lease_token = lease_token + 1, lease_beat = 0
 WHERE name = $1 AND lease_token = $2 AND lease_beat = $3";

const BEAT: &str = "UPDATE schedules SET lease_beat = lease_beat + 1 WHERE name = $1 AND lease_token = $2";

/// The token grows: what is over cannot end twice.
const END: &str = "
UPDATE schedules
   SET done = $3, retry_at = $4, owner = NULL, lease_token = lease_token + 1, lease_beat = 0,
       ended_period = period, ended_at = $5, took_ms = $6, succeeded = $7, outcome = $8
 WHERE name = $1 AND lease_token = $2";

/// A stop is no attempt.
const PUT_BACK: &str = "
UPDATE schedules
   SET owner = NULL, lease_token = lease_token + 1, lease_beat = 0, attempt = attempt - 1
 WHERE name = $1 AND lease_token = $2";

/// Every statement of this file, for the test that prepares them.
pub(super) const STATEMENTS: &[&str] = &[REGISTER, COLUMNS, ALL, CLAIM, BEAT, END, PUT_BACK];

/// A job as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// When it runs, as the process has it that started last.
    pub cron: String,
    /// On whose wall clock.
    pub zone: String,
    /// What becomes of missed moments.
    pub misfire: String,
    /// The last period that was claimed, or passed over when the job was new.
    pub period: DateTime<Utc>,
    /// Whether nothing is left to do for it.
    pub done: bool,
    /// How often it was begun.
    pub attempt: i64,
    /// When it was last begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it may be begun again after a failure.
    pub retry_at: Option<DateTime<Utc>>,
    /// The process that works on it.
    pub owner: Option<Uuid>,
    pub(super) lease_token: i64,
    pub(super) lease_beat: i64,
    /// The period of the last attempt that ended.
    pub ended_period: Option<DateTime<Utc>>,
    /// When that was.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<i64>,
    /// Whether it did what it should.
    pub succeeded: Option<bool>,
    /// What came of it, in one sentence.
    pub outcome: Option<String>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleState {
    /// It waits for its next period.
    Waiting,
    /// A process works on a period.
    Running,
    /// The last attempt failed; it is begun again later.
    Retrying,
    /// A process that stopped gave the period back; the next one to look carries it on.
    Interrupted,
}

impl ScheduleState {
    /// Its name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Interrupted => "interrupted",
        }
    }
}

impl ScheduleRow {
    /// What it is doing.
    pub fn state(&self) -> ScheduleState {
        match (self.done, self.owner, self.retry_at) {
            (true, ..) => ScheduleState::Waiting,
            (false, Some(_), _) => ScheduleState::Running,
            (false, None, Some(_)) => ScheduleState::Retrying,
            (false, None, None) => ScheduleState::Interrupted,
        }
    }

    /// When its next period begins; `None` when another version of the program wrote a grid that this one cannot read.
    pub fn next(&self, now: DateTime<Utc>) -> Option<Period> {
        Grid::stored(&self.cron, &self.zone)?.next_after(now.max(self.period))
    }
}

/// How an attempt ended.
pub(super) struct Ended<'e> {
    /// Whether nothing is left to do for the period.
    pub(super) done: bool,
    pub(super) retry_at: Option<DateTime<Utc>>,
    pub(super) at: DateTime<Utc>,
    pub(super) took_ms: i64,
    pub(super) succeeded: bool,
    pub(super) outcome: &'e str,
}

/// Makes the job known, or its grid if that is new; either way its next period is the first one after `now`.
pub(super) async fn register(db: &Db, job: &Job, now: DateTime<Utc>) -> Result<(), DbError> {
    let passed_over = job.grid.last_until(now).map_or(DateTime::UNIX_EPOCH, |period| period.0);
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(REGISTER)
        .bind(job.name)
        .bind(job.grid.text())
        .bind(job.grid.zone().name())
        .bind(job.misfire.to_string())
        .bind(passed_over)
        .bind(true)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// One job; `None` when it is not known.
pub(super) async fn one(db: &Db, name: &str) -> Result<Option<ScheduleRow>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(COLUMNS).bind(name).fetch_optional(pool).await)?)
}

/// Every job, by name.
pub async fn all(db: &Db) -> Result<Vec<ScheduleRow>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await)?)
}

/// Claims `period`, if the row is still as it was `seen`; the fence.
pub(super) async fn claim(
    db: &Db,
    seen: &ScheduleRow,
    period: Period,
    owner: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<i64>, DbError> {
    let same = !seen.done && seen.period == period.0;
    let attempt = if same { seen.attempt + 1 } else { 1 };
    let mut tx = db.begin_write().await?;
    let claimed = with_tx!(&mut tx, conn => sqlx::query(CLAIM)
        .bind(&seen.name)
        .bind(seen.lease_token)
        .bind(seen.lease_beat)
        .bind(period.0)
        .bind(false)
        .bind(attempt)
        .bind(now)
        .bind(owner)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok((claimed == 1).then_some(seen.lease_token + 1))
}

/// A sign of life. `false`: the period is somebody else's now.
pub(super) async fn beat(db: &Db, name: &str, token: i64) -> Result<bool, DbError> {
    let mut tx = db.begin_write().await?;
    let rows = with_tx!(&mut tx, conn => sqlx::query(BEAT)
        .bind(name)
        .bind(token)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Writes down how the attempt ended. `false`: the period is somebody else's now, and nothing was written.
pub(super) async fn end(db: &Db, name: &str, token: i64, ended: &Ended<'_>) -> Result<bool, DbError> {
    let outcome: String = ended.outcome.chars().take(OUTCOME_CHARS_MAX).collect();
    let mut tx = db.begin_write().await?;
    let rows = with_tx!(&mut tx, conn => sqlx::query(END)
        .bind(name)
        .bind(token)
        .bind(ended.done)
        .bind(ended.retry_at)
        .bind(ended.at)
        .bind(ended.took_ms)
        .bind(ended.succeeded)
        .bind(&outcome)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Gives an unfinished period back, so that nobody waits for a process that stops.
pub(super) async fn put_back(db: &Db, name: &str, token: i64) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(PUT_BACK).bind(name).bind(token).execute(conn).await.map(drop))?;
    tx.commit().await
}
