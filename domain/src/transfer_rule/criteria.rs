//! Whether a lead may be handed on: one function, asked by the scan that plans and again inside the append that moves
//! (fault A-26a), so that nobody loses a lead to a stale scan.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::code_table;
use crate::customer::{ContractStatus, Customer, LeadSource};
use crate::ids::StaffId;
use crate::preferences::Zone;

/// Which leads a rule hands on (existing-systems.md section 5.1, `triggerConditions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// For longer than so many hours nobody did anything for it.
    pub inactive_hours: u32,
    /// Its last move from owner to owner is longer ago than so many hours; 0: whenever that was.
    pub cooldown_hours: u32,
    /// It went from owner to owner less often than this; 0: however often.
    pub transfer_count_max: u32,
    /// Its contract is in one of these.
    pub contract_statuses: Vec<ContractStatus>,
    /// It came from one of these; empty: from anywhere. 转介绍 is exempt whatever stands here (fault A-26c).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lead_sources: Vec<LeadSource>,
    /// It was created on one of these days; `None`: whenever that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<CreatedRange>,
}

/// Days on the wall clock of the rule's zone, the first and the last included (fault A-41).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedRange {
    /// The first day; `None`: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day; `None`: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

impl CreatedRange {
    /// Whether the day lies in it.
    pub fn holds(self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    fn overlaps(self, other: Self) -> bool {
        let before = |end: Option<NaiveDate>, begin: Option<NaiveDate>| matches!((end, begin), (Some(end), Some(begin)) if end < begin);
        !before(self.to, other.from) && !before(other.to, self.from)
    }
}

impl Default for Conditions {
    /// System A's numbers (existing-systems.md section 5.1). Which statuses, somebody has to say.
    fn default() -> Self {
        Self {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![],
            lead_sources: vec![],
            created: None,
        }
    }
}

impl Conditions {
    /// Whether a lead can meet both.
    pub(super) fn overlap(&self, other: &Self) -> bool {
        let statuses = self.contract_statuses.iter().any(|status| other.contract_statuses.contains(status));
        let sources = self.lead_sources.is_empty()
            || other.lead_sources.is_empty()
            || self.lead_sources.iter().any(|source| other.lead_sources.contains(source));
        let days = match (self.created, other.created) {
            (Some(one), Some(other)) => one.overlaps(other),
            _ => true,
        };
        statuses && sources && days
    }

    pub(super) fn tidy(&mut self) {
        self.contract_statuses.sort_unstable();
        self.contract_statuses.dedup();
        self.lead_sources.sort_unstable();
        self.lead_sources.dedup();
        self.created = self.created.filter(|range| range.from.is_some() || range.to.is_some());
    }
}

/// The whole predicate of a rule, as a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criteria {
    /// What the rule asks of a lead.
    pub conditions: Conditions,
    /// Whose wall clock tells days apart.
    pub zone: Zone,
    /// Whose leads are handed on.
    pub sources: BTreeSet<StaffId>,
}

/// What is asked of a lead. `From<&Customer>` in a command, read from a row in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that are independent of each other")]
pub struct LeadFacts {
    /// Who owns it.
    pub owner: Option<StaffId>,
    /// Whether it is in the public pool.
    pub in_pool: bool,
    /// Whether it must stay where it is.
    pub frozen: bool,
    /// Whether rules must leave it alone.
    pub opted_out: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// How far the contract is.
    pub status: Option<ContractStatus>,
    /// Where it came from.
    pub source: Option<LeadSource>,
    /// How often it went from one owner to another.
    pub transfer_count: i64,
    /// When it last did.
    pub last_transferred_at: Option<DateTime<Utc>>,
    /// The idle clock: when anybody last did something for it.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
}

impl From<&Customer> for LeadFacts {
    fn from(customer: &Customer) -> Self {
        Self {
            owner: customer.owner(),
            in_pool: customer.in_pool(),
            frozen: customer.is_frozen(),
            opted_out: customer.auto_transfer_disabled,
            deleted: customer.deleted_at.is_some(),
            status: customer.contract_status,
            source: customer.profile.lead_source,
            transfer_count: customer.transfer_count,
            last_transferred_at: customer.last_transferred_at,
            last_activity_at: customer.last_activity_at,
            created_at: customer.created.as_ref().map(|created| created.at),
        }
    }
}

