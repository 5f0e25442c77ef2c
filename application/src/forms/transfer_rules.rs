//! The forms of transfer rules (existing-systems.md sections 5.1 and 5.4). System A's page sends both lists of people
//! with every save; what is not sent stays as it is.

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::NaiveDate;
use domain::TransferRuleId;
use domain::customer::{ContractStatus, LeadSource};
use domain::preferences::{TimeOfDay, Zone};
use domain::transfer_rule::run::RUN_LEADS_MAX;
use domain::transfer_rule::{
    COMPENSATION_PRIORITY, COOLDOWN_HOURS, DESCRIPTION_CHARS_MAX, INACTIVE_HOURS, NAME_CHARS_MAX, PEOPLE_MAX,
    RuleFault, RuleViolation, Strategy, TRANSFER_COUNT_MAX, TargetModule,
};
use serde_json::Value;

use super::fields::{Change, Fields, Null};
use super::scalars::{boolean, code, date, id, line, paragraphs, whole};
use super::{FieldError, Rule};
use crate::transfers::{ConditionsPatch, Day, Days, DistributionPatch, RulePatch, WindowPatch};

/// Hexadecimal digits of a plan's hash.
const PLAN_HASH_CHARS: usize = 64;

/// Least batch that is understood: system A reads 0 and less as "all of them".
const BATCH_MIN: i64 = -1;

/// `POST /api/lead-transfer/rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTransferRule {
    /// What it is to say; system A's values for what is missing.
    pub wanted: RulePatch,
}

/// `PATCH /api/lead-transfer/rules/:id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviseTransferRule {
    /// What changes.
    pub wanted: RulePatch,
}

/// `PATCH /api/lead-transfer/rules/:id/toggle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToggleTransferRule {
    /// Whether the rule runs.
    pub enabled: bool,
}

/// `POST /api/lead-transfer/execute-now`; without a body every rule runs whose hours it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecuteTransfers {
    /// Which rule, whatever the hour; `None`: every rule, in its hours.
    pub rule: Option<TransferRuleId>,
    /// Most leads of each rule; `None`: as many as a run takes.
    pub batch: Option<usize>,
    /// Exactly this plan of a preview.
    pub plan_hash: Option<String>,
}

impl CreateTransferRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let name = fields.required("ruleName", line(NAME_CHARS_MAX));
        let wanted = RulePatch { name, ..all_but_the_name(&mut fields) };
        let form = fields.finish(Some(Self { wanted }))?;
        match form.wanted.clone().written().violations() {
            broken if broken.is_empty() => Ok(form),
            broken => Err(broken.iter().map(rule_violation).collect()),
        }
    }
}

impl ReviseTransferRule {
    /// Reads the body. What the rule then says as a whole is judged by the use case.
    pub fn parse(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let name = fields.optional("ruleName", line(NAME_CHARS_MAX));
        let wanted = RulePatch { name, ..all_but_the_name(&mut fields) };
        fields.finish(Some(Self { wanted }))
    }
}

impl ToggleTransferRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let enabled = fields.required("enabled", boolean);
        fields.finish(enabled.map(|enabled| Self { enabled }))
    }
}

impl ExecuteTransfers {
    /// Reads the body; none at all says as little as `{}`, as in system A: every rule, in its hours.
    pub fn parse(body: Value) -> Read<Self> {
        if body.is_null() {
            return Ok(Self::default());
        }
        let mut fields = Fields::of(body, Null::Absent)?;
        let most = i64::try_from(RUN_LEADS_MAX).unwrap_or(i64::MAX);
        let rule = fields.optional("ruleId", id);
        let batch = fields.optional("batchSize", whole(BATCH_MIN..=most));
        let plan_hash = fields.optional("planHash", plan_hash);
        let batch = batch.and_then(|batch| usize::try_from(batch).ok()).filter(|batch| *batch > 0);
        fields.finish(Some(Self { rule, batch, plan_hash }))
    }
}

/// What a rule breaks, for the sender.
pub fn rule_violation(violation: &RuleViolation) -> FieldError {
    let rule = match violation.fault {
        RuleFault::Blank | RuleFault::Empty => Rule::Required,
        RuleFault::TooManyChars(max) => Rule::TooLong { max },
        RuleFault::TooMany(max) => Rule::TooMany { max },
        RuleFault::OutOfRange { min, max } => Rule::OutOfRange { min: min.into(), max: max.into() },
        RuleFault::EndsBeforeItBegins => Rule::EndsBeforeItBegins,
    };
    FieldError::new(violation.path, rule)
}

type Read<T> = Result<T, Vec<FieldError>>;

