//! The dispatcher: takes due rows of the outbox, sends each once, and records how it ended.
//!
//! It is woken by the log's doorbell, by the next due moment, by an attempt that ended, and by a period for what
//! other processes wrote. Any number of processes may run one. What protects a recipient from two messages is not
//! this loop but what is on disk: the lease, the attempt number in the notice, and the fences that commit with every
//! event (`dispatcher/attempt.rs` says what a crash on each line leaves behind).

mod attempt;
mod commit;
mod gate;
mod health;
mod moment;
mod observer;
mod passed_over;
mod receiver;
mod rest;
mod running;
mod slots;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use application::delivery::{Contract, Outcome, RetrySchedule};
use application::ports::{Clock, Ids, Randomness};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState, Failure};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::Bus;
use crate::db::{Db, DbError};
use crate::outbox::lease::{self, Tenant, Wanted};
use crate::signs::Signs;
use attempt::Engine;
use running::Running;
use slots::SHARES;

pub use gate::Breaker;
pub use observer::{Observer, Unwatched};

/// Every statement of the dispatcher itself, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[health::PUBLISH];

/// Deliveries in flight at the same time, in this process and channel.
pub const CONCURRENCY: usize = 64;
/// How long a row stays ours without a heartbeat: after a kill another process, which looks every second, goes on within
/// 20 s. Shorter than a slow send, which the heartbeat carries; if that fails too, the row is taken over as unknown, and
/// its contract says what follows.
const LEASE: Duration = Duration::from_secs(15);
/// Leases of running sends are renewed this many times in a lease.
const HEARTBEATS_PER_LEASE: u32 = 4;
/// How long running sends may take to finish when the process stops.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// How often to look for what other processes wrote.
const PERIOD: Duration = Duration::from_secs(1);
/// How often to look who else lives.
const WATCH_PERIOD: TimeDelta = TimeDelta::seconds(1);
/// Least time between two looks that were caused by the doorbell: it rings for every commit.
const DOORBELL_PAUSE: Duration = Duration::from_millis(5);
/// How long the database is left alone after it failed.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// A provider as the dispatcher sees it.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The channel it serves.
    fn channel(&self) -> Channel;
    /// The app it is configured for.
    fn app(&self) -> &str;
    /// What the channel promises.
    fn contract(&self) -> Contract {
        Contract::of(self.channel())
    }
    /// Everything that can fail before an attempt begins, such as getting a token: a failure burns no attempt.
    async fn prepare(&self) -> Result<(), Rest>;
    /// Sends once. Must not send again after an answer that leaves open whether the message was taken.
    async fn send(&self, body: &str) -> Outcome;
}

/// The channel cannot send at all for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Why.
    pub failure: Failure,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// Time, ids and chance.
#[derive(Clone)]
pub struct Ports {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Lease tokens.
    pub ids: Arc<dyn Ids>,
    /// Jitter.
    pub randomness: Arc<dyn Randomness>,
}

/// What an operator may set.
#[derive(Clone)]
pub struct Options {
    /// Calls under way at the same time.
    pub concurrency: usize,
    /// How long a row stays ours without a heartbeat.
    pub lease: Duration,
    /// When to try again, and when to stop.
    pub schedule: RetrySchedule,
    /// How long running sends may take to finish when the process stops.
    pub stop_patience: Duration,
    /// When a failing provider is left alone.
    pub breaker: Breaker,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: CONCURRENCY,
            lease: LEASE,
            schedule: RetrySchedule::default(),
            stop_patience: STOP_PATIENCE,
            breaker: Breaker::default(),
            observer: Arc::new(Unwatched),
        }
    }
}

/// The dispatcher of one channel. Only a configured channel has one; rows of an app that is not configured (any
/// more) are held untouched.
pub struct Dispatcher {
    engine: Arc<Engine>,
    options: Options,
    /// Who else works on the channel's rows.
    signs: Signs<(Uuid, bool), DateTime<Utc>>,
    /// When this was looked at last, by the stopwatch.
    looked: Mutex<Option<TimeDelta>>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("tenant", &self.engine.tenant).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher that does nothing yet.
    pub fn new(bus: Bus, provider: Arc<dyn Provider>, ports: Ports, options: Options) -> Self {
        let tenant = Tenant {
            owner: ports.ids.next(),
            channel: provider.channel(),
            app: provider.app().to_owned(),
            lease: options.lease,
        };
        let engine = Engine::new(bus, provider, ports, tenant, &options);
        Self { engine: Arc::new(engine), options, signs: Signs::default(), looked: Mutex::default() }
    }

