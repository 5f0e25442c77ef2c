//! A rule as system A's console shows one.

use std::collections::HashMap;

use application::transfers::Overlap;
use domain::transfer_rule::{RuleText, Strategy, TargetModule, TransferRule};
use domain::{Actor, StaffId, TransferRuleId};
use projections::queries::transfers::{Quota, RuleStatistics};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::people::{People, Person};
use crate::http::time::Millis;

/// A transfer rule 流转规则.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRuleDocument {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = Uuid)]
    id: TransferRuleId,
    /// What people call it.
    rule_name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether it runs.
    enabled: bool,
    /// `customer` or `training`.
    #[schema(value_type = String)]
    target_module: TargetModule,
    /// Which leads.
    trigger_conditions: TransferConditionsDocument,
    /// When.
    execution_window: TransferWindowDocument,
    /// Everybody in its lists, sources first, with what its runs moved. Never reset by an edit.
    user_quotas: Vec<TransferQuotaDocument>,
    /// Whose leads are handed on.
    #[schema(value_type = Vec<Uuid>)]
    source_user_ids: Vec<StaffId>,
    /// Who gets them.
    #[schema(value_type = Vec<Uuid>)]
    target_user_ids: Vec<StaffId>,
    /// Targets whose accounts do not work: the runs pass them over.
    #[schema(value_type = Vec<Uuid>)]
    suspended_target_ids: Vec<StaffId>,
    /// How leads are dealt.
    distribution_config: TransferDistributionDocument,
    /// What its runs did.
    statistics: TransferRuleStatisticsDocument,
    /// Who wrote it.
    created_by: Option<Person>,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    created_at: Option<Millis>,
    /// When it last changed.
    #[schema(value_type = Option<DateTime<Utc>>)]
    updated_at: Option<Millis>,
    /// How many texts it has had.
    revision: i64,
    /// Other rules that are on and may take the same leads; said when a rule is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlaps: Option<Vec<TransferOverlapDocument>>,
}

/// Which leads.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferConditionsDocument {
    /// Hours it must be idle for.
    inactive_hours: u32,
    /// Hours it rests after a move.
    transfer_cooldown_hours: u32,
    /// How often it may move; 0: any number.
    max_transfer_count: u32,
    /// How far its contract may be.
    contract_statuses: Vec<&'static str>,
    /// Where it may come from; empty: from anywhere.
    lead_sources: Vec<&'static str>,
    /// On which days it was created.
    created_date_range: Option<TransferDateRangeDocument>,
}

/// Days in the zone of the rule, both included.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferDateRangeDocument {
    /// The first.
    start_date: Option<String>,
    /// The last.
    end_date: Option<String>,
}

/// When.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWindowDocument {
    /// Whether there are hours at all.
    enabled: bool,
    /// The first minute.
    start_time: String,
    /// The last minute.
    end_time: String,
    /// Whose wall clock.
    zone: String,
}

/// One person of a rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferQuotaDocument {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// `source`, `target` or `both`.
    role: &'static str,
    /// Leads the rule took.
    transferred_out: i64,
    /// Leads the rule gave.
    transferred_in: i64,
    /// Out minus in.
    balance: i64,
    /// System A has this member and never wrote it: 0.
    pending_compensation: i64,
    /// When the rule last moved a lead of theirs.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_compensated_at: Option<Millis>,
}

/// How leads are dealt.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferDistributionDocument {
    /// `balanced-random` or `round-robin`.
    #[schema(value_type = String)]
    strategy: Strategy,
    /// Whether balances count.
    enable_compensation: bool,
    /// How much.
    compensation_priority: u32,
}

/// What the runs of a rule did.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRuleStatisticsDocument {
    /// Leads that all of them moved.
    total_transferred: i64,
    /// When the last one ended.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_executed_at: Option<Millis>,
    /// Leads that the last one moved.
    last_transferred_count: i64,
}

/// Another rule that may take the same leads.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferOverlapDocument {
    /// The other rule.
    #[schema(value_type = Uuid)]
    rule_id: TransferRuleId,
    /// What it is called.
    rule_name: String,
    /// Whose leads both take.
    #[schema(value_type = Vec<Uuid>)]
    source_user_ids: Vec<StaffId>,
    /// In which states both take them.
    contract_statuses: Vec<&'static str>,
}

/// What is known of a rule besides the rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) statistics: RuleStatistics,
    pub(super) quotas: Vec<Quota>,
}

/// Everybody whom the document of a rule names.
pub(super) fn named(rule: &TransferRule) -> Vec<StaffId> {
    let text = rule.text.iter().flat_map(|text| text.sources.iter().chain(&text.targets)).copied();
    text.chain(creator(rule)).collect()
}

