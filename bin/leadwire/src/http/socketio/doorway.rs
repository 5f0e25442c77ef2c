//! What a request to `/socket.io` must pass before the protocol sees it: our own pages only, and a place.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Context;
use crate::http::addresses::ClientAddress;
use crate::http::problem::{self, Problem};
use crate::http::socket::origin_allowed;

/// Seconds after which a client may try again while the service stops.
const RETRY_SECONDS: u64 = 1;

/// Lets a request in.
pub(super) async fn guard(
    State(Context { app, hub }): State<Context>,
    Extension(address): Extension<ClientAddress>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !origin_allowed(request.headers(), &app.settings.server.allowed_origins) {
        return Err(Problem::of(&problem::ORIGIN_NOT_ALLOWED));
    }
    if is_handshake(request.uri().query()) {
        // The place lives as long as the connection that the handshake opens: with what is remembered of the request.
        let place = hub.places().unknown(address)?;
        request.extensions_mut().insert(Arc::new(place));
    }
    tokio::select! {
        response = next.run(request) => Ok(response.into_response()),
        // A poll that waits must not keep the service from stopping.
        () = app.stop.cancelled() => Err(Problem::of(&problem::UNAVAILABLE).retry_after(RETRY_SECONDS)),
    }
}

/// Whether the request opens a connection; every later one names it.
fn is_handshake(query: Option<&str>) -> bool {
    let names = |pair: &str| pair.split('=').next() == Some("sid");
    !query.is_some_and(|query| query.split('&').any(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_request_of_a_connection_takes_a_place() {
        for (query, expected) in [
            (None, true),
            (Some("EIO=4&transport=polling&t=x"), true),
            (Some("EIO=4&transport=polling&sid=abc"), false),
            (Some("sid=abc"), false),
            (Some("EIO=4&inside=1"), true),
        ] {
            assert_eq!(is_handshake(query), expected, "{query:?}");
        }
    }
}
