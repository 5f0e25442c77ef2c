//! The staff: one of them, some of them, those who may be given leads.

use domain::staff::{Role, Staff};
use domain::{Position, Sequence, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::statement::{Filters, Statement};
use super::{Page, PageRequest, corrupt};
use crate::table::{Dialect, ids_as_json};

/// Most members of staff in one answer. An agency has hundreds.
pub const STAFF_MAX: i64 = 2000;

/// Most members of staff of one page (http-api.md section 3).
pub const PAGE_STAFF_MAX: u32 = 100;

/// Rows of one page when the caller does not say.
pub const PAGE_STAFF: u32 = 10;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, version, position, doc FROM staff_directory ", $rest)
    };
}

const BY_ID: &str = select!("WHERE id = $1");
const BY_USERNAME: &str = select!("WHERE username = $1");
const ALL: &str = select!("ORDER BY name, id LIMIT $1");
const ASSIGNABLE: &str = select!("WHERE active ORDER BY name, id LIMIT $1");
const BY_IDS_POSTGRES: &str = select!("WHERE id = ANY($1::uuid[])");
const BY_IDS_SQLITE: &str = select!("WHERE id IN (SELECT unhex(value) FROM json_each($1))");

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, BY_USERNAME, ALL, ASSIGNABLE];
#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[BY_IDS_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[BY_IDS_SQLITE];

/// A member of staff as the read model has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StaffRow {
    /// The person.
    pub id: StaffId,
    /// Sequence of the last event.
    pub version: Sequence,
    /// Position of the last event.
    pub position: Position,
    /// All that is known: account, whether it is cut off, openids.
    pub staff: Staff,
}

impl StaffRow {
    /// The name on screens.
    pub fn name(&self) -> &str {
        self.staff.account.as_ref().map_or("", |account| account.name.as_str())
    }

    /// The login name.
    pub fn username(&self) -> &str {
        self.staff.account.as_ref().map_or("", |account| account.username.as_str())
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    position: i64,
    doc: String,
}

impl Row {
    fn read(self) -> Result<StaffRow, DbError> {
        let staff = serde_json::from_str(&self.doc)
            .map_err(|_| corrupt("staff_directory", self.id, "the document cannot be read"))?;
        let Self { id, version, position, .. } = self;
        Ok(StaffRow { id: StaffId(id), version, position, staff })
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<StaffRow>, DbError> {
    rows.into_iter().map(Row::read).collect()
}

/// One member of staff.
pub async fn by_id(db: &Db, id: StaffId) -> Result<Option<StaffRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// The member of staff with this login name, in the form of [`domain::staff::normalise_username`].
pub async fn by_username(db: &Db, username: &str) -> Result<Option<StaffRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_USERNAME).bind(username).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// Those of the ids that exist, in no particular order.
pub async fn by_ids(db: &Db, ids: &[StaffId]) -> Result<Vec<StaffRow>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<Row> = match db {
        Db::Postgres(pool) => sqlx::query_as(BY_IDS_POSTGRES).bind(ids).fetch_all(pool).await?,
        Db::Sqlite(sqlite) => {
            sqlx::query_as(BY_IDS_SQLITE).bind(ids_as_json(&ids)).fetch_all(sqlite.reader()).await?
        }
    };
    read_all(rows)
}

/// Everybody, by name, at most [`STAFF_MAX`].
pub async fn all(db: &Db) -> Result<Vec<StaffRow>, DbError> {
    read_all(with_pool!(db, pool => sqlx::query_as(ALL).bind(STAFF_MAX).fetch_all(pool).await)?)
}

/// Those who may be given leads, by name: every active person of the six roles.
pub async fn assignable(db: &Db) -> Result<Vec<StaffRow>, DbError> {
    read_all(with_pool!(db, pool => sqlx::query_as(ASSIGNABLE).bind(STAFF_MAX).fetch_all(pool).await)?)
}

/// Which members of staff are wanted; all of it must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StaffFilter {
    /// Literal part of login name, name, phone or department.
    pub search: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Whether the account works.
    pub active: Option<bool>,
}

/// One page of the staff, by name.
pub async fn page(db: &Db, filter: &StaffFilter, page: PageRequest) -> Result<Page<StaffRow>, DbError> {
    let [rows, count] = page_statements(Dialect::of(db), filter, page);
    let total = count.count(db).await?;
    let rows: Vec<Row> = rows.fetch(db).await?;
    Ok(page.holds(read_all(rows)?, total))
}

/// The columns in which a search looks.
const SEARCHED: [&str; 4] = ["username", "name", "phone", "department"];

pub(crate) fn page_statements(dialect: Dialect, filter: &StaffFilter, page: PageRequest) -> [Statement; 2] {
    let mut filters = Filters::new(dialect);
    let search = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    if let Some(search) = search {
        filters.contains_any(&SEARCHED, search);
    }
    filters.text("role", filter.role.map(Role::as_str));
    if let Some(active) = filter.active {
        let column = Expr::col("active");
        filters.add(if active { column } else { column.not() });
    }
    let select = |query: &mut SelectStatement| {
        query.from("staff_directory").cond_where(filters.condition());
    };
    let mut rows = Query::select();
    rows.columns(["id", "version", "position", "doc"]);
    select(&mut rows);
    rows.order_by("name", Order::Asc).order_by("id", Order::Asc);
    rows.limit(u64::from(page.limit)).offset(page.offset());
    let mut count = Query::select();
    count.expr(Func::count(Expr::col(sea_query::Asterisk)));
    select(&mut count);
    [Statement::of(dialect, &rows), Statement::of(dialect, &count)]
}
