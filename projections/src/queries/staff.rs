//! The staff: one of them, some of them, those who may be given leads.

use domain::staff::Staff;
use domain::{Position, Sequence, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::corrupt;
use crate::table::ids_as_json;

/// Most members of staff in one answer. An agency has hundreds.
pub const STAFF_MAX: i64 = 2000;

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
