//! Recycle rules, and the leads they are about.
//!
//! When a lead falls is never stored: it is asked of [`RecyclePolicy::pool_due`] with what the rows say. The roster
//! shows in one pass which leads cannot be meant; the rows of the others are read and asked exactly.

mod runs;

use std::time::Duration;

use application::bus::LoadError;
use application::recycling::{Falling, Leads, Reminder, Warning};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::Customer;
use domain::recycle_rule::{DueFacts, PoolDue, RecyclePolicy, RecycleRule};
use domain::{CustomerId, RecycleRuleId, RecycleRunId, Sequence};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sqlx::FromRow;
use uuid::Uuid;

use super::corrupt;
use super::customers::rows_by_id;
use super::roster::Entry;
use crate::{Projections, ReadModel};

pub use crate::read_models::RunRule;
#[cfg(test)]
pub(crate) use runs::STATEMENTS as RUN_STATEMENTS;
pub use runs::{RUNS_PAGE_MAX, RecycleRunRow, runs};

/// Rows read by one statement.
const ROWS_AT_ONCE: usize = 500;

/// How long a plan waits for the list of leads to be as far as the log. Beyond that it is made on what the list says:
/// each lead is asked again in its append.
const LIST_PATIENCE: Duration = Duration::from_secs(2);

const RULES: &str = "SELECT id, version, doc FROM recycle_rules ORDER BY id";

const REMINDERS: &str = "
SELECT due.id, due.due_at
  FROM next_follow_ups AS due JOIN customer_list AS lead ON lead.id = due.id
 WHERE due.open AND due.due_at > $1 AND due.due_at <= $2 AND lead.owner IS NOT NULL AND NOT lead.deleted
 ORDER BY due.due_at, due.id LIMIT $3";

/// Most unfinished runs of one answer: the oldest; the next hour finds the others.
const UNFINISHED_MAX: i64 = 100;

const UNFINISHED: &str = "SELECT id FROM open_recycle_runs WHERE open ORDER BY period, id LIMIT $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[RULES, REMINDERS, UNFINISHED];

/// A recycle rule as the read model has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecycleRuleRow {
    /// The rule.
    pub id: RecycleRuleId,
    /// Sequence of its last event.
    pub version: Sequence,
    /// All of it.
    pub rule: RecycleRule,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    doc: String,
}

/// Every rule that was written, deleted ones too.
async fn all_rules(db: &Db) -> Result<Vec<RecycleRuleRow>, DbError> {
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(RULES).fetch_all(pool).await)?;
    let read = |row: Row| {
        let rule = serde_json::from_str(&row.doc)
            .map_err(|_| corrupt("recycle_rules", row.id, "the document cannot be read"))?;
        Ok(RecycleRuleRow { id: RecycleRuleId(row.id), version: row.version, rule })
    };
    rows.into_iter().map(read).collect()
}

/// The rules that are there, in the order in which they are asked.
pub async fn rules(db: &Db) -> Result<Vec<RecycleRuleRow>, DbError> {
    let mut rows = all_rules(db).await?;
    rows.retain(|row| row.rule.exists());
    rows.sort_by_key(|row| (row.rule.text.as_ref().map(|text| text.priority), row.rule.created_at, row.id));
    Ok(rows)
}

/// The rules that count, for what customer rows show of them.
pub async fn policy(db: &Db) -> Result<RecyclePolicy, DbError> {
    let rows = all_rules(db).await?;
    Ok(RecyclePolicy::of(rows.iter().map(|row| (row.id, &row.rule))))
}

/// What the read models say, for `application::recycling`.
#[derive(Debug, Clone)]
pub struct RecyclingLeads(pub Projections);

/// When the lead falls at the earliest: a person who gave it away only puts it off, perhaps until another rule decides, and
/// so does whatever happened to it since it was due.
fn earliest(policy: &RecyclePolicy, lead: &Entry) -> Option<PoolDue> {
    let owned_since = lead.assigned_at.filter(|_| lead.owner.is_some())?;
    policy.pool_due(&DueFacts {
        owned_since: Some(owned_since),
        given_by_person: false,
        last_follow_up_at: lead.last_follow_up_at,
        status: lead.contract_status,
        level: lead.lead_level,
        source: lead.lead_source,
        frozen: lead.frozen,
        changed_at: None,
    })
}

