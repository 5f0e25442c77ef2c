//! Writing answers down: notices, decisions, work and the right to have written them, in one transaction of the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use application::bus::{AppendError, Draft, StreamAppend};
use application::delivery::spread;
use application::policies::{Hasten, Outgoing, POLICY, Wait};
use application::ports::Clock;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Actor, CommandId, Metadata, Position, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::{Attachment, RecordedRaw, Verdict};
use infrastructure::outbox::hold::HastenRows;
use infrastructure::outbox::{NewWork, OutboxInsert, STANDBY, recipient_key};

use super::decisions::{self, NewDecision};
use super::parked::{self, NewParked};
use super::planner::{Answer, NewNotice};
use super::recall::{Lost, Recall};
use crate::consumer::{ConsumerState, Consumers, HandleError, Lease};

/// Most notices of one append, below the log's own limit of 4096 events a command; one event's are never cut.
const NOTICES_MAX: usize = 2000;

/// Most bytes of one append, below the log's own limit of 8 MiB a command.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often the rest is tried again when a notice is in the log already or an attempt began that should have been
/// taken back. Once is enough unless another runner, whose lease is lost, still writes, or the dispatchers are busy.
const TRIES_MAX: usize = 16;

/// From this try on, messages that a dispatcher has leased are left to it: it is faster.
const SPARING_FROM: usize = 4;

/// From here on an answer is late: what held when its event happened may not hold any more.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// Answers that commit together.
#[derive(Debug)]
pub(super) struct Chunk {
    to: Position,
    notices: Vec<NewNotice>,
    decisions: Vec<NewDecision>,
    parked: Vec<NewParked>,
    lost: Vec<Lost>,
    /// What becomes due earlier, with the position of the event that says so.
    hastened: Vec<(Position, Hasten)>,
}

impl Chunk {
    /// Cuts a page's answers so that each part fits into one append. The last part reaches `to`; there is always one.
    pub(super) fn cut(answers: Vec<Answer>, to: Position) -> Vec<Self> {
        let mut chunks = vec![Self::empty()];
        let (mut notices, mut bytes) = (0, 0);
        for answer in answers {
            let (more, more_bytes) = size(&answer);
            if notices > 0 && (notices + more > NOTICES_MAX || bytes + more_bytes > BYTES_MAX) {
                chunks.push(Self::empty());
                (notices, bytes) = (0, 0);
            }
            notices += more;
            bytes += more_bytes;
            if let Some(chunk) = chunks.last_mut() {
                chunk.add(answer);
            }
        }
        if let Some(last) = chunks.last_mut() {
            last.to = to;
        }
        chunks
    }

    /// What is missing of answers that were given before: their notices without the `known` ones, and their decisions.
    /// What is held now waits for the wishes of now, and what was parked stays so.
    pub(super) fn missing(answers: Vec<Answer>, to: Position, known: &HashSet<StreamId>) -> Vec<Self> {
        let mut chunks = Self::cut(answers, to);
        for chunk in &mut chunks {
            chunk.drop_notices(known);
            chunk.hastened.clear();
            chunk.parked.clear();
        }
        chunks
    }

    /// One answer alone.
    pub(super) fn of_one(answer: Answer) -> Self {
        let mut chunk = Self::empty();
        chunk.add(answer);
        chunk
    }

    fn empty() -> Self {
        let (notices, decisions, parked) = (Vec::new(), Vec::new(), Vec::new());
        Self { to: 0, notices, decisions, parked, lost: Vec::new(), hastened: Vec::new() }
    }

    fn add(&mut self, answer: Answer) {
        self.to = answer.position;
        self.decisions.extend(decisions::of(&answer));
        self.parked.extend(NewParked::of(&answer));
        self.lost.extend(answer.lost);
        self.hastened.extend(answer.hastened.into_iter().map(|hasten| (answer.position, hasten)));
        self.notices.extend(answer.outcome.into_iter().flatten().filter_map(|told| told.notice));
    }