fn creator(rule: &TransferRule) -> Option<StaffId> {
    match rule.created_by {
        Some(Actor::Staff(staff)) => Some(staff),
        _ => None,
    }
}

impl TransferRuleDocument {
    /// `None` when the rule is not there.
    pub(super) fn of(
        id: TransferRuleId,
        rule: &TransferRule,
        figures: &Figures,
        people: &People,
    ) -> Option<Self> {
        let text = rule.text.as_ref().filter(|_| rule.exists())?;
        let suspended = text.targets.iter().copied().filter(|target| people.is_suspended(*target));
        let RuleStatistics { total_transferred, last_executed_at, last_transferred_count, .. } =
            figures.statistics;
        Some(Self {
            id,
            rule_name: text.name.clone(),
            description: text.description.clone(),
            enabled: rule.enabled,
            target_module: text.target_module,
            trigger_conditions: TransferConditionsDocument::of(text),
            execution_window: TransferWindowDocument::of(text),
            user_quotas: quotas(text, figures, people),
            source_user_ids: text.sources.clone(),
            target_user_ids: text.targets.clone(),
            suspended_target_ids: suspended.collect(),
            distribution_config: TransferDistributionDocument {
                strategy: text.distribution.strategy,
                enable_compensation: text.distribution.enable_compensation,
                compensation_priority: text.distribution.compensation_priority,
            },
            statistics: TransferRuleStatisticsDocument {
                total_transferred,
                last_executed_at: last_executed_at.map(Millis),
                last_transferred_count,
            },
            created_by: people.person(creator(rule)),
            created_at: rule.created_at.map(Millis),
            updated_at: rule.updated_at.map(Millis),
            revision: rule.revision,
            overlaps: None,
        })
    }

    /// With the rules that want the same leads.
    pub(super) fn overlapping(self, overlaps: &[Overlap]) -> Self {
        let document = |overlap: &Overlap| TransferOverlapDocument {
            rule_id: overlap.rule,
            rule_name: overlap.name.clone(),
            source_user_ids: overlap.sources.clone(),
            contract_statuses: overlap.statuses.iter().map(|status| status.as_str()).collect(),
        };
        Self { overlaps: Some(overlaps.iter().map(document).collect()), ..self }
    }
}

impl TransferConditionsDocument {
    fn of(text: &RuleText) -> Self {
        let conditions = &text.conditions;
        Self {
            inactive_hours: conditions.inactive_hours,
            transfer_cooldown_hours: conditions.cooldown_hours,
            max_transfer_count: conditions.transfer_count_max,
            contract_statuses: conditions.contract_statuses.iter().map(|status| status.as_str()).collect(),
            lead_sources: conditions.lead_sources.iter().map(|source| source.as_str()).collect(),
            created_date_range: conditions.created.map(|range| TransferDateRangeDocument {
                start_date: range.from.map(|day| day.to_string()),
                end_date: range.to.map(|day| day.to_string()),
            }),
        }
    }
}

impl TransferWindowDocument {
    fn of(text: &RuleText) -> Self {
        let window = text.window;
        Self {
            enabled: window.enabled,
            start_time: window.start.to_string(),
            end_time: window.end.to_string(),
            zone: window.zone.to_string(),
        }
    }
}

/// What somebody is to a rule.
pub(crate) fn role(text: &RuleText, person: StaffId) -> &'static str {
    match (text.sources.contains(&person), text.targets.contains(&person)) {
        (true, true) => "both",
        (true, false) => "source",
        (false, _) => "target",
    }
}

/// Everybody in the lists of a rule, sources first, each once.
pub(crate) fn everybody(text: &RuleText) -> Vec<StaffId> {
    let targets = text.targets.iter().filter(|target| !text.sources.contains(target));
    text.sources.iter().chain(targets).copied().collect()
}

fn quotas(text: &RuleText, figures: &Figures, people: &People) -> Vec<TransferQuotaDocument> {
    let known: HashMap<StaffId, &Quota> = figures.quotas.iter().map(|quota| (quota.staff, quota)).collect();
    let document = |person: StaffId| {
        let quota = known.get(&person);
        TransferQuotaDocument {
            user_id: person,
            user_name: people.shown(person),
            role: role(text, person),
            transferred_out: quota.map_or(0, |quota| quota.moved_out),
            transferred_in: quota.map_or(0, |quota| quota.moved_in),
            balance: quota.map_or(0, |quota| quota.balance()),
            pending_compensation: 0,
            last_compensated_at: quota.and_then(|quota| quota.last_moved_at).map(Millis),
        }
    };
    everybody(text).into_iter().map(document).collect()
}
