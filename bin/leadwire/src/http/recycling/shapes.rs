//! What is shown and sent of the rules.

use std::collections::BTreeMap;

use application::access::Caller;
use application::customers::Limits;
use application::forms::RecycleKindCode;
use application::recycling::{Falling, Preview};
use chrono::{DateTime, Utc};
use domain::pool_rules::{PoolRules, PoolRulesText};
use domain::recycle_rule::RecycleRule;
use domain::{Actor, CustomerId, RecycleRuleId, Sequence, StaffId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::people::People;
use crate::http::time::Millis;

/// Leads of a preview that are named; the others are counted.
const NAMED_LEADS_MAX: usize = 200;

/// A new recycle rule.
#[derive(ToSchema)]
pub struct RecycleRuleBody {
    /// What it says.
    #[serde(flatten)]
    pub text: RecycleTextBody,
    /// Whether it counts; it does when missing.
    pub enabled: Option<bool>,
}

/// What a recycle rule says.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleTextBody {
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// Of the rules that fit a lead, the one with the smallest number decides; 100 when missing.
    #[schema(minimum = 1, maximum = 1000)]
    pub priority: Option<u32>,
    /// `no_follow_up`: so many days without one; `not_signed`: so many days after its owner got it.
    pub kind: String,
    /// The days.
    #[schema(minimum = 1, maximum = 3650)]
    pub days: u32,
    /// Other days for leads of some levels.
    pub days_by_level: Option<BTreeMap<String, u32>>,
    /// Only leads from here; from everywhere when empty. 转介绍 never falls.
    pub lead_sources: Option<Vec<String>>,
    /// Only leads with one of these statuses; with any when empty. 已签约 never falls.
    pub statuses: Option<Vec<String>>,
    /// Hours for which a lead is safe that somebody else gave to its owner.
    #[schema(maximum = 8760)]
    pub protected_hours: Option<u32>,
    /// Nothing falls by it before; at once when it lies in the past. When it is missing: after the longest of the
    /// warnings, or as it stands, when a rule is replaced and lets the same leads fall.
    pub effective_from: Option<DateTime<Utc>>,
    /// When the owner is warned, in hours before; 72 and 24 when missing.
    #[schema(max_items = 5)]
    pub warn_before_hours: Option<Vec<u32>>,
}

/// Whether a rule is to count.
#[derive(ToSchema)]
pub struct ToggleRecycleRuleBody {
    /// Whether it counts.
    pub enabled: bool,
}

/// A rule to try: one that is there, the text of one, or both.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewRecycleRuleBody {
    /// A rule that is there.
    pub rule_id: Option<uuid::Uuid>,
    /// What it would say.
    pub rule: Option<RecycleTextBody>,
    /// Whether it would count; `false`: as if it were switched off, or deleted. It would when missing.
    pub enabled: Option<bool>,
    /// Until when the leads fall; the moment the rule takes effect when missing, and now for one that is switched off.
    pub until: Option<DateTime<Utc>>,
}

/// A recycle rule 回收规则.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRuleDocument {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: RecycleRuleId,
    /// What people call it.
    name: String,
    /// Its place in the order of rules.
    priority: u32,
    /// `no_follow_up` or `not_signed`.
    #[schema(value_type = String)]
    kind: RecycleKindCode,
    /// Days after which a lead falls.
    days: u32,
    /// Other days for leads of some levels.
    days_by_level: BTreeMap<&'static str, u32>,
    /// Only leads from here; from everywhere when empty.
    lead_sources: Vec<&'static str>,
    /// Only leads with one of these statuses; with any when empty.
    statuses: Vec<&'static str>,
    /// Hours for which a lead is safe that somebody else gave to its owner.
    protected_hours: u32,
    /// Nothing falls by it before.
    #[schema(value_type = DateTime<Utc>)]
    effective_from: Millis,
    /// When the owner is warned, in hours before.
    warn_before_hours: Vec<u32>,
    /// Whether it counts.
    enabled: bool,
    /// Id of who wrote it.
    created_by: Option<String>,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    created_at: Option<Millis>,
    /// When it last changed.
    #[schema(value_type = Option<DateTime<Utc>>)]
    updated_at: Option<Millis>,
    /// Its version, for `If-Match`.
    version: Sequence,
}