    /// The checkpoint once it is committed.
    pub(super) fn to(&self) -> Position {
        self.to
    }

    /// The same notices and cancellations give the same command, so that a repetition meets its own events; others
    /// give another one.
    fn command(&self, recall: &Recall) -> CommandId {
        let notices = self.notices.iter().map(|notice| notice.id.to_string());
        let cancelled = recall.deliveries().map(|delivery| format!("-{delivery}"));
        let ids: Vec<String> = notices.chain(cancelled).collect();
        CommandId::from_key(POLICY, &ids.join(","))
    }

    fn work(&self, at: DateTime<Utc>, fallback_after: Duration) -> Vec<NewWork> {
        let of_notice = |notice: &NewNotice| {
            notice.outgoing.iter().map(|sent| work(notice, sent, at, fallback_after)).collect::<Vec<_>>()
        };
        self.notices.iter().flat_map(of_notice).collect()
    }

    fn haste(&self, at: DateTime<Utc>) -> Haste {
        let haste = |(position, hasten): &(Position, Hasten)| {
            let (recipient, due_at) = (hasten.recipient, hasten.due_at);
            let due_at = if due_at > at { spread(due_at, recipient) } else { due_at };
            let reasons = vec![hasten.reason.as_str().to_owned()];
            (*position, HastenRows { recipient, reasons, at: due_at })
        };
        Haste(self.hastened.iter().map(haste).collect())
    }

    fn settled(&mut self) {
        self.notices.clear();
        self.lost.clear();
    }

    fn drop_notices(&mut self, known: &HashSet<StreamId>) {
        self.notices.retain(|notice| !known.contains(&notice.append.stream));
    }
}

/// The row of a message, as it is right after the request of its notice. What a policy that catches up asks for is as
/// old as its event, so that the dispatcher judges the quiet hours of today.
pub(super) fn work(
    notice: &NewNotice,
    sent: &Outgoing,
    at: DateTime<Utc>,
    fallback_after: Duration,
) -> NewWork {
    let (held_for, due_at) = match &sent.held {
        None => (None, at),
        Some(Wait::Standby) => (Some(STANDBY.to_owned()), at),
        // One moment for all that the person waits for, so that it can be told as one.
        Some(Wait::Until { reason, until }) => (Some(reason.clone()), spread(*until, notice.recipient)),
    };
    let credits = |template: &String| StreamId::subscription(&sent.app, &sent.receiver, template);
    NewWork {
        delivery: sent.delivery,
        notification: notice.id,
        channel: sent.channel,
        app: sent.app.clone(),
        recipient: notice.recipient,
        recipient_key: recipient_key(&sent.app, &sent.receiver),
        ledger: sent.template.as_ref().map(credits),
        request_body: sent.body.clone(),
        due_at,
        created_at: if at - notice.happened_at < LATE { at } else { notice.happened_at },
        gained: notice.gained,
        held_for,
        subject: notice.subject,
        fallback: sent.fallback.then_some(fallback_after),
    }
}

fn size(answer: &Answer) -> (usize, usize) {
    let notices = answer.outcome.iter().flatten().filter_map(|told| told.notice.as_ref());
    notices.fold((0, 0), |(count, bytes), notice| {
        let events: usize = notice.append.events.iter().map(|event| event.payload.get().len()).sum();
        (count + 1, bytes + events)
    })
}

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
        let mut tx = self.bus.log().db().begin_write().await?;
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

/// What becomes due earlier. Goes behind the decisions and the insertion of the chunk's own rows: it concerns what was
/// decided before somebody wished for something else, and only that.
struct Haste(Vec<(Position, HastenRows)>);

#[async_trait]
impl Attachment for Haste {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        for (position, rows) in &self.0 {
            rows.hasten_before(tx, Some(*position)).await?;
        }
        Ok(())
    }
}
