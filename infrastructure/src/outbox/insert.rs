//! How rows come into the outbox: in the transaction that appends the requests of their notices.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::StreamId;
use serde_json::json;

use super::NewWork;
use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};

/// Rows written by one statement.
const INSERT_MAX: usize = 1000;

/// A row begins never attempted, without a lease.
macro_rules! insert {
    ($rows:literal) => {
        concat!(
            "
INSERT INTO outbox (delivery_id, notification_id, position, correlation, causation, channel, app, recipient_key,
                    ledger, request_body, due_at, created_at, lead, lead_owner, cause_position,
                    state, held_for, recipient, fallback_seconds, fallback_at, subject, attempt, busy_answers, maybe_arrived)
SELECT ",
            $rows,
            "
ON CONFLICT (delivery_id) DO NOTHING"
        )
    };
}

pub(super) const INSERT_POSTGRES: &str = insert!(
    "w.*, 0, 0, false
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::uuid[], $14::uuid[],
              $15::bigint[], $16::text[], $17::text[], $18::uuid[], $19::bigint[], $20::timestamptz[], $21::uuid[]) AS w WHERE true"
);

pub(super) const INSERT_SQLITE: &str = insert!(
    "unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, unhex(value ->> 12), unhex(value ->> 13),
       value ->> 14, value ->> 15, value ->> 16, unhex(value ->> 17), value ->> 18, value ->> 19, unhex(value ->> 20), 0, 0,
       false
  FROM jsonb_each($1) WHERE true"
);

/// Inserts work in the transaction that appends the requests. A delivery that is there already is left as it is, so
/// a repeated request changes nothing.
#[derive(Debug)]
pub struct OutboxInsert(pub Vec<NewWork>);

#[async_trait]
impl Attachment for OutboxInsert {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, recorded: &[RecordedRaw]) -> Result<(), DbError> {
        // A request is the first event of its notice's stream.
        let requests: HashMap<&StreamId, &RecordedRaw> =
            recorded.iter().rev().map(|event| (&event.stream, event)).collect();
        for page in self.0.chunks(INSERT_MAX) {
            let rows: Vec<Inserted<'_>> = page.iter().map(|work| Inserted::of(work, &requests)).collect();
            insert(tx, &rows).await?;
        }
        Ok(())
    }
}

/// A row with what it owes to its request's event.
struct Inserted<'a> {
    work: &'a NewWork,
    request: Option<&'a RecordedRaw>,
}

impl<'a> Inserted<'a> {
    fn of(work: &'a NewWork, requests: &HashMap<&StreamId, &'a RecordedRaw>) -> Self {
        Self { work, request: requests.get(&StreamId::from(work.notification)).copied() }
    }

    fn position(&self) -> i64 {
        self.request.map_or(0, |event| event.position)
    }

    fn correlation(&self) -> &str {
        self.request.map_or("", |event| &event.metadata.correlation)
    }

    fn causation(&self) -> Option<uuid::Uuid> {
        self.request.map(|event| event.event_id.0)
    }
}

async fn insert(tx: &mut Tx<'_>, rows: &[Inserted<'_>]) -> Result<(), DbError> {
    match tx {
        Tx::Postgres(tx) => {
            let column = |of: fn(&NewWork) -> &str| rows.iter().map(|r| of(r.work)).collect::<Vec<_>>();
            sqlx::query(INSERT_POSTGRES)
                .bind(rows.iter().map(|r| r.work.delivery.0).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.notification.0).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::position).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::correlation).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::causation).collect::<Vec<_>>())
                .bind(column(|work| work.channel.as_str()))
                .bind(column(|work| &work.app))
                .bind(column(|work| &work.recipient_key))
                .bind(rows.iter().map(|r| r.work.ledger.as_ref().map(StreamId::as_str)).collect::<Vec<_>>())
                .bind(column(|work| &work.request_body))
                .bind(rows.iter().map(|r| r.work.due_at).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.created_at).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.lead.0)).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.owner.0)).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.cause)).collect::<Vec<_>>())
                .bind(column(|work| work.state().as_str()))
                .bind(rows.iter().map(|r| r.work.held_for.as_deref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.recipient.0).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.fallback_seconds()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.fallback_at()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.subject.map(|id| id.0)).collect::<Vec<_>>())
                .execute(&mut **tx)
                .await?;
        }
        Tx::Sqlite(tx) => {
            // The same digits sqlx writes, so that instants compare as texts.
            let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, false);
            let rows = rows.iter().map(|r| {
                json!([
                    r.work.delivery.0.simple().to_string(),
                    r.work.notification.0.simple().to_string(),
                    r.position(),
                    r.correlation(),
                    r.causation().map(|id| id.simple().to_string()),
                    r.work.channel.as_str(),
                    r.work.app,
                    r.work.recipient_key,
                    r.work.ledger.as_ref().map(StreamId::as_str),
                    r.work.request_body,
                    instant(r.work.due_at),
                    instant(r.work.created_at),
                    r.work.gained.map(|g| g.lead.0.simple().to_string()),
                    r.work.gained.map(|g| g.owner.0.simple().to_string()),
                    r.work.gained.map(|g| g.cause),
                    r.work.state().as_str(),
                    r.work.held_for,
                    r.work.recipient.0.simple().to_string(),
                    r.work.fallback_seconds(),
                    r.work.fallback_at().map(instant),
                    r.work.subject.map(|id| id.0.simple().to_string()),
                ])
            });
            let rows = serde_json::Value::Array(rows.collect()).to_string();
            sqlx::query(INSERT_SQLITE).bind(rows).execute(&mut **tx).await?;
        }
    }
    Ok(())
}
