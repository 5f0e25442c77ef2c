//! The public pool 公海: what waits in it, and what went in and came out (existing-systems.md section 2.2).

use std::collections::BTreeMap;

use application::access::RowScope;
use chrono::{DateTime, Utc};
use domain::customer::{LeadLevel, LeadSource, ServiceCategory};
use domain::{CustomerId, EventId, Position, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::customers::{CustomerRow, CustomerStatistics, SortOrder, holds, is_named, picked, rows_of};
use super::roster::order::{Column, RowOrder};
use super::roster::{Entry, Roster};
use super::{Page, PageRequest, corrupt};

pub use crate::read_models::pool_log::PoolAction;

/// Most leads or entries of one page.
pub const PAGE_POOL_MAX: u32 = 200;

/// Most entries of one lead: the newest.
pub const ENTRIES_MAX: i64 = 500;

/// Newest first; those that came at one instant by their id.
const ORDER: RowOrder =
    RowOrder { column: Column::PooledAt, direction: SortOrder::Descending, reader: RowScope::All };

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, customer, action, operator, operator_system, from_user, to_user, reason, operated_at, position ",
            "FROM pool_log ",
            $rest
        )
    };
}

const OF_CUSTOMER: &str = select!("WHERE customer = $1 ORDER BY position DESC LIMIT $2");
const NEWEST: &str = select!("ORDER BY position DESC LIMIT $1 OFFSET $2");
const ENTRIES: &str = "SELECT count(*) FROM pool_log";
const SINCE: &str = "SELECT action, count(*) FROM pool_log WHERE operated_at >= $1 GROUP BY action";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[OF_CUSTOMER, NEWEST, ENTRIES, SINCE];

/// What the list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolFilter {
    /// A literal part of name, phone or WeChat id, whatever the case.
    pub search: Option<String>,
    /// A literal part of the name, whatever the case.
    pub name: Option<String>,
    /// Where it came from.
    pub lead_source: Option<LeadSource>,
    /// What is asked for.
    pub service_category: Option<ServiceCategory>,
    /// How promising it is.
    pub lead_level: Option<LeadLevel>,
    /// Smallest budget, in yuan a month. Leads without a budget are then left out.
    pub min_budget: Option<i64>,
    /// Largest budget, in yuan a month. Leads without a budget are then left out.
    pub max_budget: Option<i64>,
}

impl PoolFilter {
    fn passes(&self, lead: &Entry) -> bool {
        let budget = lead.salary_budget;
        self.lead_source.is_none_or(|wanted| lead.lead_source == Some(wanted))
            && self.service_category.is_none_or(|wanted| lead.service_category == Some(wanted))
            && self.lead_level.is_none_or(|wanted| lead.lead_level == Some(wanted))
            && self.min_budget.is_none_or(|least| budget.is_some_and(|budget| budget >= least))
            && self.max_budget.is_none_or(|most| budget.is_some_and(|budget| budget <= most))
    }
}

/// One page of the leads in the pool, the last that came first. Everybody who may see the pool sees all of it.
pub async fn list(
    roster: &Roster,
    filter: &PoolFilter,
    page: PageRequest,
) -> Result<Page<CustomerRow>, DbError> {
    let (holds, named) = (holds(filter.search.as_deref()), is_named(filter.name.as_deref()));
    let found = rows_of(roster, RowScope::All, |leads| {
        let waiting = leads
            .all()
            .iter()
            .filter(|lead| lead.in_pool && filter.passes(lead) && holds(lead) && named(lead));
        picked(waiting, ORDER, page.place())
    });
    let found = found.await?;
    Ok(page.holds(found.rows, found.total))
}

/// How much is in the pool, and what went through it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolStatistics {
    /// Leads that wait.
    pub total: i64,
    /// Leads that went in since midnight.
    pub today_entered: i64,
    /// Leads that were claimed or assigned out of it since midnight.
    pub today_claimed: i64,
    /// Waiting leads by where they came from.
    pub by_lead_source: BTreeMap<LeadSource, i64>,
    /// Waiting leads by how promising they are.
    pub by_lead_level: BTreeMap<LeadLevel, i64>,
}

/// Counts the pool; `midnight` is where the caller's day begins.
pub async fn statistics(roster: &Roster, midnight: DateTime<Utc>) -> Result<PoolStatistics, DbError> {
    let passed: Vec<(String, i64)> =
        with_pool!(roster.db(), pool => sqlx::query_as(SINCE).bind(midnight).fetch_all(pool).await)?;
    let (mut entered, mut claimed) = (0, 0);
    for (action, count) in passed {
        match action.parse().map_err(|_| corrupt("pool_log", &action, "unknown action"))? {
            PoolAction::Enter | PoolAction::Release => entered += count,
            PoolAction::Claim | PoolAction::Assign => claimed += count,
        }
    }
    let leads = roster.read().await?;
    let waiting = CustomerStatistics::count(leads.all().iter().filter(|lead| lead.in_pool));
    Ok(PoolStatistics {
        total: waiting.total,
        today_entered: entered,
        today_claimed: claimed,
        by_lead_source: waiting.by_lead_source,
        by_lead_level: waiting.by_lead_level,
    })
}

/// One entry of the pool's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolLogEntry {
    /// The event it comes from.
    pub id: EventId,
    /// The lead.
    pub customer: CustomerId,
    /// What happened.
    pub action: PoolAction,
    /// Who did it; `None` when the system did.
    pub operator: Option<StaffId>,
    /// The part of the system that did it; `None` when a person did.
    pub operator_system: Option<String>,
    /// Who had it before.
    pub from_user: Option<StaffId>,
    /// Who has it after.
    pub to_user: Option<StaffId>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub operated_at: DateTime<Utc>,
    /// Position of the event.
    pub position: Position,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    customer: Uuid,
    action: String,
    operator: Option<Uuid>,
    operator_system: Option<String>,
    from_user: Option<Uuid>,
    to_user: Option<Uuid>,
    reason: Option<String>,
    operated_at: DateTime<Utc>,
    position: i64,
}

impl Row {
    fn read(self) -> Result<PoolLogEntry, DbError> {
        Ok(PoolLogEntry {
            id: EventId(self.id),
            customer: CustomerId(self.customer),
            action: self.action.parse().map_err(|_| corrupt("pool_log", self.id, "unknown action"))?,
            operator: self.operator.map(StaffId),
            operator_system: self.operator_system,
            from_user: self.from_user.map(StaffId),
            to_user: self.to_user.map(StaffId),
            reason: self.reason,
            operated_at: self.operated_at,
            position: self.position,
        })
    }
}

/// The entries of one lead, newest first, at most [`ENTRIES_MAX`].
pub async fn logs_of(db: &Db, customer: CustomerId) -> Result<Vec<PoolLogEntry>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(OF_CUSTOMER)
        .bind(customer.0)
        .bind(ENTRIES_MAX)
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// One page of all entries, newest first.
pub async fn logs(db: &Db, page: PageRequest) -> Result<Page<PoolLogEntry>, DbError> {
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(NEWEST)
        .bind(i64::from(page.limit))
        .bind(offset)
        .fetch_all(pool)
        .await)?;
    let total: i64 = with_pool!(db, pool => sqlx::query_scalar(ENTRIES).fetch_one(pool).await)?;
    Ok(page.holds(rows.into_iter().map(Row::read).collect::<Result<_, _>>()?, total))
}
