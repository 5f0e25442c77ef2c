//! What Leadwire keeps about each captured table, in its own database: where polling stands, how the last run went, what
//! came of all of them, and rows put aside that no capture table holds.

use std::sync::Arc;

use application::intake::worker::{KnownMembers, Ledger, Outage, SetAside, Tally};
use application::intake::{CaptureStatus, Mode, REASON_CHARS_MAX, Sweep};
use application::ports::Clock;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::MemberId;
use domain::member::SourceKey;
use sqlx::FromRow;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

/// Most rows put aside that are shown or tried again together.
pub const ASIDE_MAX: i64 = 1000;

const BEGIN: &str = "
INSERT INTO intake_sources (source, table_name, mode, since, sweep, begun_at) VALUES ($1, $2, $3, $4, $5, $4)
ON CONFLICT (source, table_name) DO UPDATE SET mode = excluded.mode, begun_at = excluded.begun_at";
const COUNT: &str = "
UPDATE intake_sources
   SET rows_seen = rows_seen + $3, registered = registered + $4, changed = changed + $5, unchanged = unchanged + $6,
       parked = parked + $7, put_off = put_off + $8, contested = contested + $9
 WHERE source = $1 AND table_name = $2";
const END: &str = "
UPDATE intake_sources SET ended_at = $3, failed_at = NULL, failure = NULL WHERE source = $1 AND table_name = $2";
const FAIL: &str = "
UPDATE intake_sources SET failed_at = $3, failure = $4 WHERE source = $1 AND table_name = $2";
const RECONCILED: &str = "UPDATE intake_sources SET reconciled_at = $3 WHERE source = $1 AND table_name = $2";
const LOOK: &str = "
UPDATE intake_sources SET looked_at = $3, waiting = $4, aside = $5, oldest_seconds = $6
 WHERE source = $1 AND table_name = $2";
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
SELECT row_key, attempts, reason FROM intake_aside
 WHERE source = $1 AND table_name = $2 ORDER BY row_key LIMIT $3";

macro_rules! state {
    ($rest:literal) => {
        concat!(
            "SELECT s.source, s.table_name, s.mode, s.since, s.begun_at, s.ended_at, s.failed_at, s.failure, ",
            "s.reconciled_at, s.looked_at, s.waiting, s.oldest_seconds, s.rows_seen, s.registered, s.changed, ",
            "s.unchanged, s.parked, s.put_off, s.contested, s.aside + ",
            "(SELECT COUNT(*) FROM intake_aside a WHERE a.source = s.source AND a.table_name = s.table_name) ",
            "AS aside FROM intake_sources s ",
            $rest
        )
    };
}

const ONE: &str = state!("WHERE s.source = $1 AND s.table_name = $2");
const ALL: &str = state!("ORDER BY s.source, s.table_name");

/// Every statement of this module, for the test that prepares them on both databases.
pub const STATEMENTS: [&str; 13] =
    [BEGIN, COUNT, END, FAIL, RECONCILED, LOOK, SWEEP, KEEP_SWEEP, SET_ASIDE, CLEARED, ASIDE, ONE, ALL];

/// One captured table, as the last runs left it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SourceState {
    /// What the configuration calls it.
    pub source: String,
    /// The table.
    pub table_name: String,
    /// `triggers` or `poll`.
    pub mode: String,
    /// When a run was first begun.
    pub since: DateTime<Utc>,
    /// When the last one was begun.
    pub begun_at: Option<DateTime<Utc>>,
    /// When the last one ended well.
    pub ended_at: Option<DateTime<Utc>>,
    /// When one failed, unless one ended well since.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why.
    pub failure: Option<String>,
    /// When source and store were last compared to the end.
    pub reconciled_at: Option<DateTime<Utc>>,
    /// When the source last told how far it is.
    pub looked_at: Option<DateTime<Utc>>,
    /// Rows that waited then.
    pub waiting: i64,
    /// Rows put aside.
    pub aside: i64,
    /// Age of the oldest row that waited then, in seconds.
    pub oldest_seconds: Option<i64>,
    /// Rows that were looked at, over all runs.
    pub rows_seen: i64,
    /// Members who were not known.
    pub registered: i64,
    /// Rows that said something new about a known member.
    pub changed: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows put aside, those tried again since included.
    pub parked: i64,
    /// Attempts that were put off.
    pub put_off: i64,
    /// Rows with a value that another member holds.
    pub contested: i64,
}

