//! The leads as they were, out of the log.
//!
//! A question of the kind "what if" asks for many moments, so each lead is folded once, and what is kept of it is what
//! it was like at those moments.

use std::sync::Arc;

use application::bus::LoadError;
use application::transfers::{Life, Past, PastLead, PastSize};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerEvent};
use domain::transfer_rule::LeadFacts;
use domain::{Aggregate, CustomerId, StaffId, StreamId};
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::RecordedRaw;
use infrastructure::upcasters::Upcasters;
use uuid::Uuid;

use super::candidates::unavailable;
use crate::Projections;
use crate::table::ids_as_json;

/// Leads whose events are read together.
const LEADS_AT_ONCE: usize = 500;

/// Every way to an owner leaves an entry in the assignment log, which says only where to look: what a lead was like
/// comes from its events.
const EVER_OWNED_POSTGRES: &str =
    "SELECT DISTINCT customer FROM assignment_log WHERE new_owner = ANY($1::uuid[]) ORDER BY customer";
const EVER_OWNED_SQLITE: &str = "
SELECT DISTINCT customer FROM assignment_log
 WHERE new_owner IN (SELECT unhex(value) FROM json_each($1)) ORDER BY customer";
/// A lead's version is the number of its events.
const SIZE_POSTGRES: &str = "
SELECT count(*), CAST(coalesce(sum(version), 0) AS BIGINT) FROM customer_list
 WHERE id IN (SELECT customer FROM assignment_log WHERE new_owner = ANY($1::uuid[]))";
const SIZE_SQLITE: &str = "
SELECT count(*), CAST(coalesce(sum(version), 0) AS BIGINT) FROM customer_list
 WHERE id IN (SELECT customer FROM assignment_log
               WHERE new_owner IN (SELECT unhex(value) FROM json_each($1)))";

#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[EVER_OWNED_POSTGRES, SIZE_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[EVER_OWNED_SQLITE, SIZE_SQLITE];

/// The past as the log has it.
pub struct LogPast {
    projections: Projections,
}

impl std::fmt::Debug for LogPast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogPast").finish_non_exhaustive()
    }
}

impl LogPast {
    /// The past of these read models' log.
    pub fn new(projections: Projections) -> Self {
        Self { projections }
    }
}

/// What is asked of every lead.
struct Asked {
    upcasters: Arc<Upcasters>,
    people: Vec<StaffId>,
    /// Oldest first.
    moments: Vec<DateTime<Utc>>,
}

impl Asked {
    fn lives(&self, found: Vec<(StreamId, Vec<RecordedRaw>)>) -> Result<Vec<Life>, LoadError> {
        let mut lives = Vec::with_capacity(found.len());
        for (stream, events) in found {
            let life = self.life(&stream, events)?;
            lives.extend((!life.is_empty()).then_some(life));
        }
        Ok(lives)
    }

    fn life(&self, stream: &StreamId, events: Vec<RecordedRaw>) -> Result<Life, LoadError> {
        let (mut lead, mut life, mut moment) = (Customer::default(), Life::default(), 0);
        for event in events {
            let sequence = event.sequence;
            // The first moment that sees it; never an earlier one than for the event before it, where a clock went back.
            moment = self.moments.partition_point(|at| *at < event.recorded_at).max(moment);
            if moment == self.moments.len() {
                break;
            }
            let event = self.upcasters.decode::<CustomerEvent>(event);
            let event = event.map_err(|error| LoadError::Undecodable {
                stream: stream.clone(),
                sequence,
                reason: error.to_string(),
            })?;
            lead.evolve(&event.payload);
            let is_theirs =
                |seen: &PastLead| seen.facts.owner.is_some_and(|owner| self.people.contains(&owner));
            life.note(moment, seen(stream, &lead).filter(is_theirs));
        }
        Ok(life)
    }
}

/// The lead as it is, while somebody owns it. A deleted lead has no owner.
fn seen(stream: &StreamId, lead: &Customer) -> Option<PastLead> {
    if lead.deleted_at.is_some() {
        return None;
    }
    Some(PastLead {
        customer: CustomerId(stream.uuid()?),
        facts: LeadFacts::from(lead),
        owned_since: lead.assigned_at()?,
    })
}

async fn size(db: &Db, people: &[StaffId]) -> Result<(i64, i64), DbError> {
    let ids: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(match db {
        Db::Postgres(pool) => sqlx::query_as(SIZE_POSTGRES).bind(ids).fetch_one(pool).await?,
        Db::Sqlite(sqlite) => {
            let ids = ids_as_json(&ids);
            sqlx::query_as(SIZE_SQLITE).bind(ids).fetch_one(sqlite.reader()).await?
        }
    })
}

async fn ever_owned(db: &Db, people: &[StaffId]) -> Result<Vec<Uuid>, DbError> {
    let ids: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(match db {
        Db::Postgres(pool) => sqlx::query_scalar(EVER_OWNED_POSTGRES).bind(ids).fetch_all(pool).await?,
        Db::Sqlite(sqlite) => {
            let ids = ids_as_json(&ids);
            sqlx::query_scalar(EVER_OWNED_SQLITE).bind(ids).fetch_all(sqlite.reader()).await?
        }
    })
}

#[async_trait]
impl Past for LogPast {
    async fn size(&self, people: &[StaffId]) -> Result<PastSize, LoadError> {
        let (leads, events) = size(self.projections.log.db(), people).await.map_err(unavailable)?;
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        Ok(PastSize { leads: count(leads), events: count(events) })
    }

    async fn lives(&self, people: &[StaffId], moments: &[DateTime<Utc>]) -> Result<Vec<Life>, LoadError> {
        let log = &self.projections.log;
        let leads = ever_owned(log.db(), people).await.map_err(unavailable)?;
        let (people, moments) = (people.to_vec(), moments.to_vec());
        let asked = Arc::new(Asked { upcasters: self.projections.upcasters.clone(), people, moments });
        let mut lives = Vec::with_capacity(leads.len());
        for chunk in leads.chunks(LEADS_AT_ONCE) {
            let wanted: Vec<_> = chunk.iter().map(|id| (StreamId::from(CustomerId(*id)), 0)).collect();
            let found = log.streams_many(&wanted).await.map_err(unavailable)?.into_iter().collect();
            // Thousands of events are read out of their texts: nobody else waits for that.
            let asked = Arc::clone(&asked);
            let folded = tokio::task::spawn_blocking(move || asked.lives(found)).await;
            lives.extend(folded.map_err(|error| LoadError::Unavailable(error.to_string()))??);
        }
        Ok(lives)
    }
}