fn actor(by: &Actor) -> String {
    match by {
        Actor::Staff(staff) => staff.to_string(),
        Actor::System(part) => part.clone(),
    }
}

impl RecycleRuleDocument {
    /// A rule that was written.
    pub(super) fn of(id: RecycleRuleId, version: Sequence, rule: &RecycleRule) -> Option<Self> {
        let text = rule.text.as_ref()?;
        Some(Self {
            id,
            name: text.name.clone(),
            priority: text.priority,
            kind: text.kind.into(),
            days: text.kind.days(),
            days_by_level: text.days_by_level.iter().map(|(level, days)| (level.as_str(), *days)).collect(),
            lead_sources: text.lead_sources.iter().map(|source| source.as_str()).collect(),
            statuses: text.statuses.iter().map(|status| status.as_str()).collect(),
            protected_hours: text.protected_hours,
            effective_from: Millis(text.effective_from),
            warn_before_hours: text.warn_before_hours.clone(),
            enabled: rule.enabled,
            created_by: rule.created_by.as_ref().map(actor),
            created_at: rule.created_at.map(Millis),
            updated_at: rule.updated_at.map(Millis),
            version,
        })
    }
}

/// Who would lose what by a rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecyclePreviewDocument {
    /// From when on the rule would count.
    #[schema(value_type = DateTime<Utc>)]
    effective_from: Millis,
    /// Until when these leads fall.
    #[schema(value_type = DateTime<Utc>)]
    until: Millis,
    /// How many leads.
    total: usize,
    /// Whether there are more than were looked at.
    more: bool,
    /// How many each owner would lose, the most first.
    people: Vec<RecycleLossDocument>,
    /// The leads, by the moment they fall; at most 200.
    leads: Vec<FallingLeadDocument>,
    /// Leads that fall by other rules until then and that this one keeps as it is today.
    behind: RecycleBehindDocument,
}

/// Leads that other rules would take once a rule keeps them no more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleBehindDocument {
    /// How many leads.
    total: usize,
    /// Whether there may be more than were looked at.
    more: bool,
    /// How many each owner would lose, the most first.
    people: Vec<RecycleLossDocument>,
    /// The leads, by the moment they fall; at most 200.
    leads: Vec<BehindLeadDocument>,
}

/// A lead that would fall by another rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BehindLeadDocument {
    /// The lead.
    #[serde(flatten)]
    lead: FallingLeadDocument,
    /// The rule.
    #[schema(value_type = uuid::Uuid)]
    rule_id: RecycleRuleId,
    /// What it is called.
    rule_name: String,
}

/// What one person would lose.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleLossDocument {
    /// The person.
    #[schema(value_type = uuid::Uuid)]
    staff_id: StaffId,
    /// Name on screens.
    name: String,
    /// How many leads.
    count: u64,
}

/// A lead that would fall.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FallingLeadDocument {
    /// The lead.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: CustomerId,
    /// Its owner.
    #[schema(value_type = uuid::Uuid)]
    owner: StaffId,
    /// When it falls.
    #[schema(value_type = DateTime<Utc>)]
    pool_due_at: Millis,
    /// After how many days.
    days: u32,
}

impl RecyclePreviewDocument {
    /// A preview, with the names of the people.
    pub(super) fn of(preview: &Preview, people: &People) -> Self {
        let losses = |all: &[(StaffId, u64)]| {
            let name = |staff| people.name(Some(staff)).map(|person| person.name).unwrap_or_default();
            let loss = |(staff, count): &(StaffId, u64)| RecycleLossDocument {
                staff_id: *staff,
                name: name(*staff),
                count: *count,
            };
            all.iter().map(loss).collect()
        };
        let behind = preview.behind.iter().take(NAMED_LEADS_MAX).map(|one| BehindLeadDocument {
            lead: FallingLeadDocument::of(one),
            rule_id: one.due.rule,
            rule_name: preview.names.get(&one.due.rule).cloned().unwrap_or_default(),
        });
        Self {
            effective_from: Millis(preview.effective_from),
            until: Millis(preview.until),
            total: preview.falling.len(),
            more: preview.more,
            people: losses(&preview.people),
            leads: preview.falling.iter().take(NAMED_LEADS_MAX).map(FallingLeadDocument::of).collect(),
            behind: RecycleBehindDocument {
                total: preview.behind.len(),
                more: preview.behind_more,
                people: losses(&preview.behind_people()),
                leads: behind.collect(),
            },
        }
    }
}

