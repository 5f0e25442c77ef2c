//! One client of the namespace: what it says, and how it is told.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::http::socket::{End, Frame, Heard, Line};

/// What a client asks for.
const COUNT_WANTED: &str = "getUnreadCount";

/// How long one frame may take to find room among those that wait. When there is none for so long, the reader is cut.
const SEND_SECONDS: u64 = 5;

/// How often room is looked for: nothing tells when there is some.
const LOOK_AGAIN_MS: u64 = 20;

/// What a client's messages become: they carry no data, so many are as good as one.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    count_wanted: Arc<Notify>,
    gone: CancellationToken,
}

/// Begins to listen, before the client learns that it is connected: from then on it may ask.
pub(super) async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    let signals = Signals::default();
    let (count_wanted, gone) = (Arc::clone(&signals.count_wanted), signals.gone.clone());
    socket.extensions.insert(signals);
    socket.on(COUNT_WANTED, async move || count_wanted.notify_one());
    socket.on_disconnect(async move || gone.cancel());
    Ok(())
}

/// A client of the namespace.
pub(super) struct Client {
    socket: SocketRef,
    signals: Signals,
}

impl Client {
    pub(super) fn new(socket: SocketRef, signals: Signals) -> Self {
        Self { socket, signals }
    }

    /// Ends the client's part in the namespace. One that takes nothing in is ended by its missing heartbeat instead.
    pub(super) async fn disconnect(self, stop: &CancellationToken) {
        let pause = Duration::from_millis(LOOK_AGAIN_MS);
        while matches!(self.socket.clone().disconnect(), Err(SocketError::InternalChannelFull)) {
            if !self.stays(pause, stop).await {
                return;
            }
        }
    }

    /// Waits. Whether the client is still there then, and the service does not stop.
    pub(super) async fn stays(&self, pause: Duration, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = self.signals.gone.cancelled() => false,
            () = stop.cancelled() => false,
            () = sleep(pause) => true,
        }
    }

    async fn emit<T: Serialize + ?Sized + Sync>(&self, event: &str, data: &T) -> Result<(), End> {
        let patience = Duration::from_secs(SEND_SECONDS);
        within(patience, || self.socket.emit(event, data)).await
    }
}

/// Tries until there is room for a frame, or patience ends.
async fn within(patience: Duration, emit: impl Fn() -> Result<(), SendError> + Send) -> Result<(), End> {
    let deadline = Instant::now() + patience;
    loop {
        match emit() {
            Ok(()) => return Ok(()),
            Err(SendError::Socket(SocketError::Closed)) => return Err(End::Gone),
            Err(SendError::Serialize(_)) => return Err(End::Unavailable),
            Err(SendError::Socket(SocketError::InternalChannelFull)) if Instant::now() < deadline => {
                sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
            }
            Err(SendError::Socket(SocketError::InternalChannelFull)) => return Err(End::Slow),
        }
    }
}

impl Line for Client {
    async fn hear(&mut self) -> Result<Heard, End> {
        tokio::select! {
            () = self.signals.gone.cancelled() => Err(End::Gone),
            () = self.signals.count_wanted.notified() => Ok(Heard::CountWanted),
        }
    }

    /// System A's three events; `completeUpto` and `resync` beside them are for clients that bring a cursor.
    async fn send(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        match frame {
            Frame::Notification { data, .. } => self.emit("notification", data).await,
            Frame::UnreadCount { data } => self.emit("unreadCount", data).await,
            Frame::Refresh(refresh) => self.emit("refresh", refresh).await,
            Frame::CompleteUpto { seq } => self.emit("completeUpto", &json!({ "seq": seq })).await,
            Frame::Resync => self.emit("resync", &json!({})).await,
            // The mini program's own; the notice of it is sent anyway.
            Frame::CustomerAssigned { .. } => Ok(()),
        }
    }

    /// The protocol has its own heartbeat.
    async fn ping(&mut self) -> Result<(), End> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const FULL: SendError = SendError::Socket(SocketError::InternalChannelFull);

    #[tokio::test]
    async fn a_reader_who_takes_nothing_in_is_cut_and_one_who_is_only_late_is_not() {
        assert_eq!(within(Duration::ZERO, || Err(FULL)).await, Err(End::Slow));
        let tries = AtomicU32::new(0);
        let late = || if tries.fetch_add(1, Ordering::Relaxed) < 2 { Err(FULL) } else { Ok(()) };
        assert_eq!(within(Duration::from_secs(SEND_SECONDS), late).await, Ok(()));
        let gone = within(Duration::ZERO, || Err(SendError::Socket(SocketError::Closed))).await;
        assert_eq!(gone, Err(End::Gone));
    }
}
