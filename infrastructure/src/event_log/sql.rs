//! The log's SQL, and the statements of one batch: one question, one write, whatever the batch's size.
//!
//! This is the hot path, so the two databases get their own text: PostgreSQL takes arrays (`UNNEST`), SQLite
//! takes the same columns as JSON (`json_each`), which has no limit on the number of parameters.

use application::bus::Receipt;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{CommandId, EventId, Position, StreamId};
use serde_json::json;
use sqlx::{PgConnection, SqliteConnection};
use uuid::Uuid;

use super::batch::{GuardWrites, Present};
use super::prepare::{Request, guard_key};
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
  FROM unnest($4::text[], $5::text[]) AS w(kind, key) JOIN guards g ON g.kind = w.kind AND g.key = w.key";

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
  FROM json_each($4) AS w JOIN guards g ON g.kind = w.value ->> 0 AND g.key = w.value ->> 1";

/// Everything a batch writes, in one statement. The parts touch different rows, so their order does not matter.
const WRITE_POSTGRES: &str = "
WITH receipts AS (
  INSERT INTO command_receipts (command_id, fingerprint, position, result, recorded_at)
  SELECT * FROM unnest($11::uuid[], $12::text[], $13::bigint[], $14::text[], $15::timestamptz[])
), held AS (
  INSERT INTO guards (kind, key, holder) SELECT * FROM unnest($16::text[], $17::text[], $18::text[])
  ON CONFLICT (kind, key) DO UPDATE SET holder = excluded.holder
), freed AS (
  DELETE FROM guards g USING unnest($19::text[], $20::text[]) AS w(kind, key)
   WHERE g.kind = w.kind AND g.key = w.key
)
INSERT INTO events (position, event_id, stream_id, stream_type, sequence, event_type, schema_version, payload,
                    metadata, recorded_at)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::int[],
                     $8::text[], $9::text[], $10::timestamptz[])";

const WRITE_EVENTS_SQLITE: &str = "
INSERT INTO events (position, event_id, stream_id, stream_type, sequence, event_type, schema_version, payload,
                    metadata, recorded_at)
SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9
  FROM json_each($1)";

const WRITE_RECEIPTS_SQLITE: &str = "
INSERT INTO command_receipts (command_id, fingerprint, position, result, recorded_at)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)";

const HOLD_GUARDS_SQLITE: &str = "
INSERT INTO guards (kind, key, holder)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true
ON CONFLICT (kind, key) DO UPDATE SET holder = excluded.holder";

const FREE_GUARDS_SQLITE: &str = "
DELETE FROM guards WHERE (kind, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";

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
];

/// Every statement of the log for SQLite, for the test that prepares them.
pub const SQLITE_STATEMENTS: &[&str] = &[
    PRESENT_SQLITE,
    WRITE_EVENTS_SQLITE,
    WRITE_RECEIPTS_SQLITE,
    HOLD_GUARDS_SQLITE,
    FREE_GUARDS_SQLITE,
    EVENT_IDS_FROM,
    super::read::HEAD,
    super::read::PAGE,
    super::read::PAGE_OF_TYPES_SQLITE,
    super::read::PAGE_OF_STREAM_TYPE,
    super::read::STREAM,
    super::read::STREAMS_SQLITE,
    super::read::RECEIPT,
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
        .map(|c| {
            let (kind, key) = guard_key(c);
            (kind.as_str(), key)
        })
        .collect();
    let rows: Vec<PresentRow> = match tx {
        Tx::Postgres(tx) => {
            let (kinds, keys): (Vec<&str>, Vec<&str>) = guards.into_iter().unzip();
            sqlx::query_as(PRESENT_POSTGRES)
                .bind(streams)
                .bind(commands)
                .bind(events)
                .bind(kinds)
                .bind(keys)
                .fetch_all(&mut **tx)
                .await?
        }
        Tx::Sqlite(tx) => {
            sqlx::query_as(PRESENT_SQLITE)
                .bind(json!(streams).to_string())
                .bind(hex(&commands))
                .bind(hex(&events))
                .bind(json!(guards).to_string())
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

/// A command that will be written: the position of its first event and of its last (or the head).
pub(super) struct Placed<'b> {
    pub(super) request: &'b Request,
    pub(super) guards: &'b GuardWrites,
    pub(super) first: Position,
    pub(super) last: Position,
}

/// Writes the whole batch.
pub(super) async fn write(tx: &mut Tx<'_>, placed: &[Placed<'_>]) -> Result<(), DbError> {
    match tx {
        Tx::Postgres(tx) => write_postgres(tx, placed).await,
        Tx::Sqlite(tx) => write_sqlite(tx, placed).await,
    }
}

#[derive(Default)]
struct Columns<'b> {
    positions: Vec<i64>,
    ids: Vec<Uuid>,
    streams: Vec<&'b str>,
    kinds: Vec<&'b str>,
    sequences: Vec<i64>,
    types: Vec<&'b str>,
    versions: Vec<i32>,
    payloads: Vec<&'b str>,
    metadata: Vec<&'b str>,
    recorded: Vec<DateTime<Utc>>,
}

