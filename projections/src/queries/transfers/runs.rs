//! The runs: what each planned, and what came of it.

use chrono::{DateTime, Utc};
use domain::transfer_rule::run::Trigger;
use domain::{StaffId, TransferRuleId, TransferRunId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::queries::corrupt;

/// Most runs of one answer.
pub const RUNS_MAX: i64 = 200;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, rule, rule_name, revision, triggered, period, plan_hash, seed, started_by, started_at, planned, ",
            "moved, skipped, explanation, completed_at FROM transfer_runs ",
            $rest
        )
    };
}

const RUN: &str = select!("WHERE id = $1");
const RUNS_OF_RULE: &str = select!("WHERE rule = $1 ORDER BY started_at DESC, id DESC LIMIT $2");
const UNFINISHED: &str = "
SELECT id FROM transfer_runs WHERE completed_at IS NULL AND started_at < $1 ORDER BY started_at, id LIMIT $2";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[RUN, RUNS_OF_RULE, UNFINISHED];

/// A run of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransferRunRow {
    /// Its id.
    pub id: TransferRunId,
    /// The rule.
    pub rule: TransferRuleId,
    /// What the rule was called then.
    pub rule_name: String,
    /// Which of its texts it was.
    pub revision: i64,
    /// What began it.
    pub trigger: Trigger,
    /// The period it is the run of.
    pub period: Option<DateTime<Utc>>,
    /// What the plan was made of, in 64 hexadecimal digits.
    pub plan_hash: String,
    /// What its chances were drawn from, in decimal digits.
    pub seed: String,
    /// The person who asked for it; `None` for the schedule.
    pub started_by: Option<StaffId>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Moves that were planned.
    pub planned: i64,
    /// Leads that moved; known when it is over.
    pub moved: i64,
    /// Leads that stayed; known when it is over.
    pub skipped: i64,
    /// Why nothing moved, as a code.
    pub explanation: Option<String>,
    /// When it ended; `None` while it is under way.
    pub completed_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    rule: Uuid,
    rule_name: String,
    revision: i64,
    triggered: String,
    period: Option<DateTime<Utc>>,
    plan_hash: String,
    seed: String,
    started_by: Option<Uuid>,
    started_at: DateTime<Utc>,
    planned: i64,
    moved: i64,
    skipped: i64,
    explanation: Option<String>,
    completed_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> Result<TransferRunRow, DbError> {
        Ok(TransferRunRow {
            id: TransferRunId(self.id),
            rule: TransferRuleId(self.rule),
            rule_name: self.rule_name,
            revision: self.revision,
            trigger: self
                .triggered
                .parse()
                .map_err(|_| corrupt("transfer_runs", self.id, "unknown trigger"))?,
            period: self.period,
            plan_hash: self.plan_hash,
            seed: self.seed,
            started_by: self.started_by.map(StaffId),
            started_at: self.started_at,
            planned: self.planned,
            moved: self.moved,
            skipped: self.skipped,
            explanation: self.explanation,
            completed_at: self.completed_at,
        })
    }
}

/// One run.
pub async fn run(db: &Db, id: TransferRunId) -> Result<Option<TransferRunRow>, DbError> {
    let row: Option<Row> = with_pool!(db, pool => sqlx::query_as(RUN).bind(id.0).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// The runs of a rule, newest first, at most [`RUNS_MAX`].
pub async fn runs_of(db: &Db, rule: TransferRuleId) -> Result<Vec<TransferRunRow>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(RUNS_OF_RULE)
        .bind(rule.0)
        .bind(RUNS_MAX)
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// The runs that began before `since` and are not over, oldest first, at most [`RUNS_MAX`].
pub async fn unfinished(db: &Db, since: DateTime<Utc>) -> Result<Vec<TransferRunId>, DbError> {
    let ids: Vec<Uuid> = with_pool!(db, pool => sqlx::query_scalar(UNFINISHED)
        .bind(since)
        .bind(RUNS_MAX)
        .fetch_all(pool)
        .await)?;
    Ok(ids.into_iter().map(TransferRunId).collect())
}
