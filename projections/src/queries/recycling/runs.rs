//! The runs of the recycle rules, as they are listed: each with its counts, none of its leads.

use chrono::{DateTime, Utc};
use domain::RecycleRunId;
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sqlx::FromRow;
use uuid::Uuid;

use super::super::{Page, PageRequest, corrupt};
use crate::read_models::RunRule;

/// Most runs of a page.
pub const RUNS_PAGE_MAX: u32 = 50;

// Along the index `latest`: as many rows are read as the page and those before it have.
const RUNS: &str = "
SELECT id, period, started_at, completed_at, rules, planned, fallen, stayed
  FROM open_recycle_runs ORDER BY period DESC, id DESC LIMIT $1 OFFSET $2";
const RUNS_COUNT: &str = "SELECT count(*) FROM open_recycle_runs";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[RUNS, RUNS_COUNT];

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RecycleRunRow {
    /// The run.
    pub id: RecycleRunId,
    /// The hour it is the run of.
    pub period: DateTime<Utc>,
    /// When its plan was written.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it is under way.
    pub completed_at: Option<DateTime<Utc>>,
    /// Its rules, in the order in which they are asked.
    pub rules: Vec<RunRule>,
    /// Leads that were to fall.
    pub planned: u64,
    /// Leads that fell; 0 before its end.
    pub fallen: u64,
    /// Leads that stayed; 0 before its end.
    pub stayed: u64,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    period: DateTime<Utc>,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    rules: String,
    planned: i64,
    fallen: i64,
    stayed: i64,
}

impl Row {
    fn read(self) -> Result<RecycleRunRow, DbError> {
        let rules = serde_json::from_str(&self.rules)
            .map_err(|_| corrupt("open_recycle_runs", self.id, "the rules cannot be read"))?;
        let count = |leads: i64| u64::try_from(leads).unwrap_or_default();
        Ok(RecycleRunRow {
            id: RecycleRunId(self.id),
            period: self.period,
            started_at: self.started_at,
            completed_at: self.completed_at,
            rules,
            planned: count(self.planned),
            fallen: count(self.fallen),
            stayed: count(self.stayed),
        })
    }
}

/// Every run that began, the latest period first.
pub async fn runs(db: &Db, page: PageRequest) -> Result<Page<RecycleRunRow>, DbError> {
    let total: i64 = with_pool!(db, pool => sqlx::query_scalar(RUNS_COUNT).fetch_one(pool).await)?;
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(RUNS)
        .bind(i64::from(page.limit))
        .bind(offset)
        .fetch_all(pool)
        .await)?;
    Ok(page.holds(rows.into_iter().map(Row::read).collect::<Result<_, _>>()?, total))
}
