//! Pages of other origins: those on the list (`server.allowed_origins`) may call, others may not read what we say.
//!
//! The same list holds for sockets. Origins are named one by one; `*` is no origin, because answers depend on who asks.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::SharedApp;

/// What pages may do.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");

/// What pages may send besides what every page may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept-language, idempotency-key, if-match, x-request-id, x-min-position",
);

/// What pages may read besides what every page may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "etag, retry-after, x-request-id, x-position, x-read-position, idempotent-replayed, content-disposition",
);

/// For how long a page may remember the answer, in seconds; browsers cut it to two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Answers what browsers ask before a request, and says who may read an answer.
pub(super) async fn cors(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let origin = allowed(request.headers(), &app.settings.server.allowed_origins);
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &origin {
        Some(_) if asks && request.method() == Method::OPTIONS => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
    response
}

/// The origin of the page that asks, when it is on the list.
fn allowed(headers: &HeaderMap, list: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    list.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_on_the_list_or_not() {
        let list = vec!["https://crm.example.com".to_owned()];
        for (origin, on_it) in [
            ("https://crm.example.com", true),
            ("http://crm.example.com", false),
            ("https://crm.example.com.evil.com", false),
            ("https://crm.example.com:8443", false),
            ("null", false),
            ("*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ORIGIN, origin.parse().unwrap())]);
            assert_eq!(allowed(&headers, &list).is_some(), on_it, "{origin}");
        }
        assert_eq!(allowed(&HeaderMap::new(), &list), None);
    }
}
