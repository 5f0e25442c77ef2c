//! One open socket: who reads, up to where, and what may end it.

use std::time::Duration;

use application::access::Caller;
use application::texts::kinds::LEAD_GAINED;
use axum::extract::ws::{Message, WebSocket};
use projections::queries::inbox::{self, Notice};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::hub::Hub;
use super::wire::{self, End, Frame};
use crate::app::SharedApp;
use crate::auth::{Session as Login, caller_of, staff_caller};
use crate::http::notifications::Notification;

/// How often the server pings.
const PING_SECONDS: u64 = 25;

/// Silence after which the client is taken for gone: two pings without an answer.
const SILENCE_SECONDS: u64 = 60;

/// How often inbox and account are looked at although nothing woke the socket.
const POLL_SECONDS: u64 = 5;

/// How long the client may take to send its token.
const FIRST_FRAME_SECONDS: u64 = 10;

/// Notices read at once.
const PAGE: u32 = 100;

/// Notices behind which a cursor is too old: reading the list again is cheaper for everybody.
const BACKLOG_MAX: i64 = 1000;

/// A reader at a cursor.
struct Session {
    app: SharedApp,
    socket: WebSocket,
    caller: Caller,
    login: Login,
    cursor: i64,
    /// The count the client was told last.
    unread: Option<i64>,
    heard_at: Instant,
}

/// Serves one socket until something ends it.
pub(super) async fn run(
    app: SharedApp,
    hub: &Hub,
    mut socket: WebSocket,
    known: Option<(Caller, Login)>,
    cursor: Option<i64>,
) {
    let known = match known {
        Some(known) => Ok(known),
        None => log_in(&app, &mut socket).await,
    };
    let (caller, login) = match known {
        Ok(known) => known,
        Err(end) => return wire::close(socket, end).await,
    };
    let reader = caller.id;
    let heard_at = Instant::now();
    let mut session = Session { app, socket, caller, login, cursor: 0, unread: None, heard_at };
    let end = match session.begin(cursor).await {
        Ok(()) => session.serve(hub).await,
        Err(end) => end,
    };
    tracing::debug!(staff.id = %reader, socket.end = ?end, "a socket ended");
    wire::close(session.socket, end).await;
}

/// Waits for the first frame and reads the token in it.
async fn log_in(app: &SharedApp, socket: &mut WebSocket) -> Result<(Caller, Login), End> {
    let first = async {
        loop {
            match socket.recv().await {
                Some(Ok(Message::Text(text))) => return Ok(wire::token(&text)),
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
    caller_of(app, &token).await.map_err(|_| End::Unauthorized)
}

impl Session {
    /// Finds the place to go on from, and sends what the client missed.
    async fn begin(&mut self, cursor: Option<i64>) -> Result<(), End> {
        let last = inbox::last_seq(&self.app.db, self.caller.id).await.map_err(|error| failed(&error))?;
        self.cursor = cursor.unwrap_or(last);
        if self.cursor > last || last - self.cursor > BACKLOG_MAX {
            self.cursor = last;
            wire::send(&mut self.socket, &Frame::Resync).await?;
        }
        self.push().await?;
        wire::send(&mut self.socket, &Frame::CompleteUpto { seq: self.cursor }).await
    }

    /// Serves until something ends the socket.
    async fn serve(&mut self, hub: &Hub) -> End {
        let (mut inbox, mut staff) = (hub.inbox(), hub.staff());
        let mut ping = interval(Duration::from_secs(PING_SECONDS));
        let mut poll = interval(Duration::from_secs(POLL_SECONDS));
        for ticks in [&mut ping, &mut poll] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.reset(); // the first tick is not due at once
        }
        let stop = self.app.stop.clone();
        let ends = self.ends_at();
        loop {
            let done = tokio::select! {
                () = stop.cancelled() => Err(End::Stopping),
                () = sleep_until(ends) => Err(End::Unauthorized),
                inbound = self.socket.recv() => self.heard(inbound.as_ref()),
                _ = inbox.changed() => self.catch_up().await,
                _ = staff.changed() => self.recheck().await,
                _ = poll.tick() => match self.recheck().await {
                    Ok(()) => self.catch_up().await,
                    Err(end) => Err(end),
                },
                _ = ping.tick() => self.ping().await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// When the token ends, on the clock that timers use.
    fn ends_at(&self) -> Instant {
        let left = self.login.until - self.app.clock.now();
        Instant::now() + left.to_std().unwrap_or_default()
    }

    /// What clients say is of no interest but for the fact that they are there.
    fn heard(&mut self, inbound: Option<&Result<Message, axum::Error>>) -> Result<(), End> {
        match inbound {
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
            Some(Ok(_)) => {
                self.heard_at = Instant::now();
                Ok(())
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > Duration::from_secs(SILENCE_SECONDS) {
            return Err(End::Gone);
        }
        wire::ping(&mut self.socket).await
    }

    /// Ends the socket when the token has ended or the account is cut off.
    async fn recheck(&mut self) -> Result<(), End> {
        if self.login.until <= self.app.clock.now() {
            return Err(End::Unauthorized);
        }
        match staff_caller(&self.app, self.caller.id).await {
            Ok(caller) => {
                self.caller = caller;
                Ok(())
            }
            // Not being able to ask is no reason to cut somebody; the next check will tell.
            Err(crate::auth::Refused::Unavailable(_)) => Ok(()),
            Err(_) => Err(End::Unauthorized),
        }
    }

    /// Sends what is new, and how far the client is then.
    async fn catch_up(&mut self) -> Result<(), End> {
        let before = self.cursor;
        self.push().await?;
        if self.cursor == before {
            return Ok(());
        }
        wire::send(&mut self.socket, &Frame::CompleteUpto { seq: self.cursor }).await
    }

    /// Sends every notice after the cursor, in order, and the count when it changed.
    async fn push(&mut self) -> Result<(), End> {
        loop {
            let page = inbox::after(&self.app.db, self.caller.id, self.cursor, PAGE).await;
            let page = page.map_err(|error| failed(&error))?;
            let more = page.len() == PAGE as usize;
            for notice in page {
                self.tell(notice).await?;
            }
            if !more {
                break;
            }
        }
        let unread = inbox::unread_count(&self.app.db, self.caller.id).await;
        let unread = unread.map_err(|error| failed(&error))?;
        if self.unread == Some(unread) {
            return Ok(());
        }
        self.unread = Some(unread);
        wire::send(&mut self.socket, &Frame::UnreadCount { data: unread }).await
    }

    async fn tell(&mut self, notice: Notice) -> Result<(), End> {
        let seq = notice.seq;
        let gained = LEAD_GAINED.contains(&notice.scene.as_str()).then(|| notice.data.clone());
        let data = Notification::from(notice);
        wire::send(&mut self.socket, &Frame::Notification { seq, data: &data }).await?;
        if let Some(data) = &gained {
            wire::send(&mut self.socket, &Frame::CustomerAssigned { seq, data }).await?;
        }
        self.cursor = seq;
        Ok(())
    }
}

fn failed(error: &infrastructure::db::DbError) -> End {
    tracing::warn!(error = %error, "the inbox cannot be read");
    End::Unavailable
}
