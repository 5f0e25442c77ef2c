//! The roster 花名册: what lists, searches and statistics look at of every lead, in memory.
//!
//! A list takes any filter with any order for any caller and also says how many rows there are. In SQL that is an
//! index for each pair of a filter and an order, and a count that reads every match. Here each is one pass over a
//! few hundred bytes a lead, the same on both databases, and the table needs no index but its keys.
//!
//! Nothing here can be stale: each answer begins with one look at the consumer's row. If the checkpoint moved, the
//! rows behind the last known position are read, which is exactly what changed: a projector's transactions come one
//! after the other, and each writes rows of higher positions than the one before. Another generation of the tables
//! (a rebuild, a rollback) is read anew. Processes share nothing, so there is nothing to invalidate.

mod entry;
pub(super) mod order;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::Position;
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use tokio::sync::{RwLock, RwLockReadGuard};
use uuid::Uuid;

pub(super) use entry::Entry;
use entry::Row;

use crate::read_models::ReadModel;

/// Most rows read by one statement.
const CHANGES_MAX: i64 = 5_000;

/// Where the table stands: its generation, when that took the place of another, and how far it is.
const MARK: &str = "
SELECT version, (SELECT max(retired_at) FROM read_model_generations AS old WHERE old.name = consumers.name), position
  FROM consumers WHERE name = $1";

const CHANGES: &str = "
SELECT id, search, name, lead_source, service_category, contract_status, lead_level, follow_up_status, salary_budget,
       deal_amount_fen, signed_at, owner, created_by, assigned_at, transfer_count, last_transferred_at,
       auto_transfer_off, in_pool, pooled_at, frozen, deleted, last_follow_up_at, last_activity_at, created_at,
       updated_at, version, position
  FROM customer_list WHERE position > $1 ORDER BY position LIMIT $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[MARK, CHANGES];

/// The leads of a database as one process knows them. Cheap to clone; read from the table when first asked.
#[derive(Clone)]
pub struct Roster {
    db: Db,
    leads: Arc<RwLock<Leads>>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}

/// Which tables these are. The version alone could come back: with a rollback, or when replaced ones were dropped.
type Generation = (i64, Option<DateTime<Utc>>);

/// Every lead that is not deleted, pooled ones included, in the order they came.
#[derive(Default)]
pub(super) struct Leads {
    generation: Option<Generation>,
    position: Position,
    entries: Vec<Entry>,
    places: HashMap<Uuid, usize>,
}

impl Roster {
    /// Of this database; [`migrate`](crate::migrate) has run.
    pub fn new(db: Db) -> Self {
        Self { db, leads: Arc::default() }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Reads the table, so that the first question need not wait for it. How many leads there are.
    pub async fn warm(&self) -> Result<usize, DbError> {
        Ok(self.read().await?.all().len())
    }

    /// The leads as the table has them now.
    pub(super) async fn read(&self) -> Result<RwLockReadGuard<'_, Leads>, DbError> {
        let name = ReadModel::CustomerList.name();
        let mark: Option<(i64, Option<DateTime<Utc>>, i64)> =
            with_pool!(&self.db, pool => sqlx::query_as(MARK).bind(name).fetch_optional(pool).await)?;
        let (version, since, position) = mark.unwrap_or_default();
        let generation = (version, since);
        {
            let leads = self.leads.read().await;
            if leads.knows(generation, position) {
                return Ok(leads);
            }
        }
        // One reads what is new; whoever else wants it waits here, and finds it there.
        let mut leads = self.leads.write().await;
        if !leads.knows(generation, position) {
            leads.belong_to(generation);
            self.catch_up(&mut leads).await?;
            leads.position = leads.position.max(position);
        }
        Ok(leads.downgrade())
    }

    async fn catch_up(&self, leads: &mut Leads) -> Result<(), DbError> {
        loop {
            let from = leads.position;
            let rows: Vec<Row> = with_pool!(&self.db, pool => sqlx::query_as(CHANGES)
                .bind(from)
                .bind(CHANGES_MAX)
                .fetch_all(pool)
                .await)?;
            let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= CHANGES_MAX;
            for row in rows {
                leads.take(row)?;
            }
            if !full {
                return Ok(());
            }
        }
    }
}

impl Leads {
    /// Every lead.
    pub(super) fn all(&self) -> &[Entry] {
        &self.entries
    }

    fn knows(&self, generation: Generation, position: Position) -> bool {
        self.generation == Some(generation) && self.position >= position
    }

    /// Forgets everything that came from other tables.
    fn belong_to(&mut self, generation: Generation) {
        if self.generation != Some(generation) {
            *self = Self { generation: Some(generation), ..Self::default() };
        }
    }

    fn take(&mut self, row: Row) -> Result<(), DbError> {
        self.position = self.position.max(row.position);
        let place = self.places.get(&row.id).copied();
        match (place, row.deleted) {
            (Some(place), true) => self.remove(place),
            (None, true) => {}
            (Some(place), false) => self.entries[place] = row.read()?,
            (None, false) => {
                self.places.insert(row.id, self.entries.len());
                self.entries.push(row.read()?);
            }
        }
        Ok(())
    }

    fn remove(&mut self, place: usize) {
        let gone = self.entries.swap_remove(place);
        self.places.remove(&gone.id);
        if let Some(moved) = self.entries.get(place) {
            self.places.insert(moved.id, place);
        }
    }
}
