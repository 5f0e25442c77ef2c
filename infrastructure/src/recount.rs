//! The counts of who owns what, made anew from the events: once for a store that is older than one of the counts
//! (docs/adr/0023). They are changed in the transactions of the events, so nothing else ever has to look.
//!
//! Appends wait meanwhile: a lead that moved between being read and being counted would be counted wrong for good. A
//! process that dies here has written nothing, and the next one begins again.

use std::collections::BTreeMap;
use std::sync::Arc;

use application::bus::{CommandBus as _, CountKind, LoadError};
use application::customers::Holding;
use domain::customer::Customer;
use domain::{StaffId, StreamId};

use crate::bus::Bus;
use crate::db::{DbError, Tx};
use crate::event_log::{EventLog, hold_appends};
use crate::upcasters::Upcasters;
use crate::with_tx;

/// The counts that are made here.
const KINDS: [CountKind; 2] = [CountKind::OwnedLeads, CountKind::UnsignedLeads];

/// Kind and key of the row that says that it was done. Its value is the number of [`KINDS`].
const DONE: (&str, &str) = ("recounted", "leads");

/// The first event of every lead.
const CREATED: &str = "CustomerCreated";

/// Leads that are read together.
const PAGE: i64 = 500;

const IS_DONE: &str = "SELECT value FROM counts WHERE kind = $1 AND key = $2";
const LEADS: &str = "SELECT position, stream_id FROM events WHERE event_type = $1 AND position > $2 ORDER BY position LIMIT $3";
/// A store may be large, and whoever waits here waits for another process that counts.
const LIFT_TIMEOUTS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
const FORGET: &str = "DELETE FROM counts WHERE kind = $1";
const WRITE: &str = "INSERT INTO counts (kind, key, value) VALUES ($1, $2, $3)
ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";

/// The statements of this module, for the test that prepares them.
pub const STATEMENTS: [&str; 4] = [IS_DONE, LEADS, FORGET, WRITE];

/// Counts every lead, unless that was done before. Whether it was done now.
pub async fn recount_once(log: &EventLog, upcasters: &Arc<Upcasters>) -> Result<bool, DbError> {
    let mut tx = log.db().begin_write().await?;
    if is_done(&mut tx).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    if let Tx::Postgres(tx) = &mut tx {
        sqlx::raw_sql(LIFT_TIMEOUTS).execute(&mut **tx).await?;
    }
    hold_appends(&mut tx).await?;
    // Another process may have done it while this one waited.
    if is_done(&mut tx).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    // A bus of its own: the states that another one has in memory may be a step behind the log.
    let counts = count(&mut tx, &Bus::new(log.clone(), Arc::clone(upcasters))).await?;
    for kind in KINDS {
        with_tx!(&mut tx, conn => sqlx::query(FORGET).bind(kind.as_str()).execute(conn).await.map(drop))?;
    }
    for ((kind, owner), value) in counts {
        write(&mut tx, kind.as_str(), &owner.to_string(), value).await?;
    }
    let (kind, key) = DONE;
    write(&mut tx, kind, key, i64::try_from(KINDS.len()).unwrap_or_default()).await?;
    tx.commit().await?;
    Ok(true)
}

async fn is_done(tx: &mut Tx<'_>) -> Result<bool, DbError> {
    let (kind, key) = DONE;
    let counted: Option<i64> =
        with_tx!(tx, conn => sqlx::query_scalar(IS_DONE).bind(kind).bind(key).fetch_optional(conn).await)?;
    Ok(usize::try_from(counted.unwrap_or_default()) == Ok(KINDS.len()))
}

async fn count(tx: &mut Tx<'_>, bus: &Bus) -> Result<BTreeMap<(CountKind, StaffId), i64>, DbError> {
    let mut counts = BTreeMap::new();
    let mut after = 0;
    loop {
        let page: Vec<(i64, String)> = with_tx!(tx, conn => sqlx::query_as(LEADS)
            .bind(CREATED)
            .bind(after)
            .bind(PAGE)
            .fetch_all(conn)
            .await)?;
        let Some(last) = page.last() else { return Ok(counts) };
        after = last.0;
        let streams: Vec<StreamId> = page.iter().filter_map(|(_, stream)| StreamId::parse(stream)).collect();
        // Read beside this transaction, which writes nothing that is read, and keeps away whoever would.
        for lead in bus.load_many::<Customer>(&streams).await.map_err(|error| unreadable(&error))? {
            let Some(holding) = Holding::of(&lead.state) else { continue };
            for kind in holding.kinds() {
                *counts.entry((kind, holding.owner)).or_default() += 1;
            }
        }
    }
}

async fn write(tx: &mut Tx<'_>, kind: &str, key: &str, value: i64) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(WRITE).bind(kind).bind(key).bind(value).execute(conn).await.map(drop))?;
    Ok(())
}

fn unreadable(error: &LoadError) -> DbError {
    DbError::Corrupt { table: "events", at: "a lead".to_owned(), reason: error.to_string() }
}
