//! Rows that wait for a moment: whose they are, and which of them are told together. How that moment comes earlier:
//! [`haste`](super::haste).
//!
//! A standby waits for another channel and is none of these. A row that a digest tells of names it (`digest`) as soon
//! as the digest is in the log; the row becomes `merged` with it or, when the digest tells of very many, soon after.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::notification::Channel;
use domain::{DeliveryId, EventId, NotificationId, StaffId};
use serde_json::json;
use uuid::Uuid;

use crate::db::{Db, DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_pool;

/// What waits for its moment and no digest tells of yet. Repeats the words of the partial indexes, because SQLite uses
/// such an index only then.
macro_rules! waits {
    () => {
        "state = 'held' AND held_for <> 'standby' AND digest IS NULL"
    };
}
pub(super) use waits;

pub(super) const NEXT: &str =
    concat!("SELECT (SELECT due_at FROM outbox WHERE ", waits!(), " ORDER BY due_at LIMIT 1)");

pub(super) const GROUPS: &str = concat!(
    "
SELECT recipient, channel, app, count(*) AS members FROM outbox
 WHERE ",
    waits!(),
    " AND due_at <= $1 AND recipient IS NOT NULL AND (recipient, channel, app) > ($2, $3, $4)
 GROUP BY recipient, channel, app
 ORDER BY recipient, channel, app
 LIMIT $5"
);

macro_rules! member {
    () => {
        "delivery_id, notification_id, correlation, causation, digest"
    };
}

pub(super) const MEMBERS: &str = concat!(
    "SELECT ",
    member!(),
    " FROM outbox
 WHERE ",
    waits!(),
    " AND due_at <= $1 AND recipient = $2 AND channel = $3 AND app = $4
 ORDER BY due_at, position, delivery_id
 LIMIT $5"
);

pub(super) const MERGING: &str = concat!(
    "SELECT ",
    member!(),
    " FROM outbox
 WHERE digest IS NOT NULL AND state = 'held' AND (digest, delivery_id) > ($1, $2)
 ORDER BY digest, delivery_id
 LIMIT $3"
);

macro_rules! of_deliveries {
    ($before:literal, $deliveries:literal) => {
        concat!($before, " state = 'held' AND delivery_id ", $deliveries)
    };
}

pub(super) const STILL_WAIT_POSTGRES: &str =
    of_deliveries!("SELECT count(*) FROM outbox WHERE digest IS NULL AND", "= ANY($1::uuid[])");
pub(super) const STILL_WAIT_SQLITE: &str = of_deliveries!(
    "SELECT count(*) FROM outbox WHERE digest IS NULL AND",
    "IN (SELECT unhex(value) FROM json_each($1))"
);

pub(super) const MARK_POSTGRES: &str =
    of_deliveries!("UPDATE outbox SET digest = $2 WHERE", "= ANY($1::uuid[])");
pub(super) const MARK_SQLITE: &str =
    of_deliveries!("UPDATE outbox SET digest = $2 WHERE", "IN (SELECT unhex(value) FROM json_each($1))");

pub(super) const MERGE_POSTGRES: &str = of_deliveries!(
    "UPDATE outbox SET state = 'merged', digest = $2, settled_at = $3, request_body = NULL WHERE",
    "= ANY($1::uuid[])"
);
pub(super) const MERGE_SQLITE: &str = of_deliveries!(
    "UPDATE outbox SET state = 'merged', digest = $2, settled_at = $3, request_body = NULL WHERE",
    "IN (SELECT unhex(value) FROM json_each($1))"
);

/// Everything of one person in one channel and app that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The person.
    pub recipient: StaffId,
    /// The channel.
    pub channel: Channel,
    /// The provider's app.
    pub app: String,
    /// How many rows.
    pub members: i64,
}

/// A held row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its notice.
    pub notification: NotificationId,
    /// Common to everything that follows from one request.
    pub correlation: String,
    /// The event that requested it.
    pub causation: Option<EventId>,
    /// The digest that tells of it, when one was requested.
    pub digest: Option<NotificationId>,
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    recipient: Uuid,
    channel: String,
    app: String,
    members: i64,
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    delivery_id: Uuid,
    notification_id: Uuid,
    correlation: String,
    causation: Option<Uuid>,
    digest: Option<Uuid>,
}

impl From<HeldRow> for Held {
    fn from(row: HeldRow) -> Self {
        Self {
            delivery: DeliveryId(row.delivery_id),
            notification: NotificationId(row.notification_id),
            correlation: row.correlation,
            causation: row.causation.map(EventId),
            digest: row.digest.map(NotificationId),
        }
    }
}

/// When the next held row is due; `None`: none waits for a moment.
pub async fn next_due(db: &Db) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(NEXT).fetch_one(pool).await)?)
}

