//! Who was given a customer, when, by whom and why.

use chrono::{DateTime, Utc};
use domain::{CustomerId, EventId, Position, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

/// Most entries of one answer: the newest.
pub const ENTRIES_MAX: i64 = 500;

const OF_CUSTOMER: &str = "
SELECT id, customer, old_owner, new_owner, assigned_by, assigned_by_system, assigned_at, reason, action, position
  FROM assignment_log WHERE customer = $1 ORDER BY position DESC LIMIT $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[OF_CUSTOMER];

/// One entry of the assignment log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssignmentEntry {
    /// The event it comes from.
    pub id: EventId,
    /// The customer.
    pub customer: CustomerId,
    /// The owner before.
    pub old_owner: Option<StaffId>,
    /// The owner after.
    pub new_owner: Option<StaffId>,
    /// The person who decided; `None` when the system did.
    pub assigned_by: Option<StaffId>,
    /// The part of the system that decided; `None` when a person did.
    pub assigned_by_system: Option<String>,
    /// When.
    pub assigned_at: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
    /// System A's word for what happened: `assign`.
    pub action: String,
    /// Position of the event.
    pub position: Position,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    customer: Uuid,
    old_owner: Option<Uuid>,
    new_owner: Option<Uuid>,
    assigned_by: Option<Uuid>,
    assigned_by_system: Option<String>,
    assigned_at: DateTime<Utc>,
    reason: Option<String>,
    action: String,
    position: i64,
}

impl From<Row> for AssignmentEntry {
    fn from(row: Row) -> Self {
        Self {
            id: EventId(row.id),
            customer: CustomerId(row.customer),
            old_owner: row.old_owner.map(StaffId),
            new_owner: row.new_owner.map(StaffId),
            assigned_by: row.assigned_by.map(StaffId),
            assigned_by_system: row.assigned_by_system,
            assigned_at: row.assigned_at,
            reason: row.reason,
            action: row.action,
            position: row.position,
        }
    }
}

/// The entries of one customer, newest first, at most [`ENTRIES_MAX`].
pub async fn of_customer(db: &Db, customer: CustomerId) -> Result<Vec<AssignmentEntry>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(OF_CUSTOMER)
        .bind(customer.0)
        .bind(ENTRIES_MAX)
        .fetch_all(pool)
        .await)?;
    Ok(rows.into_iter().map(AssignmentEntry::from).collect())
}
