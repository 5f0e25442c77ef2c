//! A person at a screen who presses the button again until there is an answer, with the same idempotency key.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::service::Address;

/// Longest time one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time a person keeps trying.
const PATIENCE: Duration = Duration::from_mins(2);
/// First wait between two attempts; it doubles.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_millis(320);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Somebody who is logged in. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base_url: String,
    token: String,
}

/// A success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `data` of the envelope.
    pub data: Value,
    /// How many attempts were needed.
    pub attempts: u32,
    /// Whether it is the answer to an earlier attempt, which had arrived although its answer did not.
    pub replayed: bool,
}

/// A client with this module's timeouts. It never repeats a request by itself: repeating is what is tested.
pub fn http_client() -> Result<Client> {
    // The client wants a TLS provider although nothing here speaks TLS; an error means that it has one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().timeout(ATTEMPT_TIMEOUT).retry(reqwest::retry::never()).build()?)
}

impl Api {
    /// Logs in.
    pub async fn login(address: &Address, username: &str) -> Result<Self> {
        let mut api = Self { client: http_client()?, base_url: address.base_url(), token: String::new() };
        let body = json!({ "username": username, "password": super::seats::PASSWORD });
        let answer = api.ask(Method::POST, "/api/auth/login", None, Some(&body)).await?;
        let token = answer.data["access_token"].as_str().context("a login without a token")?;
        token.clone_into(&mut api.token);
        Ok(api)
    }

    /// Somebody who has this token.
    pub fn with_token(address: &Address, token: &str) -> Result<Self> {
        Ok(Self { client: http_client()?, base_url: address.base_url(), token: token.to_owned() })
    }

    /// The token that names the person.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.ask(Method::GET, path, None, None).await?.data)
    }

    /// Changes something, once, whatever happens on the way.
    pub async fn command(&self, method: Method, path: &str, key: &str, body: &Value) -> Result<Answer> {
        self.ask(method, path, Some(key), Some(body)).await
    }

    /// Tries until a definite answer comes. A refusal is an error: nothing in a run gives a reason for one.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let started = Instant::now();
        let mut backoff = BACKOFF_MIN;
        for attempts in 1.. {
            let why = match self.attempt(&method, path, key, body).await {
                Ok((status, headers, text)) if status.is_success() => {
                    let replayed = headers.get(IDEMPOTENT_REPLAYED).is_some_and(|value| value == "true");
                    let mut envelope: Value =
                        serde_json::from_str(&text).with_context(|| format!("{method} {path}: {text}"))?;
                    return Ok(Answer { data: envelope["data"].take(), attempts, replayed });
                }
                Ok((status, _, text)) if !worth_another_try(status) => {
                    bail!("{method} {path} was refused with {status}: {text}")
                }
                Ok((status, _, text)) => format!("{status}: {text}"),
                Err(error) => error.to_string(),
            };
            ensure!(started.elapsed() < PATIENCE, "{method} {path}: no answer for {PATIENCE:?}; last: {why}");
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        unreachable!("attempts are counted without an end")
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, HeaderMap, String)> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base_url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer: Response = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok((status, headers, answer.text().await?))
    }
}

/// Whether the same request may be answered otherwise a moment later.
fn worth_another_try(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
