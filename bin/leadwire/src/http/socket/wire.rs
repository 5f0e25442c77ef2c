//! The native protocol: frames as JSON texts, our own pings, close codes, and the token in the first frame.

use std::time::Duration;

use application::access::Caller;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{Sink, SinkExt as _};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use super::frames::{End, Frame};
use super::session::{Heard, Line};
use crate::app::SharedApp;
use crate::auth::{Session as Login, caller_of};

/// How long one frame may take to leave. What the reader does not take in stays in its window; when that is
/// full for so long, the reader is cut.
const SEND_SECONDS: u64 = 5;

/// How long a reader who was cut may take to read why.
const GOODBYE_SECONDS: u64 = 10;

/// How long the client may take to send its token.
const FIRST_FRAME_SECONDS: u64 = 10;

/// Silence after which the client is taken for gone: two pings without an answer.
const SILENCE_SECONDS: u64 = 60;

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

/// A native socket.
pub(super) struct Native {
    socket: WebSocket,
    heard_at: Instant,
}

impl Native {
    /// A socket that was just opened.
    pub(super) fn new(socket: WebSocket) -> Self {
        Self { socket, heard_at: Instant::now() }
    }

    /// Waits for the first frame and reads the token in it.
    pub(super) async fn log_in(&mut self, app: &SharedApp) -> Result<(Caller, Login), End> {
        let first = async {
            loop {
                match self.socket.recv().await {
                    Some(Ok(Message::Text(text))) => return Ok(token(&text)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Binary(_))) => return Ok(None),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                }
            }
        };
        let first = tokio::select! {
            first = timeout(Duration::from_secs(FIRST_FRAME_SECONDS), first) => first,
            () = app.stop.cancelled() => return Err(End::Stopping),
        };
        let token = first.map_err(|_| End::Unauthorized)??.ok_or(End::Malformed)?;
        Ok(caller_of(app, &token).await?)
    }

    async fn deliver(&mut self, message: Message) -> Result<(), End> {
        within(Duration::from_secs(SEND_SECONDS), &mut self.socket, message).await
    }

    /// Tells the client why, as far as it listens.
    pub(super) async fn close(mut self, end: End) {
        let Some((code, reason)) = end.code() else { return };
        let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let told = async {
            if self.socket.send(goodbye).await.is_ok() {
                // The client's own close ends the connection in good order.
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        // Whoever does not listen is cut.
        let _ = timeout(Duration::from_secs(GOODBYE_SECONDS), told).await;
    }
}

impl Line for Native {
    /// What clients say is of no interest but for the fact that they are there.
    async fn hear(&mut self) -> Result<Heard, End> {
        match self.socket.recv().await {
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
            Some(Ok(_)) => {
                self.heard_at = Instant::now();
                Ok(Heard::Something)
            }
        }
    }

    async fn send(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        // Strings, numbers and JSON values are always written.
        let text = serde_json::to_string(frame).map_err(|_| End::Unavailable)?;
        self.deliver(Message::Text(text.into())).await
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > Duration::from_secs(SILENCE_SECONDS) {
            return Err(End::Gone);
        }
        self.deliver(Message::Ping(Vec::new().into())).await
    }
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

/// The token in a first frame: the text itself, or `{"token": "…"}`.
fn token(text: &str) -> Option<String> {
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
