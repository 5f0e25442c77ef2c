//! The log's SQL, and the one question that a batch asks, whatever its size; what it writes is in `write`.
//!
//! This is the hot path, so the two databases get their own text: PostgreSQL takes arrays (`UNNEST`), SQLite
//! takes the same columns as JSON (`json_each`), which has no limit on the number of parameters.

use application::bus::Receipt;
use domain::{CommandId, EventId, Position, StreamId};
use serde_json::json;
use uuid::Uuid;

use super::batch::Present;
use super::counts::count_key;
use super::prepare::{Request, unique_key};
use super::write::{
    FREE_GUARDS_SQLITE, HOLD_GUARDS_SQLITE, WRITE_COUNTS_SQLITE, WRITE_EVENTS_SQLITE, WRITE_POSTGRES,
    WRITE_RECEIPTS_SQLITE,
};
use crate::db::{DbError, Tx};

/// The advisory lock that orders commits; its key is "leadwire" in ASCII.
macro_rules! lock_appends {
    () => {
        "SELECT pg_advisory_xact_lock(7810756212872016485)"
    };
}

pub(super) const HOLD_APPENDS: &str = lock_appends!();

/// One round trip. The lock is a statement of its own, so the next statement's snapshot is taken after it was got.
pub(super) const BEGIN_APPEND_POSTGRES: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED; ", lock_appends!());

const PRESENT_POSTGRES: &str = "
SELECT 0 AS what, NULL::text AS name, NULL::text AS more, NULL::uuid AS id,
       coalesce(max(position), 0)::bigint AS number, NULL::text AS result
  FROM events
UNION ALL
SELECT 1, s.id, NULL, NULL,
       (SELECT e.sequence FROM events e WHERE e.stream_id = s.id ORDER BY e.sequence DESC LIMIT 1), NULL
  FROM unnest($1::text[]) AS s(id)
UNION ALL
SELECT 2, r.fingerprint, NULL, r.command_id, r.position, r.result
  FROM command_receipts r WHERE r.command_id = ANY($2::uuid[])
UNION ALL
SELECT 3, NULL, NULL, e.event_id, e.position, NULL FROM events e WHERE e.event_id = ANY($3::uuid[])
UNION ALL
SELECT 4, g.kind, g.key, NULL, NULL, g.holder
  FROM unnest($4::text[], $5::text[]) AS w(kind, key) JOIN guards g ON g.kind = w.kind AND g.key = w.key
UNION ALL
SELECT 5, c.kind, c.key, NULL, c.value, NULL
  FROM unnest($6::text[], $7::text[]) AS w(kind, key) JOIN counts c ON c.kind = w.kind AND c.key = w.key";

const PRESENT_SQLITE: &str = "
SELECT 0 AS what, NULL AS name, NULL AS more, NULL AS id, coalesce(max(position), 0) AS number, NULL AS result
  FROM events
UNION ALL
SELECT 1, s.value, NULL, NULL,
       (SELECT e.sequence FROM events e WHERE e.stream_id = s.value ORDER BY e.sequence DESC LIMIT 1), NULL
  FROM json_each($1) AS s
UNION ALL
SELECT 2, r.fingerprint, NULL, r.command_id, r.position, r.result
  FROM json_each($2) AS w JOIN command_receipts r ON r.command_id = unhex(w.value)
UNION ALL
SELECT 3, NULL, NULL, e.event_id, e.position, NULL
  FROM json_each($3) AS w JOIN events e ON e.event_id = unhex(w.value)
UNION ALL
SELECT 4, g.kind, g.key, NULL, NULL, g.holder
  FROM json_each($4) AS w JOIN guards g ON g.kind = w.value ->> 0 AND g.key = w.value ->> 1
UNION ALL
SELECT 5, c.kind, c.key, NULL, c.value, NULL
  FROM json_each($5) AS w JOIN counts c ON c.kind = w.value ->> 0 AND c.key = w.value ->> 1";

/// The ids from one position on, to see how far a repeated command's events reach.
const EVENT_IDS_FROM: &str = "SELECT event_id FROM events WHERE position >= $1 ORDER BY position LIMIT $2";

/// Every statement of the log for PostgreSQL, for the test that prepares them.
pub const POSTGRES_STATEMENTS: &[&str] = &[
    HOLD_APPENDS,
    PRESENT_POSTGRES,
    WRITE_POSTGRES,
    EVENT_IDS_FROM,
    super::read::HEAD,
    super::read::PAGE,
    super::read::PAGE_OF_TYPES_POSTGRES,
    super::read::PAGE_OF_STREAM_TYPE,
    super::read::STREAM,
    super::read::STREAMS_POSTGRES,
    super::read::RECEIPT,
    super::read::COUNT,
    super::read::COUNTS_POSTGRES,
    super::read::EVENT,
];

/// Every statement of the log for SQLite, for the test that prepares them.
pub const SQLITE_STATEMENTS: &[&str] = &[
    PRESENT_SQLITE,
    WRITE_EVENTS_SQLITE,
    WRITE_RECEIPTS_SQLITE,
    HOLD_GUARDS_SQLITE,
    FREE_GUARDS_SQLITE,
    WRITE_COUNTS_SQLITE,
    EVENT_IDS_FROM,
    super::read::HEAD,
    super::read::PAGE,
    super::read::PAGE_OF_TYPES_SQLITE,
    super::read::PAGE_OF_STREAM_TYPE,
    super::read::STREAM,
    super::read::STREAMS_SQLITE,
    super::read::RECEIPT,
    super::read::COUNT,
    super::read::COUNTS_SQLITE,
    super::read::EVENT,
];

