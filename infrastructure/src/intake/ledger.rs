//! What Leadwire keeps about each captured table, in its own database: where polling stands, how the last run went, what
//! came of all of them, and rows put aside that no capture table holds.

use std::collections::HashSet;
use std::sync::Arc;

use application::intake::worker::{Held, KnownMembers, Ledger, Outage, Tally};
use application::intake::{Backlog, Mode, REASON_CHARS_MAX, Sweep};
use application::ports::Clock;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::MemberId;
use domain::member::SourceKey;
use serde_json::json;
use sqlx::FromRow;

use super::state::{ALL, ONE, SourceState, mode_name, number};
use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// Rows put aside of one page.
pub const ASIDE_PAGE: i64 = 1000;

const BEGIN: &str = "
INSERT INTO intake_sources (source, table_name, mode, since, sweep, begun_at) VALUES ($1, $2, $3, $4, $5, $4)
ON CONFLICT (source, table_name) DO UPDATE SET mode = excluded.mode, begun_at = excluded.begun_at";
const COUNT: &str = "
UPDATE intake_sources
   SET begun_at = $3, rows_seen = rows_seen + $4, registered = registered + $5, changed = changed + $6,
       unchanged = unchanged + $7, parked = parked + $8, put_off = put_off + $9, contested = contested + $10
 WHERE source = $1 AND table_name = $2";
const END: &str = "
UPDATE intake_sources
   SET begun_at = $3, ended_at = $4, failed_at = $5, failure = $6, looked_at = $7, waiting = $8, aside = $9,
       oldest_seconds = $10
 WHERE source = $1 AND table_name = $2";
const RECONCILED: &str = "
UPDATE intake_sources SET reconciled_at = $3, held_gone = NULL, held_known = NULL
 WHERE source = $1 AND table_name = $2";
const HELD: &str = "
UPDATE intake_sources SET held_gone = $3, held_known = $4 WHERE source = $1 AND table_name = $2";
const SWEEP: &str = "SELECT sweep FROM intake_sources WHERE source = $1 AND table_name = $2";
const KEEP_SWEEP: &str =
    "UPDATE intake_sources SET sweep = $4 WHERE source = $1 AND table_name = $2 AND sweep = $3";
const SET_ASIDE: &str = "
INSERT INTO intake_aside (source, table_name, row_key, reason, attempts, first_at, last_at)
VALUES ($1, $2, $3, $4, 1, $5, $5)
ON CONFLICT (source, table_name, row_key)
DO UPDATE SET reason = excluded.reason, attempts = intake_aside.attempts + 1, last_at = excluded.last_at";
const CLEARED: &str = "DELETE FROM intake_aside WHERE source = $1 AND table_name = $2 AND row_key = $3";
const ASIDE: &str = "
SELECT row_key AS key, attempts, reason FROM intake_aside
 WHERE source = $1 AND table_name = $2 AND (CAST($3 AS TEXT) IS NULL OR row_key > $3) ORDER BY row_key LIMIT $4";

macro_rules! aside_of {
    ($these:literal) => {
        concat!("SELECT row_key FROM intake_aside WHERE source = $1 AND table_name = $2 AND row_key ", $these)
    };
}

const ASIDE_POSTGRES: &str = aside_of!("= ANY($3::text[])");
const ASIDE_SQLITE: &str = aside_of!("IN (SELECT value FROM json_each($3))");

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 12] =
    [BEGIN, COUNT, END, RECONCILED, HELD, SWEEP, KEEP_SWEEP, SET_ASIDE, CLEARED, ASIDE, ONE, ALL];
/// Those for PostgreSQL alone.
pub const POSTGRES_STATEMENTS: &[&str] = &[ASIDE_POSTGRES];
/// Those for SQLite alone.
pub const SQLITE_STATEMENTS: &[&str] = &[ASIDE_SQLITE];

/// A row that was put aside although no capture table holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SetAside {
    /// Its key.
    pub key: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it was put aside.
    pub reason: String,
}

/// The ledger of one table. Cheap to clone.
#[derive(Clone)]
pub struct StoredLedger {
    db: Db,
    clock: Arc<dyn Clock>,
    known: Arc<dyn KnownMembers>,
    source: Arc<str>,
    table: Arc<str>,
}

impl std::fmt::Debug for StoredLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredLedger")
            .field("source", &self.source)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// Runs one statement about this table in a transaction of its own, begun like this; how many rows it changed.
