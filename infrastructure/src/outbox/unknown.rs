//! Deliveries whose arrival nobody knows, and for which the time of a proof is over.

use chrono::{DateTime, Utc};
use domain::notification::Channel;
use domain::{DeliveryId, EventId, NotificationId};
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::{with_pool, with_tx};

pub(super) const NEXT: &str = "SELECT (SELECT settle_at FROM outbox WHERE settle_at IS NOT NULL AND state = 'unknown' ORDER BY settle_at LIMIT 1)";

pub(super) const DUE: &str = "
SELECT delivery_id, notification_id, channel, correlation, causation, settle_at,
       request_body IS NOT NULL AS has_body
  FROM outbox
 WHERE settle_at IS NOT NULL AND state = 'unknown' AND settle_at <= $1
 ORDER BY settle_at, delivery_id
 LIMIT $2";

pub(super) const POSTPONE: &str = "
UPDATE outbox SET settle_at = $3 WHERE delivery_id = $1 AND state = 'unknown' AND settle_at <= $2";

/// A row on which its channel's policy has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its notice.
    pub notification: NotificationId,
    /// The channel.
    pub channel: Channel,
    /// Common to everything that follows from one request.
    pub correlation: String,
    /// The event that requested it.
    pub causation: Option<EventId>,
    /// Since when the decision is due.
    pub settle_at: DateTime<Utc>,
    /// Whether there is something to send again.
    pub has_body: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    delivery_id: Uuid,
    notification_id: Uuid,
    channel: String,
    correlation: String,
    causation: Option<Uuid>,
    settle_at: DateTime<Utc>,
    has_body: bool,
}

impl Row {
    fn unknown(self) -> Result<Unknown, DbError> {
        let channel = self.channel.parse().map_err(|_| DbError::Corrupt {
            table: "outbox",
            at: self.delivery_id.to_string(),
            reason: "the channel is unknown".to_owned(),
        })?;
        Ok(Unknown {
            delivery: DeliveryId(self.delivery_id),
            notification: NotificationId(self.notification_id),
            channel,
            correlation: self.correlation,
            causation: self.causation.map(EventId),
            settle_at: self.settle_at,
            has_body: self.has_body,
        })
    }
}

/// When the next decision is due.
pub async fn next_due(db: &Db) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(NEXT).fetch_one(pool).await)?)
}

/// The rows whose time is over, the longest due first.
pub async fn due(db: &Db, now: DateTime<Utc>, limit: i64) -> Result<Vec<Unknown>, DbError> {
    let rows: Vec<Row> =
        with_pool!(db, pool => sqlx::query_as(DUE).bind(now).bind(limit).fetch_all(pool).await)?;
    rows.into_iter().map(Row::unknown).collect()
}

/// Looks at a due row again at `until`, unless somebody moved it since.
pub async fn postpone(
    db: &Db,
    row: &Unknown,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(POSTPONE)
        .bind(row.delivery.0)
        .bind(now)
        .bind(until)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}
