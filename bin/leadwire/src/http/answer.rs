//! What a handler answers, before it is written: `super::frame` knows the client's language, the request's
//! id and the time, and writes the envelope of system A around it.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{Position, Sequence};
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::problem::{self, Problem};
use super::text::{Language, Text};

/// Position of the last event that a command wrote.
pub const X_POSITION: HeaderName = HeaderName::from_static("x-position");
/// Position that a stale answer shows.
pub const X_READ_POSITION: HeaderName = HeaderName::from_static("x-read-position");
/// `true` when this is the first answer again.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The media type of a problem (RFC 9457).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// The media type of an answer.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A good answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    text: Text,
    data: Arc<RawValue>,
    headers: HeaderMap,
}

impl Answer {
    /// 200 with this data.
    pub fn ok(text: Text, data: &impl Serialize) -> Result<Self, Problem> {
        let data = to_raw_value(data).map_err(|error| {
            tracing::error!(error = %error, "an answer cannot be written as JSON");
            Problem::of(&problem::INTERNAL)
        })?;
        Ok(Self { status: StatusCode::OK, text, data: data.into(), headers: HeaderMap::new() })
    }

    /// 201 with this data.
    pub fn created(text: Text, data: &impl Serialize) -> Result<Self, Problem> {
        Self::ok(text, data).map(|answer| Self { status: StatusCode::CREATED, ..answer })
    }

    /// The same as 202: it goes on after the answer.
    #[must_use]
    pub fn under_way(self) -> Self {
        Self { status: StatusCode::ACCEPTED, ..self }
    }

    /// With the status of a failure whose data is the answer all the same; `success` is then `false`.
    #[must_use]
    pub fn failed(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Where the command's last event stands, and whether this is the first answer again.
    #[must_use]
    pub fn written(mut self, position: Position, replayed: bool) -> Self {
        self.headers.insert(X_POSITION, HeaderValue::from(position));
        if replayed {
            self.headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        self
    }

    /// The version of the stream that is shown.
    #[must_use]
    pub fn version(mut self, sequence: Sequence) -> Self {
        if let Ok(tag) = HeaderValue::try_from(format!("\"{sequence}\"")) {
            self.headers.insert(header::ETAG, tag);
        }
        self
    }

    /// The position that a stale read shows; `None` when it is as fresh as asked.
    #[must_use]
    pub fn read_at(mut self, stale: Option<Position>) -> Self {
        if let Some(position) = stale {
            self.headers.insert(X_READ_POSITION, HeaderValue::from(position));
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        Pending::Answer(Box::new(self)).into_response()
    }
}

/// What stands in a response's extensions until it is written.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Answer(Box<Answer>),
    Problem(Problem),
}

impl IntoResponse for Pending {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Answer(answer) => answer.status,
            Self::Problem(problem) => problem.kind.status,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What the envelope needs to know about the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'r> {
    pub(super) language: Language,
    pub(super) request_id: &'r str,
    pub(super) now_ms: i64,
}

impl Pending {
    /// Writes the envelope. `response` keeps headers that other layers gave it, such as `Allow`.
    pub(super) fn write(self, mut response: Response, envelope: Envelope<'_>) -> Response {
        let (body, kind, headers) = match self {
            Self::Answer(answer) => (answer_body(&answer, envelope), JSON, answer.headers),
            Self::Problem(problem) => (problem_body(&problem, envelope), PROBLEM_JSON, retry(&problem)),
        };
        response.headers_mut().extend(headers);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        *response.body_mut() = body.into();
        response
    }
}

fn answer_body(answer: &Answer, envelope: Envelope<'_>) -> String {
    #[derive(Serialize)]
    struct Success<'a> {
        success: bool,
        message: &'a str,
        data: &'a RawValue,
        timestamp: i64,
    }
    let success = Success {
        success: answer.status.is_success(),
        message: answer.text.get(envelope.language),
        data: &answer.data,
        timestamp: envelope.now_ms,
    };
    // Writing strings, numbers and JSON that was written before cannot fail.
    serde_json::to_string(&success).unwrap_or_default()
}

fn problem_body(problem: &Problem, envelope: Envelope<'_>) -> String {
    let Envelope { language, request_id, now_ms } = envelope;
    let kind = problem.kind;
    let message = problem.text.get(language);
    let mut details = problem.details.clone();
    if !problem.fields.is_empty() {
        let field = |error: &application::forms::FieldError| {
            let message = match language {
                Language::Chinese => &error.message_zh,
                Language::English => &error.message_en,
            };
            json!({ "path": error.path, "code": error.rule, "message": message })
        };
        details["errors"] = problem.fields.iter().map(field).collect();
    }
    json!({
        "type": kind.url(),
        "title": kind.title,
        "status": kind.status.as_u16(),
        "detail": message,
        "code": kind.code,
        "success": false,
        "message": message,
        "data": null,
        "error": { "code": kind.code, "details": details },
        "requestId": request_id,
        "timestamp": now_ms,
    })
    .to_string()
}

fn retry(problem: &Problem) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(seconds) = problem.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.kind.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers
}