    /// Works until told to stop, then lets running sends finish. What does not finish in time shows as unknown.
    /// Dropping the future is a crash: nothing is sent any more, and what was being sent shows as unknown.
    pub async fn run(&self, stop: CancellationToken) {
        tracing::info!(channel = %self.engine.tenant.channel, "dispatcher starts: {}", self.engine.schedule);
        if let Err(error) = self.enter().await {
            tracing::error!(%error, "leases of earlier processes could not be looked at; they end later");
        }
        tokio::select! {
            () = self.work(&stop) => {}
            () = self.heartbeat() => {}
        }
    }

    /// Works until nothing is due any more, running sends included. For tests and tools.
    pub async fn drain_once(&self) -> Result<(), DbError> {
        let mut running = Running::default();
        loop {
            self.pass(&mut running).await?;
            if running.is_empty() {
                return Ok(());
            }
            running.finished().await;
        }
    }

    async fn work(&self, stop: &CancellationToken) {
        let mut running = Running::default();
        let mut doorbell = self.engine.bus.log().doorbell();
        while !stop.is_cancelled() {
            doorbell.mark_unchanged();
            let wait = match self.pass(&mut running).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    DATABASE_WAIT
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = running.finished() => {}
                Ok(()) = doorbell.changed() => tokio::time::sleep(DOORBELL_PAUSE).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.engine.slots.close();
        let ended = tokio::time::timeout(self.options.stop_patience, async {
            while !running.is_empty() {
                running.finished().await;
            }
        });
        if ended.await.is_err() {
            tracing::warn!(
                deliveries = running.len(),
                "sends did not finish in time; they will show as unknown"
            );
        }
    }

    /// Takes what is due and free slots allow. Answers when to look again if nothing happens before.
    async fn pass(&self, running: &mut Running) -> Result<Duration, DbError> {
        self.watch(running).await?;
        let now = self.now();
        let next = lease::next_due(self.db(), &self.engine.tenant, now).await?;
        let is_due = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        if next.is_abandoned() {
            self.give_up_abandoned(running, now).await?;
        }
        if next.is_paused() {
            return Ok(PERIOD);
        }
        if is_due(next.late) {
            self.give_way(running, now).await?;
        }
        // Retries have a share of their own, and so have fresh deliveries: neither can starve the other.
        let capacity = self.engine.slots.capacity();
        let share = (capacity / SHARES).max(1);
        let full = is_due(next.retry) && self.take(running, DeliveryState::Retry, share, now).await?;
        if is_due(next.fresh) {
            self.take(running, DeliveryState::Pending, capacity, now).await?;
        }
        if full {
            let most = capacity.saturating_sub(share).max(1);
            self.take(running, DeliveryState::Retry, most, now).await?;
        }
        // A row that is due but could not be taken is looked at again when an attempt ends or after the period.
        let wait = next.earliest().and_then(|at| (at - now).to_std().ok()).filter(|wait| !wait.is_zero());
        Ok(wait.unwrap_or(PERIOD).min(PERIOD))
    }

    /// What a process does once before it works: it looks who else works on this channel's rows, so that its stopwatch runs
    /// from now on. On SQLite there is one process only, and what others left is abandoned.
    pub async fn enter(&self) -> Result<(), DbError> {
        if matches!(self.db(), Db::Sqlite(_)) {
            lease::end_all_others(self.db(), &self.engine.tenant).await?;
        }
        self.watch(&Running::default()).await
    }

    /// What a process does that works once and leaves: it waits until everybody else who works on the channel's rows has
    /// given a sign of life, or none for a whole lease. No time where nobody does.
    pub async fn look_around(&self) -> Result<(), DbError> {
        self.enter().await?;
        let began = Instant::now();
        let first = lease::others(self.db(), &self.engine.tenant).await?;
        while began.elapsed() < self.engine.tenant.lease + PERIOD * 2 {
            let others = lease::others(self.db(), &self.engine.tenant).await?;
            if !others.iter().any(|other| first.contains(other)) {
                break;
            }
            tokio::time::sleep(PERIOD).await;
            self.watch(&Running::default()).await?;
        }
        Ok(())
    }

    /// Ends the leases of whoever gave no sign of life for a whole lease, and its own that nobody works under.
    async fn watch(&self, running: &Running) -> Result<(), DbError> {
        let tenant = &self.engine.tenant;
        let lease = TimeDelta::from_std(tenant.lease).unwrap_or(TimeDelta::MAX);
        {
            let stopwatch = self.engine.ports.clock.stopwatch();
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|looked| stopwatch - looked < WATCH_PERIOD) {
                return Ok(());
            }
            *looked = Some(stopwatch);
        }
        lease::end_idle(self.db(), tenant, |delivery| running.has(delivery)).await?;
        let others = lease::others(self.db(), tenant).await?;
        // Behind the answer: a sign that was long on its way is a fresh one all the same.
        let stopwatch = self.engine.ports.clock.stopwatch();
        self.signs.keep(|whose| others.iter().any(|other| (other.owner, other.started) == *whose));
        for other in others {
            if self.signs.still_for((other.owner, other.started), other.until, stopwatch) >= lease {
                tracing::warn!(channel = %tenant.channel, "a dispatcher that died is replaced");
                lease::end_dead(self.db(), tenant, other).await?;
            }
        }
        Ok(())
    }

