//! Writing answers down: notices, decisions, work and the right to have written them, in one transaction of the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use application::bus::{AppendError, Draft, StreamAppend};
use application::policies::POLICY;
use application::ports::Clock;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Actor, Metadata, Position, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::{Attachment, RecordedRaw, Verdict};
use infrastructure::outbox::OutboxInsert;

use super::chunk::Chunk;
use super::decisions::{self, NewDecision};
use super::parked::{self, NewParked};
use super::recall::Recall;
use crate::consumer::{ConsumerState, Consumers, HandleError, Lease};

/// How often the rest is tried again when a notice is in the log already or an attempt began that should have been
/// taken back. Once is enough unless another runner, whose lease is lost, still writes, or the dispatchers are busy.
const TRIES_MAX: usize = 16;

/// From this try on, messages that a dispatcher has leased are left to it: it is faster.
const SPARING_FROM: usize = 4;

/// What gives the right to write.
#[derive(Debug, Clone)]
pub(super) enum Fence {
    /// The consumer's lease: the checkpoint moves with the answers.
    Lease(Lease, ConsumerState),
    /// The row of a parked event: it goes away with its answer.
    Parked(Position),
    /// Nothing: what is written was missing, and whatever is there stays as it is.
    Repair,
}

/// Writes chunks.
#[derive(Clone)]
pub(super) struct Committer {
    bus: Bus,
    consumers: Consumers,
    clock: Arc<dyn Clock>,
    /// How long a channel has before the next one of its route speaks.
    fallback_after: Duration,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer").field("consumers", &self.consumers).finish_non_exhaustive()
    }
}

impl Committer {
    pub(super) fn new(
        bus: Bus,
        consumers: Consumers,
        clock: Arc<dyn Clock>,
        fallback_after: Duration,
    ) -> Self {
        Self { bus, consumers, clock, fallback_after }
    }

    /// Commits a chunk, or nothing of it. If the process dies on any line, the next owner finds the old checkpoint and
    /// asks the same questions again, or the new one and goes on.
    pub(super) async fn commit(&self, fence: Fence, mut chunk: Chunk) -> Result<(), HandleError> {
        let at = self.clock.now();
        for tries in 0..TRIES_MAX {
            let spare_leased = (tries >= SPARING_FROM).then_some(at);
            let recall = Recall::of(&self.bus, &chunk.lost, &chunk.notices, at, spare_leased).await?;
            if chunk.notices.is_empty() && recall.is_empty() {
                return self.write_rows(&fence, &chunk, at).await;
            }
            let (written, left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let rows = Rows::of(self, &fence, &chunk, at, written.clone());
            let outbox = OutboxInsert(chunk.work(at, self.fallback_after));
            let attachments: Vec<Box<dyn Attachment>> = vec![
                Box::new(rows),
                Box::new(outbox),
                recall.attachment(left.clone(), at),
                Box::new(chunk.haste(at)),
            ];
            match self.bus.append_with(draft(&chunk, recall, at), attachments).await {
                Ok(_) if written.load(Ordering::Acquire) => return Ok(()),
                // These very notices are in the log: their work was given out or taken back then, only the rest is
                // left to write.
                Ok(_) => chunk.settled(),
                // A notice is there already, or an attempt began: look again.
                Err(AppendError::Conflict { .. }) => {
                    let known = self.known(&chunk).await?;
                    chunk.drop_notices(&known);
                }
                Err(AppendError::Fenced) if left.load(Ordering::Acquire) => {}
                Err(AppendError::Fenced) => return Err(HandleError::Fenced),
                Err(AppendError::TooLarge(reason)) => {
                    return Err(HandleError::Poison { position: chunk.to, reason: reason.to_owned() });
                }
                Err(error) => return Err(HandleError::Log(error)),
            }
        }
        Err(HandleError::Fenced)
    }

    /// Without notices the log has nothing to append, and no other command needs to wait.
    async fn write_rows(&self, fence: &Fence, chunk: &Chunk, at: DateTime<Utc>) -> Result<(), HandleError> {
        let mut rows = Rows::of(self, fence, chunk, at, Arc::default());
        let db = self.bus.log().db();
        // With the checkpoint in the same transaction, what a power cut takes back is asked and answered again.
        let mut tx = match fence {
            Fence::Lease(..) => db.begin_derived().await?,
            Fence::Parked(_) | Fence::Repair => db.begin_write().await?,
        };
        if rows.fence(&mut tx).await? == Verdict::Fenced {
            tx.rollback().await?;
            return Err(HandleError::Fenced);
        }
        rows.write(&mut tx, &[]).await?;
        chunk.haste(at).write(&mut tx, &[]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Which of the notices were requested before.
    async fn known(&self, chunk: &Chunk) -> Result<HashSet<StreamId>, DbError> {
        let streams: Vec<_> = chunk.notices.iter().map(|notice| (notice.append.stream.clone(), 0)).collect();
        Ok(self.bus.log().streams_many(&streams).await?.into_keys().collect())
    }
}

fn draft(chunk: &Chunk, recall: Recall, at: DateTime<Utc>) -> Draft {
    let command = chunk.command(&recall);
    let mut streams: Vec<StreamAppend> = chunk.notices.iter().map(|notice| notice.append.clone()).collect();
    streams.extend(recall.streams);
    let metadata = Metadata {
        command,
        // Every stream says which event it answers, and carries on that event's correlation.
        correlation: POLICY.to_owned(),
        causation: None,
        actor: Actor::System(POLICY.to_owned()),
    };
    Draft { metadata, recorded_at: at, streams, guards: Vec::new(), receipt: None }
}

/// What is written beside the notices.
struct Rows {
    consumers: Consumers,
    fence: Fence,
    to: Position,
    decisions: Vec<NewDecision>,
    parked: Vec<NewParked>,
    at: DateTime<Utc>,
    /// Tells a commit from a meeting with what was committed before, where nothing is written.
    written: Arc<AtomicBool>,
}

impl Rows {
    fn of(
        committer: &Committer,
        fence: &Fence,
        chunk: &Chunk,
        at: DateTime<Utc>,
        written: Arc<AtomicBool>,
    ) -> Self {
        Self {
            consumers: committer.consumers.clone(),
            fence: fence.clone(),
            to: chunk.to,
            decisions: chunk.decisions.clone(),
            parked: chunk.parked.clone(),
            at,
            written,
        }
    }
}

#[async_trait]
impl Attachment for Rows {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let holds = match &self.fence {
            Fence::Lease(lease, state) => self.consumers.advance(tx, lease, self.to, *state).await?,
            Fence::Parked(position) => parked::remove(tx, *position).await?,
            Fence::Repair => true,
        };
        Ok(if holds { Verdict::Apply } else { Verdict::Fenced })
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        decisions::insert(tx, &self.decisions, self.at).await?;
        parked::insert(tx, &self.parked, self.at).await?;
        self.written.store(true, Ordering::Release);
        Ok(())
    }
}
