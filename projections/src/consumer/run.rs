//! The loop of a consumer: take the lease, catch up page by page, wait for the doorbell or the period.

use std::time::Duration;

use async_trait::async_trait;
use domain::Position;
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::{EventLog, Filter, Look, RecordedRaw};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{ConsumerState, Consumers, HandleError, Lease, Progress, RENEW_SECONDS};

/// Most events taken in by one transaction.
pub const PAGE_EVENTS: usize = 1000;

/// How long an idle consumer waits before it looks at the log without being called: other processes do not ring.
pub const IDLE_PERIOD: Duration = Duration::from_millis(200);

/// How a consumer shares its database with the commands.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// How long it lets events gather after a page that was not full. A lone event is taken in at once; under load a
    /// page is worth its transaction.
    gather: Duration,
    /// How long a checkpoint may stay behind what was read when nothing read concerned the consumer.
    checkpoint: Duration,
    /// Most bytes of events taken in by one transaction, where one event has no more.
    part_bytes: usize,
}

/// Readers in other processes wait for the checkpoint.
const PACE_POSTGRES: Pace =
    Pace { gather: Duration::from_millis(10), checkpoint: Duration::from_millis(50), part_bytes: usize::MAX };

/// One writer serves everybody, so each transaction keeps commands waiting, and there is no other process. An event may
/// speak of hundreds of leads: what a page weighs is told by its bytes.
const PACE_SQLITE: Pace =
    Pace { gather: Duration::from_millis(60), checkpoint: Duration::from_millis(500), part_bytes: 64 * 1024 };

impl Pace {
    fn on(db: &Db) -> Self {
        match db {
            Db::Sqlite(_) => PACE_SQLITE,
            Db::Postgres(_) => PACE_POSTGRES,
        }
    }
}

/// How often a process that does not own a consumer tries to.
pub(crate) const ACQUIRE_PERIOD_MS: u64 = 2000;

/// How often a page that fails is tried again before the consumer stops with an error.
const RETRIES_MAX: u32 = 5;

/// The first pause between two tries; doubled each time.
const BACKOFF_MS: u64 = 100;

/// The longest pause between two tries, also while the database is away.
const BACKOFF_MS_MAX: u64 = 2000;

/// What a consumer does with its events.
#[async_trait]
pub trait Handler: Send {
    /// Which events it wants.
    fn filter(&self) -> Filter<'static>;

    /// Takes in a page, never empty, and moves the checkpoint from `lease.position` to `to` in the same transaction
    /// ([`Consumers::advance`] first). Called again with the same page after a database error.
    async fn handle(
        &mut self,
        lease: &Lease,
        page: &[RecordedRaw],
        to: Position,
        state: ConsumerState,
    ) -> Result<(), HandleError>;
}

/// What one look at the log led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A full page: there is more.
    More,
    /// At the end of the log.
    CaughtUp,
    /// Another owner has the lease now.
    LeaseLost,
}

/// A consumer of this process.
#[derive(Debug, Clone)]
pub struct Consumer {
    name: String,
    log: EventLog,
    consumers: Consumers,
    progress: Progress,
    page_events: usize,
    pace: Pace,
}

/// Where an owner stands between two looks at the log.
struct Cursor {
    lease: Lease,
    /// Everything up to here is taken in; ahead of the checkpoint after events that do not concern the consumer.
    read_to: Position,
    /// When the consumer's row was last written.
    written: Instant,
    /// When events may be looked for again.
    rested: Instant,
    /// Whether the row says that the consumer is at the log's end.
    settled: bool,
}

impl Consumer {
    /// A consumer of the log, under the name it is registered by.
    pub fn new(name: &str, log: EventLog, consumers: Consumers, progress: Progress) -> Self {
        let pace = Pace::on(log.db());
        Self { name: name.to_owned(), log, consumers, progress, page_events: PAGE_EVENTS, pace }
    }

    /// Takes in at most this many events by one transaction.
    #[must_use]
    pub fn with_page(mut self, events: usize) -> Self {
        self.page_events = events;
        self
    }

    /// Takes in at most so many bytes of events by one transaction, and one event in any case.
    #[cfg(test)]
    pub(crate) fn with_parts(mut self, bytes: usize) -> Self {
        self.pace.part_bytes = bytes;
        self
    }

