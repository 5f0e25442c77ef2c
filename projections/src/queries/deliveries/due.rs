//! Deliveries that are due at this moment, and what became of them.

use chrono::{DateTime, Utc};
use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use uuid::Uuid;

use crate::queries::corrupt;

pub(super) const DUE: &str = "
SELECT delivery_id, state, attempt FROM outbox
 WHERE channel = $1 AND state IN ('pending', 'retry') AND due_at <= $2
 ORDER BY due_at, position LIMIT $3";
pub(super) const AGAIN: &str = "SELECT delivery_id, state, attempt FROM outbox WHERE delivery_id = $1";

/// Work as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempt: i64,
}

type Row = (Uuid, String, i64);

impl Due {
    fn read((id, state, attempt): Row) -> Result<Self, DbError> {
        let state = state.parse().map_err(|_| corrupt("outbox", id, "unknown code"))?;
        Ok(Self { delivery: DeliveryId(id), state, attempt })
    }

    /// Whether it was tried since `before`, and the attempt has ended; or nothing more happens by itself.
    pub fn moved_on(&self, before: &Self) -> bool {
        let tried = self.attempt > before.attempt && self.state != DeliveryState::InFlight;
        tried || self.state.is_final()
    }

    /// Whether the provider took it.
    pub fn is_accepted(&self) -> bool {
        matches!(self.state, DeliveryState::Accepted | DeliveryState::Delivered)
    }
}

/// What is due in a channel, the longest due first.
pub async fn of_channel(
    db: &Db,
    channel: Channel,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Due>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(DUE)
        .bind(channel.as_str())
        .bind(now)
        .bind(limit)
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(Due::read).collect()
}

/// The same work now. What the retention took away meanwhile is left out.
pub async fn again(db: &Db, before: &[Due]) -> Result<Vec<Due>, DbError> {
    let mut now = Vec::with_capacity(before.len());
    for due in before {
        let row: Option<Row> =
            with_pool!(db, pool => sqlx::query_as(AGAIN).bind(due.delivery.0).fetch_optional(pool).await)?;
        now.extend(row.map(Due::read).transpose()?);
    }
    Ok(now)
}
