//! The live socket `/ws/notifications?cursor=n` (http-api.md section 5): the reader's own log, pushed.
//!
//! Gap-free by construction: rows come from the inbox by their number, never from a message in flight.
//! Whatever wakes a socket (this process, another one, or a clock) only makes it read what comes after its
//! cursor.

mod frames;
mod hub;
mod lists;
mod places;
mod refresh;
mod session;
mod wire;

use std::sync::Arc;

use application::access::Caller;
use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use frames::{End, Frame};
pub(super) use hub::Hub;
pub(super) use places::Place;
pub(super) use session::{Cursor, Heard, Line, Session};

use wire::Native;

use super::addresses::ClientAddress;
use super::problem::{self, Problem};
use super::query::Parameters;
use super::schemas;
use super::text::Text;
use crate::app::SharedApp;
use crate::auth::{Session as Login, caller_of};

/// The protocol whose next entry in the list is the token.
const BEARER: &str = "bearer";

/// Largest frame and message that a client may send, in bytes: a token fits.
const INBOUND_BYTES_MAX: usize = 8 * 1024;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(open))
}

/// Opens the live socket.
///
/// The token stands in `Sec-WebSocket-Protocol: bearer, <token>`, or in the first frame as text or as
/// `{"token": "…"}`. Server frames: `{"type":"notification","seq":n,"data":…}`, `{"type":"customer_assigned",
/// "seq":n,"data":…}` beside the notice of a lead that was gained, `{"type":"unread_count","data":3}`,
/// `{"type":"complete_upto","seq":n}` after everything up to `n` was sent, `{"type":"resync"}` when the
/// cursor cannot be continued: read the list again and go on from the next `complete_upto`, and
/// `{"type":"refresh","eventType":"customerList","data":{"customerId":…,"action":"assign"},"timestamp":…}` (or
/// `publicPool`), at most once a second, when that list changed. Without a cursor the socket begins with what is new. Close codes: 4400 malformed first frame, 4401 token or account no
/// longer good, 4408 reader too slow, 1001 the service stops.
#[utoipa::path(
    get, path = "/ws/notifications", operation_id = "open_live_socket", tag = "notifications", security((), ("bearer" = [])),
    params(("cursor" = Option<i64>, Query, description = "`seq` of the last notification the client has")),
    responses((status = 101, description = "The socket is open"), schemas::ReadProblems)
)]
async fn open(
    State(app): State<SharedApp>,
    Extension(hub): Extension<Arc<Hub>>,
    Extension(address): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if !origin_allowed(&headers, &app.settings.server.allowed_origins) {
        return Err(Problem::of(&problem::ORIGIN_NOT_ALLOWED));
    }
    let mut parameters = Parameters::of(query.as_deref());
    let cursor = parameters.whole("cursor", 0..=i64::MAX);
    parameters.finish()?;
    let upgrade = upgrade.map_err(|_| {
        let text = Text::new("该接口需要WebSocket连接", "This route speaks WebSocket");
        Problem::of(&problem::INVALID_REQUEST).text(text)
    })?;
    let caller = match token(&headers) {
        Some(token) => Some(caller_of(&app, &token).await?),
        None => None,
    };
    let place = match caller {
        Some(_) => hub.places().known()?,
        None => hub.places().unknown(address)?,
    };
    let upgrade = upgrade
        .max_message_size(INBOUND_BYTES_MAX)
        .max_frame_size(INBOUND_BYTES_MAX)
        .protocols([BEARER])
        .on_failed_upgrade(|error| tracing::debug!(error = %error, "a socket was not opened"));
    let cursor = cursor.map_or(Cursor::New, Cursor::After);
    Ok(upgrade
        .on_upgrade(async move |socket| serve(app, &hub, &place, Native::new(socket), caller, cursor).await))
}

/// Serves one socket until something ends it.
async fn serve(
    app: SharedApp,
    hub: &Hub,
    place: &Place,
    mut socket: Native,
    known: Option<(Caller, Login)>,
    cursor: Cursor,
) {
    let known = match known {
        Some(known) => Ok(known),
        None => socket.log_in(&app).await,
    };
    let end = match known {
        Ok(known) => {
            place.is_known();
            Session::run(app, hub, &mut socket, known, cursor).await.0
        }
        Err(end) => end,
    };
    socket.close(end).await;
}

/// A page may open a socket when its origin is configured, or is the one the request was sent to. Whoever
/// sends no origin is no browser.
pub(super) fn origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same = |scheme: &str| host.is_some_and(|host| origin.strip_prefix(scheme) == Some(host));
    allowed.iter().any(|one| one == origin) || same("https://") || same("http://")
}

/// The token behind `bearer` in the list of protocols.
fn token(headers: &HeaderMap) -> Option<String> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let list: Vec<String> = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(text).collect();
    let list = list.join(",");
    let mut entries = list.split(',').map(str::trim);
    entries.find(|entry| entry.eq_ignore_ascii_case(BEARER))?;
    entries.next().filter(|token| !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_our_own_pages_may_open_a_socket() {
        let allowed = vec!["https://crm.example.com".to_owned()];
        for (origin, expected) in [
            (None, true),
            (Some("https://crm.example.com"), true),
            (Some("http://127.0.0.1:3000"), true),
            (Some("https://evil.example.com"), false),
            (Some("https://crm.example.com.evil.com"), false),
            (Some("null"), false),
        ] {
            let mut pairs = vec![(header::HOST, "127.0.0.1:3000")];
            pairs.extend(origin.map(|origin| (header::ORIGIN, origin)));
            assert_eq!(origin_allowed(&headers(&pairs), &allowed), expected, "{origin:?}");
        }
    }

    #[test]
    fn the_token_stands_behind_bearer() {
        let of = |value: &str| token(&headers(&[(header::SEC_WEBSOCKET_PROTOCOL, value)]));
        assert_eq!(of("bearer, abc.def.ghi"), Some("abc.def.ghi".to_owned()));
        assert_eq!(of("graphql,Bearer,x"), Some("x".to_owned()));
        assert_eq!(of("bearer"), None);
        assert_eq!(of("bearer, "), None);
        assert_eq!(of("chat"), None);
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
