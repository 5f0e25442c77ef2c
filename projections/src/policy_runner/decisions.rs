//! The table `decisions`: for every event, recipient and channel, what was decided and why (product.md G9).

use chrono::{DateTime, SecondsFormat, Utc};
use domain::member_notices::DIGEST_FROM;
use domain::notification::{Channel, Decision};
use domain::{EventId, NotificationId, Position, StaffId};
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::with_pool;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::planner::Answer;

/// Rows written by one statement.
const INSERT_MAX: usize = 2000;

/// Most decisions answered for one event or notice; an event concerns at most 2000 people on each channel.
const READ_MAX: i64 = 10_000;

const INSERT_POSTGRES: &str = "
INSERT INTO decisions (event_id, position, recipient, scene, channel, decision, reason, notification_id, recorded_at)
SELECT w.*, $9
  FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[]) AS w
ON CONFLICT (event_id, recipient, scene, channel) DO NOTHING";

const INSERT_SQLITE: &str = "
INSERT INTO decisions (event_id, position, recipient, scene, channel, decision, reason, notification_id, recorded_at)
SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       unhex(value ->> 7), $2
  FROM jsonb_each($1) WHERE true
ON CONFLICT (event_id, recipient, scene, channel) DO NOTHING";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT event_id, position, recipient, scene, channel, decision, reason, notification_id, recorded_at
  FROM decisions ",
            $rest,
            " ORDER BY position, recipient, scene, channel LIMIT $2"
        )
    };
}

const OF_EVENT: &str = select!("WHERE event_id = $1");
const OF_NOTIFICATION: &str = select!("WHERE notification_id = $1");
const OF_EVENTS_POSTGRES: &str =
    "SELECT event_id, recipient, scene, channel FROM decisions WHERE event_id = ANY($1::uuid[])";
const OF_EVENTS_SQLITE: &str = "SELECT event_id, recipient, scene, channel FROM decisions
 WHERE event_id IN (SELECT unhex(value) FROM json_each($1))";

/// What left last, with the moment of its event. Repeats the words of the index: SQLite uses a partial one only then.
macro_rules! left {
    ($people:literal) => {
        concat!(
            "
SELECT d.recipient, d.scene, d.channel, e.recorded_at
  FROM (SELECT recipient, scene, channel, max(position) AS position FROM decisions
         WHERE decision = 'deliver' AND channel <> 'in_app' AND position <= $2 AND recipient ",
            $people,
            "
         GROUP BY recipient, scene, channel) AS d
  JOIN events AS e ON e.position = d.position"
        )
    };
}

const LEFT_POSTGRES: &str = left!("= ANY($1::uuid[])");
const LEFT_SQLITE: &str = left!("IN (SELECT unhex(value) FROM json_each($1))");

/// When messages of one kind left for one recipient, the latest first. The words of the index, as above.
const LEFT_OF: &str = "
SELECT e.recorded_at
  FROM (SELECT position FROM decisions
         WHERE decision = 'deliver' AND channel <> 'in_app' AND recipient = $1 AND scene = $2 AND channel = $3
           AND position <= $4
         ORDER BY position DESC LIMIT $5) AS d
  JOIN events AS e ON e.position = d.position";

pub(super) const POSTGRES_STATEMENTS: &[&str] =
    &[INSERT_POSTGRES, OF_EVENT, OF_NOTIFICATION, OF_EVENTS_POSTGRES, LEFT_POSTGRES, LEFT_OF];
