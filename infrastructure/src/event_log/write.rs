//! What a batch writes: one statement on PostgreSQL, one a table on SQLite, whatever the batch's size.
//!
//! On SQLite `jsonb_each` parses the rows once, where `json_each` would write each row as text again for every column; and
//! `OR FAIL` spares a copy of the pages, for whatever fails here takes the whole batch back.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Position;
use sqlx::{PgConnection, SqliteConnection};
use uuid::Uuid;

use super::batch::GuardWrites;
use super::prepare::Request;
use crate::db::{DbError, Tx};

/// Everything a batch writes, in one statement. The parts touch different rows, so their order does not matter.
pub(super) const WRITE_POSTGRES: &str = "
WITH receipts AS (
  INSERT INTO command_receipts (command_id, fingerprint, position, result, recorded_at)
  SELECT * FROM unnest($11::uuid[], $12::text[], $13::bigint[], $14::text[], $15::timestamptz[])
), held AS (
  INSERT INTO guards (kind, key, holder) SELECT * FROM unnest($16::text[], $17::text[], $18::text[])
  ON CONFLICT (kind, key) DO UPDATE SET holder = excluded.holder
), counted AS (
  INSERT INTO counts (kind, key, value) SELECT * FROM unnest($21::text[], $22::text[], $23::bigint[])
  ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value
), freed AS (
  DELETE FROM guards g USING unnest($19::text[], $20::text[]) AS w(kind, key)
   WHERE g.kind = w.kind AND g.key = w.key
)
INSERT INTO events (position, event_id, stream_id, stream_type, sequence, event_type, schema_version, payload,
                    metadata, recorded_at)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::int[],
                     $8::text[], $9::text[], $10::timestamptz[])";

pub(super) const WRITE_EVENTS_SQLITE: &str = "
INSERT OR FAIL INTO events (position, event_id, stream_id, stream_type, sequence, event_type, schema_version, payload,
                    metadata, recorded_at)
SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9
  FROM jsonb_each($1)";

pub(super) const WRITE_RECEIPTS_SQLITE: &str = "
INSERT OR FAIL INTO command_receipts (command_id, fingerprint, position, result, recorded_at)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each($1)";

pub(super) const HOLD_GUARDS_SQLITE: &str = "
INSERT OR FAIL INTO guards (kind, key, holder)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1) WHERE true
ON CONFLICT (kind, key) DO UPDATE SET holder = excluded.holder";

pub(super) const FREE_GUARDS_SQLITE: &str = "
DELETE FROM guards WHERE (kind, key) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))";

pub(super) const WRITE_COUNTS_SQLITE: &str = "
INSERT OR FAIL INTO counts (kind, key, value)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1) WHERE true
ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";

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
    let counts = counts(placed);
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
        .bind(counts.keys().map(|(kind, _)| *kind).collect::<Vec<_>>())
        .bind(counts.keys().map(|(_, key)| *key).collect::<Vec<_>>())
        .bind(counts.values().copied().collect::<Vec<_>>())
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
    let counts: Vec<_> = counts(placed).into_iter().map(|((kind, key), value)| (kind, key, value)).collect();
    let parts = [
        (WRITE_EVENTS_SQLITE, rows(&events)?),
        (WRITE_RECEIPTS_SQLITE, rows(&receipts)?),
        (HOLD_GUARDS_SQLITE, rows(&held)?),
        (FREE_GUARDS_SQLITE, rows(&freed)?),
        (WRITE_COUNTS_SQLITE, rows(&counts)?),
    ];
    for (statement, rows) in parts {
        if let Some(rows) = rows {
            sqlx::query(statement).bind(rows).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The counts after the whole batch: the last command that changed one says it.
fn counts<'b>(placed: &[Placed<'b>]) -> BTreeMap<(&'static str, &'b str), i64> {
    let changes = placed.iter().flat_map(|one| &one.guards.counts);
    changes.map(|((kind, key), value)| ((*kind, key.as_str()), *value)).collect()
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
