//! The counts of who owns what, held against the events: made anew for a store that is older than one of them
//! (docs/adr/0023), compared every night, and made anew by whoever asks for it.
//!
//! They are changed in the transactions of the events, so they differ only where a program that did not know them wrote,
//! or a fault did. Comparing keeps nobody waiting: it reads the counts and the end of the log in one statement, and folds
//! what had happened by then. Writing does: a lead that moved between being read and being counted would be counted
//! wrong for good. A process that dies here has written nothing.

use std::collections::{BTreeMap, BTreeSet};

use application::bus::CountKind;
use application::customers::Holding;
use domain::customer::{Customer, CustomerEvent};
use domain::{Aggregate, Position, StreamId};
use serde::Serialize;

use crate::db::{DbError, Tx};
use crate::event_log::{EventLog, Filter, RecordedRaw, hold_appends};
use crate::upcasters::Upcasters;
use crate::{with_pool, with_tx};

/// Most differences that are named; the number of all goes on.
pub const DIFFERENCES_SHOWN_MAX: usize = 100;

/// The counts that are made here.
const KINDS: [CountKind; 2] = [CountKind::OwnedLeads, CountKind::UnsignedLeads];

/// Kind and key of the row that says that it was done. Its value is the number of [`KINDS`].
const DONE: (&str, &str) = ("recounted", "leads");

/// The first event of every lead.
const CREATED: Filter<'static> = Filter::Types(&["CustomerCreated"]);

/// Leads that are read together.
const PAGE: usize = 500;

/// Under this name the end of the log stands among the counts.
const HEAD: &str = "head";

const IS_DONE: &str = "SELECT value FROM counts WHERE kind = $1 AND key = $2";
/// One statement, so that the counts are those of exactly that position.
const KEPT: &str = "SELECT 'head' AS kind, '' AS key, coalesce(max(position), 0) AS value FROM events
UNION ALL SELECT kind, key, value FROM counts WHERE kind IN ($1, $2)";
/// A store may be large, and whoever waits here waits for another process that counts.
const LIFT_TIMEOUTS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
const FORGET: &str = "DELETE FROM counts WHERE kind = $1";
const WRITE: &str = "INSERT INTO counts (kind, key, value) VALUES ($1, $2, $3)
ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";

/// The statements of this module, for the test that prepares them.
pub const STATEMENTS: [&str; 4] = [IS_DONE, KEPT, FORGET, WRITE];

/// A count that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Whose: the id of a member of staff.
    pub staff: String,
    /// Which count.
    pub count: CountKind,
    /// What is kept beside the log.
    pub kept: i64,
    /// What the events say.
    pub counted: i64,
}

/// The counts, held against the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// As of this position.
    pub position: Position,
    /// Leads that somebody owned then.
    pub leads: u64,
    /// Counts that differed.
    pub differing: usize,
    /// The first [`DIFFERENCES_SHOWN_MAX`] of them.
    pub differences: Vec<Difference>,
}

impl Compared {
    /// Whether every count is what the log says.
    pub fn is_clean(&self) -> bool {
        self.differing == 0
    }
}

/// Kind and key of a count, and what it is.
type Counts = BTreeMap<(CountKind, String), i64>;

/// Counts every lead, unless that was done before. Whether it was done now.
pub async fn recount_once(log: &EventLog, upcasters: &Upcasters) -> Result<bool, DbError> {
    let mut tx = log.db().begin_write().await?;
    if is_done(&mut tx).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    hold(&mut tx).await?;
    // Another process may have done it while this one waited.
    if is_done(&mut tx).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    rewrite(&mut tx, log, upcasters).await?;
    tx.commit().await?;
    Ok(true)
}

/// Counts every lead, and keeps that; what was kept before differed so. Commands of all processes wait meanwhile.
pub async fn recount(log: &EventLog, upcasters: &Upcasters) -> Result<Compared, DbError> {
    let mut tx = log.db().begin_write().await?;
    hold(&mut tx).await?;
    let compared = rewrite(&mut tx, log, upcasters).await?;
    tx.commit().await?;
    Ok(compared)
}

/// Holds the counts against the log, and changes nothing. Nobody waits for it.
pub async fn compare(log: &EventLog, upcasters: &Upcasters) -> Result<Compared, DbError> {
    let [owned, unsigned] = KINDS.map(CountKind::as_str);
    let rows =
        with_pool!(log.db(), pool => sqlx::query_as(KEPT).bind(owned).bind(unsigned).fetch_all(pool).await)?;
    let (position, kept) = read(rows);
    let counted = count(log, upcasters, position).await?;
    Ok(difference(position, &kept, &counted))
}

