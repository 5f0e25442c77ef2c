//! The list and its filters.

use chrono::{DateTime, Utc};
use domain::StaffId;
use infrastructure::db::{Db, DbError};
use sea_query::{Expr, ExprTrait, Func, Order, Query};

use super::super::statement::{Filters, Statement};
use super::super::{Page, PageRequest};
use super::row::{COLUMNS, Notice, NoticeStatus, Row};
use crate::table::Dialect;

/// What the list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoticeFilter {
    /// Its type.
    pub scene: Option<String>,
    /// Whether it was read.
    pub status: Option<NoticeStatus>,
    /// Created at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
    /// Those put aside, instead of those that are not.
    pub archived: bool,
    /// Those put off, instead of those that are not.
    pub snoozed: bool,
}

/// One page of a reader's notices as they are at an instant, newest first.
pub async fn list(
    db: &Db,
    reader: StaffId,
    filter: &NoticeFilter,
    page: PageRequest,
    now: DateTime<Utc>,
) -> Result<Page<Notice>, DbError> {
    let [rows, count] = statements(Dialect::of(db), reader, filter, page, now);
    let rows: Vec<Row> = rows.fetch(db).await?;
    let total = count.count(db).await?;
    let items = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    Ok(page.holds(items, total))
}

pub(crate) fn statements(
    dialect: Dialect,
    reader: StaffId,
    filter: &NoticeFilter,
    page: PageRequest,
    now: DateTime<Utc>,
) -> [Statement; 2] {
    let mut filters = Filters::new(dialect);
    filters.id("recipient", Some(reader.0));
    filters.text("scene", filter.scene.as_deref());
    filters.text("status", filter.status.map(NoticeStatus::as_str));
    filters.between("created_at", filter.from, filter.to);
    let archived = Expr::col("archived_at");
    filters.add(if filter.archived { archived.is_not_null() } else { archived.is_null() });
    let now = filters.time(now);
    let snoozed = Expr::col("snoozed_until");
    match (filter.snoozed, filter.archived) {
        (true, _) => filters.add(snoozed.gt(now)),
        (false, true) => {} // whatever is put aside
        (false, false) => filters.add(snoozed.clone().is_null().or(snoozed.lte(now))),
    }
    let mut rows = Query::select();
    rows.columns(COLUMNS).from("inbox").cond_where(filters.condition());
    rows.order_by("seq", Order::Desc).limit(u64::from(page.limit)).offset(page.offset());
    let mut count = Query::select();
    count.expr(Func::count(Expr::col(sea_query::Asterisk))).from("inbox").cond_where(filters.condition());
    [Statement::of(dialect, &rows), Statement::of(dialect, &count)]
}