/// Who has something due, at most `limit` of them behind `after`, in order of person, channel and app.
pub async fn groups(
    db: &Db,
    now: DateTime<Utc>,
    after: Option<&Group>,
    limit: i64,
) -> Result<Vec<Group>, DbError> {
    let (recipient, channel, app) = after.map_or((Uuid::nil(), "", ""), |group| {
        (group.recipient.0, group.channel.as_str(), group.app.as_str())
    });
    let rows: Vec<GroupRow> = with_pool!(db, pool => sqlx::query_as(GROUPS)
        .bind(now)
        .bind(recipient)
        .bind(channel)
        .bind(app)
        .bind(limit)
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(GroupRow::group).collect()
}

impl GroupRow {
    fn group(self) -> Result<Group, DbError> {
        let channel = self.channel.parse().map_err(|_| DbError::Corrupt {
            table: "outbox",
            at: self.recipient.to_string(),
            reason: "the channel of a held row is unknown".to_owned(),
        })?;
        let Self { recipient, app, members, .. } = self;
        Ok(Group { recipient: StaffId(recipient), channel, app, members })
    }
}

/// The rows of a group, the longest due first.
pub async fn members(db: &Db, now: DateTime<Utc>, group: &Group, limit: usize) -> Result<Vec<Held>, DbError> {
    let rows: Vec<HeldRow> = with_pool!(db, pool => sqlx::query_as(MEMBERS)
        .bind(now)
        .bind(group.recipient.0)
        .bind(group.channel.as_str())
        .bind(&group.app)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await)?;
    Ok(rows.into_iter().map(Held::from).collect())
}

/// Rows whose digest is in the log and which are not merged yet, behind (digest, delivery), in that order.
pub async fn merging(
    db: &Db,
    (digest, delivery): (NotificationId, DeliveryId),
    limit: usize,
) -> Result<Vec<Held>, DbError> {
    let rows: Vec<HeldRow> = with_pool!(db, pool => sqlx::query_as(MERGING)
        .bind(digest.0)
        .bind(delivery.0)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await)?;
    Ok(rows.into_iter().map(Held::from).collect())
}

/// With the request of a digest: all it tells of is taken, now or soon.
#[derive(Debug)]
pub struct TakeRows {
    /// The digest.
    pub digest: NotificationId,
    /// Rows that waited when they were looked at; one that does not any more refuses the whole request.
    pub members: Vec<DeliveryId>,
}

#[async_trait]
impl Attachment for TakeRows {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let still: i64 = match tx {
            Tx::Postgres(tx) => {
                let query = sqlx::query_scalar(STILL_WAIT_POSTGRES).bind(uuids(&self.members));
                query.fetch_one(&mut **tx).await?
            }
            Tx::Sqlite(tx) => {
                let query = sqlx::query_scalar(STILL_WAIT_SQLITE).bind(hexes(&self.members));
                query.fetch_one(&mut **tx).await?
            }
        };
        let all = usize::try_from(still).is_ok_and(|still| still == self.members.len());
        Ok(if all { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        match tx {
            Tx::Postgres(tx) => {
                let query = sqlx::query(MARK_POSTGRES).bind(uuids(&self.members)).bind(self.digest.0);
                query.execute(&mut **tx).await?;
            }
            Tx::Sqlite(tx) => {
                let query = sqlx::query(MARK_SQLITE).bind(hexes(&self.members)).bind(self.digest.0);
                query.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

/// With `DeliveryMerged`: nobody sends these rows any more. The sequence of each notice fences the commit.
#[derive(Debug)]
pub struct MergeRows {
    /// The digest.
    pub digest: NotificationId,
    /// The rows, standbys included.
    pub merged: Vec<DeliveryId>,
    /// When.
    pub at: DateTime<Utc>,
}

#[async_trait]
impl Attachment for MergeRows {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        match tx {
            Tx::Postgres(tx) => {
                let query = sqlx::query(MERGE_POSTGRES).bind(uuids(&self.merged));
                query.bind(self.digest.0).bind(self.at).execute(&mut **tx).await?;
            }
            Tx::Sqlite(tx) => {
                let query = sqlx::query(MERGE_SQLITE).bind(hexes(&self.merged));
                query.bind(self.digest.0).bind(self.at).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

fn uuids(deliveries: &[DeliveryId]) -> Vec<Uuid> {
    deliveries.iter().map(|delivery| delivery.0).collect()
}

fn hexes(deliveries: &[DeliveryId]) -> String {
    let hexes: Vec<String> = deliveries.iter().map(|delivery| delivery.0.simple().to_string()).collect();
    json!(hexes).to_string()
}
