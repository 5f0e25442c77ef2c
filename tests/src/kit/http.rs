//! Requests over a real connection. Every answer, whatever the story is about, is held against the one shape it must
//! have (http-api.md section 1).

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;

use super::{Node, Person};

/// Longest time one request may take; longer than the service's own limit.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);

/// Paths whose good answers are documents and not envelopes.
const DOCUMENTS: [&str; 6] = [
    "/api/openapi.json",
    "/api/docs",
    "/api/customers/import-template",
    "/metrics",
    "/api/wecom/process-queue",
    "/api/wecom/manual-check",
];

/// Whether the service is ready.
const READINESS: &str = "/health/ready";

/// A client with this module's timeout. It never repeats a request by itself and asks no proxy.
pub fn http_client() -> Client {
    // The client wants a TLS provider although nothing here speaks TLS; an error means that it has one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).retry(reqwest::retry::never());
    client.build().expect("an HTTP client")
}

/// A request that is put together.
#[derive(Debug)]
#[must_use = "send it"]
pub struct Call<'n> {
    node: &'n Node,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` when it is not JSON.
    pub body: Value,
}

impl Node {
    /// A request with this method.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call { node: self, method, path: path.to_owned(), headers: HeaderMap::new(), body: None }
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// Creates or does.
    pub fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::POST, path).json(body)
    }

    /// Changes.
    pub fn patch(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::PATCH, path).json(body)
    }

    /// Sets.
    pub fn put(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::PUT, path).json(body)
    }
}

impl Call<'_> {
    /// By somebody who is logged in.
    pub fn by(self, person: &Person) -> Self {
        self.token(&person.token)
    }

    /// With this token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With this idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Based on this version.
    pub fn if_match(self, version: i64) -> Self {
        self.header("if-match", &format!("\"{version}\""))
    }

    /// With a header; one that was set before stays too.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.raw_header(name, value.as_bytes())
    }

    /// With a header of any bytes that HTTP can carry.
    pub fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header");
        self.headers.append(name, HeaderValue::from_bytes(value).expect("the value of a header"));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    /// With any body.
    pub fn bytes(mut self, kind: &str, body: Vec<u8>) -> Self {
        let kind = HeaderValue::from_str(kind).expect("a content type");
        self.headers.insert(CONTENT_TYPE, kind);
        self.body = Some(body);
        self
    }

    /// Sends it and checks the shape of the answer.
    pub async fn send(self) -> Reply {
        let what = format!("{} {}", self.method, self.path);
        let mut request =
            self.node.client().request(self.method, self.node.url(&self.path)).headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let reply = Reply { status, headers, body };
        let route = self.path.split('?').next().unwrap_or_default();
        let is_document = status == 200 && DOCUMENTS.contains(&route);
        // Readiness says no with its data, for machines that look at nothing but the status.
        let is_readiness = route == READINESS && status == 503;
        // The one answer without a body: a deletion (http-api.md section 1).
        let is_deletion = what.starts_with("DELETE ") && status == 204 && bytes.is_empty();
        if let Some(fault) = (!is_document && !is_readiness && !is_deletion).then(|| reply.fault()).flatten()
        {
            panic!("{what}: {fault} in {reply:?}");
        }
        reply
    }
}

impl Reply {
    /// A header, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `data` of a good answer.
    pub fn data(&self) -> &Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        &self.body["data"]
    }

    /// Id of the resource in `data`.
    pub fn id(&self) -> String {
        self.data()["_id"].as_str().expect("an _id").to_owned()
    }

    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// What people are told.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The version of the stream that is shown.
    pub fn version(&self) -> i64 {
        let tag = self.header("etag").unwrap_or_else(|| panic!("no ETag in {self:?}"));
        tag.trim_matches('"').parse().expect("a version")
    }

    /// Position of the last event of the command.
    pub fn position(&self) -> i64 {
        let position = self.header("x-position").unwrap_or_else(|| panic!("no X-Position in {self:?}"));
        position.parse().expect("a position")
    }

    /// Whether this is the first answer again.
    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The body without the time at which it was written.
    pub fn but_for_time(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(members) = body.as_object_mut() {
            members.remove("timestamp");
        }
        body
    }

    /// In what the answer differs from the shape that every answer has.
    fn fault(&self) -> Option<&'static str> {
        let good = (200..300).contains(&self.status);
        let kind = if good { "application/json; charset=utf-8" } else { "application/problem+json" };
        let text = |name: &str| self.body[name].is_string();
        let common = [
            (self.header("cache-control") == Some("no-store"), "no Cache-Control"),
            (self.header("x-request-id").is_some(), "no X-Request-Id"),
            (self.header("content-type") == Some(kind), "another Content-Type"),
            (self.body["timestamp"].is_i64(), "no timestamp"),
            (text("message"), "no message"),
            (self.body["success"] == good, "another success"),
            (self.body.as_object().is_some_and(|body| body.contains_key("data")), "no data"),
        ];
        if let Some((_, fault)) = common.iter().find(|(holds, _)| !holds) {
            return Some(fault);
        }
        if good {
            return None;
        }
        let of_a_problem = [
            (
                ["type", "title", "detail", "code", "requestId"].into_iter().all(text),
                "a member of RFC 9457 missing",
            ),
            (self.body["status"] == self.status, "another status"),
            (self.body["detail"] == self.body["message"], "another detail"),
            (self.body["error"]["code"] == self.body["code"], "another error code"),
            (self.body["error"]["details"].is_object(), "no details"),
            (self.body["data"].is_null(), "data in a problem"),
            (self.header("x-request-id") == self.body["requestId"].as_str(), "another request id"),
        ];
        of_a_problem.into_iter().find(|(holds, _)| !holds).map(|(_, fault)| fault)
    }
}