/// A row of the question: what it is about, two texts, an id, a number, another text.
type PresentRow = (i32, Option<String>, Option<String>, Option<Uuid>, Option<i64>, Option<String>);

/// Reads everything the batch depends on, in one statement.
pub(super) async fn present(tx: &mut Tx<'_>, batch: &[Request]) -> Result<Present, DbError> {
    let streams: Vec<&str> = batch.iter().flat_map(|r| &r.streams).map(|s| s.stream.as_str()).collect();
    let commands: Vec<Uuid> = batch.iter().filter(|r| r.receipt.is_some()).map(|r| r.command().0).collect();
    let events: Vec<Uuid> = batch.iter().filter_map(|r| r.events.first()).map(|e| e.id.0).collect();
    let guards: Vec<(&str, &str)> = batch
        .iter()
        .flat_map(|r| &r.guards)
        .filter_map(unique_key)
        .map(|(kind, key)| (kind.as_str(), key))
        .collect();
    let mut counts: Vec<(&str, &str)> = batch.iter().flat_map(|r| &r.guards).filter_map(count_key).collect();
    counts.sort_unstable();
    counts.dedup();
    let rows: Vec<PresentRow> = match tx {
        Tx::Postgres(tx) => {
            let (kinds, keys): (Vec<&str>, Vec<&str>) = guards.into_iter().unzip();
            sqlx::query_as(PRESENT_POSTGRES)
                .bind(streams)
                .bind(commands)
                .bind(events)
                .bind(kinds)
                .bind(keys)
                .bind(counts.iter().map(|(kind, _)| *kind).collect::<Vec<_>>())
                .bind(counts.iter().map(|(_, key)| *key).collect::<Vec<_>>())
                .fetch_all(&mut **tx)
                .await?
        }
        Tx::Sqlite(tx) => {
            sqlx::query_as(PRESENT_SQLITE)
                .bind(json!(streams).to_string())
                .bind(hex(&commands))
                .bind(hex(&events))
                .bind(json!(guards).to_string())
                .bind(json!(counts).to_string())
                .fetch_all(&mut **tx)
                .await?
        }
    };
    fold(rows)
}

fn hex(ids: &[Uuid]) -> String {
    json!(ids.iter().map(|id| id.simple().to_string()).collect::<Vec<_>>()).to_string()
}

fn fold(rows: Vec<PresentRow>) -> Result<Present, DbError> {
    let mut present = Present::default();
    for row in rows {
        match row {
            (0, _, _, _, Some(head), _) => present.head = head,
            // A stream without events yields a row without a number.
            (1, Some(_), _, _, None, _) => {}
            (1, Some(stream), _, _, Some(sequence), _) => {
                present.sequences.insert(stream, sequence);
            }
            (2, Some(fingerprint), _, Some(id), Some(position), Some(result)) => {
                let receipt = receipt(id, fingerprint, position, &result)?;
                present.receipts.insert(receipt.command, receipt);
            }
            (3, _, _, Some(id), Some(position), _) => {
                present.first_events.insert(EventId(id), position);
            }
            (4, Some(kind), Some(key), _, _, Some(holder)) => {
                let Some(stream) = StreamId::parse(&holder) else {
                    return Err(corrupt("guards", kind, "the holder is not a stream"));
                };
                present.holders.insert((kind, key), stream);
            }
            (5, Some(kind), Some(key), _, Some(value), _) => present.counts.stored(kind, key, value),
            (what, ..) => return Err(corrupt("events", format!("part {what}"), "an answer lacks a column")),
        }
    }
    Ok(present)
}

fn corrupt(table: &'static str, at: String, reason: &str) -> DbError {
    DbError::Corrupt { table, at, reason: reason.to_owned() }
}

/// A receipt from its columns.
pub(super) fn receipt(
    id: Uuid,
    fingerprint: String,
    position: i64,
    result: &str,
) -> Result<Receipt, DbError> {
    let result = serde_json::from_str(result)
        .map_err(|_| corrupt("command_receipts", id.to_string(), "the result is not JSON"))?;
    Ok(Receipt { command: CommandId(id), fingerprint, position, result })
}

/// Position of the last event of a command whose first event stands at `first`. Its events stand side by side.
pub(super) async fn last_of_command(
    tx: &mut Tx<'_>,
    command: CommandId,
    first: Position,
) -> Result<Position, DbError> {
    let limit = i64::try_from(application::bus::EVENTS_PER_COMMAND_MAX).unwrap_or(i64::MAX);
    let ids: Vec<Uuid> = crate::with_tx!(tx, conn => sqlx::query_scalar(EVENT_IDS_FROM)
        .bind(first)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
    let own = ids.iter().enumerate().take_while(|(n, id)| EventId::of_command(command, *n).0 == **id).count();
    Ok(first + i64::try_from(own).unwrap_or(1) - 1)
}
