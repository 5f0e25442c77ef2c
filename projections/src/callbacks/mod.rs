//! Works on stored callbacks: what WeChat told us becomes credits, proofs and refutations.
//!
//! ```text
//! HTTP: signature right → row stored → `success`          crash before the row: the provider sends it again
//! here: claim a row → effects, one append each → row done crash in between: the row's lease ends, it is worked on
//!                                                         again, and every append meets its own events
//! ```
//! One process works on a row at a time. A row that cannot be worked on is parked with its reason; the others go on. A
//! proof may come before the answer to the very request it proves: it waits until the request is concluded, and for a
//! while after that, because nothing else would ever tell of it.

mod effect;
mod find;

use std::sync::Arc;
use std::time::Duration;

use application::callbacks::{self, Effect};
use application::ports::{Clock, Ids};
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::Channel;
use infrastructure::bus::Bus;
use infrastructure::callbacks::{CallbackStore, Claimed, Source};
use infrastructure::db::DbError;
use tokio_util::sync::CancellationToken;

use crate::consumer::Progress;
use effect::{Applied, Trouble};

#[cfg(test)]
pub(crate) use find::STATEMENTS;

/// How often to look for what other processes stored.
const PERIOD: Duration = Duration::from_millis(500);

/// Rows taken at once.
const CLAIM_MAX: i64 = 32;

/// How long a proof waits for its delivery. A request is given up after its timeout and the lease behind it, less than
/// a minute; what comes of a message that somebody else sent from the same app is never known.
pub const PROOF_PATIENCE_SECONDS: i64 = 15 * 60;

/// First and longest pause of a row that waits.
const PAUSE_SECONDS: std::ops::RangeInclusive<i64> = 1..=60;

/// A row that was begun so often kills whoever works on it.
const ATTEMPTS_MAX: i64 = 100;

/// How long the database is left alone after it failed.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// How often what is done long ago is deleted.
const PURGE_PERIOD: TimeDelta = TimeDelta::hours(1);

/// Which of the apps sends what: proofs name a message by an id that is the channel's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendingApps {
    /// The mini program of the subscribe messages.
    pub mini_program: Option<String>,
    /// The official account of the template messages.
    pub official: Option<String>,
    /// The mini program of the cloud function, which sends subscribe messages on: the same one, or another.
    pub cloud: Option<String>,
}

impl SendingApps {
    /// The channels whose messages an app may tell of.
    fn channels(&self, source: Source, app: &str) -> Vec<Channel> {
        let sends = [
            (&self.mini_program, Channel::WechatSubscribe),
            (&self.official, Channel::WechatOfficial),
            (&self.cloud, Channel::WechatCloud),
        ];
        let own = sends
            .into_iter()
            .filter(|(sender, _)| source == Source::Wechat && sender.as_deref() == Some(app));
        own.map(|(_, channel)| channel).collect()
    }
}

/// Works on the callbacks of a database. Cheap to clone.
#[derive(Clone)]
pub struct CallbackWorker {
    pub(crate) bus: Bus,
    pub(crate) progress: Progress,
    store: CallbackStore,
    apps: SendingApps,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for CallbackWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackWorker").field("apps", &self.apps).finish_non_exhaustive()
    }
}

