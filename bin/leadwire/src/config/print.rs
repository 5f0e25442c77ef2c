//! The settings in force, for `leadwire config check`: secrets are shown as set or not set, nothing more.

use std::borrow::Cow;

use figment::value::Value;
use url::Url;

use super::keys::{self, KEYS, Kind};
use super::reader::{Reader, Sources};

/// What stands for something that must not be read.
const HIDDEN: &str = "(hidden)";
/// What stands for something that nobody set.
const NOT_SET: &str = "(not set)";

/// Every setting with its value in force, in a fixed order; right or wrong. Of the routes those that are set.
pub fn effective(sources: &Sources) -> Vec<(Cow<'static, str>, String)> {
    let reader = Reader::new(sources);
    let all = KEYS.iter().map(|(path, kind)| (*path, shown(&reader, path, *kind)));
    // A type without a route of its own follows the rule; forty-five lines that say so help nobody.
    let routes = keys::route_keys().filter(|path| reader.value(path).is_some());
    let all = all.chain(routes.map(|path| (path, shown(&reader, path, Kind::Texts))));
    let mut settings: Vec<_> = all.map(|(path, value)| (Cow::Borrowed(path), value)).collect();
    for name in reader.intake_sources() {
        for (key, kind) in keys::SOURCE_KEYS {
            let path = format!("intake.{name}.{key}");
            if reader.value(&path).is_some() {
                let value = shown(&reader, &path, kind);
                settings.push((Cow::Owned(path), value));
            }
        }
    }
    settings
}

fn shown(reader: &Reader, path: &str, kind: Kind) -> String {
    if kind == Kind::Secret {
        return if reader.has_secret(path) { HIDDEN } else { NOT_SET }.to_owned();
    }
    let Some(value) = reader.value(path) else { return NOT_SET.to_owned() };
    match kind {
        Kind::Address => value.as_str().map_or_else(|| HIDDEN.to_owned(), without_password),
        _ => text(&value),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Array(_, items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Dict(_, dict) => {
            dict.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(",")
        }
        Value::Num(_, number) => {
            number.to_i128().map_or_else(|| format!("{:?}", number.to_f64()), |n| n.to_string())
        }
        other => format!("{other:?}"),
    }
}

/// The address with its password taken out; hidden as a whole when it cannot be taken apart.
pub(crate) fn without_password(address: &str) -> String {
    if address.starts_with("sqlite:") {
        return address.to_owned();
    }
    let Ok(mut url) = Url::parse(address) else { return HIDDEN.to_owned() };
    let has_password = |url: &Url| url.query_pairs().any(|(name, _)| name == "password");
    if url.password().is_none() && !has_password(&url) {
        return address.to_owned();
    }
    if url.password().is_some() && url.set_password(Some("hidden")).is_err() {
        return HIDDEN.to_owned();
    }
    if has_password(&url) {
        url.set_query(None);
    }
    url.to_string()
}
