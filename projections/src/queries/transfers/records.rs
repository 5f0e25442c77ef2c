//! The records: which lead went from whom to whom by which rule, or why it stayed.

use chrono::{DateTime, Utc};
use domain::customer::ContractStatus;
use domain::{CustomerId, StaffId, TransferRuleId, TransferRunId};
use infrastructure::db::{Db, DbError};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::RecordStatus;
use crate::queries::statement::{Filters, Statement};
use crate::queries::{Page, PageRequest, corrupt};
use crate::table::Dialect;

/// Most records of one page.
pub const PAGE_RECORDS_MAX: u32 = 200;

/// What the list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordFilter {
    /// Of this rule.
    pub rule: Option<TransferRuleId>,
    /// Of this run.
    pub run: Option<TransferRunId>,
    /// Of this lead.
    pub customer: Option<CustomerId>,
    /// Out of this person's hands.
    pub from: Option<StaffId>,
    /// Into this person's hands.
    pub to: Option<StaffId>,
    /// With this outcome.
    pub status: Option<RecordStatus>,
    /// At this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// At this moment or earlier.
    pub until: Option<DateTime<Utc>>,
    /// Only rows where this person is the one who lost or the one who gained: for roles that see only their own.
    pub reader: Option<StaffId>,
}

/// What a lead was like when its move was planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Its number.
    pub customer_number: String,
    /// Its name.
    pub customer_name: String,
    /// How far the contract was.
    pub contract_status: Option<ContractStatus>,
    /// For how many whole hours nobody had done anything for it.
    pub inactive_hours: i64,
    /// When anybody last had.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A lead that fitted, what was planned for it, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransferRecord {
    /// Its id: the id of the move's command.
    pub id: Uuid,
    /// The run.
    pub run: TransferRunId,
    /// The rule.
    pub rule: TransferRuleId,
    /// What the rule was called then.
    pub rule_name: String,
    /// The lead.
    pub customer: CustomerId,
    /// Who had it.
    pub from: StaffId,
    /// Who was to get it; `None` when nobody was.
    pub to: Option<StaffId>,
    /// What came of it.
    pub status: RecordStatus,
    /// Why it stayed, as a code; `application::transfers::SkipReason::texts` has the words.
    pub reason: Option<String>,
    /// When it moved; of one that stayed, when the run ended; of one that waits, when it was planned.
    pub at: DateTime<Utc>,
    /// The lead as it was.
    pub snapshot: Snapshot,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    run: Uuid,
    rule: Uuid,
    rule_name: String,
    customer: Uuid,
    from_user: Uuid,
    meant_for: Option<Uuid>,
    status: String,
    reason: Option<String>,
    at: DateTime<Utc>,
    number: String,
    name: String,
    contract_status: Option<String>,
    inactive_hours: i64,
    last_activity_at: Option<DateTime<Utc>>,
    lead_created_at: DateTime<Utc>,
}

const COLUMNS: [&str; 16] = [
    "id",
    "run",
    "rule",
    "rule_name",
    "customer",
    "from_user",
    "meant_for",
    "status",
    "reason",
    "at",
    "number",
    "name",
    "contract_status",
    "inactive_hours",
    "last_activity_at",
    "lead_created_at",
];

impl Row {
    fn read(self) -> Result<TransferRecord, DbError> {
        let unknown = |_| corrupt("transfer_records", self.id, "unknown code");
        let contract_status = self.contract_status.as_deref().map(str::parse).transpose().map_err(unknown)?;
        Ok(TransferRecord {
            id: self.id,
            run: TransferRunId(self.run),
            rule: TransferRuleId(self.rule),
            rule_name: self.rule_name,
            customer: CustomerId(self.customer),
            from: StaffId(self.from_user),
            to: self.meant_for.map(StaffId),
            status: self
                .status
                .parse()
                .map_err(|_| corrupt("transfer_records", self.id, "unknown status"))?,
            reason: self.reason,
            at: self.at,
            snapshot: Snapshot {
                customer_number: self.number,
                customer_name: self.name,
                contract_status,
                inactive_hours: self.inactive_hours,
                last_activity_at: self.last_activity_at,
                created_at: self.lead_created_at,
            },
        })
    }
}

