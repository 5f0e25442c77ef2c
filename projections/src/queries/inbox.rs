//! A reader's inbox: the list, what is unread, and what came after a cursor.

use chrono::{DateTime, Utc};
use domain::notification::Priority;
use domain::{CustomerId, EventId, NotificationId, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, Func, Order, Query};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::statement::{Filters, Statement};
use super::{Page, PageRequest, corrupt};
use crate::table::{Dialect, ids_as_json};

/// Most notices of one page (http-api.md section 2).
pub const PAGE_NOTICES_MAX: u32 = 100;

/// Rows of one page when the caller does not say.
pub const PAGE_NOTICES: u32 = 20;

/// Most notices handed to a socket at once.
pub const AFTER_MAX: u32 = 500;

const COLUMNS: [&str; 17] = [
    "id",
    "recipient",
    "seq",
    "scene",
    "title",
    "content",
    "priority",
    "data",
    "icon",
    "color",
    "action_url",
    "action_text",
    "customers",
    "cause",
    "status",
    "created_at",
    "read_at",
];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, recipient, seq, scene, title, content, priority, data, icon, color, action_url, ",
            "action_text, customers, cause, status, created_at, read_at FROM inbox ",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE id = $1 AND recipient = $2");
const AFTER: &str = select!("WHERE recipient = $1 AND seq > $2 ORDER BY seq LIMIT $3");
const UNREAD: &str = "SELECT count(*) FROM inbox WHERE recipient = $1 AND status = 'SENT'";
const UNREAD_UP_TO: &str =
    "SELECT count(*) FROM inbox WHERE recipient = $1 AND status = 'SENT' AND seq <= $2";
const LAST: &str = "SELECT coalesce(max(seq), 0) FROM inbox WHERE recipient = $1";
const UNREAD_AMONG_POSTGRES: &str = "
SELECT id FROM inbox WHERE recipient = $1 AND status = 'SENT' AND id = ANY($2::uuid[]) ORDER BY seq";
const UNREAD_AMONG_SQLITE: &str = "
SELECT id FROM inbox WHERE recipient = $1 AND status = 'SENT'
   AND id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY seq";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, AFTER, UNREAD, UNREAD_UP_TO, LAST];
#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[UNREAD_AMONG_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[UNREAD_AMONG_SQLITE];

domain::code_table! {
    /// Whether a notice was read, in system A's words.
    NoticeStatus {
        /// Not yet.
        Sent = "SENT",
        /// Yes.
        Read = "READ",
    }
}

/// A notice in a reader's inbox.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The notice.
    pub id: NotificationId,
    /// The reader.
    pub recipient: StaffId,
    /// Its number in the reader's log: 1, 2, 3 … without a gap.
    pub seq: i64,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    pub scene: String,
    /// First line.
    pub title: String,
    /// The text.
    pub content: String,
    /// How urgent.
    pub priority: Priority,
    /// What clients compute with.
    pub data: serde_json::Value,
    /// Name of the icon.
    pub icon: String,
    /// Colour of the icon.
    pub color: String,
    /// Path it leads to.
    pub action_url: String,
    /// Words on the button.
    pub action_text: String,
    /// The customers it is about.
    pub customers: Vec<CustomerId>,
    /// The event that caused it.
    pub cause: EventId,
    /// Whether it was read.
    pub status: NoticeStatus,
    /// When its cause was recorded.
    pub created_at: DateTime<Utc>,
    /// When it was first read.
    pub read_at: Option<DateTime<Utc>>,
}

/// What the list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoticeFilter {
    /// Its type.
    pub scene: Option<String>,
    /// Whether it was read.
    pub status: Option<NoticeStatus>,
    /// Created at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    recipient: Uuid,
    seq: i64,
    scene: String,
    title: String,
    content: String,
    priority: String,
    data: String,
    icon: String,
    color: String,
    action_url: String,
    action_text: String,
    customers: String,
    cause: Uuid,
    status: String,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> Result<Notice, DbError> {
        let unreadable = |what: &str| corrupt("inbox", self.id, what);
        let priority = self.priority.parse().map_err(|_| unreadable("unknown priority"))?;
        let status = self.status.parse().map_err(|_| unreadable("unknown status"))?;
        let data = serde_json::from_str(&self.data).map_err(|_| unreadable("the data is not JSON"))?;
        let customers =
            serde_json::from_str(&self.customers).map_err(|_| unreadable("the customers are not ids"))?;
        Ok(Notice {
            id: NotificationId(self.id),
            recipient: StaffId(self.recipient),
            seq: self.seq,
            scene: self.scene,
            title: self.title,
            content: self.content,
            priority,
            data,
            icon: self.icon,
            color: self.color,
            action_url: self.action_url,
            action_text: self.action_text,
            customers,
            cause: EventId(self.cause),
            status,
            created_at: self.created_at,
            read_at: self.read_at,
        })
    }
}

