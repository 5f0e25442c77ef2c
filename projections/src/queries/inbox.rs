//! A reader's inbox: the list, what is unread, and what came after a cursor.
//!
//! What is put aside is neither listed nor counted; what is put off is neither until its time has come. Nothing brings
//! it back but the clock, so every such question is asked at an instant.

mod list;
mod row;

use chrono::{DateTime, TimeDelta, Utc};
use domain::inbox::UNDO_SECONDS;
use domain::{NotificationId, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use uuid::Uuid;

pub use list::{NoticeFilter, list};
pub use row::{Notice, NoticeStatus};

use row::{Row, select};

use crate::table::ids_as_json;

/// Most notices of one page (http-api.md section 2).
pub const PAGE_NOTICES_MAX: u32 = 100;

/// Rows of one page when the caller does not say.
pub const PAGE_NOTICES: u32 = 20;

/// Most notices handed to a socket at once.
pub const AFTER_MAX: u32 = 500;

/// What the list shows and the count counts at the instant `$2`.
macro_rules! unread {
    ($select:literal, $rest:literal) => {
        concat!(
            $select,
            " FROM inbox WHERE recipient = $1 AND status = 'SENT' AND archived_at IS NULL ",
            "AND (snoozed_until IS NULL OR snoozed_until <= $2)",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE id = $1 AND recipient = $2");
const AFTER: &str = select!("WHERE recipient = $1 AND seq > $2 ORDER BY seq LIMIT $3");
const UNREAD: &str = unread!("SELECT count(*)", "");
const UNREAD_UP_TO: &str = unread!("SELECT count(*)", " AND seq <= $3");
const LAST: &str = "SELECT coalesce(max(seq), 0) FROM inbox WHERE recipient = $1";
const TO_READ_POSTGRES: &str = "
SELECT id, status FROM inbox WHERE recipient = $1 AND id = ANY($2::uuid[])
   AND (status = 'SENT' OR (read_at >= $3 AND again_by IS NULL)) ORDER BY seq";
const TO_READ_SQLITE: &str = "
SELECT id, status FROM inbox WHERE recipient = $1 AND id IN (SELECT unhex(value) FROM json_each($2))
   AND (status = 'SENT' OR (read_at >= $3 AND again_by IS NULL)) ORDER BY seq";

#[cfg(test)]
pub(crate) use list::statements;
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, AFTER, UNREAD, UNREAD_UP_TO, LAST];
#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[TO_READ_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[TO_READ_SQLITE];

/// One notice of a reader, wherever it was put.
pub async fn by_id(db: &Db, reader: StaffId, id: NotificationId) -> Result<Option<Notice>, DbError> {
    let row: Option<Row> = with_pool!(db, pool => sqlx::query_as(BY_ID)
        .bind(id.0)
        .bind(reader.0)
        .fetch_optional(pool)
        .await)?;
    row.map(Row::read).transpose()
}

/// How many of a reader's notices are unread at an instant, without those put aside or off.
pub async fn unread_count(db: &Db, reader: StaffId, now: DateTime<Utc>) -> Result<i64, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(UNREAD).bind(reader.0).bind(now).fetch_one(pool).await)?)
}

/// The same of the notices up to a number.
pub async fn unread_up_to(db: &Db, reader: StaffId, seq: i64, now: DateTime<Utc>) -> Result<i64, DbError> {
    let count = with_pool!(db, pool => sqlx::query_scalar(UNREAD_UP_TO)
        .bind(reader.0)
        .bind(now)
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

/// What reading some notices would be news for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToRead {
    /// The reader's own ones among them that are unread, or were read by something that can still be taken back:
    /// having read them again must outlive that. Oldest first.
    pub notices: Vec<NotificationId>,
    /// How many of those are unread.
    pub unread: usize,
}

/// Those of the given notices that reading would be news for.
pub async fn to_read(
    db: &Db,
    reader: StaffId,
    ids: &[NotificationId],
    now: DateTime<Utc>,
) -> Result<ToRead, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let lately = now - TimeDelta::seconds(UNDO_SECONDS);
    let found: Vec<(Uuid, String)> = match db {
        Db::Postgres(pool) => {
            let query = sqlx::query_as(TO_READ_POSTGRES).bind(reader.0).bind(ids).bind(lately);
            query.fetch_all(pool).await?
        }
        Db::Sqlite(sqlite) => {
            let query = sqlx::query_as(TO_READ_SQLITE).bind(reader.0).bind(ids_as_json(&ids)).bind(lately);
            query.fetch_all(sqlite.reader()).await?
        }
    };
    let unread = found.iter().filter(|(_, status)| status == NoticeStatus::Sent.as_str()).count();
    Ok(ToRead { notices: found.into_iter().map(|(id, _)| NotificationId(id)).collect(), unread })
}

/// Number of a reader's last notice; 0 when there is none.
pub async fn last_seq(db: &Db, reader: StaffId) -> Result<i64, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(LAST).bind(reader.0).fetch_one(pool).await)?)
}
