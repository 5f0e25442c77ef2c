//! Socket.IO 4 for system A's web console: path `/socket.io`, namespace `/notifications` (http-api.md section 5,
//! existing-systems.md section 4.5), over WebSocket and long polling.
//!
//! A second protocol on the same sessions: what is told, in which order and from which cursor is the business of
//! `socket`. `doorway` guards the transport, [`line`] speaks for one client.

mod doorway;
mod line;

use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;

use self::line::{Client, Signals};
use super::socket::{Cursor, End, Hub, Place, Session};
use crate::app::SharedApp;
use crate::auth::{Session as Login, bearer, caller_of};
use application::access::Caller;

/// Where clients knock.
const PATH: &str = "/socket.io";

/// The one namespace.
const NAMESPACE: &str = "/notifications";

/// How long a client may take to ask for the namespace; also how long one that is refused may hold its place.
const CONNECT_SECONDS: u64 = 10;

/// Heartbeat, as in system A.
const PING_SECONDS: u64 = 25;
/// How long a client may take to answer a ping.
const PONG_SECONDS: u64 = 20;

/// Largest request and frame that a client may send, in bytes: a token fits. Also how much one poll brings at once.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Frames that wait for one client; when they are full for long enough, the reader is too slow.
const WAITING_FRAMES_MAX: usize = 128;

/// How long a client waits that cannot be served because inbox or directory cannot be read.
const RETRY: Duration = Duration::from_secs(5);

/// What every client is served with.
#[derive(Clone)]
struct Context {
    app: SharedApp,
    hub: Arc<Hub>,
}

/// The routes. Call it inside a Tokio runtime.
pub(super) fn routes(app: &SharedApp, hub: &Arc<Hub>) -> Router<SharedApp> {
    let (service, io) = SocketIo::builder()
        .req_path(PATH)
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .ping_interval(Duration::from_secs(PING_SECONDS))
        .ping_timeout(Duration::from_secs(PONG_SECONDS))
        .max_payload(PAYLOAD_BYTES_MAX as u64)
        .ws_max_message_size(PAYLOAD_BYTES_MAX)
        .ws_max_frame_size(PAYLOAD_BYTES_MAX)
        .max_buffer_size(WAITING_FRAMES_MAX)
        .build_svc();
    let context = Context { app: app.clone(), hub: Arc::clone(hub) };
    let connected = {
        let context = context.clone();
        move |socket: SocketRef, TryData(auth): TryData<Value>| {
            let context = context.clone();
            async move { serve(context, socket, auth.unwrap_or_default()).await }
        }
    };
    io.ns(NAMESPACE, connected.with(line::listen));
    let stop = app.stop.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        // Closes the transports, not the namespace: clients come back by themselves.
        io.close().await;
    });
    Router::new()
        .route_service(PATH, service.clone())
        .route_service("/socket.io/", service)
        .layer(middleware::from_fn_with_state(context, doorway::guard))
}

/// Serves one client of the namespace until something ends it.
async fn serve(context: Context, socket: SocketRef, auth: Value) {
    let Context { app, hub } = context;
    let Some(signals) = socket.extensions.get::<Signals>() else { return };
    let mut client = Client::new(socket.clone(), signals);
    // As in system A: who is refused sees a connection that the server ends, and no error event.
    let known = loop {
        match log_in(&app, &socket, &auth).await {
            Ok(known) => break known,
            Err(End::Unavailable) if client.stays(RETRY, &app.stop).await => {}
            Err(_) => return client.disconnect(&app.stop).await,
        }
    };
    if let Some(place) = socket.req_parts().extensions.get::<Arc<Place>>() {
        place.is_known();
    }
    let mut cursor = cursor(&auth);
    loop {
        let (end, reached) = Session::run(app.clone(), &hub, &mut client, known.clone(), cursor).await;
        match end {
            End::Malformed | End::Unauthorized | End::Slow => return client.disconnect(&app.stop).await,
            // Nobody is sent away for a fault of ours: system A's clients do not come back from that.
            End::Unavailable if client.stays(RETRY, &app.stop).await => cursor = reached,
            End::Gone | End::Stopping | End::Unavailable => return,
        }
    }
}

/// Who it is, by `auth.token` or the header; why not is nobody's business.
async fn log_in(app: &SharedApp, socket: &SocketRef, auth: &Value) -> Result<(Caller, Login), End> {
    let header = bearer(&socket.req_parts().headers);
    let token = auth["token"].as_str().filter(|token| !token.is_empty()).or(header);
    Ok(caller_of(app, token.ok_or(End::Unauthorized)?).await?)
}

/// Where the client wants to go on: `auth.cursor`, the `seq` of the last notification it has.
fn cursor(auth: &Value) -> Cursor {
    match &auth["cursor"] {
        Value::Null => Cursor::New,
        Value::String(text) => text.parse().ok().filter(|seq| *seq >= 0).map_or(Cursor::Lost, Cursor::After),
        number => number.as_i64().filter(|seq| *seq >= 0).map_or(Cursor::Lost, Cursor::After),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cursor_is_a_number_or_lost() {
        for (auth, expected) in [
            (json!({}), Cursor::New),
            (Value::Null, Cursor::New),
            (json!({ "cursor": null }), Cursor::New),
            (json!({ "cursor": 7 }), Cursor::After(7)),
            (json!({ "cursor": "7" }), Cursor::After(7)),
            (json!({ "cursor": -1 }), Cursor::Lost),
            (json!({ "cursor": 1.5 }), Cursor::Lost),
            (json!({ "cursor": "x" }), Cursor::Lost),
            (json!({ "cursor": [] }), Cursor::Lost),
        ] {
            assert_eq!(cursor(&auth), expected, "{auth}");
        }
    }
}