/// One page of a reader's notices, newest first.
pub async fn list(
    db: &Db,
    reader: StaffId,
    filter: &NoticeFilter,
    page: PageRequest,
) -> Result<Page<Notice>, DbError> {
    let [rows, count] = statements(Dialect::of(db), reader, filter, page);
    let rows: Vec<Row> = rows.fetch(db).await?;
    let total = count.count(db).await?;
    let items = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    Ok(page.holds(items, total))
}

pub(crate) fn statements(
    dialect: Dialect,
    reader: StaffId,
    filter: &NoticeFilter,
    page: PageRequest,
) -> [Statement; 2] {
    let mut filters = Filters::new(dialect);
    filters.id("recipient", Some(reader.0));
    filters.text("scene", filter.scene.as_deref());
    filters.text("status", filter.status.map(NoticeStatus::as_str));
    filters.between("created_at", filter.from, filter.to);
    let mut rows = Query::select();
    rows.columns(COLUMNS).from("inbox").cond_where(filters.condition());
    rows.order_by("seq", Order::Desc).limit(u64::from(page.limit)).offset(page.offset());
    let mut count = Query::select();
    count.expr(Func::count(Expr::col(sea_query::Asterisk))).from("inbox").cond_where(filters.condition());
    [Statement::of(dialect, &rows), Statement::of(dialect, &count)]
}

/// One notice of a reader.
pub async fn by_id(db: &Db, reader: StaffId, id: NotificationId) -> Result<Option<Notice>, DbError> {
    let row: Option<Row> = with_pool!(db, pool => sqlx::query_as(BY_ID)
        .bind(id.0)
        .bind(reader.0)
        .fetch_optional(pool)
        .await)?;
    row.map(Row::read).transpose()
}

/// How many of a reader's notices are unread.
pub async fn unread_count(db: &Db, reader: StaffId) -> Result<i64, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(UNREAD).bind(reader.0).fetch_one(pool).await)?)
}

/// How many of a reader's notices up to a number are unread.
pub async fn unread_up_to(db: &Db, reader: StaffId, seq: i64) -> Result<i64, DbError> {
    let count = with_pool!(db, pool => sqlx::query_scalar(UNREAD_UP_TO)
        .bind(reader.0)
        .bind(seq)
        .fetch_one(pool)
        .await)?;
    Ok(count)
}

/// A reader's notices after a cursor, in order, at most `limit` and never more than [`AFTER_MAX`].
pub async fn after(db: &Db, reader: StaffId, cursor: i64, limit: u32) -> Result<Vec<Notice>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(AFTER)
        .bind(reader.0)
        .bind(cursor)
        .bind(i64::from(limit.clamp(1, AFTER_MAX)))
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// Those of the given notices that are the reader's and unread, oldest first.
pub async fn unread_among(
    db: &Db,
    reader: StaffId,
    ids: &[NotificationId],
) -> Result<Vec<NotificationId>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let found: Vec<Uuid> = match db {
        Db::Postgres(pool) => {
            sqlx::query_scalar(UNREAD_AMONG_POSTGRES).bind(reader.0).bind(ids).fetch_all(pool).await?
        }
        Db::Sqlite(sqlite) => {
            let query = sqlx::query_scalar(UNREAD_AMONG_SQLITE).bind(reader.0).bind(ids_as_json(&ids));
            query.fetch_all(sqlite.reader()).await?
        }
    };
    Ok(found.into_iter().map(NotificationId).collect())
}

/// Number of a reader's last notice; 0 when there is none.
pub async fn last_seq(db: &Db, reader: StaffId) -> Result<i64, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(LAST).bind(reader.0).fetch_one(pool).await)?)
}