    /// Works until `stop`: owns the consumer whenever it can, and gives the lease back at the end.
    pub async fn run(&self, handler: &mut dyn Handler, stop: CancellationToken) {
        let mut doorbell = self.log.doorbell();
        loop {
            match self.consumers.acquire(&self.name).await {
                Ok(Some(lease)) => {
                    tracing::info!(consumer.name = %self.name, consumer.position = lease.position, "consumer owned");
                    self.own(handler, lease, &mut doorbell, &stop).await;
                    // Whoever owns it now may be behind this process, after a rollback for instance.
                    self.progress.publish(&self.name, 0);
                    if !stop.is_cancelled() {
                        continue; // a rebuild's switch takes the lease, and nobody takes it from there
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(consumer.name = %self.name, error = %error, "lease not asked for");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(Duration::from_millis(ACQUIRE_PERIOD_MS)) => {}
            }
        }
    }

    /// Takes in everything up to the head of the log as it is now. `None`: another process owns the consumer, or it
    /// is stopped. For commands and tests; a serving process uses [`run`](Self::run).
    pub async fn catch_up(&self, handler: &mut dyn Handler) -> Result<Option<Position>, HandleError> {
        let Some(lease) = self.consumers.acquire(&self.name).await? else { return Ok(None) };
        let mut cursor = self.begin(lease);
        loop {
            let look = self.log.look(cursor.read_to, self.page_events, handler.filter()).await;
            let step = match look {
                Ok(look) => self.step(handler, &mut cursor, look).await,
                Err(error) => Err(error.into()),
            };
            match step {
                Ok(Step::More) => {}
                Ok(Step::LeaseLost) => return Ok(None),
                Ok(Step::CaughtUp) => break,
                Err(error @ HandleError::Poison { .. }) => {
                    self.consumers.fail(&cursor.lease, &error.to_string()).await?;
                    return Err(error);
                }
                Err(error) => {
                    self.consumers.release(&cursor.lease).await?;
                    return Err(error);
                }
            }
        }
        let read_to = cursor.read_to;
        if !self.consumers.checkpoint(&mut cursor.lease, read_to, ConsumerState::Active).await? {
            return Ok(None);
        }
        self.consumers.release(&cursor.lease).await?;
        Ok(Some(read_to))
    }

    fn begin(&self, lease: Lease) -> Cursor {
        self.progress.publish(&self.name, lease.position);
        let now = Instant::now();
        Cursor { read_to: lease.position, lease, written: now, rested: now, settled: false }
    }

    /// Works while the lease holds.
    async fn own(
        &self,
        handler: &mut dyn Handler,
        lease: Lease,
        doorbell: &mut watch::Receiver<Position>,
        stop: &CancellationToken,
    ) {
        let mut cursor = self.begin(lease);
        let mut failures = 0;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(cursor.rested) => {}
            }
            doorbell.mark_unchanged();
            let pause = match self.follow(handler, &mut cursor).await {
                Ok(Step::More) => {
                    failures = 0;
                    continue;
                }
                Ok(Step::CaughtUp) => {
                    failures = 0;
                    None
                }
                Ok(Step::LeaseLost) | Err(HandleError::Fenced) => {
                    tracing::info!(consumer.name = %self.name, "consumer taken over or halted");
                    return;
                }
                Err(error) => {
                    failures += 1;
                    let hopeless = matches!(error, HandleError::Poison { .. })
                        || (failures > RETRIES_MAX && !error.is_outage());
                    if hopeless {
                        return self.stop_with(&cursor.lease, &error).await;
                    }
                    tracing::warn!(consumer.name = %self.name, consumer.failures = failures, error = %error,
                        "page not taken in, trying again");
                    Some(backoff(failures))
                }
            };
            let rings = pause.is_none();
            let behind = cursor.read_to > cursor.lease.position;
            let period = if behind { self.pace.checkpoint.min(IDLE_PERIOD) } else { IDLE_PERIOD };
            tokio::select! {
                () = stop.cancelled() => break,
                _ = doorbell.changed(), if rings => {}
                () = sleep(pause.unwrap_or(period)) => {}
            }
        }
        if let Err(error) = self.leave(cursor).await {
            tracing::warn!(consumer.name = %self.name, error = %error, "lease not given back, others will see it stand still");
        }
    }

