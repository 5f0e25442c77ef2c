//! What must hold between the rows of a database, asked of all of them: the log itself, what commits beside it, and the
//! rows of work. What needs the rules (decisions, counts, read models) is asked where the rules are.
//!
//! Everything here is one statement a question, and reads; [`remove_orphans`] takes away what is derived.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Position;
use serde::Serialize;
use uuid::Uuid;

use crate::db::{Db, DbError, Tx};
use crate::with_tx;

/// Most places of a finding that are named; the number of all may go on.
pub const PLACES_MAX: i64 = 10;

/// How long after its lease a message may be on its way before somebody should look: whoever takes it over does so within
/// a minute.
const ABANDONED: TimeDelta = TimeDelta::minutes(10);

/// The log counts its events as its last position does, or there are holes.
const HEAD: &str = "SELECT count(*), coalesce(max(position), 0) FROM events";

const HOLES: &str = "
SELECT e.position FROM events e
 WHERE e.position > 1 AND NOT EXISTS (SELECT 1 FROM events before WHERE before.position = e.position - 1)
 ORDER BY e.position LIMIT $1";

const SPARSE: &str = "
SELECT stream_id FROM events
 GROUP BY stream_id HAVING count(*) <> max(sequence) OR min(sequence) <> 1
 ORDER BY stream_id LIMIT $1";

const RECEIPTS_AHEAD: &str = "
SELECT command_id FROM command_receipts
 WHERE position > (SELECT coalesce(max(position), 0) FROM events) OR position < 0
 ORDER BY position LIMIT $1";

/// The holder alone: what it holds is a phone number.
const HOLDERS_UNKNOWN: &str = "
SELECT g.holder FROM guards g
 WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.stream_id = g.holder)
 ORDER BY g.holder LIMIT $1";

const DECISIONS_AHEAD: &str = "
SELECT event_id FROM decisions
 WHERE position > (SELECT coalesce(max(position), 0) FROM events)
 ORDER BY position LIMIT $1";

/// A row knows the position of its notice's request; a message that somebody sends as a test has none.
const ORPHANS: &str = "
SELECT o.delivery_id FROM outbox o
 WHERE o.position > 0
   AND NOT EXISTS (SELECT 1 FROM events e WHERE e.position = o.position AND e.stream_type = 'notification')
 ORDER BY o.position LIMIT $1";

const REMOVE_ORPHANS: &str = "
DELETE FROM outbox
 WHERE position > 0 AND state <> 'in_flight'
   AND NOT EXISTS (SELECT 1 FROM events e WHERE e.position = outbox.position AND e.stream_type = 'notification')";

const ABANDONED_ROWS: &str = "
SELECT delivery_id FROM outbox
 WHERE state = 'in_flight' AND lease_expires_at < $2
 ORDER BY lease_expires_at LIMIT $1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    HEAD,
    HOLES,
    SPARSE,
    RECEIPTS_AHEAD,
    HOLDERS_UNKNOWN,
    DECISIONS_AHEAD,
    ORPHANS,
    REMOVE_ORPHANS,
    ABANDONED_ROWS,
];

domain::code_table! {
    /// What is asked.
    Check {
        /// The positions of the log are 1…n.
        Positions = "positions",
        /// The sequences of every stream are 1…n.
        Sequences = "sequences",
        /// No receipt is of an event that is not there.
        Receipts = "receipts",
        /// Whoever holds a unique value exists.
        Guards = "guards",
        /// No decision is about an event that is not there.
        Decisions = "decisions",
        /// Every row of work belongs to a notice.
        Work = "work",
        /// Nothing has been on its way for long.
        Leases = "leases",
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was asked.
    pub check: Check,
    /// Where it does not hold: the first [`PLACES_MAX`] positions, streams or ids. Empty: it holds.
    pub places: Vec<String>,
}

/// The answers, and where the log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Position of the last event.
    pub head: Position,
    /// Events there are.
    pub events: i64,
    /// One for each check, in order.
    pub findings: Vec<Finding>,
}

/// Asks everything, of one moment. `now` as the database's leases know it; `asked` is told before each question.
pub async fn examine(
    db: &Db,
    now: DateTime<Utc>,
    mut asked: impl FnMut(Check) + Send,
) -> Result<Examined, DbError> {
    let mut tx = db.begin_snapshot().await?;
    let (events, head): (i64, Position) =
        with_tx!(&mut tx, conn => sqlx::query_as(HEAD).fetch_one(conn).await)?;
    let mut findings = Vec::with_capacity(Check::ALL.len());
    for check in Check::ALL.iter().copied() {
        asked(check);
        let places = match check {
            Check::Positions if events == head => Vec::new(),
            Check::Positions => holes(&mut tx).await?,
            Check::Sequences => texts(&mut tx, SPARSE).await?,
            Check::Receipts => ids(&mut tx, RECEIPTS_AHEAD).await?,
            Check::Guards => texts(&mut tx, HOLDERS_UNKNOWN).await?,
            Check::Decisions => ids(&mut tx, DECISIONS_AHEAD).await?,
            Check::Work => ids(&mut tx, ORPHANS).await?,
            Check::Leases => abandoned(&mut tx, now).await?,
        };
        findings.push(Finding { check, places });
    }
    tx.rollback().await?;
    Ok(Examined { head, events, findings })
}

/// Takes away the rows of work that belong to no notice: nothing proves that they may be sent. One that is on its way
/// stays until its outcome is known. How many it were.
pub async fn remove_orphans(db: &Db) -> Result<u64, DbError> {
    let mut tx = db.begin_write().await?;
    let removed = with_tx!(&mut tx, conn => sqlx::query(REMOVE_ORPHANS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(removed)
}

async fn holes(tx: &mut Tx<'_>) -> Result<Vec<String>, DbError> {
    let rows: Vec<Position> =
        with_tx!(tx, conn => sqlx::query_scalar(HOLES).bind(PLACES_MAX).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|after| format!("before {after}")).collect())
}

async fn texts(tx: &mut Tx<'_>, sql: &'static str) -> Result<Vec<String>, DbError> {
    Ok(with_tx!(tx, conn => sqlx::query_scalar(sql).bind(PLACES_MAX).fetch_all(conn).await)?)
}

async fn ids(tx: &mut Tx<'_>, sql: &'static str) -> Result<Vec<String>, DbError> {
    let rows: Vec<Uuid> =
        with_tx!(tx, conn => sqlx::query_scalar(sql).bind(PLACES_MAX).fetch_all(conn).await)?;
    Ok(rows.iter().map(ToString::to_string).collect())
}

async fn abandoned(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<Vec<String>, DbError> {
    let rows: Vec<Uuid> = with_tx!(tx, conn => sqlx::query_scalar(ABANDONED_ROWS)
        .bind(PLACES_MAX)
        .bind(now - ABANDONED)
        .fetch_all(conn)
        .await)?;
    Ok(rows.iter().map(ToString::to_string).collect())
}