impl<'b> Columns<'b> {
    fn of(placed: &[Placed<'b>]) -> Self {
        let mut columns = Self::default();
        for one in placed {
            for (position, event) in (one.first..).zip(&one.request.events) {
                let stream = &one.request.streams[event.stream].stream;
                columns.positions.push(position);
                columns.ids.push(event.id.0);
                columns.streams.push(stream.as_str());
                columns.kinds.push(stream.kind());
                columns.sequences.push(event.sequence);
                columns.types.push(event.event_type);
                columns.versions.push(event.schema_version);
                columns.payloads.push(event.payload.get());
                columns.metadata.push(one.request.metadata_text_of(event));
                columns.recorded.push(one.request.recorded_at);
            }
        }
        columns
    }
}

async fn write_postgres(connection: &mut PgConnection, placed: &[Placed<'_>]) -> Result<(), DbError> {
    let events = Columns::of(placed);
    let receipts =
        || placed.iter().filter_map(|one| one.request.receipt.as_ref().map(|receipt| (one, receipt)));
    let held = || placed.iter().flat_map(|one| &one.guards.held);
    let freed = || placed.iter().flat_map(|one| &one.guards.freed);
    sqlx::query(WRITE_POSTGRES)
        .bind(events.positions)
        .bind(events.ids)
        .bind(events.streams)
        .bind(events.kinds)
        .bind(events.sequences)
        .bind(events.types)
        .bind(events.versions)
        .bind(events.payloads)
        .bind(events.metadata)
        .bind(events.recorded)
        .bind(receipts().map(|(one, _)| one.request.command().0).collect::<Vec<_>>())
        .bind(receipts().map(|(_, receipt)| receipt.fingerprint.as_str()).collect::<Vec<_>>())
        .bind(receipts().map(|(one, _)| one.last).collect::<Vec<_>>())
        .bind(receipts().map(|(_, receipt)| receipt.result.as_str()).collect::<Vec<_>>())
        .bind(receipts().map(|(one, _)| one.request.recorded_at).collect::<Vec<_>>())
        .bind(held().map(|(kind, ..)| kind.as_str()).collect::<Vec<_>>())
        .bind(held().map(|(_, key, _)| key.as_str()).collect::<Vec<_>>())
        .bind(held().map(|(.., holder)| holder.as_str()).collect::<Vec<_>>())
        .bind(freed().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>())
        .bind(freed().map(|(_, key)| key.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_sqlite(connection: &mut SqliteConnection, placed: &[Placed<'_>]) -> Result<(), DbError> {
    let events: Vec<_> = placed
        .iter()
        .flat_map(|one| {
            (one.first..).zip(&one.request.events).map(move |(position, event)| {
                let stream = &one.request.streams[event.stream].stream;
                (
                    position,
                    event.id.0.simple().to_string(),
                    stream.as_str(),
                    stream.kind(),
                    event.sequence,
                    event.event_type,
                    event.schema_version,
                    event.payload.get(),
                    one.request.metadata_text_of(event),
                    instant(one.request.recorded_at),
                )
            })
        })
        .collect();
    let receipts: Vec<_> = placed
        .iter()
        .filter_map(|one| {
            let receipt = one.request.receipt.as_ref()?;
            let command = one.request.command().0.simple().to_string();
            Some((command, &receipt.fingerprint, one.last, &receipt.result, instant(one.request.recorded_at)))
        })
        .collect();
    let held: Vec<_> = placed.iter().flat_map(|one| &one.guards.held).collect();
    let freed: Vec<_> = placed.iter().flat_map(|one| &one.guards.freed).collect();
    let parts = [
        (WRITE_EVENTS_SQLITE, rows(&events)?),
        (WRITE_RECEIPTS_SQLITE, rows(&receipts)?),
        (HOLD_GUARDS_SQLITE, rows(&held)?),
        (FREE_GUARDS_SQLITE, rows(&freed)?),
    ];
    for (statement, rows) in parts {
        if let Some(rows) = rows {
            sqlx::query(statement).bind(rows).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

fn rows<T: serde::Serialize>(rows: &[T]) -> Result<Option<String>, DbError> {
    if rows.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(rows).map(Some).map_err(|error| DbError::Sql(sqlx::Error::Encode(error.into())))
}

/// An instant as sqlx binds it on SQLite, so that both ways of writing give the same text.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
