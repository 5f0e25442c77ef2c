//! Customers: the list with its filters, and one of them.

use application::access::RowScope;
use chrono::{DateTime, Utc};
use domain::customer::{ContractStatus, Customer, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use domain::{CustomerId, Position, Sequence, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::statement::{Filters, Statement};
use super::{Page, PageRequest, corrupt};
use crate::read_models::customer_list::searchable;
use crate::table::Dialect;

/// Most customers of one page (http-api.md section 2).
pub const PAGE_CUSTOMERS_MAX: u32 = 200;

/// Rows of one page when the caller does not say.
pub const PAGE_CUSTOMERS: u32 = 10;

const BY_ID: &str = "SELECT id, version, position, doc FROM customer_list WHERE id = $1";
const BY_NUMBER: &str = "SELECT id, version, position, doc FROM customer_list WHERE number = $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, BY_NUMBER];

/// A customer as the read model has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CustomerRow {
    /// The customer.
    pub id: CustomerId,
    /// Sequence of its last event: the version for `ETag` and `If-Match`.
    pub version: Sequence,
    /// Position of its last event.
    pub position: Position,
    /// All that is known.
    pub customer: Customer,
}

domain::code_table! {
    /// What a list is ordered by.
    SortBy {
        /// When it was created.
        CreatedAt = "createdAt",
        /// When it last changed.
        UpdatedAt = "updatedAt",
        /// Its name, by code point.
        Name = "name",
        /// Its phone; those without one last.
        Phone = "phone",
    }
}

domain::code_table! {
    /// Smallest or largest first.
    SortOrder {
        /// Smallest first.
        Ascending = "asc",
        /// Largest first.
        Descending = "desc",
    }
}

domain::code_table! {
    /// Whether a lead went from one owner to another 流转状态.
    LeadStatus {
        /// It did.
        Transferred = "已流转",
        /// It did not.
        NotTransferred = "未流转",
    }
}

/// What a list is narrowed to. The default shows everybody but the lost ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomerFilter {
    /// A literal part of name, phone or WeChat id, whatever the case. Lost customers are then shown too.
    pub search: Option<String>,
    /// A literal part of the name.
    pub name: Option<String>,
    /// A literal part of the phone.
    pub phone: Option<String>,
    /// Where it came from.
    pub lead_source: Option<LeadSource>,
    /// What is asked for.
    pub service_category: Option<ServiceCategory>,
    /// How far the contract is; without it and without a search, 流失客户 is hidden.
    pub contract_status: Option<ContractStatus>,
    /// How promising it is.
    pub lead_level: Option<LeadLevel>,
    /// Who owns it.
    pub assigned_to: Option<StaffId>,
    /// Whether it changed hands.
    pub lead_status: Option<LeadStatus>,
    /// Where its owner stands with it, by the rule of [`Customer::follow_up_status`].
    pub follow_up_status: Option<FollowUpStatus>,
    /// A part of a caregiver's name or phone. System A's pages offer it; no lead has a caregiver, there or here.
    pub caregiver: Option<String>,
    /// Created at this instant or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub created_to: Option<DateTime<Utc>>,
    /// Given to its owner at this instant or later.
    pub assigned_from: Option<DateTime<Utc>>,
    /// Given to its owner at this instant or earlier.
    pub assigned_to_time: Option<DateTime<Utc>>,
    /// What the list is ordered by; the day of creation when not said.
    pub sort_by: Option<SortBy>,
    /// Largest first when not said.
    pub sort_order: Option<SortOrder>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    position: i64,
    doc: String,
}

impl Row {
    fn read(self) -> Result<CustomerRow, DbError> {
        let customer = serde_json::from_str(&self.doc)
            .map_err(|_| corrupt("customer_list", self.id, "the document cannot be read"))?;
        let Self { id, version, position, .. } = self;
        Ok(CustomerRow { id: CustomerId(id), version, position, customer })
    }
}

/// One page of customers, and how many there are.
pub async fn list(
    db: &Db,
    filter: &CustomerFilter,
    scope: RowScope,
    page: PageRequest,
) -> Result<Page<CustomerRow>, DbError> {
    let [rows, count] = statements(Dialect::of(db), filter, scope, page);
    let rows: Vec<Row> = rows.fetch(db).await?;
    let total = count.count(db).await?;
    let items = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    Ok(page.holds(items, total))
}

