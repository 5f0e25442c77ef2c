//! Who followed up a lead, when and how.

use chrono::{DateTime, Utc};
use domain::customer::FollowUpKind;
use domain::{CustomerId, FollowUpId, Position, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Page, PageRequest, corrupt};

/// Most follow-ups of one page.
pub const PAGE_FOLLOW_UPS_MAX: u32 = 200;

const OF_CUSTOMER: &str = "
SELECT id, customer, author, author_system, kind, content, next_at, created_at, position
  FROM follow_ups WHERE customer = $1 AND system_note = FALSE ORDER BY position DESC LIMIT $2 OFFSET $3";

const COUNT: &str = "SELECT count(*) FROM follow_ups WHERE customer = $1 AND system_note = FALSE";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[OF_CUSTOMER, COUNT];

/// A follow-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FollowUp {
    /// The follow-up.
    pub id: FollowUpId,
    /// The lead.
    pub customer: CustomerId,
    /// Who followed up; `None` when the system did.
    pub author: Option<StaffId>,
    /// The part of the system that did; `None` when a person did.
    pub author_system: Option<String>,
    /// How.
    pub kind: FollowUpKind,
    /// What came of it.
    pub content: String,
    /// When to follow up next.
    pub next_follow_up_at: Option<DateTime<Utc>>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Position of the event.
    pub position: Position,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    customer: Uuid,
    author: Option<Uuid>,
    author_system: Option<String>,
    kind: String,
    content: String,
    next_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    position: i64,
}

impl Row {
    fn read(self) -> Result<FollowUp, DbError> {
        Ok(FollowUp {
            id: FollowUpId(self.id),
            customer: CustomerId(self.customer),
            author: self.author.map(StaffId),
            author_system: self.author_system,
            kind: self.kind.parse().map_err(|_| corrupt("follow_ups", self.id, "unknown kind"))?,
            content: self.content,
            next_follow_up_at: self.next_at,
            created_at: self.created_at,
            position: self.position,
        })
    }
}

/// One page of a lead's follow-ups, newest first; notes that system A wrote about its own doings are left out.
pub async fn of_customer(
    db: &Db,
    customer: CustomerId,
    page: PageRequest,
) -> Result<Page<FollowUp>, DbError> {
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(OF_CUSTOMER)
        .bind(customer.0)
        .bind(i64::from(page.limit))
        .bind(offset)
        .fetch_all(pool)
        .await)?;
    let total: i64 =
        with_pool!(db, pool => sqlx::query_scalar(COUNT).bind(customer.0).fetch_one(pool).await)?;
    Ok(page.holds(rows.into_iter().map(Row::read).collect::<Result<_, _>>()?, total))
}