/// What comes of a row.
enum Fate {
    Done(Option<&'static str>),
    Wait(&'static str),
    Park(String),
}

impl CallbackWorker {
    /// A worker that does nothing yet.
    pub fn new(
        bus: Bus,
        progress: Progress,
        store: CallbackStore,
        apps: SendingApps,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { bus, progress, store, apps, clock, ids }
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        if let Err(error) = self.store.end_leases().await {
            tracing::warn!(%error, "leases of callbacks could not be ended; they end by themselves");
        }
        self.retry_parked().await;
        let mut purged_at = DateTime::<Utc>::MIN_UTC;
        while !stop.is_cancelled() {
            let now = self.clock.now();
            if now - purged_at >= PURGE_PERIOD {
                self.purge(now).await;
                purged_at = now;
            }
            let pause = match self.pass().await {
                Ok(0) => PERIOD,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "callbacks cannot be worked on");
                    DATABASE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.stored() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Works on everything that is due. For tests that choose the moment.
    pub async fn drain_once(&self) -> Result<(), DbError> {
        while self.pass().await? > 0 {}
        Ok(())
    }

    /// Callbacks that are due and not yet worked on.
    pub async fn due(&self) -> Result<i64, DbError> {
        self.store.due(self.clock.now()).await
    }

    /// Works on what is due now; how many rows.
    async fn pass(&self) -> Result<usize, DbError> {
        if self.store.due(self.clock.now()).await? == 0 {
            return Ok(0); // looking needs no right to write
        }
        let rows = self.store.claim(self.ids.next(), CLAIM_MAX, self.clock.now()).await?;
        for row in &rows {
            self.work(row).await?;
        }
        Ok(rows.len())
    }

    async fn work(&self, row: &Claimed) -> Result<(), DbError> {
        let fate = self.fate(row).await?;
        let now = self.clock.now();
        match fate {
            Fate::Done(reason) => self.store.done(row, reason, now).await,
            Fate::Park(reason) => {
                tracing::error!(callback.id = %row.id, callback.source = row.source.as_str(),
                    "callback {} is parked: {reason}", row.id);
                self.store.park(row, &reason, now).await
            }
            Fate::Wait(reason) => {
                let age = (now - row.received_at).num_seconds();
                let pause = age.clamp(*PAUSE_SECONDS.start(), *PAUSE_SECONDS.end());
                self.store.wait(row, now + TimeDelta::seconds(pause), reason).await
            }
        }
    }

    async fn fate(&self, row: &Claimed) -> Result<Fate, DbError> {
        if row.attempts > ATTEMPTS_MAX {
            return Ok(Fate::Park(format!("it was begun {ATTEMPTS_MAX} times and never ended")));
        }
        let read = callbacks::read(row.body());
        let effects = match read.and_then(|message| callbacks::effects(&message)) {
            Ok(effects) => effects,
            Err(unreadable) => return Ok(Fate::Park(unreadable.to_string())),
        };
        if effects.is_empty() {
            return Ok(Fate::Done(Some("nothing follows from it")));
        }
        let mut waits = None;
        for (n, effect) in effects.iter().enumerate() {
            match self.apply(row, n, effect).await {
                Ok(Applied::Done) => {}
                Ok(Applied::TooEarly(why)) => waits = Some(why),
                Err(Trouble::Later(reason)) => {
                    tracing::warn!(callback.id = %row.id, "callback {} waits: {reason}", row.id);
                    return Ok(Fate::Wait("the store did not answer"));
                }
                Err(Trouble::Hopeless(reason)) => return Ok(Fate::Park(reason)),
                Err(Trouble::Database(error)) => return Err(error),
            }
        }
        Ok(match waits {
            None => Fate::Done(None),
            Some(why) if self.is_young(row) => Fate::Wait(why),
            Some(why) => Fate::Done(Some(why)),
        })
    }

    async fn apply(&self, row: &Claimed, n: usize, effect: &Effect) -> Result<Applied, Trouble> {
        let key = format!("{}:{}:{}:{n}", row.source.as_str(), row.app, row.body_hash);
        match effect {
            Effect::Grant { .. } | Effect::Revoke { .. } => self.credit(row, &key, effect).await,
            Effect::Report(report) => match self.apps.channels(row.source, &row.app).as_slice() {
                [] => Ok(Applied::Done),
                channels => self.report(row, &key, channels, report).await,
            },
        }
    }

    fn is_young(&self, row: &Claimed) -> bool {
        (self.clock.now() - row.received_at).num_seconds() < PROOF_PATIENCE_SECONDS
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Whoever repaired the program starts it anyway.
    async fn retry_parked(&self) {
        match self.store.retry_parked(self.clock.now()).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(callbacks = count, "{count} parked callbacks are tried again"),
            Err(error) => tracing::error!(%error, "parked callbacks could not be tried again"),
        }
    }

    async fn purge(&self, now: DateTime<Utc>) {
        match self.store.purge(now).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(callbacks = count, "{count} old callbacks are deleted"),
            Err(error) => tracing::warn!(%error, "old callbacks could not be deleted"),
        }
    }
}
