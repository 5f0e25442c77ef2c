//! Frames on their way out: what they look like, and how long a reader may take for one.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{Sink, SinkExt as _};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio::time::timeout;

use crate::http::notifications::Notification;

/// How long one frame may take to leave. What the reader does not take in stays in its window; when that is
/// full for so long, the reader is cut.
const SEND_SECONDS: u64 = 5;

/// How long a reader who was cut may take to read why.
const GOODBYE_SECONDS: u64 = 10;

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed it, or the connection broke.
    Gone,
    /// The first frame is no token.
    Malformed,
    /// Token or account are no longer good.
    Unauthorized,
    /// The reader is too slow.
    Slow,
    /// The service stops.
    Stopping,
    /// The inbox cannot be read; the client comes back with its cursor.
    Unavailable,
}

impl End {
    /// Code and reason for the client; `None` when there is nobody left to tell.
    fn code(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Gone => None,
            Self::Malformed => Some((4400, "the first frame must hold the token")),
            Self::Unauthorized => Some((4401, "the token or the account is no longer good")),
            Self::Slow => Some((4408, "the reader is too slow")),
            Self::Stopping => Some((1001, "the service stops")),
            Self::Unavailable => Some((1013, "try again")),
        }
    }
}

/// A frame from the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(super) enum Frame<'a> {
    /// Something to learn.
    Notification { seq: i64, data: &'a Notification },
    /// The reader has gained a lead: what the mini program computes with.
    CustomerAssigned { seq: i64, data: &'a Value },
    /// How many notices are unread.
    UnreadCount { data: i64 },
    /// Everything up to here was sent.
    CompleteUpto { seq: i64 },
    /// The cursor cannot be continued.
    Resync,
}

/// Sends a frame, or cuts the reader.
pub(super) async fn send(socket: &mut WebSocket, frame: &Frame<'_>) -> Result<(), End> {
    // Strings, numbers and JSON values are always written.
    let text = serde_json::to_string(frame).map_err(|_| End::Unavailable)?;
    deliver(socket, Message::Text(text.into())).await
}

/// Sends a ping.
pub(super) async fn ping(socket: &mut WebSocket) -> Result<(), End> {
    deliver(socket, Message::Ping(Vec::new().into())).await
}

async fn deliver(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    within(Duration::from_secs(SEND_SECONDS), socket, message).await
}

async fn within<S>(patience: Duration, sink: &mut S, message: Message) -> Result<(), End>
where
    S: Sink<Message> + Unpin,
{
    match timeout(patience, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

/// Tells the client why, as far as it listens.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    let Some((code, reason)) = end.code() else { return };
    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let told = async {
        if socket.send(goodbye).await.is_ok() {
            // The client's own close ends the connection in good order.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whoever does not listen is cut.
    let _ = timeout(Duration::from_secs(GOODBYE_SECONDS), told).await;
}

/// The token in a first frame: the text itself, or `{"token": "…"}`.
pub(super) fn token(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with('{') {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let members: std::collections::HashMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    serde_json::from_str(members.get("token")?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_look_as_the_contract_says() {
        let data = json!({ "customerId": "7" });
        for (frame, expected) in [
            (Frame::UnreadCount { data: 3 }, json!({ "type": "unread_count", "data": 3 })),
            (Frame::CompleteUpto { seq: 9 }, json!({ "type": "complete_upto", "seq": 9 })),
            (Frame::Resync, json!({ "type": "resync" })),
            (
                Frame::CustomerAssigned { seq: 4, data: &data },
                json!({ "type": "customer_assigned", "seq": 4, "data": { "customerId": "7" } }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&frame).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_reader_who_takes_nothing_in_is_cut_with_4408() {
        let stuck = futures_util::sink::unfold((), |(), _: Message| std::future::pending::<Result<(), ()>>());
        let mut stuck = std::pin::pin!(stuck);
        let end = within(Duration::from_millis(1), &mut stuck, Message::text("x")).await.unwrap_err();
        assert_eq!(end.code().unwrap().0, 4408);
    }

    #[test]
    fn a_first_frame_holds_the_token_as_text_or_json() {
        assert_eq!(token(" a.b.c "), Some("a.b.c".to_owned()));
        assert_eq!(token(r#"{"type":"auth","token":"a.b.c"}"#), Some("a.b.c".to_owned()));
        for wrong in ["", "{", "{}", r#"{"token":7}"#] {
            assert_eq!(token(wrong), None, "{wrong}");
        }
    }
}
