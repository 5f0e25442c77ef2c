//! The form of preferences: one document, replaced as a whole (http-api.md section 4).
//!
//! ```json
//! { "rules": [{ "type": "CUSTOMER_ASSIGNED", "channel": "wecom_app", "mode": "digest" }],
//!   "quiet": { "zone": "Asia/Shanghai", "windows": [{ "days": ["mon"], "from": "22:00", "to": "08:00" }] },
//!   "digest": { "kind": "daily", "at": "09:00" },
//!   "routes": { "CUSTOMER_ASSIGNED": ["wecom_app", "wechat_subscribe"] },
//!   "locale": "zh-CN" }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use domain::notification::Channel;
use domain::preferences::{
    Day, Digest, Document, Fault, Language, Mode, QuietHours, ROUTES_MAX, RULES_MAX, SCENE_CHARS_MAX,
    Violation, WINDOWS_MAX, Window,
};
use domain::preferences::{Rule as TellRule, TimeOfDay, Zone};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{code, whole};
use super::{FieldError, Rule};
use crate::texts::kinds;

/// The kinds of digests.
const DIGEST_KINDS: [&str; 2] = ["daily", "burst"];

/// `PUT /api/notifications/preferences` and `…/roles/{role}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPreferences {
    /// All of it.
    pub document: Document,
}

impl SetPreferences {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let rules = entries(&mut fields, "rules", RULES_MAX, rule).unwrap_or_default();
        let quiet = member(&mut fields, "quiet", quiet);
        let digest = member(&mut fields, "digest", digest);
        let routes = member(&mut fields, "routes", routes).unwrap_or_default();
        let locale = fields.optional("locale", code(Language::ALL));
        let document = Document { rules, quiet, digest, routes, locale };
        // What no single field shows; a document that could not be read whole would only be blamed twice.
        let violations = document.violations();
        let form = fields.finish(Some(Self { document }))?;
        if violations.is_empty() { Ok(form) } else { Err(violations.iter().map(violation_of).collect()) }
    }
}

/// A violation that the domain found, for the sender.
pub fn violation_of(violation: &Violation) -> FieldError {
    let rule = match violation.fault {
        Fault::TooMany(max) => Rule::TooMany { max },
        Fault::SaidTwice => Rule::SaidTwice,
        Fault::InboxAlwaysOn => Rule::InboxAlwaysOn,
        Fault::InvalidScene => Rule::TooLong { max: SCENE_CHARS_MAX },
        Fault::NoDays => Rule::Required,
        Fault::NeverEnds => Rule::NeverEnds,
        Fault::OutOfRange { min, max } => Rule::OutOfRange { min: min.into(), max: max.into() },
    };
    FieldError::new(violation.path.clone(), rule)
}

type Read<T> = Result<T, Vec<FieldError>>;

/// An object inside the body; absent when `null`.
fn member<T>(fields: &mut Fields, key: &str, read: fn(Value) -> Read<T>) -> Option<T> {
    let value = fields.take(key).filter(|value| !value.is_null())?;
    fields.inside(key, read(value))
}

/// A list of objects inside the body; each bad one is named.
fn entries<T>(fields: &mut Fields, key: &str, max: usize, read: fn(Value) -> Read<T>) -> Option<Vec<T>> {
    let value = fields.take(key).filter(|value| !value.is_null())?;
    let list = fields.read(key, value, |value| match value {
        Value::Array(list) if list.len() > max => Err(Rule::TooMany { max }),
        Value::Array(list) => Ok(list),
        _ => Err(Rule::NotAList),
    })?;
    let mut found = Vec::with_capacity(list.len());
    for (n, entry) in list.into_iter().enumerate() {
        found.extend(fields.inside(&format!("{key}[{n}]"), read(entry)));
    }
    Some(found)
}

fn rule(entry: Value) -> Read<TellRule> {
    let mut fields = Fields::of(entry, Null::Absent)?;
    let scene = fields.optional("type", kind);
    let channel = fields.optional("channel", code(Channel::ALL));
    let mode = fields.required("mode", code(Mode::ALL));
    fields.finish(mode.map(|mode| TellRule { scene, channel, mode }))
}