impl FallingLeadDocument {
    fn of(one: &Falling) -> Self {
        Self { id: one.customer, owner: one.owner, pool_due_at: Millis(one.due.at), days: one.due.days }
    }
}

/// The rules of the public pool; what is missing or `null` is left to the configuration.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolRulesDocument {
    /// Leads a person may claim on one day; 0: any number.
    #[schema(minimum = 0, maximum = 1_000_000)]
    claims_per_day: Option<i64>,
    /// Least seconds between two claims of a person; 0: none.
    #[schema(minimum = 0, maximum = 86_400)]
    claim_gap_seconds: Option<i64>,
    /// Hours for which a former owner leaves a lead to others; 0: none.
    #[schema(minimum = 0, maximum = 8_760)]
    cool_off_hours: Option<i64>,
    /// Leads a person may own.
    #[schema(minimum = 1, maximum = 1_000_000)]
    holding_cap: Option<i64>,
    /// Roles with a cap of their own; an empty table: none has.
    holding_cap_by_role: Option<BTreeMap<String, i64>>,
    /// Whether signed customers do not count as owned.
    cap_ignores_signed: Option<bool>,
    /// Whether assignments by people are held to the cap too.
    assignments_held_to_cap: Option<bool>,
}

/// The rules, and what they come to with the configuration.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolRulesView {
    /// What was set.
    rules: PoolRulesDocument,
    /// What holds now.
    in_force: PoolRulesDocument,
    /// Id of who set it; `null`: nobody yet.
    set_by: Option<String>,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    set_at: Option<Millis>,
    /// Leads the caller may own.
    own_cap: i64,
}

impl PoolRulesView {
    /// The rules as the caller sees them.
    pub(super) fn of(caller: &Caller, rules: &PoolRules, limits: &Limits) -> Self {
        let none_is_zero = |number: Option<i64>| Some(number.unwrap_or(0));
        let in_force = PoolRulesDocument {
            claims_per_day: none_is_zero(limits.claims_per_day),
            claim_gap_seconds: none_is_zero(limits.claim_gap.map(|gap| gap.num_seconds())),
            cool_off_hours: none_is_zero(limits.cool_off.map(|wait| wait.num_hours())),
            holding_cap: Some(limits.holding_cap),
            holding_cap_by_role: Some(by_role(&limits.holding_cap_by_role)),
            cap_ignores_signed: Some(limits.cap_ignores_signed),
            assignments_held_to_cap: Some(limits.assignments_held_to_cap),
        };
        Self {
            rules: PoolRulesDocument::of(&rules.text),
            in_force,
            set_by: rules.set_by.as_ref().map(actor),
            set_at: rules.set_at.map(Millis),
            own_cap: limits.cap(caller.role),
        }
    }
}

impl PoolRulesDocument {
    fn of(text: &PoolRulesText) -> Self {
        Self {
            claims_per_day: text.claims_per_day,
            claim_gap_seconds: text.claim_gap_seconds,
            cool_off_hours: text.cool_off_hours,
            holding_cap: text.holding_cap,
            holding_cap_by_role: text.holding_cap_by_role.as_ref().map(by_role),
            cap_ignores_signed: text.cap_ignores_signed,
            assignments_held_to_cap: text.assignments_held_to_cap,
        }
    }
}

fn by_role(caps: &BTreeMap<domain::staff::Role, i64>) -> BTreeMap<String, i64> {
    caps.iter().map(|(role, cap)| (role.to_string(), *cap)).collect()
}
