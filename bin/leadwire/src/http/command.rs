//! A request that wants something done: its body as JSON, its key, the version it was based on.

use std::fmt::Write as _;

use application::access::Caller;
use application::bus::CommandContext;
use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use domain::{Actor, CommandId, Metadata, Sequence};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::frame::RequestId;
use super::problem::{self, Problem};
use super::text::Language;
use crate::app::{App, SharedApp};

/// Longest idempotency key, in characters (http-api.md section 1).
const KEY_CHARS_MAX: usize = 128;

/// How much of a body that is too large is still read before the answer: a client that is cut off while it
/// sends never sees the answer.
const DRAINED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long that may take.
const DRAIN_SECONDS: u64 = 5;

/// Names the command: the same key is the same command (product.md G4).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A command as it came over the wire.
#[derive(Debug)]
pub struct CommandRequest {
    method: Method,
    route: String,
    correlation: String,
    key: Option<String>,
    /// What the client reads.
    pub language: Language,
    /// Version of the stream that the caller saw.
    pub expected: Option<Sequence>,
    /// The body; `null` when there is none.
    pub body: Value,
}

impl CommandRequest {
    /// What the headers say; `body` is what was sent, or what stands for it in the fingerprint.
    pub(super) fn of(parts: &Parts, body: Value) -> Result<Self, Problem> {
        let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let correlation = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Ok(Self {
            method: parts.method.clone(),
            route: route.unwrap_or_default(),
            correlation: correlation.unwrap_or_default(),
            key: idempotency_key(&parts.headers)?,
            language: Language::of(&parts.headers),
            expected: if_match(&parts.headers)?,
            body,
        })
    }

    /// A request whose body has at most `max` bytes.
    pub(super) async fn of_at_most(request: Request, max: usize) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let command = Self::of(&parts, Value::Null)?;
        let bytes = read(body, &parts.headers, max).await?;
        let body = if bytes.is_empty() { Value::Null } else { parse(&parts.headers, &bytes)? };
        Ok(Self { body, ..command })
    }

    /// Who asks, why and when. `params` are the ids in the path, in their usual form.
    pub fn context(&self, app: &App, caller: &Caller, params: &[String]) -> CommandContext {
        self.context_of(app, &caller.id.to_string(), Actor::Staff(caller.id), params)
    }

    /// The same for an actor that is no person; keys of one `sender` name that sender's commands only.
    pub fn context_of(&self, app: &App, sender: &str, actor: Actor, params: &[String]) -> CommandContext {
        let command = match &self.key {
            Some(key) => CommandId::from_key(sender, key),
            None => CommandId(app.ids.next()),
        };
        CommandContext {
            metadata: Metadata { command, correlation: self.correlation.clone(), causation: None, actor },
            at: app.clock.now(),
            fingerprint: self.key.as_ref().map(|_| self.fingerprint(params)),
        }
    }

    /// Refuses a version where there is no one customer that could have it: a condition that nobody checks would
    /// promise what is not kept.
    pub(super) fn without_version(self) -> Result<Self, Problem> {
        match self.expected {
            None => Ok(self),
            Some(_) => Err(Problem::bad_header(
                "If-Match",
                "此接口不支持版本条件",
                "is not understood here: no single customer is changed",
            )),
        }
    }

    /// SHA-256 over what is asked for. The expected version is no part of it: it says under which condition.
    fn fingerprint(&self, params: &[String]) -> String {
        let mut hash = Sha256::new();
        for part in [self.method.as_str(), &self.route, &params.join("/")] {
            hash.update(part.as_bytes());
            hash.update([0x1f]);
        }
        hash.update(canonical(&self.body).as_bytes());
        hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// JSON with its members in order, so that the order in which a client writes them does not matter.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value)| format!("{}:{}", json!(key), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(entries) => {
            format!("[{}]", entries.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

impl FromRequest<SharedApp> for CommandRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        Self::of_at_most(request, app.settings.server.body_bytes_max).await
    }
}