impl RecyclingLeads {
    /// What `judge` says of the leads that `may_be` does not rule out, by the moment they fall, at most `limit`.
    async fn judged<T>(
        &self,
        policy: &RecyclePolicy,
        limit: usize,
        may_be: impl Fn(&PoolDue) -> bool,
        judge: impl Fn(CustomerId, &Customer, PoolDue) -> Option<T>,
    ) -> Result<Vec<T>, DbError> {
        let mut candidates: Vec<(DateTime<Utc>, Uuid)> = {
            let leads = self.0.roster().read().await?;
            let due = |lead: &Entry| earliest(policy, lead).filter(&may_be).map(|due| (due.at, lead.id));
            leads.all().iter().filter_map(due).collect()
        };
        candidates.sort_unstable();
        let mut found = Vec::new();
        for page in candidates.chunks(ROWS_AT_ONCE) {
            // Nobody from here on falls before the first of them may: whoever was found until then comes before.
            let comes_before = |(at, lead, _): &&(_, CustomerId, T)| page.first() > Some(&(*at, lead.0));
            if found.iter().filter(comes_before).count() >= limit {
                break;
            }
            let ids: Vec<Uuid> = page.iter().map(|(_, id)| *id).collect();
            for row in rows_by_id(self.0.log.db(), &ids).await?.into_values() {
                let due = policy.pool_due(&DueFacts::from(&row.customer));
                let judged = due.and_then(|due| Some((due.at, row.id, judge(row.id, &row.customer, due)?)));
                found.extend(judged);
            }
        }
        found.sort_unstable_by_key(|(at, customer, _)| (*at, *customer));
        found.truncate(limit);
        Ok(found.into_iter().map(|(.., judged)| judged).collect())
    }
}

/// How long before a fall the first warning of any rule is told.
fn first_warning(policy: &RecyclePolicy) -> Option<TimeDelta> {
    let hours = policy.terms().iter().flat_map(|term| term.text.warn_before_hours.iter().copied()).max()?;
    Some(TimeDelta::hours(hours.into()))
}

fn failed(error: &DbError) -> LoadError {
    LoadError::Unavailable(error.to_string())
}

async fn open_runs(db: &Db) -> Result<Vec<Uuid>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_scalar(UNFINISHED).bind(UNFINISHED_MAX).fetch_all(pool).await)?)
}

async fn due_between(
    db: &Db,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>)>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(REMINDERS)
        .bind(from)
        .bind(until)
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}

#[async_trait]
impl Leads for RecyclingLeads {
    async fn rules(&self) -> Result<Vec<RecycleRuleId>, LoadError> {
        let rows = all_rules(self.0.log.db()).await.map_err(|error| failed(&error))?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    async fn falling(
        &self,
        policy: &RecyclePolicy,
        by: Option<RecycleRuleId>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Falling>, LoadError> {
        let may_be = |due: &PoolDue| due.at <= until;
        let falls = |due: &PoolDue| may_be(due) && by.is_none_or(|rule| rule == due.rule);
        let judge = |customer, state: &Customer, due: PoolDue| {
            let owner = state.owner().filter(|_| falls(&due))?;
            Some(Falling { customer, owner, due })
        };
        self.judged(policy, limit, may_be, judge).await.map_err(|error| failed(&error))
    }

    async fn caught_up(&self) -> Result<(), LoadError> {
        let head = self.0.log.head().await.map_err(|error| failed(&error))?;
        let list = ReadModel::CustomerList.name();
        if !self.0.progress().wait_for(list, head, LIST_PATIENCE).await {
            tracing::warn!(
                consumer = list,
                log.head = head,
                "{list} is behind the log; leads are planned as it has them"
            );
        }
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<RecycleRunId>, LoadError> {
        let ids = open_runs(self.0.log.db()).await.map_err(|error| failed(&error))?;
        Ok(ids.into_iter().map(RecycleRunId).collect())
    }

    async fn warnings(
        &self,
        policy: &RecyclePolicy,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Warning>, LoadError> {
        let first = first_warning(policy);
        let may_be = |due: &PoolDue| first.is_some_and(|before| due.at - at <= before);
        let judge = |customer, state: &Customer, due: PoolDue| {
            let offset_hours = policy.warning(&due, at)?;
            let told = state.recycle_warnings.get(&offset_hours) == Some(&due.at);
            (!told).then_some(Warning { customer, due, offset_hours })
        };
        self.judged(policy, limit, may_be, judge).await.map_err(|error| failed(&error))
    }

    async fn reminders(
        &self,
        from: DateTime<Utc>,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Reminder>, LoadError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = due_between(self.0.log.db(), from, at, limit).await.map_err(|error| failed(&error))?;
        Ok(rows.into_iter().map(|(id, due)| Reminder { customer: CustomerId(id), due }).collect())
    }
}
