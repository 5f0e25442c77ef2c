//! `enable_duplicate_check`: the same request JSON reaches nobody a second time (wechat-apis.md §5.2).

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{errcode::Refusal, world::WireRequest};

/// Without `duplicate_check_interval`.
const INTERVAL_DEFAULT_SECONDS: i64 = 1800;
/// Four hours.
const INTERVAL_MAX_SECONDS: i64 = 14_400;

/// Fewer are not worth a sweep.
const SWEEP_MIN: usize = 1024;

#[derive(Debug)]
struct Known {
    until: DateTime<Utc>,
    msgid: String,
}

/// Accepted requests with the check on, by app and content.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    known: HashMap<(String, Vec<u8>), Known>,
    /// Old ones are swept out when there are so many.
    sweep_at: usize,
}

impl Duplicates {
    /// The msgid of the same message, if it was taken within its interval.
    pub(super) fn of(&self, app: &str, content: &[u8], now: DateTime<Utc>) -> Option<String> {
        let known = self.known.get(&(app.to_owned(), content.to_owned()))?;
        (now < known.until).then(|| known.msgid.clone())
    }

    pub(super) fn remember(
        &mut self,
        app: &str,
        content: Vec<u8>,
        msgid: &str,
        interval: TimeDelta,
        now: DateTime<Utc>,
    ) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, known| now < known.until);
            self.sweep_at = SWEEP_MIN.max(2 * self.known.len());
        }
        let known = Known { until: now + interval, msgid: msgid.to_owned() };
        self.known.insert((app.to_owned(), content), known);
    }
}

/// The interval a request asks for, if it asks for the check. Beyond four hours it is refused.
pub(super) fn interval(body: &Value) -> Result<Option<TimeDelta>, Refusal> {
    let number = |key: &str, default: i64| match body.get(key) {
        None => Ok(default),
        Some(value) => value.as_i64().ok_or(Refusal::Plain(40058)),
    };
    let enabled = number("enable_duplicate_check", 0)? == 1;
    let seconds = number("duplicate_check_interval", INTERVAL_DEFAULT_SECONDS)?;
    if !enabled {
        return Ok(None);
    }
    match seconds {
        1..=INTERVAL_MAX_SECONDS => Ok(Some(TimeDelta::seconds(seconds))),
        _ => Err(Refusal::Plain(40058)),
    }
}

/// What two requests are compared by.
pub(super) fn content(request: &WireRequest, body: &Value, by_bytes: bool) -> Vec<u8> {
    if by_bytes { request.body.clone() } else { canonical(body).into_bytes() }
}

/// One text for all spellings of a JSON value.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("{key:?}:{}", canonical(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_interval_is_at_most_four_hours() {
        for (body, expected) in [
            (json!({}), Ok(None)),
            (json!({ "enable_duplicate_check": 0, "duplicate_check_interval": 60 }), Ok(None)),
            (json!({ "enable_duplicate_check": 1 }), Ok(Some(1800))),
            (json!({ "enable_duplicate_check": 1, "duplicate_check_interval": 14_400 }), Ok(Some(14_400))),
            (json!({ "enable_duplicate_check": 1, "duplicate_check_interval": 14_401 }), Err(40058)),
            (json!({ "enable_duplicate_check": 1, "duplicate_check_interval": 0 }), Err(40058)),
            (json!({ "enable_duplicate_check": "1" }), Err(40058)),
        ] {
            let judged = interval(&body).map_err(|refusal| refusal.errcode());
            assert_eq!(judged, expected.map(|seconds| seconds.map(TimeDelta::seconds)), "{body}");
        }
    }

    #[test]
    fn spellings_differ_in_bytes_only() {
        let spelled = |text: &str, by_bytes| {
            let request =
                WireRequest { is_get: false, query: std::collections::BTreeMap::new(), body: text.into() };
            content(&request, &serde_json::from_str(text).unwrap(), by_bytes)
        };
        let (one, other) = (r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"d":3,"c":2}, "a":1}"#);
        assert_ne!(spelled(one, true), spelled(other, true));
        assert_eq!(spelled(one, false), spelled(other, false));
        assert_ne!(spelled(one, false), spelled(r#"{"a":2,"b":{"c":2,"d":3}}"#, false));
    }
}
