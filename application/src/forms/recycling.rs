//! The forms of recycle rules and of the rules of the public pool. Both are replaced as a whole.
//!
//! ```json
//! { "name": "七天未跟进", "priority": 10, "kind": "no_follow_up", "days": 7, "daysByLevel": { "O类": 14 },
//!   "leadSources": ["美团"], "statuses": ["待定"], "protectedHours": 24, "effectiveFrom": "2026-03-01T00:00:00Z",
//!   "warnBeforeHours": [72, 24], "enabled": true }
//! ```

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::RecycleRuleId;
use domain::customer::{ContractStatus, LeadLevel, LeadSource};
use domain::pool_rules::{
    CLAIM_GAP_SECONDS, CLAIMS_PER_DAY, COOL_OFF_HOURS, HOLDING_CAP, PoolRulesText, PoolRulesViolation,
};
use domain::recycle_rule::{
    DAYS, NAME_CHARS_MAX, PRIORITY, PROTECTED_HOURS, RecycleFault, RecycleKind, RecycleViolation,
    RecycleWish, WARN_BEFORE_HOURS, WARN_BEFORE_HOURS_DEFAULT, WARN_BEFORE_HOURS_SHORT, WARNINGS_MAX,
};
use domain::staff::Role;
use serde_json::{Map, Value};

use super::fields::{Fields, Null};
use super::scalars::{boolean, code, date, id, line, whole};
use super::{FieldError, Rule};

type Read<T> = Result<T, Vec<FieldError>>;

/// The place of a rule that names none.
const PRIORITY_DEFAULT: u32 = 100;

domain::code_table! {
    /// What makes a lead fall.
    RecycleKindCode {
        /// Nobody followed up.
        NoFollowUp = "no_follow_up",
        /// Nobody signed.
        NotSigned = "not_signed",
    }
}

impl From<RecycleKind> for RecycleKindCode {
    fn from(kind: RecycleKind) -> Self {
        match kind {
            RecycleKind::NoFollowUp { .. } => Self::NoFollowUp,
            RecycleKind::NotSigned { .. } => Self::NotSigned,
        }
    }
}

/// `POST /api/recycle-rules`, `PUT /api/recycle-rules/:id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRecycleRule {
    /// What it says; from when on may be left open.
    pub text: RecycleWish,
    /// Whether it counts; a change of what it says leaves that as it is unless it is named.
    pub enabled: Option<bool>,
}

/// `POST /api/recycle-rules/preview`: a rule that is there, or the text of one, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewRecycleRule {
    /// A rule that is there.
    pub rule: Option<RecycleRuleId>,
    /// What it would say.
    pub text: Option<RecycleWish>,
    /// Whether it would count; it would when nothing is said.
    pub enabled: Option<bool>,
    /// Until when the leads fall.
    pub until: Option<DateTime<Utc>>,
}

/// `PATCH /api/recycle-rules/:id/toggle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToggleRecycleRule {
    /// Whether it counts.
    pub enabled: bool,
}

/// `PUT /api/pool-rules`; what is missing is left to the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPoolRules {
    /// All of them.
    pub text: PoolRulesText,
}

impl WriteRecycleRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        Self::read(body).map_err(of_rule)
    }

    fn read(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let text = text(&mut fields);
        let enabled = fields.optional("enabled", boolean);
        let form = fields.finish(text.map(|text| Self { text, enabled }))?;
        checked(&form.text)?;
        Ok(form)
    }
}

impl PreviewRecycleRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        Self::read(body).map_err(of_rule)
    }

    fn read(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let rule = fields.optional("ruleId", id);
        let enabled = fields.optional("enabled", boolean);
        let until = fields.optional("until", date);
        let of_text = |value| {
            let mut fields = Fields::of(value, Null::Absent)?;
            let text = text(&mut fields);
            let text = fields.finish(text)?;
            checked(&text).map(|()| text)
        };
        let text = fields.take("rule").filter(|value| !value.is_null());
        if rule.is_none() && text.is_none() && !fields.is_violated("ruleId") {
            fields.violated("ruleId", Rule::Required);
        }
        let text = text.and_then(|value| fields.inside("rule", of_text(value)));
        fields.finish(Some(Self { rule, text, enabled, until }))
    }
}

impl ToggleRecycleRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let enabled = fields.required("enabled", boolean);
        fields.finish(enabled.map(|enabled| Self { enabled }))
    }
}

impl SetPoolRules {
    /// Reads the body.
    pub fn parse(body: Value) -> Read<Self> {
        Self::read(body).map_err(|errors| errors.into_iter().map(called_in_the_pool).collect())
    }

    fn read(body: Value) -> Read<Self> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let text = PoolRulesText {
            claims_per_day: fields.optional("claimsPerDay", whole(CLAIMS_PER_DAY)),
            claim_gap_seconds: fields.optional("claimGapSeconds", whole(CLAIM_GAP_SECONDS)),
            cool_off_hours: fields.optional("coolOffHours", whole(COOL_OFF_HOURS)),
            holding_cap: fields.optional("holdingCap", whole(HOLDING_CAP)),
            holding_cap_by_role: numbers::<Role>(&mut fields, "holdingCapByRole", Role::ALL, &HOLDING_CAP),
            cap_ignores_signed: fields.optional("capIgnoresSigned", boolean),
            assignments_held_to_cap: fields.optional("assignmentsHeldToCap", boolean),
        };
        fields.finish(Some(Self { text }))
    }
}