macro_rules! write {
    ($begin:ident, $ledger:expr, $sql:expr $(, $value:expr)*) => {{
        let ledger = $ledger;
        let mut tx = ledger.db.$begin().await?;
        let done = with_tx!(&mut tx, conn => sqlx::query($sql)
            .bind(&*ledger.source).bind(&*ledger.table)$(.bind($value))*
            .execute(conn).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        done
    }};
}

/// What is lost in a power cut is found again: a page is read twice, a comparison comes again, a sum lacks some rows.
macro_rules! note {
    ($($of:tt)*) => { write!(begin_derived, $($of)*) };
}

impl StoredLedger {
    /// Of this table.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        known: Arc<dyn KnownMembers>,
        source: &str,
        table: &str,
    ) -> Self {
        Self { db, clock, known, source: source.into(), table: table.into() }
    }

    /// A run begins: it needs our own database before it takes anything from the source. The first one writes down when
    /// that was, for good: members from before are no news.
    pub async fn begin(&self, mode: Mode) -> Result<SourceState, DbError> {
        let known = self.state().await?.filter(|state| state.mode == mode_name(mode));
        if let Some(state) = known {
            return Ok(state);
        }
        write!(begin_write, self, BEGIN, mode_name(mode), self.clock.now(), written(&Sweep::default()));
        self.state().await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// How the table stands; `None` before the first run.
    pub async fn state(&self) -> Result<Option<SourceState>, DbError> {
        Ok(with_pool!(&self.db, pool => sqlx::query_as(ONE)
            .bind(&*self.source).bind(&*self.table).fetch_optional(pool).await)?)
    }

    /// Adds to the sums what a run that was begun then has done.
    pub async fn count(&self, begun_at: DateTime<Utc>, tally: &Tally) -> Result<(), DbError> {
        if tally.is_nothing_new() {
            return Ok(());
        }
        note!(
            self,
            COUNT,
            begun_at,
            number(tally.seen),
            number(tally.registered),
            number(tally.changed),
            number(tally.unchanged),
            number(tally.parked),
            number(tally.put_off),
            number(tally.contested)
        );
        Ok(())
    }

    /// The run that found the table as in `before` ended, with this backlog if the source told it. How it stands now;
    /// written down when that is news to anybody.
    pub async fn end(&self, before: &SourceState, run: &RunEnd<'_>) -> Result<SourceState, DbError> {
        let now = self.clock.now();
        let mut after = SourceState { begun_at: Some(run.begun_at), ..before.clone() };
        if let Some(failure) = run.failure {
            after.failed_at = before.failed_at.or(Some(now));
            after.failure = Some(failure.chars().take(REASON_CHARS_MAX).collect());
        } else {
            (after.ended_at, after.failed_at, after.failure) = (Some(now), None, None);
        }
        if let Some(backlog) = run.backlog {
            after.saw(backlog, now);
        }
        if run.counted || !before.says_as_much_as(&after, now) {
            note!(
                self,
                END,
                after.begun_at,
                after.ended_at,
                after.failed_at,
                after.failure.as_deref(),
                after.looked_at,
                after.waiting,
                after.aside_there,
                after.oldest_seconds
            );
        }
        Ok(after)
    }

    /// Source and store were compared: to the end, or so that these members were held.
    pub async fn compared(&self, held: Option<&Held>) -> Result<(), DbError> {
        match held {
            None => note!(self, RECONCILED, self.clock.now()),
            Some(held) => note!(self, HELD, number(held.gone), number(held.known)),
        };
        Ok(())
    }

    /// A page of the rows put aside here, in the order of their keys, those behind `after`; empty after the last.
    pub async fn aside_page(&self, after: Option<&str>, limit: i64) -> Result<Vec<SetAside>, DbError> {
        Ok(with_pool!(&self.db, pool => sqlx::query_as(ASIDE)
            .bind(&*self.source).bind(&*self.table).bind(after).bind(limit.min(ASIDE_PAGE))
            .fetch_all(pool).await)?)
    }

    async fn stored_sweep(&self) -> Result<Sweep, DbError> {
        let text: Option<String> = with_pool!(&self.db, pool => sqlx::query_scalar(SWEEP)
            .bind(&*self.source).bind(&*self.table).fetch_optional(pool).await)?;
        // Words of another version mean the beginning: what is read again has the same fingerprints.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn move_sweep(&self, before: &Sweep, now: &Sweep) -> Result<bool, DbError> {
        Ok(note!(self, KEEP_SWEEP, written(before), written(now)) == 1)
    }

    async fn put_aside(&self, key: &str, reason: &str) -> Result<(), DbError> {
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        note!(self, SET_ASIDE, key, reason, self.clock.now());
        Ok(())
    }

    async fn clear(&self, key: &str) -> Result<(), DbError> {
        note!(self, CLEARED, key);
        Ok(())
    }

    async fn stored_aside(&self, keys: &[&str]) -> Result<Vec<String>, DbError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match &self.db {
            Db::Postgres(pool) => {
                let found = sqlx::query_scalar(ASIDE_POSTGRES).bind(&*self.source).bind(&*self.table);
                found.bind(keys).fetch_all(pool).await?
            }
            Db::Sqlite(sqlite) => {
                let found = sqlx::query_scalar(ASIDE_SQLITE).bind(&*self.source).bind(&*self.table);
                found.bind(json!(keys).to_string()).fetch_all(sqlite.reader()).await?
            }
        })
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'r> {
    /// When it was begun.
    pub begun_at: DateTime<Utc>,
    /// Whether it added to the sums.
    pub counted: bool,
    /// What the source said was left.
    pub backlog: Option<&'r Backlog>,
    /// Why it failed, if it did.
    pub failure: Option<&'r str>,
}

fn written(sweep: &Sweep) -> String {
    // Texts only: writing them cannot fail.
    serde_json::to_string(sweep).unwrap_or_default()
}

/// What a failure of our database is to a run.
#[expect(clippy::needless_pass_by_value, reason = "an adapter for map_err")]
pub(super) fn out(error: DbError) -> Outage {
    Outage::Store(error.to_string())
}

#[async_trait]
impl Ledger for StoredLedger {
    async fn sweep(&self) -> Result<Sweep, Outage> {
        self.stored_sweep().await.map_err(out)
    }

    async fn keep_sweep(&self, before: &Sweep, now: &Sweep) -> Result<bool, Outage> {
        self.move_sweep(before, now).await.map_err(out)
    }

    async fn set_aside(&self, key: &str, reason: &str) -> Result<(), Outage> {
        self.put_aside(key, reason).await.map_err(out)
    }

    async fn cleared(&self, key: &str) -> Result<(), Outage> {
        self.clear(key).await.map_err(out)
    }

    async fn aside(&self, keys: &[&str]) -> Result<HashSet<String>, Outage> {
        Ok(self.stored_aside(keys).await.map_err(out)?.into_iter().collect())
    }

    async fn known(&self, after: Option<MemberId>) -> Result<Vec<(MemberId, SourceKey)>, Outage> {
        self.known.page(&self.source, after).await
    }
}