impl Criteria {
    /// Whether the lead may be handed on at this moment, or the first reason why not.
    pub fn check(&self, facts: &LeadFacts, at: DateTime<Utc>) -> Result<(), Ineligible> {
        let Self { conditions, zone, sources } = self;
        let refused = |reason| Err(reason);
        if facts.deleted {
            return refused(Ineligible::Deleted);
        }
        if facts.in_pool {
            return refused(Ineligible::InPool);
        }
        let Some(owner) = facts.owner else { return refused(Ineligible::NotOwned) };
        if !sources.contains(&owner) {
            return refused(Ineligible::NotSource);
        }
        if facts.frozen {
            return refused(Ineligible::Frozen);
        }
        if facts.opted_out {
            return refused(Ineligible::OptedOut);
        }
        if facts.source == Some(LeadSource::Referral) {
            return refused(Ineligible::Referral);
        }
        if !facts.status.is_some_and(|status| conditions.contract_statuses.contains(&status)) {
            return refused(Ineligible::Status);
        }
        let from_here = |source| conditions.lead_sources.contains(&source);
        if !conditions.lead_sources.is_empty() && !facts.source.is_some_and(from_here) {
            return refused(Ineligible::Source);
        }
        let max = i64::from(conditions.transfer_count_max);
        if max > 0 && facts.transfer_count >= max {
            return refused(Ineligible::CountReached);
        }
        if conditions.cooldown_hours > 0
            && facts.last_transferred_at.is_some_and(|moved| !is_past(moved, conditions.cooldown_hours, at))
        {
            return refused(Ineligible::Cooldown);
        }
        let day = |created: DateTime<Utc>| created.with_timezone(&zone.0).date_naive();
        if let Some(range) = &conditions.created
            && !facts.created_at.is_some_and(|created| range.holds(day(created)))
        {
            return refused(Ineligible::CreatedOutside);
        }
        // A lead without any activity was never touched: it is as idle as it is old.
        let touched = facts.last_activity_at.or(facts.created_at);
        if touched.is_some_and(|touched| !is_past(touched, conditions.inactive_hours, at)) {
            return refused(Ineligible::Active);
        }
        Ok(())
    }
}

/// Whether a moment is longer ago than so many hours.
fn is_past(moment: DateTime<Utc>, hours: u32, at: DateTime<Utc>) -> bool {
    at.signed_duration_since(moment) > TimeDelta::hours(hours.into())
}

code_table! {
    /// Why a rule leaves a lead where it is. The codes stand in the records of the runs.
    Ineligible {
        /// Nobody owns it.
        NotOwned = "not_owned",
        /// Somebody else owns it than when the run was planned.
        OwnerChanged = "owner_changed",
        /// Its owner is not among the rule's sources.
        NotSource = "not_source",
        /// It is in the public pool.
        InPool = "in_pool",
        /// It must stay where it is.
        Frozen = "frozen",
        /// Rules must leave it alone.
        OptedOut = "opted_out",
        /// Its contract is in none of the rule's statuses.
        Status = "status",
        /// It came from none of the rule's sources.
        Source = "source",
        /// It is a referral 转介绍: those stay with whom they came to.
        Referral = "referral",
        /// Somebody did something for it lately.
        Active = "active",
        /// It moved lately.
        Cooldown = "cooldown",
        /// It moved often enough.
        CountReached = "count_reached",
        /// It was not created on the rule's days.
        CreatedOutside = "created_outside",
        /// It was deleted.
        Deleted = "deleted",
    }
}

impl Ineligible {
    /// The word in the records of a run.
    pub const fn code(self) -> &'static str {
        self.as_str()
    }

    /// 中文.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::NotOwned => "线索没有负责人",
            Self::OwnerChanged => "线索的负责人已变更",
            Self::NotSource => "负责人不在规则的流出人员中",
            Self::InPool => "线索在公海中",
            Self::Frozen => "线索已被冻结",
            Self::OptedOut => "线索已关闭自动流转",
            Self::Status => "客户状态不在规则范围内",
            Self::Source => "线索来源不在规则范围内",
            Self::Referral => "转介绍线索不参与自动流转",
            Self::Active => "线索近期有跟进或变更",
            Self::Cooldown => "线索处于流转冷却期",
            Self::CountReached => "线索已达到最大流转次数",
            Self::CreatedOutside => "线索的创建日期不在规则范围内",
            Self::Deleted => "线索已被删除",
        }
    }

    /// English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::NotOwned => "nobody owns the lead",
            Self::OwnerChanged => "the lead has another owner now",
            Self::NotSource => "the owner is not among the rule's sources",
            Self::InPool => "the lead is in the public pool",
            Self::Frozen => "the lead is frozen",
            Self::OptedOut => "automatic moves are off for the lead",
            Self::Status => "the contract status is not one of the rule's",
            Self::Source => "the lead source is not one of the rule's",
            Self::Referral => "referrals are never handed on automatically",
            Self::Active => "somebody did something for the lead lately",
            Self::Cooldown => "the lead moved lately",
            Self::CountReached => "the lead moved as often as the rule allows",
            Self::CreatedOutside => "the lead was not created on the rule's days",
            Self::Deleted => "the lead was deleted",
        }
    }
}