async fn hold(tx: &mut Tx<'_>) -> Result<(), DbError> {
    if let Tx::Postgres(tx) = tx {
        sqlx::raw_sql(LIFT_TIMEOUTS).execute(&mut **tx).await?;
    }
    hold_appends(tx).await
}

async fn is_done(tx: &mut Tx<'_>) -> Result<bool, DbError> {
    let (kind, key) = DONE;
    let counted: Option<i64> =
        with_tx!(tx, conn => sqlx::query_scalar(IS_DONE).bind(kind).bind(key).fetch_optional(conn).await)?;
    Ok(usize::try_from(counted.unwrap_or_default()) == Ok(KINDS.len()))
}

/// While nobody appends.
async fn rewrite(tx: &mut Tx<'_>, log: &EventLog, upcasters: &Upcasters) -> Result<Compared, DbError> {
    let [owned, unsigned] = KINDS.map(CountKind::as_str);
    let rows =
        with_tx!(&mut *tx, conn => sqlx::query_as(KEPT).bind(owned).bind(unsigned).fetch_all(conn).await)?;
    let (position, kept) = read(rows);
    // Read beside this transaction, which writes nothing that is read, and keeps away whoever would.
    let counted = count(log, upcasters, position).await?;
    for kind in KINDS {
        with_tx!(&mut *tx, conn => sqlx::query(FORGET).bind(kind.as_str()).execute(conn).await.map(drop))?;
    }
    for ((kind, staff), value) in &counted {
        write(tx, kind.as_str(), staff, *value).await?;
    }
    let (kind, key) = DONE;
    write(tx, kind, key, i64::try_from(KINDS.len()).unwrap_or_default()).await?;
    Ok(difference(position, &kept, &counted))
}

/// The end of the log, and the counts that are kept of it.
fn read(rows: Vec<(String, String, i64)>) -> (Position, Counts) {
    let (mut position, mut kept) = (0, Counts::new());
    for (kind, key, value) in rows {
        match KINDS.into_iter().find(|known| known.as_str() == kind) {
            Some(kind) => {
                kept.insert((kind, key), value);
            }
            None if kind == HEAD => position = value,
            None => {}
        }
    }
    (position, kept)
}

/// What the events up to and with `position` say.
async fn count(log: &EventLog, upcasters: &Upcasters, position: Position) -> Result<Counts, DbError> {
    let (mut counts, mut after) = (Counts::new(), 0);
    loop {
        let page = log.page(after, PAGE, CREATED).await?;
        let leads: Vec<_> = page.into_iter().take_while(|event| event.position <= position).collect();
        let Some(last) = leads.last() else { return Ok(counts) };
        after = last.position;
        let wanted: Vec<(StreamId, i64)> = leads.into_iter().map(|event| (event.stream, 0)).collect();
        for (stream, events) in log.streams_many(&wanted).await? {
            let events = events.into_iter().take_while(|event| event.position <= position);
            let Some(holding) = Holding::of(&fold(&stream, events, upcasters)?) else { continue };
            for kind in holding.kinds() {
                *counts.entry((kind, holding.owner.to_string())).or_default() += 1;
            }
        }
    }
}

fn fold(
    stream: &StreamId,
    events: impl Iterator<Item = RecordedRaw>,
    upcasters: &Upcasters,
) -> Result<Customer, DbError> {
    let mut lead = Customer::default();
    for event in events {
        let read = upcasters.decode::<CustomerEvent>(event).map_err(|error| DbError::Corrupt {
            table: "events",
            at: stream.to_string(),
            reason: error.to_string(),
        })?;
        lead.evolve(&read.payload);
    }
    Ok(lead)
}

/// A count that is not kept is 0.
fn difference(position: Position, kept: &Counts, counted: &Counts) -> Compared {
    let value = |counts: &Counts, of| counts.get(of).copied().unwrap_or_default();
    let all: BTreeSet<_> = kept.keys().chain(counted.keys()).collect();
    let differ = all.into_iter().filter(|of| value(kept, of) != value(counted, of));
    let mut differences: Vec<_> = differ
        .map(|of| {
            let (count, staff) = of.clone();
            Difference { staff, count, kept: value(kept, of), counted: value(counted, of) }
        })
        .collect();
    let differing = differences.len();
    differences.truncate(DIFFERENCES_SHOWN_MAX);
    let owned = counted.iter().filter(|((kind, _), _)| *kind == CountKind::OwnedLeads);
    let leads = owned.map(|(_, value)| u64::try_from(*value).unwrap_or_default()).sum();
    Compared { position, leads, differing, differences }
}

async fn write(tx: &mut Tx<'_>, kind: &str, key: &str, value: i64) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(WRITE).bind(kind).bind(key).bind(value).execute(conn).await.map(drop))?;
    Ok(())
}