pub(super) const SQLITE_STATEMENTS: &[&str] =
    &[INSERT_SQLITE, OF_EVENT, OF_NOTIFICATION, OF_EVENTS_SQLITE, LEFT_SQLITE, LEFT_OF];

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// The event.
    pub event: EventId,
    /// Its position.
    pub position: Position,
    /// Whom it concerns.
    pub recipient: StaffId,
    /// The notification type.
    pub scene: String,
    /// The channel.
    pub channel: Channel,
    /// `deliver`, `standby`, `merge`, `hold` or `suppress`.
    pub decision: String,
    /// Why it was suppressed, what it was merged into, why and until when it is held, behind which channel it stands by.
    pub reason: Option<String>,
    /// The notice, when one was requested.
    pub notification: Option<NotificationId>,
    /// When the decision was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// A decision to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewDecision {
    pub(super) key: Key,
    position: Position,
    decision: &'static str,
    reason: Option<String>,
    notification: Option<NotificationId>,
}

/// What there is one decision for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) event: EventId,
    pub(super) recipient: StaffId,
    pub(super) scene: String,
    pub(super) channel: String,
}

/// Every decision of an answer.
pub(super) fn of(answer: &Answer) -> impl Iterator<Item = NewDecision> + '_ {
    let told = answer.outcome.iter().flatten();
    told.flat_map(move |told| {
        let notification = told.notice.as_ref().map(|notice| notice.id);
        told.reaction.decisions.iter().map(move |(channel, decision)| {
            let (decision, reason) = words(decision);
            let key = Key {
                event: answer.event,
                recipient: told.reaction.recipient,
                scene: told.reaction.scene.to_owned(),
                channel: channel.as_str().to_owned(),
            };
            NewDecision { key, position: answer.position, decision, reason, notification }
        })
    })
}

fn words(decision: &Decision) -> (&'static str, Option<String>) {
    match decision {
        Decision::Deliver => ("deliver", None),
        Decision::Merge { into } => ("merge", Some(into.clone())),
        Decision::Hold { until, reason } => ("hold", Some(format!("{reason} until {}", instant(*until)))),
        Decision::Standby { after } => ("standby", Some(after.to_string())),
        Decision::Suppress { reason } => ("suppress", Some(reason.clone())),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Records decisions. One that was recorded before stays as it is.
pub(super) async fn insert(tx: &mut Tx<'_>, rows: &[NewDecision], at: DateTime<Utc>) -> Result<(), DbError> {
    for rows in rows.chunks(INSERT_MAX) {
        match tx {
            Tx::Postgres(tx) => {
                sqlx::query(INSERT_POSTGRES)
                    .bind(rows.iter().map(|row| row.key.event.0).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.key.recipient.0).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.key.scene.as_str()).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.key.channel.as_str()).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.decision).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.notification.map(|id| id.0)).collect::<Vec<_>>())
                    .bind(at)
                    .execute(&mut **tx)
                    .await?;
            }
            Tx::Sqlite(tx) => {
                let rows: Vec<_> = rows.iter().map(as_json).collect();
                let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, false); // the digits sqlx writes
                sqlx::query(INSERT_SQLITE).bind(json!(rows).to_string()).bind(at).execute(&mut **tx).await?;
            }
        }
    }
    Ok(())
}

fn as_json(row: &NewDecision) -> serde_json::Value {
    json!([
        row.key.event.0.simple().to_string(),
        row.position,
        row.key.recipient.0.simple().to_string(),
        row.key.scene,
        row.key.channel,
        row.decision,
        row.reason,
        row.notification.map(|id| id.0.simple().to_string()),
    ])
}

type Row = (Uuid, i64, Uuid, String, String, String, Option<String>, Option<Uuid>, DateTime<Utc>);

/// What was decided because of one event.
pub async fn decisions_of_event(db: &Db, event: EventId) -> Result<Vec<DecisionRecord>, DbError> {
    read(db, OF_EVENT, event.0).await
}

/// What was decided for one notice.
pub async fn decisions_of_notification(
    db: &Db,
    notification: NotificationId,
) -> Result<Vec<DecisionRecord>, DbError> {
    read(db, OF_NOTIFICATION, notification.0).await
}

