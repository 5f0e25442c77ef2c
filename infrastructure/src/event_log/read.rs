//! Reading the log: by position for consumers, by stream for aggregates. Every answer is bounded.

use std::collections::HashMap;

use application::bus::{CountKind, Receipt};
use chrono::{DateTime, Utc};
use domain::{CommandId, EventId, Position, Recorded, Sequence, StreamId};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{EventLog, RecordedRaw, sql};
use crate::db::{Db, DbError};
use crate::with_pool;

/// Most events one page may hold.
pub const PAGE_MAX: usize = 4096;

/// Most events one stream is read with; an aggregate with more is a modelling fault worth a loud error.
pub const STREAM_EVENTS_MAX: usize = 100_000;

/// Most streams asked for in one statement.
const STREAMS_PER_STATEMENT: usize = 1024;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.position, e.event_id, e.stream_id, e.sequence, e.event_type, e.schema_version, e.payload, ",
            "e.metadata, e.recorded_at ",
            $rest
        )
    };
}

pub(super) const HEAD: &str = "SELECT coalesce(max(position), 0) FROM events";
pub(super) const PAGE: &str = select!("FROM events e WHERE e.position > $1 ORDER BY e.position LIMIT $2");
pub(super) const PAGE_OF_TYPES_POSTGRES: &str = select!(
    "FROM events e WHERE e.position > $1 AND e.event_type = ANY($3::text[]) ORDER BY e.position LIMIT $2"
);
pub(super) const PAGE_OF_TYPES_SQLITE: &str = select!(
    "FROM events e WHERE e.position > $1 AND e.event_type IN (SELECT value FROM json_each($3))
     ORDER BY e.position LIMIT $2"
);
pub(super) const PAGE_OF_STREAM_TYPE: &str =
    select!("FROM events e WHERE e.position > $1 AND e.stream_type = $3 ORDER BY e.position LIMIT $2");
pub(super) const STREAM: &str =
    select!("FROM events e WHERE e.stream_id = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3");
/// The inner `LIMIT` keeps the planner from turning this into a join: before the first `ANALYZE` it takes a merge of
/// the whole log for the cheapest, and a prepared statement stays with that.
pub(super) const STREAMS_POSTGRES: &str = select!(
    "FROM unnest($1::text[], $2::bigint[]) AS s(id, after)
     CROSS JOIN LATERAL (SELECT * FROM events own WHERE own.stream_id = s.id AND own.sequence > s.after
                         ORDER BY own.sequence LIMIT $3) e
     ORDER BY e.stream_id, e.sequence LIMIT $3"
);
pub(super) const STREAMS_SQLITE: &str = select!(
    "FROM json_each($1) AS s
     JOIN events e ON e.stream_id = s.value ->> 0 AND e.sequence > s.value ->> 1
     ORDER BY e.stream_id, e.sequence LIMIT $2"
);
pub(super) const EVENT: &str = select!("FROM events e WHERE e.event_id = $1");
pub(super) const COUNT: &str = "SELECT value FROM counts WHERE kind = $1 AND key = $2";
pub(super) const COUNTS_POSTGRES: &str =
    "SELECT key, value FROM counts WHERE kind = $1 AND key = ANY($2::text[])";
pub(super) const COUNTS_SQLITE: &str =
    "SELECT key, value FROM counts WHERE kind = $1 AND key IN (SELECT value FROM json_each($2))";
pub(super) const RECEIPT: &str =
    "SELECT fingerprint, position, result FROM command_receipts WHERE command_id = $1";

/// Which events of a page are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filter<'f> {
    /// All of them.
    #[default]
    All,
    /// Those with one of these names.
    Types(&'f [&'f str]),
    /// Those of one kind of aggregate.
    StreamType(&'f str),
}

impl Filter<'_> {
    /// Whether a page has this event.
    pub(super) fn wants(self, event: &RecordedRaw) -> bool {
        match self {
            Self::All => true,
            Self::Types(types) => types.contains(&event.event_type.as_str()),
            Self::StreamType(kind) => event.stream.kind() == kind,
        }
    }
}

/// What a consumer finds behind the position it has read to.
#[derive(Debug, Clone)]
pub struct Look {
    /// The next events that it wants, in order.
    pub page: Vec<RecordedRaw>,
    /// Everything up to here is in the page or not wanted.
    pub to: Position,
    /// The page was full, so there may be more.
    pub full: bool,
}

impl Look {
    pub(super) fn new(page: Vec<RecordedRaw>, limit: usize, head: Position) -> Self {
        let last = page.last().map_or(0, |event| event.position);
        let full = page.len() >= limit.min(PAGE_MAX);
        Self { page, to: if full { last } else { head.max(last) }, full }
    }
}

