//! A row as who leased it sees it.

use chrono::{DateTime, Utc};
use domain::notification::DeliveryState;
use domain::{DeliveryId, EventId, NotificationId, StaffId, StreamId};
use uuid::Uuid;

use crate::db::DbError;

/// A row that is ours until its lease ends.
#[derive(Clone)]
pub struct Leased {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its notice.
    pub notification: NotificationId,
    /// Common to everything that follows from one request.
    pub correlation: String,
    /// The event that requested it.
    pub causation: Option<EventId>,
    /// The person; `None` in rows older than this column.
    pub recipient: Option<StaffId>,
    /// Nobody else sends to this recipient now.
    pub recipient_key: String,
    /// Stream of the recipient's credits.
    pub ledger: Option<StreamId>,
    /// What to send.
    pub request_body: String,
    /// Since when it is due.
    pub due_at: DateTime<Utc>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// `pending`, `retry` or, when taken over, `in_flight`.
    pub state: DeliveryState,
    /// The last attempt; 0 before the first.
    pub attempt: i64,
    /// How often the provider said "busy".
    pub busy_answers: i64,
    /// Whether an earlier attempt may have arrived.
    pub maybe_arrived: bool,
    /// When the first attempt began.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// From here on the next channel of the route speaks; `None` when none stands by.
    pub fallback_at: Option<DateTime<Utc>>,
    /// What fences everything written about the row.
    pub token: Uuid,
    /// End of the lease.
    pub expires_at: DateTime<Utc>,
    position: i64,
}

impl std::fmt::Debug for Leased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leased")
            .field("delivery", &self.delivery)
            .field("state", &self.state)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// The same as the table has it.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    delivery_id: Uuid,
    notification_id: Uuid,
    correlation: String,
    causation: Option<Uuid>,
    recipient: Option<Uuid>,
    recipient_key: String,
    ledger: Option<String>,
    request_body: Option<String>,
    state: String,
    attempt: i64,
    busy_answers: i64,
    maybe_arrived: bool,
    first_attempt_at: Option<DateTime<Utc>>,
    fallback_at: Option<DateTime<Utc>>,
    lease_token: Uuid,
    lease_expires_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    position: i64,
}

impl Row {
    fn leased(self) -> Result<Leased, DbError> {
        let corrupt = |reason: &str| DbError::Corrupt {
            table: "outbox",
            at: self.delivery_id.to_string(),
            reason: reason.to_owned(),
        };
        let state = self.state.parse().map_err(|_| corrupt("the state is unknown"))?;
        let ledger = self
            .ledger
            .as_deref()
            .map(|name| StreamId::parse(name).ok_or_else(|| corrupt("the ledger is not a stream")));
        Ok(Leased {
            delivery: DeliveryId(self.delivery_id),
            notification: NotificationId(self.notification_id),
            ledger: ledger.transpose()?,
            correlation: self.correlation,
            causation: self.causation.map(EventId),
            recipient: self.recipient.map(StaffId),
            recipient_key: self.recipient_key,
            request_body: self.request_body.unwrap_or_default(),
            due_at: self.due_at,
            created_at: self.created_at,
            state,
            attempt: self.attempt,
            busy_answers: self.busy_answers,
            maybe_arrived: self.maybe_arrived,
            first_attempt_at: self.first_attempt_at,
            fallback_at: self.fallback_at,
            token: self.lease_token,
            expires_at: self.lease_expires_at,
            position: self.position,
        })
    }
}

/// The longest due first.
pub(super) fn in_order(rows: Vec<Row>) -> Result<Vec<Leased>, DbError> {
    let mut leased = rows.into_iter().map(Row::leased).collect::<Result<Vec<_>, _>>()?;
    leased.sort_by_key(|row| (row.due_at, row.position));
    Ok(leased)
}