    async fn give_up_abandoned(&self, running: &mut Running, now: DateTime<Utc>) -> Result<(), DbError> {
        let (busy, at) = (running.recipients(), self.engine.ports.clock.stopwatch());
        let pause = TimeDelta::from_std(PERIOD).unwrap_or_default();
        if !running.passed_over.is_worth_a_try(&busy, at, pause) {
            return Ok(());
        }
        let token = self.engine.ports.ids.next();
        let rows = lease::take_over(self.db(), &self.engine.tenant, &busy, token, now).await?;
        running.passed_over.tried(rows.len(), busy, at);
        for row in rows {
            let engine = Arc::clone(&self.engine);
            running.start(row, |row| async move { engine.give_up(&row).await });
        }
        Ok(())
    }

    /// Lets the next channel speak for rows whose time is over, whether or not this one rests.
    async fn give_way(&self, running: &mut Running, now: DateTime<Utc>) -> Result<(), DbError> {
        let token = self.engine.ports.ids.next();
        for row in lease::take_late(self.db(), &self.engine.tenant, token, now).await? {
            let engine = Arc::clone(&self.engine);
            running.start(row, |row| async move { engine.give_way(&row).await });
        }
        Ok(())
    }

    /// Leases rows in `state` and sets them going; of retries at most `most` run at the same time. Whether all that
    /// were asked for were there.
    async fn take(
        &self,
        running: &mut Running,
        state: DeliveryState,
        most: usize,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let free = self.engine.slots.capacity().saturating_sub(running.len());
        let free = match state {
            DeliveryState::Retry => free.min(most.saturating_sub(running.retries())),
            _ => free.min(most),
        };
        let limit = self.engine.gate.slots(now, free, running.len());
        if limit == 0 {
            return Ok(false);
        }
        let token = self.engine.ports.ids.next();
        let busy = running.recipients();
        let wanted = Wanted { state, limit, busy: &busy };
        let rows = lease::lease(self.db(), &self.engine.tenant, wanted, token, now).await?;
        let full = rows.len() == limit;
        for row in rows {
            let engine = Arc::clone(&self.engine);
            running.start(row, |row| async move { engine.deliver(row).await });
        }
        Ok(full)
    }

    /// Keeps what runs from looking abandoned.
    async fn heartbeat(&self) {
        loop {
            self.engine.publish().await;
            tokio::time::sleep(self.engine.tenant.lease / HEARTBEATS_PER_LEASE).await;
            if let Err(error) = lease::renew(self.db(), &self.engine.tenant, self.now()).await {
                tracing::error!(%error, "leases of running deliveries could not be renewed");
            }
        }
    }

    fn db(&self) -> &Db {
        self.engine.bus.log().db()
    }

    fn now(&self) -> DateTime<Utc> {
        self.engine.ports.clock.now()
    }
}