/// Reads a body that is small enough.
pub(super) async fn read(body: Body, headers: &HeaderMap, max: usize) -> Result<Vec<u8>, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    if declared.is_none_or(|declared: usize| declared <= max) {
        loop {
            match chunks.next().await {
                None => return Ok(bytes),
                Some(Err(_)) => return Err(Problem::of(&problem::MALFORMED_JSON)), // the client went away
                Some(Ok(chunk)) if bytes.len() + chunk.len() > max => break,
                Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            }
        }
    }
    let drain = async {
        let mut drained = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            drained += chunk.len();
            if drained > DRAINED_BYTES_MAX {
                break;
            }
        }
    };
    // Whether it ends in time changes nothing: the answer is the same.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(DRAIN_SECONDS), drain).await;
    Err(Problem::of(&problem::PAYLOAD_TOO_LARGE).details(json!({ "bytesMax": max })))
}

/// Reads a body that is declared to be JSON.
pub(super) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Problem> {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err(Problem::of(&problem::UNSUPPORTED_MEDIA_TYPE));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let place = json!({ "line": error.line(), "column": error.column() });
        Problem::of(&problem::MALFORMED_JSON).details(place)
    })
}

/// The only value of a header that may stand there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(());
    }
    value.to_str().map(Some).map_err(|_| ())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let bad = || {
        let zh = format!("必须是1到{KEY_CHARS_MAX}个可见ASCII字符");
        Problem::bad_header(
            "Idempotency-Key",
            &zh,
            &format!("must be 1 to {KEY_CHARS_MAX} visible ASCII characters"),
        )
    };
    match single(headers, &IDEMPOTENCY_KEY) {
        Ok(None) => Ok(None),
        Ok(Some(key))
            if (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(key.to_owned()))
        }
        _ => Err(bad()),
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<Sequence>, Problem> {
    let bad = || {
        Problem::bad_header(
            "If-Match",
            "必须是带引号的版本号，如 \"3\"",
            "must be a quoted version such as \"3\"",
        )
    };
    let Some(tag) = single(headers, &header::IF_MATCH).map_err(|()| bad())? else { return Ok(None) };
    let version = tag.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let digits = version.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_visible_ascii_of_at_most_128_characters() {
        for (values, good) in [
            (vec!["a"], true),
            (vec!["b7c3-!~"], true),
            (vec![&*"x".repeat(128)], true),
            (vec![&*"x".repeat(129)], false),
            (vec![""], false),
            (vec!["a b"], false),
            (vec!["a", "b"], false),
        ] {
            assert_eq!(idempotency_key(&headers(&IDEMPOTENCY_KEY, &values)).is_ok(), good, "{values:?}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_version_is_a_quoted_number() {
        for (value, expected) in [
            ("\"3\"", Some(3)),
            ("\"0\"", Some(0)),
            ("3", None),
            ("\"\"", None),
            ("\"-1\"", None),
            ("\"+1\"", None),
            ("W/\"3\"", None),
            ("*", None),
            ("\"99999999999999999999\"", None),
            ("\"", None),
        ] {
            let read = if_match(&headers(&header::IF_MATCH, &[value]));
            assert_eq!(read.ok(), expected.map(Some), "{value}");
        }
    }

    fn request(route: &str, body: &str) -> CommandRequest {
        CommandRequest {
            method: Method::PATCH,
            route: route.to_owned(),
            correlation: String::new(),
            key: Some("k".to_owned()),
            expected: None,
            language: Language::Chinese,
            body: serde_json::from_str(body).unwrap(),
        }
    }

    #[test]
    fn a_fingerprint_tells_requests_apart_but_not_the_order_of_members() {
        let of = |request: CommandRequest| request.fingerprint(&["7".to_owned()]);
        let first = of(request("/a", r#"{"x":1,"y":{"a":[1,2],"b":null}}"#));
        assert_eq!(first.len(), 64);
        assert_eq!(first, of(request("/a", r#"{ "y": {"b":null,"a":[1,2]}, "x": 1 }"#)));
        assert_ne!(first, of(request("/b", r#"{"x":1,"y":{"a":[1,2],"b":null}}"#)));
        assert_ne!(first, of(request("/a", r#"{"x":1,"y":{"a":[2,1],"b":null}}"#)));
        let elsewhere = request("/a", r#"{"x":1,"y":{"a":[1,2],"b":null}}"#).fingerprint(&["8".to_owned()]);
        assert_ne!(first, elsewhere);
    }
}