fn narrowed(dialect: Dialect, filter: &RecordFilter) -> SelectStatement {
    let mut filters = Filters::new(dialect);
    filters.id("rule", filter.rule.map(|id| id.0));
    filters.id("run", filter.run.map(|id| id.0));
    filters.id("customer", filter.customer.map(|id| id.0));
    filters.id("from_user", filter.from.map(|id| id.0));
    filters.id("meant_for", filter.to.map(|id| id.0));
    filters.text("status", filter.status.map(RecordStatus::as_str));
    filters.between("at", filter.since, filter.until);
    if let Some(reader) = filter.reader {
        let lost = Expr::col("from_user").eq(filters.uuid(reader.0));
        let gained = Expr::col("meant_for").eq(filters.uuid(reader.0));
        filters.add(lost.or(gained));
    }
    Query::select().from("transfer_records").cond_where(filters.condition()).to_owned()
}

pub(crate) fn statement(dialect: Dialect, filter: &RecordFilter, page: PageRequest) -> Statement {
    let mut select = narrowed(dialect, filter);
    select.columns(COLUMNS).order_by("at", Order::Desc).order_by("id", Order::Desc);
    select.limit(u64::from(page.limit)).offset(page.offset());
    Statement::of(dialect, &select)
}

pub(crate) fn count_statement(dialect: Dialect, filter: &RecordFilter) -> Statement {
    let mut select = narrowed(dialect, filter);
    select.expr(Expr::col("id").count());
    Statement::of(dialect, &select)
}

pub(crate) fn statistics_statement(dialect: Dialect, filter: &RecordFilter) -> Statement {
    let mut select = narrowed(dialect, filter);
    select.column("status").expr_as(Expr::col("id").count(), Alias::new("number")).group_by_col("status");
    Statement::of(dialect, &select)
}

/// One page of the records, newest first.
pub async fn records(
    db: &Db,
    filter: &RecordFilter,
    page: PageRequest,
) -> Result<Page<TransferRecord>, DbError> {
    let dialect = Dialect::of(db);
    let total = count_statement(dialect, filter).count(db).await?;
    let rows: Vec<Row> = statement(dialect, filter, page).fetch(db).await?;
    Ok(page.holds(rows.into_iter().map(Row::read).collect::<Result<_, _>>()?, total))
}

/// How many leads that fitted came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TransferStatistics {
    /// Leads that moved.
    pub success: i64,
    /// Leads that stayed: touched before they could be moved, or nobody was to get them.
    pub failed: i64,
    /// Leads of runs under way; not in [`total`](Self::total).
    pub planned: i64,
}

impl TransferStatistics {
    /// Moves that came to an end.
    pub fn total(&self) -> i64 {
        self.success + self.failed
    }

    /// How many of a hundred moved, with two digits, as system A writes it: `99.50`; `0.00` when there are none.
    pub fn success_rate(&self) -> String {
        let hundredths = (self.success * 10_000 + self.total() / 2).checked_div(self.total()).unwrap_or(0);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// Counts the records of a filter.
pub async fn statistics(db: &Db, filter: &RecordFilter) -> Result<TransferStatistics, DbError> {
    let rows: Vec<(String, i64)> = statistics_statement(Dialect::of(db), filter).fetch(db).await?;
    let mut counted = TransferStatistics::default();
    for (status, number) in rows {
        match status.parse().map_err(|_| corrupt("transfer_records", &status, "unknown status"))? {
            RecordStatus::Success => counted.success = number,
            RecordStatus::Failed => counted.failed = number,
            RecordStatus::Planned => counted.planned = number,
        }
    }
    Ok(counted)
}
