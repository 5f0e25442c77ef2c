//! Which leads a rule would hand on, out of the roster. Scan and commit ask the same predicate of a lead:
//! [`Criteria::check`].

use std::collections::{BTreeMap, HashMap};

use application::bus::LoadError;
use application::transfers::{Candidates, Refused};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::transfer_rule::plan::Candidate;
use domain::transfer_rule::{Criteria, LeadFacts};
use domain::{CustomerId, StaffId, TransferRuleId};
use infrastructure::db::DbError;

use crate::queries::roster::{Entry, Roster};

/// The leads as the read models know them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LeadCandidates {
    roster: Roster,
}

impl LeadCandidates {
    /// Out of this roster.
    pub fn new(roster: Roster) -> Self {
        Self { roster }
    }
}

/// What a rule asks of a lead; the roster holds no deleted ones.
fn facts(lead: &Entry) -> LeadFacts {
    LeadFacts {
        owner: lead.owner.map(StaffId),
        in_pool: lead.in_pool,
        frozen: lead.frozen,
        opted_out: lead.opted_out,
        deleted: false,
        status: lead.contract_status,
        source: lead.lead_source,
        transfer_count: lead.transfer_count,
        last_transferred_at: lead.last_transferred_at,
        last_activity_at: lead.last_activity_at,
        created_at: Some(lead.created_at),
    }
}

/// The leads that the sources own.
fn owned<'l>(leads: &'l [Entry], criteria: &'l Criteria) -> impl Iterator<Item = (StaffId, &'l Entry)> {
    let of_source =
        |lead: &&'l Entry| lead.owner.is_some_and(|owner| criteria.sources.contains(&StaffId(owner)));
    leads.iter().filter(of_source).filter_map(|lead| Some((StaffId(lead.owner?), lead)))
}

#[async_trait]
impl Candidates for LeadCandidates {
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Candidate>, LoadError> {
        let leads = self.roster.read().await.map_err(unavailable)?;
        let mut idle: Vec<_> = owned(leads.all(), criteria)
            .filter(|(_, lead)| criteria.check(&facts(lead), at).is_ok())
            .map(|(owner, lead)| {
                let candidate = Candidate { customer: CustomerId(lead.id), owner, sequence: lead.version };
                (lead.last_activity_at.unwrap_or(lead.created_at), candidate)
            })
            .collect();
        // The longest idle first; of equally long ones the order is the same everywhere.
        idle.sort_unstable_by_key(|(since, candidate)| (*since, candidate.customer));
        idle.truncate(limit);
        Ok(idle.into_iter().map(|(_, candidate)| candidate).collect())
    }

    async fn refused(&self, criteria: &Criteria, at: DateTime<Utc>) -> Result<Refused, LoadError> {
        let leads = self.roster.read().await.map_err(unavailable)?;
        let mut refused = Refused::default();
        let mut because = BTreeMap::new();
        for (_, lead) in owned(leads.all(), criteria) {
            refused.owned += 1;
            if let Err(reason) = criteria.check(&facts(lead), at) {
                *because.entry(reason).or_default() += 1;
            }
        }
        refused.because = because.into_iter().collect();
        Ok(refused)
    }

    async fn balances(&self, rule: TransferRuleId) -> Result<HashMap<StaffId, i64>, LoadError> {
        let quotas = super::quotas(self.roster.db(), rule).await.map_err(unavailable)?;
        Ok(quotas.into_iter().map(|quota| (quota.staff, quota.balance())).collect())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an adapter for map_err")]
pub(super) fn unavailable(error: DbError) -> LoadError {
    LoadError::Unavailable(error.to_string())
}