impl SourceState {
    /// Age of the oldest row that waits, as far as anybody knows at `now`: what waited when nobody could look any more
    /// grows older by itself.
    pub fn oldest_at(&self, now: DateTime<Utc>) -> Option<i64> {
        let since_then = self.looked_at.map_or(0, |at| (now - at).num_seconds().max(0));
        self.oldest_seconds.map(|age| age + since_then)
    }

    /// For how many seconds no run has ended well, when the last one failed.
    pub fn silent_seconds(&self, now: DateTime<Utc>) -> Option<i64> {
        self.failed_at?;
        Some((now - self.ended_at.unwrap_or(self.since)).num_seconds().max(0))
    }
}

/// Every captured table that a run was ever begun on.
pub async fn all(db: &Db) -> Result<Vec<SourceState>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await)?)
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

/// Runs one statement about this table in a transaction of its own; how many rows it changed.
macro_rules! write {
    ($ledger:expr, $sql:expr $(, $value:expr)*) => {{
        let ledger = $ledger;
        let mut tx = ledger.db.begin_write().await?;
        let done = with_tx!(&mut tx, conn => sqlx::query($sql)
            .bind(&*ledger.source).bind(&*ledger.table)$(.bind($value))*
            .execute(conn).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        done
    }};
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

    /// A run begins: it needs our own database before it takes anything from the source.
    pub async fn begin(&self, mode: Mode) -> Result<SourceState, DbError> {
        write!(self, BEGIN, mode_name(mode), self.clock.now(), written(&Sweep::default()));
        let state: Option<SourceState> = with_pool!(&self.db, pool => sqlx::query_as(ONE)
            .bind(&*self.source).bind(&*self.table).fetch_optional(pool).await)?;
        state.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Adds to the sums.
    pub async fn count(&self, tally: &Tally) -> Result<(), DbError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        write!(
            self,
            COUNT,
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

    /// The run ended: well, or with this failure.
    pub async fn end(&self, failure: Option<&str>) -> Result<(), DbError> {
        let now = self.clock.now();
        match failure {
            None => write!(self, END, now),
            Some(failure) => {
                write!(self, FAIL, now, failure.chars().take(REASON_CHARS_MAX).collect::<String>())
            }
        };
        Ok(())
    }

    /// Source and store were compared to the end.
    pub async fn reconciled(&self) -> Result<(), DbError> {
        write!(self, RECONCILED, self.clock.now());
        Ok(())
    }

    /// What the source says of itself.
    pub async fn saw(&self, status: &CaptureStatus) -> Result<(), DbError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        write!(
            self,
            LOOK,
            self.clock.now(),
            number(status.waiting),
            number(status.parked),
            status.oldest_seconds.map(number)
        );
        Ok(())
    }

    async fn stored_sweep(&self) -> Result<Sweep, DbError> {
        let text: Option<String> = with_pool!(&self.db, pool => sqlx::query_scalar(SWEEP)
            .bind(&*self.source).bind(&*self.table).fetch_optional(pool).await)?;
        // Words of another version mean the beginning: what is read again has the same fingerprints.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn move_sweep(&self, before: &Sweep, now: &Sweep) -> Result<bool, DbError> {
        Ok(write!(self, KEEP_SWEEP, written(before), written(now)) == 1)
    }

    async fn put_aside(&self, key: &str, reason: &str) -> Result<(), DbError> {
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        write!(self, SET_ASIDE, key, reason, self.clock.now());
        Ok(())
    }

    async fn clear(&self, key: &str) -> Result<(), DbError> {
        write!(self, CLEARED, key);
        Ok(())
    }

    async fn stored_aside(&self) -> Result<Vec<SetAside>, DbError> {
        let rows: Vec<(String, i64, String)> = with_pool!(&self.db, pool => sqlx::query_as(ASIDE)
            .bind(&*self.source).bind(&*self.table).bind(ASIDE_MAX).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(key, attempts, reason)| SetAside { key, attempts, reason }).collect())
    }
}

fn written(sweep: &Sweep) -> String {
    // Texts only: writing them cannot fail.
    serde_json::to_string(sweep).unwrap_or_default()
}

/// A mode as it is stored and shown.
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Triggers => "triggers",
        Mode::Poll => "poll",
    }
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

    async fn aside(&self) -> Result<Vec<SetAside>, Outage> {
        self.stored_aside().await.map_err(out)
    }

    async fn known(&self, after: Option<MemberId>) -> Result<Vec<(MemberId, SourceKey)>, Outage> {
        self.known.page(&self.source, after).await
    }
}
