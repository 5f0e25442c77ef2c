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
        let mut total = 0;
        let mut statuses = [0; ContractStatus::ALL.len()];
        let mut sources = [0; LeadSource::ALL.len()];
        let mut categories = [0; ServiceCategory::ALL.len()];
        let mut levels = [0; LeadLevel::ALL.len()];
        for lead in leads {
            total += 1;
            one_more(&mut statuses, lead.contract_status.map(|status| status as usize));
            one_more(&mut sources, lead.lead_source.map(|source| source as usize));
            one_more(&mut categories, lead.service_category.map(|category| category as usize));
            one_more(&mut levels, lead.lead_level.map(|level| level as usize));
        }
        Self {
            total,
            by_contract_status: named(ContractStatus::ALL, &statuses),
            by_lead_source: named(LeadSource::ALL, &sources),
            by_service_category: named(ServiceCategory::ALL, &categories),
            by_lead_level: named(LeadLevel::ALL, &levels),
        }
    }
}

fn one_more(counts: &mut [i64], place: Option<usize>) {
    if let Some(place) = place {
        counts[place] += 1;
    }
}

/// Counts in the order of a code table as counts by its values.
fn named<K: Ord + Copy>(codes: &[K], counts: &[i64]) -> BTreeMap<K, i64> {
    codes.iter().copied().zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
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
    let (mut total, mut my_customers) = (0, 0);
    let mut statuses = [0; ContractStatus::ALL.len()];
    for lead in leads.all().iter().filter(|lead| !lead.in_pool && test.passes(lead)) {
        total += 1;
        my_customers += i64::from(lead.owner == Some(me.0));
        one_more(&mut statuses, lead.contract_status.map(|status| status as usize));
    }
    let by_contract_status = named(ContractStatus::ALL, &statuses);
    Ok(MiniProgramStatistics { total, my_customers, by_contract_status })
}