/// One customer, whoever may see it.
pub async fn by_id(db: &Db, id: CustomerId) -> Result<Option<CustomerRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// The customer with this number (`CUS` and 11 digits), whoever may see it.
pub async fn by_number(db: &Db, number: &str) -> Result<Option<CustomerRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_NUMBER).bind(number).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// The statements of a list: its rows, and their number.
pub(crate) fn statements(
    dialect: Dialect,
    filter: &CustomerFilter,
    scope: RowScope,
    page: PageRequest,
) -> [Statement; 2] {
    let mut filters = Filters::new(dialect);
    narrow(&mut filters, filter);
    restrict(&mut filters, scope);
    let mut rows = Query::select();
    rows.columns(["id", "version", "position", "doc"]).from("customer_list").cond_where(filters.condition());
    order(&mut rows, filter);
    rows.limit(u64::from(page.limit)).offset(page.offset());
    let mut count = Query::select();
    count
        .expr(Func::count(Expr::col(sea_query::Asterisk)))
        .from("customer_list")
        .cond_where(filters.condition());
    [Statement::of(dialect, &rows), Statement::of(dialect, &count)]
}

fn narrow(filters: &mut Filters, filter: &CustomerFilter) {
    let search = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    if let Some(search) = search {
        filters.contains("search", &searchable(search));
    }
    for (column, part) in [("name", &filter.name), ("phone", &filter.phone)] {
        if let Some(part) = part.as_deref().map(str::trim).filter(|part| !part.is_empty()) {
            filters.contains(column, part);
        }
    }
    filters.text("lead_source", filter.lead_source.map(LeadSource::as_str));
    filters.text("service_category", filter.service_category.map(ServiceCategory::as_str));
    filters.text("lead_level", filter.lead_level.map(LeadLevel::as_str));
    match (filter.contract_status, search) {
        (Some(status), _) => filters.text("contract_status", Some(status.as_str())),
        (None, Some(_)) => {}
        (None, None) => {
            filters.add(is_not("contract_status", ContractStatus::Lost.as_str()));
        }
    }
    filters.id("owner", filter.assigned_to.map(|staff| staff.0));
    match filter.lead_status {
        Some(LeadStatus::Transferred) => filters.add(Expr::col("transfer_count").gt(0_i64)),
        Some(LeadStatus::NotTransferred) => filters.add(Expr::col("transfer_count").eq(0_i64)),
        None => {}
    }
    if let Some(status) = filter.follow_up_status {
        follow_up(filters, status);
    }
    if filter.caregiver.is_some() {
        filters.add(nothing());
    }
    filters.between("created_at", filter.created_from, filter.created_to);
    filters.between("assigned_at", filter.assigned_from, filter.assigned_to_time);
}

fn follow_up(filters: &mut Filters, status: FollowUpStatus) {
    filters.add(is_not("contract_status", ContractStatus::Signed.as_str()));
    filters.add(is_not("lead_level", LeadLevel::O.as_str()));
    filters.add(match status {
        FollowUpStatus::NewUntouched => Expr::col("transfer_count").eq(0_i64),
        FollowUpStatus::TransferredUntouched => Expr::col("transfer_count").gt(0_i64),
        FollowUpStatus::FollowedUp => nothing(),
    });
}

/// The column holds another text, or none.
fn is_not(column: &'static str, unwanted: &str) -> Expr {
    Expr::col(column).ne(unwanted).or(Expr::col(column).is_null())
}

/// What no row fulfils.
fn nothing() -> Expr {
    Expr::col("id").is_null()
}

fn restrict(filters: &mut Filters, scope: RowScope) {
    match scope {
        RowScope::All => {}
        RowScope::OwnedBy(staff) => filters.id("owner", Some(staff.0)),
        RowScope::OwnedOrCreatedBy(staff) => {
            let owned = Expr::col("owner").eq(filters.uuid(staff.0));
            let created = Expr::col("created_by").eq(filters.uuid(staff.0));
            filters.add(owned.or(created));
        }
    }
}

fn order(rows: &mut SelectStatement, filter: &CustomerFilter) {
    let column = match filter.sort_by.unwrap_or(SortBy::CreatedAt) {
        SortBy::CreatedAt => "created_at",
        SortBy::UpdatedAt => "updated_at",
        SortBy::Name => "name",
        SortBy::Phone => "phone",
    };
    let direction = match filter.sort_order.unwrap_or(SortOrder::Descending) {
        SortOrder::Ascending => Order::Asc,
        SortOrder::Descending => Order::Desc,
    };
    if column == "phone" {
        // The databases disagree on where a missing value belongs.
        rows.order_by_expr(Expr::col(column).is_null(), Order::Asc);
    }
    rows.order_by(column, direction.clone()).order_by("id", direction);
}