    async fn leave(&self, mut cursor: Cursor) -> Result<(), DbError> {
        let read_to = cursor.read_to;
        if read_to > cursor.lease.position {
            self.consumers.checkpoint(&mut cursor.lease, read_to, ConsumerState::Active).await?;
        }
        self.consumers.release(&cursor.lease).await
    }

    /// Stops loudly: the text stays in the consumer's row until an operator resumes it.
    async fn stop_with(&self, lease: &Lease, error: &HandleError) {
        tracing::error!(consumer.name = %self.name, consumer.position = lease.position, error = %error,
            "consumer stopped; repair the cause, then resume it");
        if let Err(second) = self.consumers.fail(lease, &error.to_string()).await {
            tracing::error!(consumer.name = %self.name, error = %second, "the consumer's error was not recorded");
        }
    }

    /// Takes in what a look at the log found, by parts that keep nobody waiting for long: each is a transaction with its
    /// own checkpoint.
    async fn step(
        &self,
        handler: &mut dyn Handler,
        cursor: &mut Cursor,
        look: Look,
    ) -> Result<Step, HandleError> {
        let Look { page, to, full } = look;
        if page.is_empty() {
            cursor.read_to = to;
            return self.idle(cursor).await;
        }
        let state = if full { ConsumerState::Booting } else { ConsumerState::Active };
        let mut rest = page.as_slice();
        while !rest.is_empty() {
            let (part, later) = rest.split_at(part_len(rest, self.pace.part_bytes));
            let reached = later.first().map_or(to, |next| next.position - 1);
            handler.handle(&cursor.lease, part, reached, state).await?;
            cursor.lease.position = reached;
            cursor.read_to = reached;
            self.progress.publish(&self.name, reached);
            rest = later;
        }
        cursor.written = Instant::now();
        cursor.settled = !full;
        if !full {
            cursor.rested = cursor.written + self.pace.gather;
        }
        Ok(if full { Step::More } else { Step::CaughtUp })
    }

    /// Takes in what is new: from memory, where this process wrote it. What others write does not ring and leaves a hole
    /// in memory, so whoever finds nothing there asks the database.
    async fn follow(&self, handler: &mut dyn Handler, cursor: &mut Cursor) -> Result<Step, HandleError> {
        let (read_to, filter) = (cursor.read_to, handler.filter());
        let look = match self.log.recent(read_to, self.page_events, filter) {
            Some(look) => look,
            None => self.log.look(read_to, self.page_events, filter).await?,
        };
        self.step(handler, cursor, look).await
    }

    /// Nothing to take in: tells how far the log was read, and writes it down now and then.
    async fn idle(&self, cursor: &mut Cursor) -> Result<Step, HandleError> {
        self.progress.publish(&self.name, cursor.read_to);
        let age = cursor.written.elapsed();
        let moved = cursor.read_to > cursor.lease.position;
        // Not after every commit of somebody else: an empty page is worth no transaction of its own.
        let alive = if !cursor.settled || (moved && age >= self.pace.checkpoint) {
            self.consumers.checkpoint(&mut cursor.lease, cursor.read_to, ConsumerState::Active).await?
        } else if age >= Duration::from_secs(RENEW_SECONDS) {
            self.consumers.renew(&cursor.lease).await?
        } else {
            return Ok(Step::CaughtUp);
        };
        cursor.settled = true;
        cursor.written = Instant::now();
        Ok(if alive { Step::CaughtUp } else { Step::LeaseLost })
    }
}

/// How many of these events, of which there is at least one, one transaction takes in.
fn part_len(events: &[RecordedRaw], bytes_max: usize) -> usize {
    let mut bytes = 0_usize;
    let within = events.iter().take_while(|event| {
        bytes = bytes.saturating_add(event.payload.get().len());
        bytes <= bytes_max
    });
    within.count().max(1)
}

fn backoff(failures: u32) -> Duration {
    let doubled = BACKOFF_MS.saturating_mul(1 << failures.saturating_sub(1).min(16));
    Duration::from_millis(doubled.min(BACKOFF_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses: Vec<_> = [1, 2, 3, 6, 100].map(backoff).iter().map(Duration::as_millis).collect();
        assert_eq!(pauses, [100, 200, 400, 2000, 2000]);
    }
}