/// How far a stream is read: the state of which moment is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The whole stream.
    Now,
    /// Up to and with this event of the stream.
    Sequence(Sequence),
    /// Up to and with this position of the log.
    Position(Position),
    /// What was recorded by this instant: up to the first event recorded later.
    Time(DateTime<Utc>),
}

impl Until {
    fn reaches(self, event: &RecordedRaw) -> bool {
        match self {
            Self::Now => true,
            Self::Sequence(last) => event.sequence <= last,
            Self::Position(last) => event.position <= last,
            Self::Time(last) => event.recorded_at <= last,
        }
    }
}

type Row = (i64, Uuid, String, i64, String, i32, String, String, DateTime<Utc>);

impl EventLog {
    /// Position of the last event; 0 when the log is empty.
    pub async fn head(&self) -> Result<Position, DbError> {
        Ok(with_pool!(self.db(), pool => sqlx::query_scalar(HEAD).fetch_one(pool).await)?)
    }

    /// The next events after a position, in order. At most `limit`, never more than [`PAGE_MAX`]; fewer than asked
    /// means that the log had no more at that moment.
    pub async fn page(
        &self,
        after: Position,
        limit: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<RecordedRaw>, DbError> {
        let limit = bound(limit);
        let rows: Vec<Row> = match (filter, self.db()) {
            (Filter::All, db) => with_pool!(db, pool => sqlx::query_as(PAGE)
                .bind(after)
                .bind(limit)
                .fetch_all(pool)
                .await)?,
            (Filter::StreamType(kind), db) => with_pool!(db, pool => sqlx::query_as(PAGE_OF_STREAM_TYPE)
                .bind(after)
                .bind(limit)
                .bind(kind)
                .fetch_all(pool)
                .await)?,
            (Filter::Types(types), Db::Postgres(pool)) => {
                let query = sqlx::query_as(PAGE_OF_TYPES_POSTGRES).bind(after).bind(limit);
                query.bind(types).fetch_all(pool).await?
            }
            (Filter::Types(types), Db::Sqlite(sqlite)) => {
                let query = sqlx::query_as(PAGE_OF_TYPES_SQLITE).bind(after).bind(limit);
                query.bind(json!(types).to_string()).fetch_all(sqlite.reader()).await?
            }
        };
        rows.into_iter().map(recorded).collect()
    }

    /// What follows a position, as the database has it.
    pub async fn look(&self, after: Position, limit: usize, filter: Filter<'_>) -> Result<Look, DbError> {
        // Before the page: what is committed between the two reads stays for the next look.
        let head = self.head().await?;
        if head <= after {
            return Ok(Look { page: Vec::new(), to: after, full: false });
        }
        Ok(Look::new(self.page(after, limit, filter).await?, limit, head))
    }

    /// The same from memory, where the events were written by this process. `None`: it has nothing newer, or does not
    /// reach back that far; then [`look`](Self::look).
    pub fn recent(&self, after: Position, limit: usize, filter: Filter<'_>) -> Option<Look> {
        self.shared.recent.after(after, limit.min(PAGE_MAX), filter)
    }

    /// One event; `None` when there is none with this id.
    pub async fn event(&self, id: EventId) -> Result<Option<RecordedRaw>, DbError> {
        let row: Option<Row> =
            with_pool!(self.db(), pool => sqlx::query_as(EVENT).bind(id.0).fetch_optional(pool).await)?;
        row.map(recorded).transpose()
    }

    /// The next events of one stream after a sequence (0 for the beginning), at most `limit`.
    pub async fn stream(
        &self,
        stream: &StreamId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<RecordedRaw>, DbError> {
        let rows: Vec<Row> = with_pool!(self.db(), pool => sqlx::query_as(STREAM)
            .bind(stream.as_str())
            .bind(after)
            .bind(bound(limit))
            .fetch_all(pool)
            .await)?;
        rows.into_iter().map(recorded).collect()
    }

    /// One stream after a sequence up to a moment, read in pages, at most [`STREAM_EVENTS_MAX`] events.
    pub async fn stream_until(
        &self,
        stream: &StreamId,
        after: Sequence,
        until: Until,
    ) -> Result<Vec<RecordedRaw>, DbError> {
        let mut events = Vec::new();
        loop {
            let from = events.last().map_or(after, |last: &RecordedRaw| last.sequence);
            let page = self.stream(stream, from, PAGE_MAX).await?;
            let full = page.len() == PAGE_MAX;
            let before = events.len() + page.len();
            events.extend(page.into_iter().take_while(|event| until.reaches(event)));
            if !full || events.len() < before {
                return Ok(events);
            }
            too_long(stream, events.len())?;
        }
    }

    /// Many streams, each after its own sequence, set-wise. Streams without newer events are absent.
    pub async fn streams_many(
        &self,
        wanted: &[(StreamId, Sequence)],
    ) -> Result<HashMap<StreamId, Vec<RecordedRaw>>, DbError> {
        let mut found: HashMap<StreamId, Vec<RecordedRaw>> = HashMap::new();
        for chunk in wanted.chunks(STREAMS_PER_STATEMENT) {
            let mut open: Vec<(StreamId, Sequence)> = chunk.to_vec();
            loop {
                let page = self.streams_page(&open).await?;
                let full = page.len() == PAGE_MAX;
                for event in page {
                    found.entry(event.stream.clone()).or_default().push(event);
                }
                if !full {
                    break;
                }
                // The page was cut somewhere: ask again, each stream after what is known of it.
                for (stream, after) in &mut open {
                    let known = found.get(stream).map_or(&[][..], Vec::as_slice);
                    too_long(stream, known.len())?;
                    *after = known.last().map_or(*after, |last| last.sequence);
                }
            }
        }
        Ok(found)
    }

    async fn streams_page(&self, wanted: &[(StreamId, Sequence)]) -> Result<Vec<RecordedRaw>, DbError> {
        let rows: Vec<Row> = match self.db() {
            Db::Postgres(pool) => {
                let (streams, after): (Vec<&str>, Vec<i64>) =
                    wanted.iter().map(|(stream, after)| (stream.as_str(), *after)).unzip();
                let query = sqlx::query_as(STREAMS_POSTGRES).bind(streams).bind(after);
                query.bind(bound(PAGE_MAX)).fetch_all(pool).await?
            }
            Db::Sqlite(sqlite) => {
                let query = sqlx::query_as(STREAMS_SQLITE).bind(json!(wanted).to_string());
                query.bind(bound(PAGE_MAX)).fetch_all(sqlite.reader()).await?
            }
        };
        rows.into_iter().map(recorded).collect()
    }

    /// What is remembered of a keyed command.
    pub async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, DbError> {
        let row: Option<(String, i64, String)> = with_pool!(self.db(), pool => sqlx::query_as(RECEIPT)
            .bind(command.0)
            .fetch_optional(pool)
            .await)?;
        row.map(|(fingerprint, position, result)| sql::receipt(command.0, fingerprint, position, &result))
            .transpose()
    }

    /// A count as the last commit left it.
    pub async fn count(&self, kind: CountKind, key: &str) -> Result<i64, DbError> {
        let value: Option<i64> = with_pool!(self.db(), pool => sqlx::query_scalar(COUNT)
            .bind(kind.as_str())
            .bind(key)
            .fetch_optional(pool)
            .await)?;
        Ok(value.unwrap_or(0))
    }

    /// The counts of these keys; what nobody ever counted is missing.
    pub async fn counts(&self, kind: CountKind, keys: &[String]) -> Result<HashMap<String, i64>, DbError> {
        let rows: Vec<(String, i64)> = match self.db() {
            Db::Postgres(pool) => {
                let query = sqlx::query_as(COUNTS_POSTGRES).bind(kind.as_str()).bind(keys);
                query.fetch_all(pool).await?
            }
            Db::Sqlite(sqlite) => {
                let query = sqlx::query_as(COUNTS_SQLITE).bind(kind.as_str()).bind(json!(keys).to_string());
                query.fetch_all(sqlite.reader()).await?
            }
        };
        Ok(rows.into_iter().collect())
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX)
}

fn too_long(stream: &StreamId, events: usize) -> Result<(), DbError> {
    if events < STREAM_EVENTS_MAX {
        return Ok(());
    }
    let reason = format!("the stream has more than {STREAM_EVENTS_MAX} events");
    Err(DbError::Corrupt { table: "events", at: stream.to_string(), reason })
}

fn recorded(row: Row) -> Result<RecordedRaw, DbError> {
    let (position, event_id, stream, sequence, event_type, schema_version, payload, metadata, recorded_at) =
        row;
    let corrupt = |reason: &str| DbError::Corrupt {
        table: "events",
        at: format!("position {position}"),
        reason: reason.to_owned(),
    };
    Ok(Recorded {
        position,
        event_id: EventId(event_id),
        stream: StreamId::parse(&stream).ok_or_else(|| corrupt("the stream has no valid name"))?,
        sequence,
        event_type,
        schema_version,
        payload: RawValue::from_string(payload).map_err(|_| corrupt("the payload is not JSON"))?,
        metadata: serde_json::from_str(&metadata).map_err(|_| corrupt("the metadata cannot be read"))?,
        recorded_at,
    })
}
