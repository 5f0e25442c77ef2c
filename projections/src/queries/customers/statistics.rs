//! How many customers there are of each kind (existing-systems.md sections 2.2 and 2.3).

use std::collections::BTreeMap;

use application::access::RowScope;
use domain::StaffId;
use domain::customer::{ContractStatus, LeadLevel, LeadSource, ServiceCategory};
use infrastructure::db::DbError;
use serde::Serialize;

use super::super::roster::{Entry, Roster};
use super::CustomerFilter;
use super::filter::Test;

/// How many of each; kinds that nobody is of are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CustomerStatistics {
    /// All of them.
    pub total: i64,
    /// By how far the contract is.
    pub by_contract_status: BTreeMap<ContractStatus, i64>,
    /// By where they came from.
    pub by_lead_source: BTreeMap<LeadSource, i64>,
    /// By what they ask for.
    pub by_service_category: BTreeMap<ServiceCategory, i64>,
    /// By how promising they are.
    pub by_lead_level: BTreeMap<LeadLevel, i64>,
}

impl CustomerStatistics {
    pub(in crate::queries) fn count<'e>(leads: impl Iterator<Item = &'e Entry>) -> Self {
        let mut counted = Self::default();
        for lead in leads {
            counted.total += 1;
            one_more(&mut counted.by_contract_status, lead.contract_status);
            one_more(&mut counted.by_lead_source, lead.lead_source);
            one_more(&mut counted.by_service_category, lead.service_category);
            one_more(&mut counted.by_lead_level, lead.lead_level);
        }
        counted
    }
}

fn one_more<K: Ord>(counts: &mut BTreeMap<K, i64>, key: Option<K>) {
    if let Some(key) = key {
        *counts.entry(key).or_default() += 1;
    }
}

/// Counts the customers outside the pool that the filter matches and the scope holds, lost ones too.
pub async fn statistics(
    roster: &Roster,
    filter: &CustomerFilter,
    scope: RowScope,
) -> Result<CustomerStatistics, DbError> {
    let test = Test::of_everybody(filter, scope);
    let leads = roster.read().await?;
    Ok(CustomerStatistics::count(leads.all().iter().filter(|lead| !lead.in_pool && test.passes(lead))))
}

/// What the mini program shows on its first page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MiniProgramStatistics {
    /// All that the filter matches.
    pub total: i64,
    /// Those of them that the caller owns.
    pub my_customers: i64,
    /// By how far the contract is.
    pub by_contract_status: BTreeMap<ContractStatus, i64>,
}

/// Counts for the mini program; `me` is the caller.
pub async fn mini_program_statistics(
    roster: &Roster,
    filter: &CustomerFilter,
    scope: RowScope,
    me: StaffId,
) -> Result<MiniProgramStatistics, DbError> {
    let test = Test::of_everybody(filter, scope);
    let leads = roster.read().await?;
    let mut counted =
        MiniProgramStatistics { total: 0, my_customers: 0, by_contract_status: BTreeMap::new() };
    for lead in leads.all().iter().filter(|lead| !lead.in_pool && test.passes(lead)) {
        counted.total += 1;
        counted.my_customers += i64::from(lead.owner == Some(me.0));
        one_more(&mut counted.by_contract_status, lead.contract_status);
    }
    Ok(counted)
}
