//! The releaser: lets go what was held for a time that is over. One message of a person in a channel leaves as it is;
//! several are told together, in one digest (notifications.md section 5).
//!
//! Any number of processes may run one, and each may die on any line. A message is released by an event of its notice,
//! whose sequence lets one of them be first. A digest's id is derived from the first message it tells of, and its request
//! commits with the mark on every row it tells of; so the same messages are told by one digest, once. What a digest of
//! very many messages could not merge in that commit is merged afterwards, by whoever comes by: the mark says into what.

mod commit;
mod plan;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use application::bus::{AppendError, EVENTS_PER_COMMAND_MAX, LoadError};
use application::delivery::digest::{DigestWriter, WriteError};
use application::ports::Clock;
use chrono::{DateTime, Utc};
use domain::notification::Channel;
use domain::{DeliveryId, NotificationId};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::Bus;
use crate::db::{Db, DbError};
use crate::outbox::decide::DecideError;
use crate::outbox::hold::{self, Group, Held};

pub use writer::StoredDigestWriter;

/// The name of this part of the system.
const RELEASER: &str = "releaser";
/// People and channels looked at together.
const GROUPS: i64 = 200;
/// Groups worked on at the same time: one of very many messages does not keep the others waiting.
const CONCURRENCY: usize = 8;
/// Most messages that one digest tells of; the others are told by the next one.
pub const MEMBERS_MAX: usize = 10_000;
/// Messages merged by one commit. Each may have four standbys that are merged with it, and a command may append 4096
/// events.
const MERGED_AT_ONCE: usize = 500;
const _: () =
    assert!(MERGED_AT_ONCE * Channel::EXTERNAL.len() < EVENTS_PER_COMMAND_MAX, "they fit beside the request");
/// How often a group is looked at anew when its messages moved meanwhile.
const TRIES_MAX: usize = 8;
/// How often to look when nothing is due earlier.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the database is left alone after it failed.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// Somebody else moved what it is about: look again.
    #[error("it moved meanwhile")]
    Moved,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The notice could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The log said no.
    #[error(transparent)]
    Append(AppendError),
    /// The rules said no, or the row is gone.
    #[error(transparent)]
    Decide(DecideError),
    /// The digest could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encode(#[from] serde_json::Error),
}

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } | AppendError::Fenced => Self::Moved,
            error => Self::Append(error),
        }
    }
}

/// Releases what is due.
pub struct Releaser {
    inner: Arc<Inner>,
}

struct Inner {
    bus: Bus,
    writer: Arc<dyn DigestWriter>,
    clock: Arc<dyn Clock>,
    fallback_after: Duration,
}

impl std::fmt::Debug for Releaser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Releaser").finish_non_exhaustive()
    }
}

/// Behind which row to go on merging.
type Cursor = (NotificationId, DeliveryId);

/// Before every row.
const START: Cursor = (NotificationId(Uuid::nil()), DeliveryId(Uuid::nil()));

impl Releaser {
    /// A releaser that does nothing yet. A channel has `fallback_after` before the next one tells a digest.
    pub fn new(
        bus: Bus,
        writer: Arc<dyn DigestWriter>,
        clock: Arc<dyn Clock>,
        fallback_after: Duration,
    ) -> Self {
        Self { inner: Arc::new(Inner { bus, writer, clock, fallback_after }) }
    }

