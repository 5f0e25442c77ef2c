//! One open connection of a known person: up to where it was told, and what may end it.
//!
//! The same for every protocol; what a frame looks like on the wire is the business of the [`Line`].

use std::time::Duration;

use application::access::Caller;
use application::texts::kinds::LEAD_GAINED;
use domain::Position;
use projections::queries::inbox::{self, Notice};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::frames::{End, Frame};
use super::hub::Hub;
use super::refresh::Refreshes;
use crate::app::SharedApp;
use crate::auth::{Session as Login, still_good};
use crate::http::notifications::Notification;

/// How often the server pings, where the protocol leaves that to us.
const PING_SECONDS: u64 = 25;

/// How often inbox and account are looked at although nothing woke the connection.
const POLL_SECONDS: u64 = 5;

/// Notices read at once.
const PAGE: u32 = 100;

/// Notices behind which a cursor is too old: reading the list again is cheaper for everybody.
const BACKLOG_MAX: i64 = 1000;

/// A connection, whatever it speaks.
pub(in crate::http) trait Line: Send {
    /// What the client says next. Nothing is lost when this is dropped half-way.
    fn hear(&mut self) -> impl Future<Output = Result<Heard, End>> + Send;
    /// Sends a frame, or says that the reader is gone or too slow.
    fn send(&mut self, frame: &Frame<'_>) -> impl Future<Output = Result<(), End>> + Send;
    /// Finds out whether the client is still there.
    fn ping(&mut self) -> impl Future<Output = Result<(), End>> + Send;
}

/// What a client can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Heard {
    /// Nothing but that it is there.
    Something,
    /// It wants to know how many notices are unread.
    CountWanted,
}

/// Where a reader wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Cursor {
    /// With what is new.
    New,
    /// After the notice of this number.
    After(i64),
    /// Where it was nobody can tell.
    Lost,
}

/// A reader at a cursor.
pub(in crate::http) struct Session<'l, L> {
    app: SharedApp,
    line: &'l mut L,
    caller: Caller,
    login: Login,
    cursor: i64,
    /// The count the client was told last.
    unread: Option<i64>,
}

impl<'l, L: Line> Session<'l, L> {
    /// Tells the client what it missed, and then what happens, until something ends that. Where it ended, to go on from
    /// there.
    pub(in crate::http) async fn run(
        app: SharedApp,
        hub: &Hub,
        line: &'l mut L,
        (caller, login): (Caller, Login),
        cursor: Cursor,
    ) -> (End, Cursor) {
        let mut session = Session { app, line, caller, login, cursor: 0, unread: None };
        // From here on nothing is missed: what comes later wakes, what came before is read at the beginning.
        let wakes = (hub.inbox(), hub.staff(), session.app.auth.sessions.changes());
        let mut refreshes = Refreshes::new(hub.lists(&session.app).await);
        if let Err(end) = session.begin(cursor).await {
            return (end, cursor);
        }
        let end = session.serve(wakes, &mut refreshes).await;
        tracing::debug!(staff.id = %session.caller.id, socket.end = ?end, "a socket ended");
        (end, Cursor::After(session.cursor))
    }

    /// Finds the place to go on from, and sends what the client missed.
    async fn begin(&mut self, cursor: Cursor) -> Result<(), End> {
        let last = inbox::last_seq(&self.app.db, self.caller.id).await.map_err(|error| failed(&error))?;
        self.cursor = match cursor {
            Cursor::After(seq) if seq <= last && last - seq <= BACKLOG_MAX => seq,
            Cursor::New | Cursor::After(_) | Cursor::Lost => last,
        };
        if !matches!(cursor, Cursor::New) && cursor != Cursor::After(self.cursor) {
            self.line.send(&Frame::Resync).await?;
        }
        self.push().await?;
        self.line.send(&Frame::CompleteUpto { seq: self.cursor }).await
    }

    /// Serves until something ends it.
    async fn serve(&mut self, (mut inbox, mut staff, mut sessions): Wakes, refreshes: &mut Refreshes) -> End {
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
                heard = self.line.hear() => self.answer(heard).await,
                _ = inbox.changed() => self.catch_up().await,
                _ = staff.changed() => self.recheck().await,
                _ = sessions.changed() => self.recheck().await,
                () = refreshes.due(&self.caller) => self.refresh(refreshes).await,
                _ = poll.tick() => match self.recheck().await {
                    Ok(()) => self.catch_up().await,
                    Err(end) => Err(end),
                },
                _ = ping.tick() => self.line.ping().await,
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

    async fn answer(&mut self, heard: Result<Heard, End>) -> Result<(), End> {
        match heard? {
            Heard::Something => Ok(()),
            Heard::CountWanted => {
                self.unread = None;
                self.tell_unread().await
            }
        }
    }

    /// Ends it when token or session have ended or the account is cut off.
    async fn recheck(&mut self) -> Result<(), End> {
        match still_good(&self.app, &self.login).await {
            Ok(caller) => {
                self.caller = caller;
                Ok(())
            }
            Err(refused) if refused.is_final() => Err(End::Unauthorized),
            // Not being able to ask is no reason to cut somebody; the next check will tell.
            Err(_) => Ok(()),
        }
    }

    /// Tells of lists that changed.
    async fn refresh(&mut self, refreshes: &mut Refreshes) -> Result<(), End> {
        for refresh in refreshes.take(self.app.clock.now()) {
            self.line.send(&Frame::Refresh(&refresh)).await?;
        }
        Ok(())
    }

    /// Sends what is new, and how far the client is then.
    async fn catch_up(&mut self) -> Result<(), End> {
        let before = self.cursor;
        self.push().await?;
        if self.cursor == before {
            return Ok(());
        }
        self.line.send(&Frame::CompleteUpto { seq: self.cursor }).await
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
        self.tell_unread().await
    }

    async fn tell_unread(&mut self) -> Result<(), End> {
        // Also by the clock alone: what was put off counts again when its time has come.
        let now = self.app.clock.now();
        let unread = inbox::unread_count(&self.app.db, self.caller.id, now).await;
        let unread = unread.map_err(|error| failed(&error))?;
        if self.unread == Some(unread) {
            return Ok(());
        }
        self.line.send(&Frame::UnreadCount { data: unread }).await?;
        self.unread = Some(unread);
        Ok(())
    }

    async fn tell(&mut self, notice: Notice) -> Result<(), End> {
        let seq = notice.seq;
        let gained = LEAD_GAINED.contains(&notice.scene.as_str()).then(|| notice.data.clone());
        let data = Notification::from(notice);
        self.line.send(&Frame::Notification { seq, data: &data }).await?;
        if let Some(data) = &gained {
            self.line.send(&Frame::CustomerAssigned { seq, data }).await?;
        }
        self.cursor = seq;
        Ok(())
    }
}

/// What wakes a connection: the inboxes, the accounts, and sessions that were ended.
type Wakes = (Receiver<Position>, Receiver<Position>, Receiver<i64>);

fn failed(error: &infrastructure::db::DbError) -> End {
    tracing::warn!(error = %error, "the inbox cannot be read");
    End::Unavailable
}
