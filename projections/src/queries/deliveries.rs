//! Deliveries: the list an administrator watches, and one of them with its attempts.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::notification::{Channel, DeliveryState, FailureClass};
use domain::{DeliveryId, EventId, NotificationId, Position, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, ExprTrait, Order, Query};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::corrupt;
use super::statement::{Filters, Statement};
use crate::table::Dialect;

/// Most deliveries of one answer.
pub const DELIVERIES_MAX: u32 = 200;

/// Most attempts of one delivery that are shown: the schedule has ten, and an operator may start it again.
pub const ATTEMPTS_MAX: i64 = 200;

const COLUMNS: [&str; 19] = [
    "id",
    "notification",
    "cause",
    "recipient",
    "scene",
    "channel",
    "state",
    "reason",
    "attempts",
    "counted",
    "failure_class",
    "failure_code",
    "failure_detail",
    "due_at",
    "created_at",
    "updated_at",
    "accepted_at",
    "provider_message_id",
    "requested_position",
];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, notification, cause, recipient, scene, channel, state, reason, attempts, counted, ",
            "failure_class, failure_code, failure_detail, due_at, created_at, updated_at, accepted_at, ",
            "provider_message_id, requested_position FROM deliveries ",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE id = $1");
const OF_NOTIFICATION: &str = select!("WHERE notification = $1 ORDER BY channel LIMIT $2");
const ATTEMPTS: &str = "
SELECT number, started_at, ended_at, outcome, code, class, detail
  FROM delivery_attempts WHERE delivery = $1 ORDER BY number LIMIT $2";
const BY_STATE: &str =
    "SELECT channel, state, count(*) FROM deliveries GROUP BY channel, state ORDER BY 1, 2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, OF_NOTIFICATION, ATTEMPTS, BY_STATE];

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryRow {
    /// The delivery.
    pub id: DeliveryId,
    /// The notice.
    pub notification: NotificationId,
    /// The event that caused it.
    pub cause: EventId,
    /// Who should learn it.
    pub recipient: StaffId,
    /// Type of the notice.
    pub scene: String,
    /// The way.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it was suppressed, or what it was merged into.
    pub reason: Option<String>,
    /// Attempts so far.
    pub attempts: i64,
    /// Attempts that count against the schedule.
    pub counted: i64,
    /// The last failure.
    pub failure: Option<LastFailure>,
    /// When the next attempt is due, or until when it is held.
    pub due_at: Option<DateTime<Utc>>,
    /// When the notice's cause was recorded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the provider, or the inbox, took it.
    pub accepted_at: Option<DateTime<Utc>>,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// Position of the request.
    pub requested_position: Position,
}

/// Why the last attempt that failed did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastFailure {
    /// Who must act.
    pub class: FailureClass,
    /// The provider's code.
    pub code: Option<i64>,
    /// What to know about it.
    pub detail: String,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct AttemptRow {
    /// Its number, from 1.
    pub number: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while bytes may be under way.
    pub ended_at: Option<DateTime<Utc>>,
    /// The state it led to.
    pub outcome: Option<String>,
    /// The provider's code.
    pub code: Option<i64>,
    /// What kind of failure it was.
    pub class: Option<String>,
    /// What to know about it.
    pub detail: Option<String>,
}

/// A delivery with everything that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// Its attempts, in order.
    pub tries: Vec<AttemptRow>,
}

/// What the list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryFilter {
    /// Where it stands.
    pub state: Option<DeliveryState>,
    /// The way.
    pub channel: Option<Channel>,
    /// Type of the notice.
    pub scene: Option<String>,
    /// Who should learn it.
    pub recipient: Option<StaffId>,
    /// Created at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
    /// Older than the last row of the page before.
    pub cursor: Option<DeliveryCursor>,
}

/// Where a page ended; opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryCursor {
    position: Position,
    id: Uuid,
}

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list")]
pub struct InvalidCursor;

impl DeliveryCursor {
    /// The place right behind a row.
    pub fn behind(row: &DeliveryRow) -> Self {
        Self { position: row.requested_position, id: row.id.0 }
    }
}

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("{}:{}", self.position, self.id.simple());
        f.write_str(&URL_SAFE_NO_PAD.encode(plain))
    }
}