async fn read(db: &Db, statement: &'static str, id: Uuid) -> Result<Vec<DecisionRecord>, DbError> {
    let rows: Vec<Row> =
        with_pool!(db, pool => sqlx::query_as(statement).bind(id).bind(READ_MAX).fetch_all(pool).await)?;
    rows.into_iter().map(record).collect()
}

fn record(row: Row) -> Result<DecisionRecord, DbError> {
    let (event, position, recipient, scene, channel, decision, reason, notification, recorded_at) = row;
    let channel = channel.parse().map_err(|_| unknown_channel(event))?;
    Ok(DecisionRecord {
        event: EventId(event),
        position,
        recipient: StaffId(recipient),
        scene,
        channel,
        decision,
        reason,
        notification: notification.map(NotificationId),
        recorded_at,
    })
}

/// For which of these events' people and channels there is a decision.
pub(super) async fn recorded(db: &Db, events: &[EventId]) -> Result<Vec<Key>, DbError> {
    let rows: Vec<(Uuid, Uuid, String, String)> = match db {
        Db::Postgres(pool) => {
            let ids: Vec<Uuid> = events.iter().map(|event| event.0).collect();
            sqlx::query_as(OF_EVENTS_POSTGRES).bind(ids).fetch_all(pool).await?
        }
        Db::Sqlite(sqlite) => {
            let ids: Vec<String> = events.iter().map(|event| event.0.simple().to_string()).collect();
            sqlx::query_as(OF_EVENTS_SQLITE).bind(json!(ids).to_string()).fetch_all(sqlite.reader()).await?
        }
    };
    let key = |(event, recipient, scene, channel)| Key {
        event: EventId(event),
        recipient: StaffId(recipient),
        scene,
        channel,
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Something that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) recipient: StaffId,
    pub(super) scene: String,
    pub(super) channel: Channel,
    /// When its event was recorded.
    pub(super) at: DateTime<Utc>,
}

/// What left last for these people, of each kind and through each channel, because of events up to `to`.
pub(super) async fn left(db: &Db, people: &[StaffId], to: Position) -> Result<Vec<Left>, DbError> {
    let rows: Vec<(Uuid, String, String, DateTime<Utc>)> = match db {
        Db::Postgres(pool) => {
            let ids: Vec<Uuid> = people.iter().map(|person| person.0).collect();
            sqlx::query_as(LEFT_POSTGRES).bind(ids).bind(to).fetch_all(pool).await?
        }
        Db::Sqlite(sqlite) => {
            let ids: Vec<String> = people.iter().map(|person| person.0.simple().to_string()).collect();
            let query = sqlx::query_as(LEFT_SQLITE).bind(json!(ids).to_string()).bind(to);
            query.fetch_all(sqlite.reader()).await?
        }
    };
    let left = |(recipient, scene, channel, at): (Uuid, String, String, DateTime<Utc>)| {
        let channel = channel.parse().map_err(|_| unknown_channel(recipient))?;
        Ok(Left { recipient: StaffId(recipient), scene, channel, at })
    };
    rows.into_iter().map(left).collect()
}

/// When messages of a kind last left for a recipient by `WeCom`, because of events up to `to`: as many as a digest may
/// wait for.
pub(super) async fn left_of(
    db: &Db,
    recipient: StaffId,
    scene: &str,
    to: Position,
) -> Result<Vec<DateTime<Utc>>, DbError> {
    let most = *DIGEST_FROM.end();
    let left: Vec<DateTime<Utc>> = with_pool!(db, pool => sqlx::query_scalar(LEFT_OF)
        .bind(recipient.0)
        .bind(scene)
        .bind(Channel::WecomApp.as_str())
        .bind(to)
        .bind(most)
        .fetch_all(pool)
        .await)?;
    Ok(left)
}

fn unknown_channel(at: Uuid) -> DbError {
    let reason = "unknown channel".to_owned();
    DbError::Corrupt { table: "decisions", at: at.to_string(), reason }
}