fn text(fields: &mut Fields) -> Option<RecycleWish> {
    let name = fields.required("name", line(NAME_CHARS_MAX));
    let priority = bounded(fields, "priority", &PRIORITY).unwrap_or(PRIORITY_DEFAULT);
    let kind = fields.required("kind", code(RecycleKindCode::ALL));
    let days = fields.required("days", whole(wide(&DAYS))).and_then(narrow);
    let by_level = numbers::<LeadLevel>(fields, "daysByLevel", LeadLevel::ALL, &wide(&DAYS));
    let by_level = by_level.unwrap_or_default().into_iter();
    let (sources, statuses) = (LeadSource::ALL, ContractStatus::ALL);
    let lead_sources = list(fields, "leadSources", sources.len(), code(sources)).unwrap_or_default();
    let statuses = list(fields, "statuses", statuses.len(), code(statuses)).unwrap_or_default();
    let protected_hours = bounded(fields, "protectedHours", &PROTECTED_HOURS).unwrap_or_default();
    let effective_from = fields.optional("effectiveFrom", date);
    let hours = list(fields, "warnBeforeHours", WARNINGS_MAX, whole(wide(&WARN_BEFORE_HOURS)));
    let hours = hours.map(|hours| hours.into_iter().filter_map(narrow).collect());
    let days = days?;
    let kind = match kind? {
        RecycleKindCode::NoFollowUp => RecycleKind::NoFollowUp { days },
        RecycleKindCode::NotSigned => RecycleKind::NotSigned { days },
    };
    let mut text = RecycleWish {
        name: name?,
        priority,
        kind,
        days_by_level: by_level.filter_map(|(level, days)| Some((level, narrow(days)?))).collect(),
        lead_sources,
        statuses,
        protected_hours,
        effective_from,
        warn_before_hours: Vec::new(),
    };
    text.warn_before_hours = hours.unwrap_or_else(|| usual_warnings(&text));
    Some(text)
}

/// Three days and one day before, as far as the rule gives that long, and half a day before if it does not.
fn usual_warnings(text: &RecycleWish) -> Vec<u32> {
    let fits = |hours: &u32| {
        let tried = RecycleWish { warn_before_hours: vec![*hours], ..text.clone() };
        !tried.violations().iter().any(|violation| violation.path.starts_with("warnBeforeHours"))
    };
    let usual: Vec<u32> = WARN_BEFORE_HOURS_DEFAULT.into_iter().filter(fits).collect();
    if usual.is_empty() { vec![WARN_BEFORE_HOURS_SHORT] } else { usual }
}

fn checked(text: &RecycleWish) -> Read<()> {
    let violations = text.violations();
    if violations.is_empty() { Ok(()) } else { Err(violations.iter().map(recycle_violation).collect()) }
}

/// What a recycle rule breaks, for the sender.
pub fn recycle_violation(violation: &RecycleViolation) -> FieldError {
    let rule = match violation.fault {
        RecycleFault::Blank => Rule::Required,
        RecycleFault::TooManyChars(max) => Rule::TooLong { max },
        RecycleFault::TooMany(max) => Rule::TooMany { max },
        RecycleFault::OutOfRange { min, max } => Rule::OutOfRange { min: min.into(), max: max.into() },
        RecycleFault::WarnsTooEarly { shortest_hours } => {
            Rule::OutOfRange { min: 1, max: i64::from(shortest_hours) - 1 }
        }
    };
    called_in_a_rule(FieldError::new(violation.path.clone(), rule))
}

/// What the rules of the pool break, for the sender.
pub fn pool_rules_violation(violation: &PoolRulesViolation) -> FieldError {
    let PoolRulesViolation { path, min, max } = violation;
    called_in_the_pool(FieldError::new(path.clone(), Rule::OutOfRange { min: *min, max: *max }))
}

fn of_rule(errors: Vec<FieldError>) -> Vec<FieldError> {
    errors.into_iter().map(called_in_a_rule).collect()
}

/// A violation as it is said of a recycle rule, alone or inside a preview.
fn called_in_a_rule(error: FieldError) -> FieldError {
    let field = error.path.strip_prefix("rule.").unwrap_or(&error.path).to_owned();
    error.called_as_in("recycle", &field)
}

/// A violation as it is said of the rules of the pool.
fn called_in_the_pool(error: FieldError) -> FieldError {
    let field = error.path.clone();
    error.called_as_in("pool", &field)
}

/// A table of numbers by code, such as `{"O类": 14}`.
fn numbers<T: FromStr + Ord + Copy + std::fmt::Display>(
    fields: &mut Fields,
    key: &str,
    all: &'static [T],
    range: &RangeInclusive<i64>,
) -> Option<BTreeMap<T, i64>> {
    let members: Map<String, Value> = match fields.take(key)? {
        Value::Null => return None,
        Value::Object(members) => members,
        _ => {
            fields.violated(key, Rule::NotAMap);
            return None;
        }
    };
    let mut table = BTreeMap::new();
    for (name, value) in members {
        let path = format!("{key}.{name}");
        let known = fields.read(&path, Value::String(name), code(all));
        let number = fields.read(&path, value, whole(range.clone()));
        table.extend(known.zip(number));
    }
    Some(table)
}

/// A list that may be missing; `null` is as if it were.
fn list<T: PartialEq + Ord + Copy>(
    fields: &mut Fields,
    key: &str,
    max: usize,
    parse: impl Fn(Value) -> Result<T, Rule>,
) -> Option<Vec<T>> {
    if fields.has(key) { fields.list(key, max, parse) } else { fields.take(key).and(None) }
}

fn bounded(fields: &mut Fields, key: &str, range: &RangeInclusive<u32>) -> Option<u32> {
    fields.optional(key, whole(wide(range))).and_then(narrow)
}

fn wide(range: &RangeInclusive<u32>) -> RangeInclusive<i64> {
    i64::from(*range.start())..=i64::from(*range.end())
}

fn narrow(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}
