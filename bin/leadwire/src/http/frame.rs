//! What surrounds every request: its id, its log line, its time limit, and the envelope of its answer.
//!
//! Whatever a handler does (answers, refuses, hangs, panics), the client gets one shape (http-api.md section
//! 1).

use std::time::Duration;

use application::ports::Ids;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::addresses::ClientAddress;
use super::answer::{Envelope, Pending};
use super::problem::{self, Problem};
use super::text::{Language, Text};
use crate::app::SharedApp;

/// How long a handler may take. A command that is cut off here may still commit: its key tells.
const REQUEST_SECONDS: u64 = 30;

/// Seconds after which a client may try again what took too long.
const RETRY_SECONDS: u64 = 5;

/// Longest request id that is accepted from outside.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Most characters of an unknown path that are repeated to the sender.
const ECHOED_PATH_CHARS_MAX: usize = 256;

/// What a page may do that has no policy of its own: nothing, nowhere. Answers are data.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The header that carries the request's id in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Id of a request: the correlation id of everything that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The id the client gave, when it is one; a fresh one otherwise.
    fn of(headers: &HeaderMap, ids: &dyn Ids) -> Self {
        let given = headers.get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b':');
        let fits = |id: &&str| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain);
        Self(given.filter(fits).map_or_else(|| ids.next().to_string(), str::to_owned))
    }
}

/// Runs the rest of the stack inside the frame.
pub(super) async fn frame(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), app.ids.as_ref());
    let language = Language::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let address = ClientAddress::of(&request, &app.settings.protection.trusted_proxies);
    request.extensions_mut().insert(address);
    request.extensions_mut().insert(id.clone());

    let started = Instant::now();
    let span = tracing::info_span!("request", request.id = %id.0);
    let mut response = guarded(request, next).instrument(span.clone()).await;
    let latency_ms = started.elapsed().as_secs_f64() * 1000.0;

    let pending = response.extensions_mut().remove::<Pending>();
    let code = match &pending {
        Some(Pending::Problem(problem)) => problem.kind.code,
        _ => "",
    };
    // The query is left out on purpose: it may hold names and phones.
    span.in_scope(|| {
        tracing::info!(
            http.method = %method, http.route = %route, http.status = response.status().as_u16(),
            http.latency_ms = latency_ms, problem.code = code, "{method} {route} {}", response.status().as_u16()
        );
    });
    if let Some(pending) = pending {
        let now_ms = app.clock.now().timestamp_millis();
        response = pending.write(response, Envelope { language, request_id: &id.0, now_ms });
    }
    finish(response, &id, app.settings.protection.hsts_seconds)
}

/// The headers of every answer, whatever gave it.
fn finish(mut response: Response, id: &RequestId, hsts_seconds: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(DATA_POLICY);
    if hsts_seconds > 0
        && let Ok(value) = HeaderValue::try_from(format!("max-age={hsts_seconds}; includeSubDomains"))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}

/// Runs the handler, but not for ever, and not with a panic.
///
/// In a task of its own: when the client goes away, the handler is not dropped in the middle of a command.
/// What was committed must also reach the states that the command bus keeps in memory.
async fn guarded(request: Request, next: Next) -> Response {
    let handled = tokio::spawn(next.run(request).in_current_span());
    match timeout(Duration::from_secs(REQUEST_SECONDS), handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            // The panic hook has written where; the payload may hold what a log must not.
            tracing::error!("a handler panicked");
            Problem::of(&problem::INTERNAL).into_response()
        }
        Err(_) => Problem::of(&problem::TIMEOUT).retry_after(RETRY_SECONDS).into_response(),
    }
}

/// The answer where no route is.
pub(super) async fn unknown_route(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(ECHOED_PATH_CHARS_MAX).collect();
    Problem::of(&problem::ROUTE_NOT_FOUND).text(Text::with(
        format!("接口不存在: {method} {path}"),
        format!("There is no such route: {method} {path}"),
    ))
}

/// The answer where the route has other methods.
pub(super) async fn wrong_method() -> Problem {
    Problem::of(&problem::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    struct Seven;
    impl Ids for Seven {
        fn next(&self) -> Uuid {
            Uuid::from_u128(7)
        }
    }

    #[test]
    fn only_a_plain_id_is_taken_over() {
        for (given, taken) in [
            ("abc-123_x.y:z", true),
            (&*"x".repeat(128), true),
            (&*"x".repeat(129), false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(&X_REQUEST_ID, given.parse().unwrap());
            let expected = if taken { given.to_owned() } else { Uuid::from_u128(7).to_string() };
            assert_eq!(RequestId::of(&headers, &Seven), RequestId(expected), "{given}");
        }
    }
}