fn quiet(value: Value) -> Read<QuietHours> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let zone = fields.optional("zone", |value| parsed::<Zone>(&value, Rule::Zone)).unwrap_or_default();
    let windows = entries(&mut fields, "windows", WINDOWS_MAX, window).unwrap_or_default();
    fields.finish(Some(QuietHours { zone, windows }))
}

fn window(entry: Value) -> Read<Window> {
    let mut fields = Fields::of(entry, Null::Absent)?;
    let days = fields.list("days", Day::ALL.len(), code(Day::ALL));
    if days.as_ref().is_some_and(Vec::is_empty) {
        fields.violated("days", Rule::Required);
    }
    let from = fields.required("from", time);
    let to = fields.required("to", time);
    let window = days.zip(from.zip(to)).map(|(days, (from, to))| Window {
        days: days.into_iter().collect::<BTreeSet<_>>(),
        from,
        to,
    });
    fields.finish(window)
}

fn digest(value: Value) -> Read<Digest> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let kind = fields.required("kind", |value| match value.as_str() {
        Some(text) => DIGEST_KINDS
            .into_iter()
            .find(|kind| *kind == text)
            .ok_or_else(|| Rule::UnknownCode { allowed: DIGEST_KINDS.map(str::to_owned).to_vec() }),
        None => Err(Rule::NotText),
    });
    let digest = match kind {
        Some("daily") => fields.required("at", time).map(|at| Digest::Daily { at }),
        Some(_) => fields
            .required("minutes", whole(minutes()))
            .and_then(|minutes| u32::try_from(minutes).ok())
            .map(|minutes| Digest::Burst { minutes }),
        None => {
            // Which of the two belongs there is not known: neither is called unknown.
            fields.take("at");
            fields.take("minutes");
            None
        }
    };
    fields.finish(digest)
}

fn minutes() -> std::ops::RangeInclusive<i64> {
    let range = domain::preferences::BURST_MINUTES;
    i64::from(*range.start())..=i64::from(*range.end())
}

fn routes(value: Value) -> Read<BTreeMap<String, Vec<Channel>>> {
    let Value::Object(members) = value else { return Err(vec![FieldError::new("", Rule::NotAnObject)]) };
    if members.len() > ROUTES_MAX {
        return Err(vec![FieldError::new("", Rule::TooMany { max: ROUTES_MAX })]);
    }
    let names: Vec<String> = members.keys().cloned().collect();
    let mut fields = Fields::of(Value::Object(members), Null::Absent)?;
    let mut routes = BTreeMap::new();
    for name in names {
        if kinds::ALL.contains(&name.as_str())
            && let Some(channels) = channels(&mut fields, &name)
        {
            routes.insert(name, channels);
        }
    }
    fields.finish(Some(routes))
}

/// A list of channels in the order they are tried; `Fields::list` would let a repetition pass in silence.
fn channels(fields: &mut Fields, key: &str) -> Option<Vec<Channel>> {
    let value = fields.take(key)?;
    let list = fields.read(key, value, |value| match value {
        Value::Array(list) if list.len() > Channel::ALL.len() => {
            Err(Rule::TooMany { max: Channel::ALL.len() })
        }
        Value::Array(list) => Ok(list),
        _ => Err(Rule::NotAList),
    })?;
    let mut channels = Vec::with_capacity(list.len());
    for (n, entry) in list.into_iter().enumerate() {
        channels.extend(fields.read(&format!("{key}[{n}]"), entry, code(Channel::ALL)));
    }
    Some(channels)
}

fn kind(value: Value) -> Result<String, Rule> {
    let Value::String(text) = value else { return Err(Rule::NotText) };
    let known = kinds::ALL.contains(&text.trim());
    let unknown = || Rule::UnknownCode { allowed: kinds::ALL.iter().map(ToString::to_string).collect() };
    known.then(|| text.trim().to_owned()).ok_or_else(unknown)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "what reads a field is given the value, as all of them are"
)]
fn time(value: Value) -> Result<TimeOfDay, Rule> {
    parsed(&value, Rule::TimeOfDay)
}

fn parsed<T: FromStr>(value: &Value, otherwise: Rule) -> Result<T, Rule> {
    let text = value.as_str().ok_or(Rule::NotText)?;
    text.trim().parse().map_err(|_| otherwise)
}
