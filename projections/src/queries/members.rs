//! The members: one of them, a page of them; how many came from where is [`statistics`].

pub mod statistics;

use application::intake::worker::{KnownMembers, Outage};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::member::{Member, SourceKey};
use domain::{MemberId, Position, Sequence};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::statement::{Filters, Statement};
use super::{Page, PageRequest, corrupt};
use crate::table::Dialect;

/// Most members of one page.
pub const PAGE_MEMBERS_MAX: u32 = 100;

/// Members of one page when the caller does not say.
pub const PAGE_MEMBERS: u32 = 20;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, version, position, doc FROM members ", $rest)
    };
}

const BY_ID: &str = select!("WHERE id = $1 AND NOT deleted");

/// Numbers of captured members may stand twice: then it is the one that registered last.
const BY_NUMBER: &str =
    select!("WHERE member_no = $1 AND NOT deleted ORDER BY registered_at DESC, id DESC LIMIT 1");

/// Only members that came out of rows are counted under the name of a source.
const OF_SOURCE: &str = select!("WHERE source = $1 AND id > $2 AND NOT deleted ORDER BY id LIMIT $3");

/// Members of one page of [`CapturedMembers`].
const CAPTURED_PAGE: i64 = 500;

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, BY_NUMBER, OF_SOURCE];

/// A member as the read model has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberRow {
    /// The member.
    pub id: MemberId,
    /// Sequence of the last event.
    pub version: Sequence,
    /// Position of the last event.
    pub position: Position,
    /// All that is known.
    pub member: Member,
}

/// Which members are wanted; all of it must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberFilter {
    /// Literal part of the number or the nickname; of the phone or the WeChat id too where
    /// [`by_contact`](Self::by_contact) allows it.
    pub search: Option<String>,
    /// Whether a search looks at phones and WeChat ids: whoever sees neither could find both out, digit by digit.
    pub by_contact: bool,
    /// The status, as its code.
    pub status: Option<String>,
    /// The type, as its code.
    pub kind: Option<String>,
    /// The gender, as its code.
    pub gender: Option<String>,
    /// The education, as its code.
    pub education: Option<String>,
    /// The province.
    pub province: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// By which way it came.
    pub source: Option<String>,
    /// Registered then or later.
    pub from: Option<DateTime<Utc>>,
    /// Registered then or earlier.
    pub to: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    position: i64,
    doc: String,
}

impl Row {
    fn read(self) -> Result<MemberRow, DbError> {
        let member = serde_json::from_str(&self.doc)
            .map_err(|_| corrupt("members", self.id, "the document cannot be read"))?;
        let Self { id, version, position, .. } = self;
        Ok(MemberRow { id: MemberId(id), version, position, member })
    }
}

/// One member that is there.
pub async fn by_id(db: &Db, id: MemberId) -> Result<Option<MemberRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// The member with this number, written as it stands in the member's row.
pub async fn by_number(db: &Db, number: &str) -> Result<Option<MemberRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_NUMBER).bind(number).fetch_optional(pool).await)?;
    row.map(Row::read).transpose()
}

/// One page of the members, the last registered first.
pub async fn page(db: &Db, filter: &MemberFilter, page: PageRequest) -> Result<Page<MemberRow>, DbError> {
    let [rows, count] = page_statements(Dialect::of(db), filter, page);
    let total = count.count(db).await?;
    let rows: Vec<Row> = rows.fetch(db).await?;
    let rows = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    Ok(page.holds(rows, total))
}

/// The columns in which a search looks, and those that it looks in besides when contacts may be searched.
const SEARCHED: [&str; 2] = ["member_no", "nickname"];
const SEARCHED_WITH_CONTACT: [&str; 4] = ["member_no", "nickname", "phone", "wechat"];

pub(crate) fn page_statements(dialect: Dialect, filter: &MemberFilter, page: PageRequest) -> [Statement; 2] {
    let mut filters = Filters::new(dialect);
    filters.add(Expr::col("deleted").not());
    let search = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    if let Some(search) = search {
        let columns: &[&'static str] = if filter.by_contact { &SEARCHED_WITH_CONTACT } else { &SEARCHED };
        filters.contains_any(columns, search);
    }
    for (column, wanted) in [
        ("status", &filter.status),
        ("kind", &filter.kind),
        ("gender", &filter.gender),
        ("education", &filter.education),
        ("province", &filter.province),
        ("city", &filter.city),
        ("source", &filter.source),
    ] {
        filters.text(column, wanted.as_deref());
    }
    filters.between("registered_at", filter.from, filter.to);
    let select = |query: &mut SelectStatement| {
        query.from("members").cond_where(filters.condition());
    };
    let mut rows = Query::select();
    rows.columns(["id", "version", "position", "doc"]);
    select(&mut rows);
    rows.order_by("registered_at", Order::Desc).order_by("id", Order::Desc);
    rows.limit(u64::from(page.limit)).offset(page.offset());
    let mut count = Query::select();
    count.expr(Func::count(Expr::col(sea_query::Asterisk)));
    select(&mut count);
    [Statement::of(dialect, &rows), Statement::of(dialect, &count)]
}

/// The members that came out of rows, for whoever compares them with their source.
#[derive(Debug, Clone)]
pub struct CapturedMembers {
    db: Db,
}

impl CapturedMembers {
    /// Of this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl KnownMembers for CapturedMembers {
    async fn page(
        &self,
        source: &str,
        after: Option<MemberId>,
    ) -> Result<Vec<(MemberId, SourceKey)>, Outage> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Result<Vec<Row>, _> = with_pool!(&self.db, pool => sqlx::query_as(OF_SOURCE)
            .bind(source).bind(after).bind(CAPTURED_PAGE).fetch_all(pool).await);
        let rows = rows.map_err(|error| Outage::Store(error.to_string()))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row.read().map_err(|error| Outage::Store(error.to_string()))?;
            let registered = row.member.registered;
            let key = registered.as_ref().and_then(|registered| registered.source.row()).cloned();
            found.extend(key.map(|key| (row.id, key)));
        }
        Ok(found)
    }
}
