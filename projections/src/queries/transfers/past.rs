//! The leads as they were, out of the log.
//!
//! A question of the kind "what if" asks for one moment after the other, so each lead is folded once, and what is kept
//! of it is when it became whose.

use application::bus::LoadError;
use application::transfers::{Past, PastLead};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerEvent};
use domain::transfer_rule::LeadFacts;
use domain::{Aggregate, CustomerId, StaffId, StreamId};
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::RecordedRaw;
use tokio::sync::Mutex;
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
const LEADS_POSTGRES: &str =
    "SELECT count(DISTINCT customer) FROM assignment_log WHERE new_owner = ANY($1::uuid[])";
const LEADS_SQLITE: &str = "
SELECT count(DISTINCT customer) FROM assignment_log WHERE new_owner IN (SELECT unhex(value) FROM json_each($1))";

#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[EVER_OWNED_POSTGRES, LEADS_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[EVER_OWNED_SQLITE, LEADS_SQLITE];

/// The past as the log has it at the moment of the first question. Made anew for each question of the kind "what if".
pub struct LogPast {
    projections: Projections,
    since: DateTime<Utc>,
    remembered: Mutex<Option<Remembered>>,
}

impl std::fmt::Debug for LogPast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogPast").finish_non_exhaustive()
    }
}

/// The leads that these people ever had.
struct Remembered {
    people: Vec<StaffId>,
    lives: Vec<Life>,
}

/// A lead after each of its events: what it was like, while one of the people had it. What was so at the first moment
/// that is asked for stands for everything before it.
type Life = Vec<(DateTime<Utc>, Option<PastLead>)>;

impl LogPast {
    /// The past of these read models' log, from `since` on: earlier moments are not asked for, so what happened before
    /// need not be kept.
    pub fn new(projections: Projections, since: DateTime<Utc>) -> Self {
        Self { projections, since, remembered: Mutex::default() }
    }

    async fn remember(&self, people: Vec<StaffId>) -> Result<Remembered, LoadError> {
        let leads = ever_owned(self.projections.log.db(), &people).await.map_err(unavailable)?;
        let mut lives = Vec::with_capacity(leads.len());
        for chunk in leads.chunks(LEADS_AT_ONCE) {
            let wanted: Vec<_> = chunk.iter().map(|id| (StreamId::from(CustomerId(*id)), 0)).collect();
            let found = self.projections.log.streams_many(&wanted).await.map_err(unavailable)?;
            for (stream, events) in found {
                let life = self.life(&stream, events, &people)?;
                lives.extend((!life.is_empty()).then_some(life));
            }
        }
        Ok(Remembered { people, lives })
    }

    fn life(&self, stream: &StreamId, events: Vec<RecordedRaw>, of: &[StaffId]) -> Result<Life, LoadError> {
        let mut lead = Customer::default();
        let mut life = Life::new();
        for event in events {
            let sequence = event.sequence;
            // In the order of the log, also where a clock went back.
            let at = life.last().map_or(event.recorded_at, |(before, _)| event.recorded_at.max(*before));
            let read = self.projections.upcasters.decode::<CustomerEvent>(event);
            let event = read.map_err(|error| LoadError::Undecodable {
                stream: stream.clone(),
                sequence,
                reason: error.to_string(),
            })?;
            lead.evolve(&event.payload);
            let seen =
                seen(stream, &lead).filter(|seen| seen.facts.owner.is_some_and(|owner| of.contains(&owner)));
            if at <= self.since {
                life.clear();
            }
            if seen.is_some() || life.last().is_some_and(|(_, before)| before.is_some()) {
                life.push((at, seen));
            }
        }
        life.shrink_to_fit();
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

async fn count(db: &Db, people: &[StaffId]) -> Result<i64, DbError> {
    let ids: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(match db {
        Db::Postgres(pool) => sqlx::query_scalar(LEADS_POSTGRES).bind(ids).fetch_one(pool).await?,
        Db::Sqlite(sqlite) => {
            let ids = ids_as_json(&ids);
            sqlx::query_scalar(LEADS_SQLITE).bind(ids).fetch_one(sqlite.reader()).await?
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
    async fn leads(&self, people: &[StaffId]) -> Result<u64, LoadError> {
        let count = count(self.projections.log.db(), people).await.map_err(unavailable)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn owned_by(&self, people: &[StaffId], at: DateTime<Utc>) -> Result<Vec<PastLead>, LoadError> {
        // A question asks for hundreds of moments, one after the other: in between, somebody else may have a turn.
        tokio::task::yield_now().await;
        let mut people = people.to_vec();
        people.sort_unstable();
        people.dedup();
        let mut remembered = self.remembered.lock().await;
        let lives = match &*remembered {
            Some(known) if known.people == people => &known.lives,
            _ => &remembered.insert(self.remember(people).await?).lives,
        };
        let then = |life: &Life| {
            let after = life.partition_point(|(recorded, _)| *recorded <= at);
            life.get(after.checked_sub(1)?)?.1
        };
        Ok(lives.iter().filter_map(then).collect())
    }
}