    /// Works until told to stop. Dropping the future is a crash, which costs nothing.
    pub async fn run(&self, stop: CancellationToken) {
        let mut cursor = START;
        loop {
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                waited = self.work(&mut cursor) => waited.unwrap_or_else(|error| {
                    tracing::error!(%error, "held messages cannot be looked for");
                    DATABASE_WAIT
                }),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Works until nothing is due any more; how many messages were released or merged. For tests and tools.
    pub async fn drain_once(&self) -> Result<usize, DbError> {
        let (mut done, mut cursor) = (0, START);
        loop {
            let released = self.release_due().await?;
            let merged = self.merge_more(&mut cursor).await?;
            done += released + merged.unwrap_or(0);
            if released == 0 && merged.is_none() {
                return Ok(done);
            }
        }
    }

    /// One round; how long to wait for the next.
    async fn work(&self, cursor: &mut Cursor) -> Result<Duration, DbError> {
        self.release_due().await?;
        if self.merge_more(cursor).await?.is_some() {
            return Ok(Duration::ZERO);
        }
        let now = self.inner.clock.now();
        // What is due already could not be released: it is looked at again after the period.
        let wait = hold::next_due(self.db()).await?.and_then(|at| (at - now).to_std().ok());
        Ok(wait.filter(|wait| !wait.is_zero()).unwrap_or(PERIOD).min(PERIOD))
    }

    /// Everybody's due messages, once; of how many deliveries it was decided.
    async fn release_due(&self) -> Result<usize, DbError> {
        let (mut done, mut after) = (0, None);
        loop {
            let mut groups = hold::groups(self.db(), self.inner.clock.now(), after.as_ref(), GROUPS).await?;
            let Some(last) = groups.last().cloned() else { return Ok(done) };
            after = Some(last);
            groups.sort_by_key(|group| group.members);
            let mut running = JoinSet::new();
            for group in groups {
                if running.len() == CONCURRENCY {
                    done += ended(running.join_next().await);
                }
                let inner = Arc::clone(&self.inner);
                running.spawn(async move { inner.release_group(&group).await });
            }
            while !running.is_empty() {
                done += ended(running.join_next().await);
            }
        }
    }

    /// A page of what digests tell of already; `None` when there was none, and the next page is the first again.
    async fn merge_more(&self, cursor: &mut Cursor) -> Result<Option<usize>, DbError> {
        let rows = hold::merging(self.db(), *cursor, MERGED_AT_ONCE).await?;
        let next = rows.last().and_then(|row| Some((row.digest?, row.delivery)));
        *cursor = next.unwrap_or(START);
        let mut merged = 0;
        for told in rows.chunk_by(|a, b| a.digest == b.digest) {
            merged += self.inner.merge_into_told(told).await;
        }
        Ok(next.is_some().then_some(merged))
    }

    fn db(&self) -> &Db {
        self.inner.bus.log().db()
    }
}

/// What a group's task did, when it ended well.
fn ended(group: Option<Result<usize, JoinError>>) -> usize {
    group.map_or(0, |group| {
        group.unwrap_or_else(|_| {
            tracing::error!("releasing a person's messages panicked; they stay held for now");
            0
        })
    })
}

impl Inner {
    /// One person's due messages in one channel; of how many it was decided.
    async fn release_group(&self, group: &Group) -> usize {
        for _ in 0..TRIES_MAX {
            match self.try_group(group).await {
                Ok(done) => return done,
                Err(Trouble::Moved) => {}
                Err(trouble) => {
                    tracing::error!(error = %trouble, channel = %group.channel, staff.id = %group.recipient,
                        "held messages of one person could not be released");
                    return 0;
                }
            }
        }
        0 // others are at it
    }

    async fn try_group(&self, group: &Group) -> Result<usize, Trouble> {
        let now = self.clock.now();
        let rows = hold::members(self.db(), now, group, MEMBERS_MAX).await?;
        if let [only] = rows.as_slice() {
            return self.release(only, now).await;
        }
        let Some(plan) = self.plan(group, &rows, now).await? else { return Ok(0) };
        if plan.collected.members.len() == 1 {
            return self.release_all(&plan.told, now).await;
        }
        match self.writer.digest(&plan.collected).await? {
            Some(written) => self.request(plan, &written, now).await,
            // The channel does not reach the person any more. Each has its text and says how that ends.
            None => self.release_all(&plan.told, now).await,
        }
    }

    async fn release_all(&self, rows: &[Held], now: DateTime<Utc>) -> Result<usize, Trouble> {
        let mut released = 0;
        for row in rows {
            released += self.release(row, now).await?;
        }
        Ok(released)
    }

    fn db(&self) -> &Db {
        self.bus.log().db()
    }
}
