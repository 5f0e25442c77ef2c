//! The scenario's way to the service: real HTTP, as a browser would do it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use infrastructure::provider_http::{self, Timeouts};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::people::PASSWORD;

/// Longest wait for an answer.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(30) };

/// Somebody who is logged in.
pub(super) struct Session {
    client: Client,
    base_url: String,
    token: String,
}

/// A good answer.
pub(super) struct Answer {
    /// Method and path.
    pub(super) request: String,
    /// Status.
    pub(super) status: StatusCode,
    /// How long it took.
    pub(super) took: Duration,
    /// `data` of the envelope.
    pub(super) data: Value,
}

impl Session {
    /// Logs in.
    pub(super) async fn log_in(base_url: &str, username: &str) -> Result<Self> {
        let client = provider_http::client(TIMEOUTS)?;
        let mut session = Self { client, base_url: base_url.to_owned(), token: String::new() };
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = session.call(Method::POST, "/api/auth/login", &body, None).await?;
        let answer = answer.with_context(|| format!("{username} cannot log in"))?;
        let token = answer.data["access_token"].as_str().context("the login gave no access_token")?;
        token.clone_into(&mut session.token);
        Ok(session)
    }

    /// Sends one command. `id` becomes the correlation id of everything that follows from it, and its key.
    pub(super) async fn command(&self, method: Method, path: &str, body: &Value, id: &str) -> Result<Answer> {
        self.call(method, path, body, Some(id)).await?.map_err(|refusal| anyhow::anyhow!(refusal))
    }

    /// Like [`command`](Self::command), but a refusal with this code is an answer too.
    pub(super) async fn command_unless(
        &self,
        (method, path): (Method, &str),
        body: &Value,
        id: &str,
        code: &str,
    ) -> Result<Option<Answer>> {
        match self.call(method, path, body, Some(id)).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if refusal.code == code => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        id: Option<&str>,
    ) -> Result<Result<Answer, Refused>> {
        let request = format!("{method} {path}");
        let mut call = self.client.request(method, format!("{}{path}", self.base_url)).json(body);
        if !self.token.is_empty() {
            call = call.bearer_auth(&self.token);
        }
        if let Some(id) = id {
            call = call.header("Idempotency-Key", id).header("X-Request-Id", id);
        }
        let began = Instant::now();
        let response = call.send().await.with_context(|| format!("{request} got no answer"))?;
        let (status, took) = (response.status(), began.elapsed());
        let mut envelope: Value = response.json().await.with_context(|| format!("{request} gave no JSON"))?;
        if status.is_success() {
            return Ok(Ok(Answer { request, status, took, data: envelope["data"].take() }));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (code, message) = (text(&envelope["code"]), text(&envelope["message"]));
        if code.is_empty() {
            bail!("{request} gave {status} without a code");
        }
        Ok(Err(Refused { request, status, code, message }))
    }
}

/// The service said no.
#[derive(Debug, thiserror::Error)]
#[error("{request} was refused with {status} {code}: {message}")]
pub(super) struct Refused {
    request: String,
    status: StatusCode,
    code: String,
    message: String,
}
