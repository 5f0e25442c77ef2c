//! Transfer rules with what they moved, the records of their runs, and each person's part (existing-systems.md
//! section 5.4).

mod candidates;
mod past;
mod records;
mod runs;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::transfer_rule::{TargetModule, TransferRule};
use domain::{Sequence, StaffId, TransferRuleId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

pub use crate::read_models::transfer_records::RecordStatus;
pub use candidates::LeadCandidates;
pub use past::LogPast;
pub use records::{
    PAGE_RECORDS_MAX, RecordFilter, Snapshot, TransferRecord, TransferStatistics, records, statistics,
};
pub use runs::{RUNS_MAX, TransferRunRow, run, runs_of, unfinished};

use super::corrupt;

#[cfg(test)]
pub(crate) use past::{STATEMENTS_POSTGRES, STATEMENTS_SQLITE};
#[cfg(test)]
pub(crate) use records::{count_statement, statement, statistics_statement};

macro_rules! select_rules {
    ($rest:literal) => {
        concat!("SELECT id, runs, moved, last_run_at, last_moved, version, doc FROM transfer_rules ", $rest)
    };
}

/// There are some dozens of rules; which module they are for stands in their texts.
const RULES: &str = select_rules!("WHERE NOT deleted ORDER BY created_at DESC, id DESC");
const RULE: &str = select_rules!("WHERE id = $1 AND NOT deleted");
const QUOTAS_OF_RULE: &str =
    "SELECT staff, moved_out, moved_in, last_moved_at FROM transfer_quotas WHERE rule = $1 ORDER BY staff";
const QUOTA_OF_STAFF: &str =
    "SELECT CAST(coalesce(sum(moved_out), 0) AS BIGINT), CAST(coalesce(sum(moved_in), 0) AS BIGINT)
  FROM transfer_quotas WHERE staff = $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&[&str]] = &[&[RULES, RULE, QUOTAS_OF_RULE, QUOTA_OF_STAFF], runs::STATEMENTS];

/// A rule as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleRow {
    /// Its id.
    pub id: TransferRuleId,
    /// What it says, whether it runs, which of its texts this is, who wrote it and when. It exists.
    pub rule: TransferRule,
    /// Sequence of its last event.
    pub version: Sequence,
    /// What its runs did.
    pub statistics: RuleStatistics,
}

/// What the runs of a rule did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RuleStatistics {
    /// Runs that are over.
    pub runs: i64,
    /// Leads that all of them moved.
    pub total_transferred: i64,
    /// When the last one ended.
    pub last_executed_at: Option<DateTime<Utc>>,
    /// Leads that the last one moved.
    pub last_transferred_count: i64,
}

/// What one person lost and gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// The person.
    pub staff: StaffId,
    /// Leads that went out of their hands.
    pub moved_out: i64,
    /// Leads that came into them.
    pub moved_in: i64,
    /// When a run last moved one of them; `None` when none ever did.
    pub last_moved_at: Option<DateTime<Utc>>,
}

impl Quota {
    /// Leads moved out minus leads moved in: above zero, the person is owed some.
    pub fn balance(&self) -> i64 {
        self.moved_out - self.moved_in
    }
}

/// A rule with the balance of everybody in its lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleWithBalances {
    /// The rule.
    pub row: RuleRow,
    /// Everybody who is in one of its lists now, in their order (sources first, each person once), then everybody else
    /// whom it ever moved a lead from or to.
    pub quotas: Vec<Quota>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    runs: i64,
    moved: i64,
    last_run_at: Option<DateTime<Utc>>,
    last_moved: i64,
    version: i64,
    doc: String,
}

impl Row {
    fn read(self) -> Result<RuleRow, DbError> {
        let rule = serde_json::from_str(&self.doc)
            .map_err(|_| corrupt("transfer_rules", self.id, "the rule cannot be read"))?;
        let statistics = RuleStatistics {
            runs: self.runs,
            total_transferred: self.moved,
            last_executed_at: self.last_run_at,
            last_transferred_count: self.last_moved,
        };
        Ok(RuleRow { id: TransferRuleId(self.id), rule, version: self.version, statistics })
    }
}

/// Every rule that is not deleted, newest first; with a module, only those for its leads.
pub async fn rules(db: &Db, module: Option<TargetModule>) -> Result<Vec<RuleRow>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(RULES).fetch_all(pool).await)?;
    let mut rules = rows.into_iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
    let is_for = |row: &RuleRow| row.rule.text.as_ref().map(|text| text.target_module);
    rules.retain(|row| module.is_none_or(|wanted| is_for(row) == Some(wanted)));
    Ok(rules)
}

/// One rule, unless it is deleted.
pub async fn rule(db: &Db, id: TransferRuleId) -> Result<Option<RuleRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(RULE).bind(id.0).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// One rule with the balances of its people, unless it is deleted.
pub async fn rule_with_balances(db: &Db, id: TransferRuleId) -> Result<Option<RuleWithBalances>, DbError> {
    let Some(row) = rule(db, id).await? else { return Ok(None) };
    let mut known: HashMap<StaffId, Quota> =
        quotas(db, id).await?.into_iter().map(|quota| (quota.staff, quota)).collect();
    let none = |staff| Quota { staff, moved_out: 0, moved_in: 0, last_moved_at: None };
    let mut quotas: Vec<Quota> = Vec::new();
    if let Some(text) = &row.rule.text {
        for staff in text.sources.iter().chain(&text.targets).copied() {
            if quotas.iter().all(|quota| quota.staff != staff) {
                quotas.push(known.remove(&staff).unwrap_or_else(|| none(staff)));
            }
        }
    }
    let mut others: Vec<Quota> = known.into_values().collect();
    others.sort_unstable_by_key(|quota| quota.staff);
    quotas.extend(others);
    Ok(Some(RuleWithBalances { row, quotas }))
}

/// What everybody lost and gained by one rule, by the person's id. Whoever never did is absent.
pub async fn quotas(db: &Db, rule: TransferRuleId) -> Result<Vec<Quota>, DbError> {
    let rows: Vec<(Uuid, i64, i64, DateTime<Utc>)> =
        with_pool!(db, pool => sqlx::query_as(QUOTAS_OF_RULE).bind(rule.0).fetch_all(pool).await)?;
    let read = |(staff, moved_out, moved_in, at)| Quota {
        staff: StaffId(staff),
        moved_out,
        moved_in,
        last_moved_at: Some(at),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// What one person lost and gained by all rules, deleted ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UserStatistics {
    /// The person.
    pub staff: StaffId,
    /// Leads that went out of their hands.
    pub transferred_out: i64,
    /// Leads that came into them.
    pub transferred_in: i64,
}

impl UserStatistics {
    /// Leads moved out minus leads moved in.
    pub fn balance(&self) -> i64 {
        self.transferred_out - self.transferred_in
    }
}

/// What this person lost and gained; zeros for somebody no rule ever touched.
pub async fn user_statistics(db: &Db, staff: StaffId) -> Result<UserStatistics, DbError> {
    let (transferred_out, transferred_in): (i64, i64) =
        with_pool!(db, pool => sqlx::query_as(QUOTA_OF_STAFF).bind(staff.0).fetch_one(pool).await)?;
    Ok(UserStatistics { staff, transferred_out, transferred_in })
}
