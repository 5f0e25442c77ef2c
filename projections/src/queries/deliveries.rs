//! Deliveries: the list an administrator watches, one of them with its attempts, and what is to be sent once more.
//!
//! [`waiting`] says why one has not left, [`channels`] how each channel does.

pub mod channels;
mod cursor;
pub mod due;
mod row;
pub mod waiting;

use chrono::{DateTime, Utc};
use domain::notification::{Channel, DeliveryState, FailureClass};
use domain::{DeliveryId, NotificationId, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, ExprTrait, Func, Order, Query};
use uuid::Uuid;

pub use cursor::{DeliveryCursor, InvalidCursor};
pub use row::{AttemptRow, DeliveryDetail, DeliveryRow, LastFailure};

use super::corrupt;
use super::statement::{Filters, Statement};
use crate::table::Dialect;
use row::{COLUMNS, Row, select};

/// Most deliveries of one answer.
pub const DELIVERIES_MAX: u32 = 200;

/// Most attempts of one delivery that are shown: the schedule has ten, and an operator may start it again.
pub const ATTEMPTS_MAX: i64 = 200;

/// What ended without arriving, and may be sent once more by an operator's decision.
pub const RETRYABLE: [DeliveryState; 3] =
    [DeliveryState::Dead, DeliveryState::Rejected, DeliveryState::Unknown];

const BY_ID: &str = select!("WHERE id = $1");
const OF_NOTIFICATION: &str = select!("WHERE notification = $1 ORDER BY channel LIMIT $2");
const ATTEMPTS: &str = "
SELECT number, started_at, ended_at, outcome, code, class, detail
  FROM delivery_attempts WHERE delivery = $1 ORDER BY number LIMIT $2";
const BY_STATE: &str =
    "SELECT channel, state, count(*) FROM deliveries GROUP BY channel, state ORDER BY 1, 2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    BY_ID,
    OF_NOTIFICATION,
    ATTEMPTS,
    BY_STATE,
    waiting::ROW,
    waiting::PAUSE,
    waiting::HEALTH,
    channels::DEPTH,
    channels::PAUSES,
    channels::HEALTH,
    channels::TOKENS,
    channels::SENT,
    channels::UNDELIVERED,
    channels::BUDGET,
    channels::BUSIEST,
    due::DUE,
    due::AGAIN,
];

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
    /// Who must act on its last failure.
    pub class: Option<FailureClass>,
    /// Created at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
    /// Older than the last row of the page before.
    pub cursor: Option<DeliveryCursor>,
}

impl DeliveryFilter {
    fn conditions(&self, dialect: Dialect) -> Filters {
        let mut filters = Filters::new(dialect);
        filters.text("state", self.state.map(DeliveryState::as_str));
        filters.text("channel", self.channel.map(Channel::as_str));
        filters.text("scene", self.scene.as_deref());
        filters.text("failure_class", self.class.map(FailureClass::as_str));
        filters.id("recipient", self.recipient.map(|staff| staff.0));
        filters.between("created_at", self.from, self.to);
        if let Some(cursor) = self.cursor {
            let older = Expr::col("requested_position").lt(cursor.position);
            let same = Expr::col("requested_position").eq(cursor.position);
            let before = Expr::col("id").lt(filters.uuid(cursor.id));
            filters.add(older.or(same.and(before)));
        }
        filters
    }

    /// The same, and only what may be sent once more.
    fn retryable(&self, dialect: Dialect) -> Filters {
        let mut filters = self.conditions(dialect);
        filters.add(Expr::col("state").is_in(RETRYABLE.map(DeliveryState::as_str)));
        filters
    }
}

/// Deliveries, newest first, at most `limit` and never more than [`DELIVERIES_MAX`]. The next page begins behind the
/// last row ([`DeliveryCursor::behind`]).
pub async fn list(db: &Db, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryRow>, DbError> {
    let rows: Vec<Row> = statement(Dialect::of(db), filter, limit).fetch(db).await?;
    rows.into_iter().map(Row::read).collect()
}

pub(crate) fn statement(dialect: Dialect, filter: &DeliveryFilter, limit: u32) -> Statement {
    let mut rows = Query::select();
    rows.columns(COLUMNS).from("deliveries").cond_where(filter.conditions(dialect).condition());
    rows.order_by("requested_position", Order::Desc).order_by("id", Order::Desc);
    rows.limit(u64::from(limit.clamp(1, DELIVERIES_MAX)));
    Statement::of(dialect, &rows)
}

/// How many of the filtered deliveries may be sent once more.
pub async fn count_retryable(db: &Db, filter: &DeliveryFilter) -> Result<i64, DbError> {
    count_statement(Dialect::of(db), filter).count(db).await
}

pub(crate) fn count_statement(dialect: Dialect, filter: &DeliveryFilter) -> Statement {
    let mut count = Query::select();
    count.expr(Func::count(Expr::col(sea_query::Asterisk))).from("deliveries");
    count.cond_where(filter.retryable(dialect).condition());
    Statement::of(dialect, &count)
}

/// The filtered deliveries that may be sent once more, oldest first, at most `limit`.
pub async fn retryable(db: &Db, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryId>, DbError> {
    let rows: Vec<(Uuid,)> = retryable_statement(Dialect::of(db), filter, limit).fetch(db).await?;
    Ok(rows.into_iter().map(|(id,)| DeliveryId(id)).collect())
}

pub(crate) fn retryable_statement(dialect: Dialect, filter: &DeliveryFilter, limit: u32) -> Statement {
    let mut rows = Query::select();
    rows.column("id").from("deliveries").cond_where(filter.retryable(dialect).condition());
    rows.order_by("requested_position", Order::Asc).order_by("id", Order::Asc).limit(u64::from(limit));
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