impl FromStr for DeliveryCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let plain = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let plain = std::str::from_utf8(&plain).map_err(|_| InvalidCursor)?;
        let (position, id) = plain.split_once(':').ok_or(InvalidCursor)?;
        let position = position.parse().map_err(|_| InvalidCursor)?;
        Ok(Self { position, id: Uuid::try_parse(id).map_err(|_| InvalidCursor)? })
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    notification: Uuid,
    cause: Uuid,
    recipient: Uuid,
    scene: String,
    channel: String,
    state: String,
    reason: Option<String>,
    attempts: i64,
    counted: i64,
    failure_class: Option<String>,
    failure_code: Option<i64>,
    failure_detail: Option<String>,
    due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
    provider_message_id: Option<String>,
    requested_position: i64,
}

impl Row {
    fn read(self) -> Result<DeliveryRow, DbError> {
        let unknown = |_| corrupt("deliveries", self.id, "unknown code");
        let channel = self.channel.parse().map_err(unknown)?;
        let state = self.state.parse().map_err(unknown)?;
        let class: Option<FailureClass> =
            self.failure_class.as_deref().map(str::parse).transpose().map_err(unknown)?;
        let failure = class.map(|class| LastFailure {
            class,
            code: self.failure_code,
            detail: self.failure_detail.unwrap_or_default(),
        });
        Ok(DeliveryRow {
            id: DeliveryId(self.id),
            notification: NotificationId(self.notification),
            cause: EventId(self.cause),
            recipient: StaffId(self.recipient),
            scene: self.scene,
            channel,
            state,
            reason: self.reason,
            attempts: self.attempts,
            counted: self.counted,
            failure,
            due_at: self.due_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            accepted_at: self.accepted_at,
            provider_message_id: self.provider_message_id,
            requested_position: self.requested_position,
        })
    }
}

/// Deliveries, newest first, at most `limit` and never more than [`DELIVERIES_MAX`]. The next page begins behind the
/// last row ([`DeliveryCursor::behind`]).
pub async fn list(db: &Db, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryRow>, DbError> {
    let rows: Vec<Row> = statement(Dialect::of(db), filter, limit).fetch(db).await?;
    rows.into_iter().map(Row::read).collect()
}

pub(crate) fn statement(dialect: Dialect, filter: &DeliveryFilter, limit: u32) -> Statement {
    let mut filters = Filters::new(dialect);
    filters.text("state", filter.state.map(DeliveryState::as_str));
    filters.text("channel", filter.channel.map(Channel::as_str));
    filters.text("scene", filter.scene.as_deref());
    filters.id("recipient", filter.recipient.map(|staff| staff.0));
    filters.between("created_at", filter.from, filter.to);
    if let Some(cursor) = filter.cursor {
        let older = Expr::col("requested_position").lt(cursor.position);
        let same = Expr::col("requested_position").eq(cursor.position);
        let before = Expr::col("id").lt(filters.uuid(cursor.id));
        filters.add(older.or(same.and(before)));
    }
    let mut rows = Query::select();
    rows.columns(COLUMNS).from("deliveries").cond_where(filters.condition());
    rows.order_by("requested_position", Order::Desc).order_by("id", Order::Desc);
    rows.limit(u64::from(limit.clamp(1, DELIVERIES_MAX)));
    Statement::of(dialect, &rows)
}

/// One delivery with its attempts.
pub async fn by_id(db: &Db, id: DeliveryId) -> Result<Option<DeliveryDetail>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(pool).await)?;
    let Some(row) = row else { return Ok(None) };
    let tries: Vec<AttemptRow> = with_pool!(db, pool => sqlx::query_as(ATTEMPTS)
        .bind(id.0)
        .bind(ATTEMPTS_MAX)
        .fetch_all(pool)
        .await)?;
    Ok(Some(DeliveryDetail { delivery: row.read()?, tries }))
}

/// The deliveries of one notice: one for each channel.
pub async fn of_notification(db: &Db, id: NotificationId) -> Result<Vec<DeliveryRow>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(OF_NOTIFICATION)
        .bind(id.0)
        .bind(i64::from(DELIVERIES_MAX))
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// How many deliveries stand where, for each channel.
pub async fn counts(db: &Db) -> Result<Vec<(Channel, DeliveryState, i64)>, DbError> {
    let rows: Vec<(String, String, i64)> =
        with_pool!(db, pool => sqlx::query_as(BY_STATE).fetch_all(pool).await)?;
    rows.into_iter()
        .map(|(channel, state, count)| {
            let unknown = |_| corrupt("deliveries", &channel, "unknown code");
            Ok((channel.parse().map_err(unknown)?, state.parse().map_err(unknown)?, count))
        })
        .collect()
}