fn all_but_the_name(fields: &mut Fields) -> RulePatch {
    RulePatch {
        name: None,
        description: description(fields),
        target_module: fields.optional("targetModule", code(TargetModule::ALL)),
        conditions: member(fields, "triggerConditions", conditions).unwrap_or_default(),
        window: member(fields, "executionWindow", window).unwrap_or_default(),
        sources: list(fields, "sourceUserIds", PEOPLE_MAX, id),
        targets: list(fields, "targetUserIds", PEOPLE_MAX, id),
        distribution: member(fields, "distributionConfig", distribution).unwrap_or_default(),
        enabled: fields.optional("enabled", boolean),
    }
}

/// A description that was emptied is gone: this is how a page clears it.
fn description(fields: &mut Fields) -> Change<String> {
    match fields.take("description")? {
        Value::Null => Some(None),
        Value::String(text) if text.trim().is_empty() => Some(None),
        value => fields.read("description", value, paragraphs(DESCRIPTION_CHARS_MAX)).map(Some),
    }
}

/// An object inside the body; absent when `null`.
fn member<T>(fields: &mut Fields, key: &str, read: fn(Value) -> Read<T>) -> Option<T> {
    let value = fields.take(key).filter(|value| !value.is_null())?;
    fields.inside(key, read(value))
}

/// A list that may be missing; `null` is as if it were: nobody loses a list by a field that was left out.
fn list<T: PartialEq + Ord + Copy>(
    fields: &mut Fields,
    key: &str,
    max: usize,
    parse: impl Fn(Value) -> Result<T, Rule>,
) -> Option<Vec<T>> {
    if fields.has(key) { fields.list(key, max, parse) } else { fields.take(key).and(None) }
}

/// Where leads may come from; `null` is from anywhere, as a page clears a choice.
fn lead_sources(fields: &mut Fields) -> Option<Vec<LeadSource>> {
    let sources = LeadSource::ALL;
    if fields.has("leadSources") {
        fields.list("leadSources", sources.len(), code(sources))
    } else {
        fields.take("leadSources").map(|_| vec![])
    }
}

fn conditions(value: Value) -> Read<ConditionsPatch> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let created = match fields.take("createdDateRange") {
        Some(Value::Null) => Some(None),
        Some(value) => fields.inside("createdDateRange", days(value)).map(Some),
        None => None,
    };
    let statuses = ContractStatus::ALL;
    let patch = ConditionsPatch {
        inactive_hours: bounded(&mut fields, "inactiveHours", &INACTIVE_HOURS),
        cooldown_hours: bounded(&mut fields, "transferCooldownHours", &COOLDOWN_HOURS),
        transfer_count_max: bounded(&mut fields, "maxTransferCount", &TRANSFER_COUNT_MAX),
        contract_statuses: list(&mut fields, "contractStatuses", statuses.len(), code(statuses)),
        lead_sources: lead_sources(&mut fields),
        created,
    };
    fields.finish(Some(patch))
}

fn days(value: Value) -> Read<Days> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let days = Days { from: fields.optional("startDate", day), to: fields.optional("endDate", day) };
    fields.finish(Some(days))
}

/// `2026-01-02`, or an instant on that day.
fn day(value: Value) -> Result<Day, Rule> {
    let named = value.as_str().and_then(|text| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok());
    let at = date(value)?;
    Ok(named.map_or(Day::Of(at), Day::On))
}

fn window(value: Value) -> Read<WindowPatch> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let patch = WindowPatch {
        enabled: fields.optional("enabled", boolean),
        start: fields.optional("startTime", |value| parsed::<TimeOfDay>(&value, Rule::TimeOfDay)),
        end: fields.optional("endTime", |value| parsed::<TimeOfDay>(&value, Rule::TimeOfDay)),
        zone: fields.optional("zone", |value| parsed::<Zone>(&value, Rule::Zone)),
    };
    fields.finish(Some(patch))
}

fn distribution(value: Value) -> Read<DistributionPatch> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let patch = DistributionPatch {
        strategy: fields.optional("strategy", code(Strategy::ALL)),
        enable_compensation: fields.optional("enableCompensation", boolean),
        compensation_priority: bounded(&mut fields, "compensationPriority", &COMPENSATION_PRIORITY),
    };
    fields.finish(Some(patch))
}

fn bounded(fields: &mut Fields, key: &str, range: &RangeInclusive<u32>) -> Option<u32> {
    let number = fields.optional(key, whole(i64::from(*range.start())..=i64::from(*range.end())))?;
    u32::try_from(number).ok()
}

fn plan_hash(value: Value) -> Result<String, Rule> {
    let hash = line(PLAN_HASH_CHARS)(value)?;
    if hash.len() < PLAN_HASH_CHARS { Err(Rule::TooShort { min: PLAN_HASH_CHARS }) } else { Ok(hash) }
}

fn parsed<T: FromStr>(value: &Value, otherwise: Rule) -> Result<T, Rule> {
    let text = value.as_str().ok_or(Rule::NotText)?;
    text.trim().parse().map_err(|_| otherwise)
}
