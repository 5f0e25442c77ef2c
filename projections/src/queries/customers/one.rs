//! Rows of customers from the table: one by its id, number or phone, or those of a page.

use std::collections::HashMap;

use application::access::RowScope;
use domain::contact::Phone;
use domain::{CustomerId, Position};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::super::corrupt;
use super::super::roster::{Leads, Roster};
use super::{CustomerCursor, CustomerRow};
use crate::read_models::customer_list::TABLE;
use crate::table::{Dialect, Target, ids_as_json};

/// How often a page is picked anew because a row of it has changed between the roster and the table.
const PICKS_MAX: u32 = 3;

const BY_ID: &str = "SELECT id, version, position, doc FROM customer_list WHERE id = $1 AND NOT deleted";
const BY_NUMBER: &str =
    "SELECT id, version, position, doc FROM customer_list WHERE number = $1 AND NOT deleted";
const BY_PHONE: &str = "
SELECT id, version, position, doc FROM customer_list
 WHERE phone = $1 AND NOT deleted ORDER BY created_at DESC, id LIMIT 1";
const STREAM_OF_NUMBER: &str = "SELECT id FROM customer_list WHERE number = $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_ID, BY_NUMBER, BY_PHONE, STREAM_OF_NUMBER];

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

/// The customer that ever had this number, deleted ones too: for those who read streams.
pub async fn stream_of_number(db: &Db, number: &str) -> Result<Option<CustomerId>, DbError> {
    let id: Option<Uuid> = with_pool!(db, pool => sqlx::query_scalar(STREAM_OF_NUMBER)
        .bind(number)
        .fetch_optional(pool)
        .await)?;
    Ok(id.map(CustomerId))
}

/// The customer with this phone, if the scope holds it.
pub async fn by_phone(db: &Db, phone: &Phone, scope: RowScope) -> Result<Option<CustomerRow>, DbError> {
    let row: Option<Row> =
        with_pool!(db, pool => sqlx::query_as(BY_PHONE).bind(phone.as_str()).fetch_optional(pool).await)?;
    let row = row.map(Row::read).transpose()?;
    Ok(row.filter(|row| scope.contains(&row.customer)))
}

/// The address of the customer with this phone, if the scope holds it and it has one.
pub async fn address_by_phone(db: &Db, phone: &Phone, scope: RowScope) -> Result<Option<String>, DbError> {
    Ok(by_phone(db, phone, scope).await?.and_then(|row| row.customer.profile.address))
}

/// Which part of a list is wanted.
#[derive(Clone, Copy)]
pub(in crate::queries) struct Place<'c> {
    pub(in crate::queries) offset: u64,
    pub(in crate::queries) limit: u32,
    pub(in crate::queries) behind: Option<&'c CustomerCursor>,
}

/// What the roster says about a page.
pub(in crate::queries) struct Picked<R = Vec<(Uuid, Position)>> {
    pub(in crate::queries) rows: R,
    pub(in crate::queries) total: i64,
    /// The cursor of the next page, if there is one.
    pub(in crate::queries) next: Option<String>,
}

/// Picks a page from the roster and reads its rows. A row that changed in between may not belong there any more, so
/// the page is picked again.
pub(in crate::queries) async fn rows_of(
    roster: &Roster,
    scope: RowScope,
    pick: impl Fn(&Leads) -> Picked,
) -> Result<Picked<Vec<CustomerRow>>, DbError> {
    let mut picks = 1;
    loop {
        let Picked { rows: wanted, total, next } = {
            let leads = roster.read().await?;
            pick(&leads)
        };
        let ids: Vec<Uuid> = wanted.iter().map(|(id, _)| *id).collect();
        let mut found = rows_by_id(roster.db(), &ids).await?;
        let unchanged = wanted.iter().all(|(id, at)| found.get(id).is_some_and(|row| row.position == *at));
        if !unchanged && picks < PICKS_MAX {
            picks += 1;
            continue;
        }
        // Under so many changes the page is as old as its rows are new; what nobody may see stays out all the same.
        let rows = ids.iter().filter_map(|id| found.remove(id));
        let rows = rows.filter(|row| unchanged || (row.customer.exists() && scope.contains(&row.customer)));
        return Ok(Picked { rows: rows.collect(), total, next });
    }
}

/// Reads rows by their ids.
pub(crate) fn among(dialect: Dialect) -> String {
    TABLE.select_where_in(dialect, Target::Live, "id, version, position, doc", "id")
}

/// Rows by their ids, deleted ones too.
pub(in crate::queries) async fn rows_by_id(
    db: &Db,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, CustomerRow>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = AssertSqlSafe(among(Dialect::of(db)));
    let rows: Vec<Row> = match db {
        Db::Postgres(pool) => sqlx::query_as(sql).bind(ids).fetch_all(pool).await?,
        Db::Sqlite(sqlite) => sqlx::query_as(sql).bind(ids_as_json(ids)).fetch_all(sqlite.reader()).await?,
    };
    rows.into_iter().map(|row| Ok((row.id, row.read()?))).collect()
}
