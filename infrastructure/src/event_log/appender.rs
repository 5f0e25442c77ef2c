//! The one task that writes the log.
//!
//! No artificial delay: while one batch commits, the next one gathers in the queue. If the process dies on any
//! line before the commit, nothing of the batch is in the log; after it, everything is, and callers who were not
//! told repeat their command and meet their own events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use application::bus::{AppendError, Appended};
use domain::Position;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::batch::{self, BATCH_REQUESTS_MAX, GuardWrites, Judgement};
use super::prepare::Request;
use super::recent::Recent;
use super::sql;
use super::write::{self, Placed};
use super::{Answer, Attachment, Fence, Verdict, joint};
use crate::db::{Db, DbError, SqliteDb, Tx};

/// How long one batch may take before it is given up; beyond the server's own statement timeout.
const BATCH_SECONDS_MAX: u64 = 30;

/// How often a batch is tried: a lost connection is worth a second go, a broken database is not.
const BATCH_ATTEMPTS_MAX: usize = 2;

/// Who learns of a commit in this process.
pub(super) struct Told {
    pub(super) doorbell: watch::Sender<Position>,
    pub(super) recent: Arc<Recent>,
}

/// What one batch led to: an outcome for each request, and what was written.
struct Done {
    outcomes: Vec<Outcome>,
    written: Vec<Accepted>,
}

type Outcome = Result<Answer, AppendError>;

/// Appends until told to stop or until nobody can ask any more; what waits then is still committed.
pub(super) async fn run(db: Db, mut queue: mpsc::Receiver<Request>, told: Told, stop: CancellationToken) {
    let mut writer = Writer::of(db);
    let mut waiting = VecDeque::new();
    let mut arrived = Vec::with_capacity(BATCH_REQUESTS_MAX);
    loop {
        if waiting.is_empty() {
            tokio::select! {
                biased;
                count = queue.recv_many(&mut arrived, BATCH_REQUESTS_MAX) => if count == 0 { return },
                () = stop.cancelled(), if !queue.is_closed() => queue.close(),
            }
        }
        if stop.is_cancelled() {
            queue.close();
        }
        // Callers who were just answered are about to ask again. One turn of the scheduler (not a delay: who has
        // nothing to do gives it back at once) lets them join, or batches would alternate between one and all.
        tokio::task::yield_now().await;
        while waiting.len() + arrived.len() < BATCH_REQUESTS_MAX {
            let Ok(request) = queue.try_recv() else { break };
            arrived.push(request);
        }
        waiting.extend(arrived.drain(..));
        if !waiting.is_empty() {
            let batch = batch::form(&mut waiting);
            append(&mut writer, batch, &told).await;
        }
    }
}

async fn append(writer: &mut Writer, mut batch: Vec<Request>, told: &Told) {
    let mut attempt = 1;
    let Done { outcomes, written } = loop {
        let limit = Duration::from_secs(BATCH_SECONDS_MAX);
        let result = tokio::time::timeout(limit, writer.commit(&mut batch)).await;
        match result.unwrap_or(Err(DbError::Slow(BATCH_SECONDS_MAX))) {
            Ok(done) => break done,
            Err(error) => {
                writer.forget();
                tracing::warn!(
                    batch.requests = batch.len(),
                    batch.attempt = attempt,
                    "a batch failed: {error}"
                );
                if attempt == BATCH_ATTEMPTS_MAX {
                    let reason = error.to_string();
                    for request in batch {
                        let _ = request.reply.send(Err(AppendError::Unavailable(reason.clone())));
                    }
                    return;
                }
                attempt += 1;
            }
        }
    };
    let events = written.iter().flat_map(|(index, _, first, _)| batch[*index].recorded(*first));
    told.recent.committed(events);
    // A caller that went away does not want its answer; its command is committed all the same.
    for (request, outcome) in batch.into_iter().zip(outcomes) {
        let _ = request.reply.send(outcome);
    }
    if let Some((.., head)) = written.last() {
        told.doorbell.send_replace(*head);
    }
}

/// The connection batches are written through.
enum Writer {
    Sqlite(SqliteDb),
    /// A connection of its own, so that appending never waits for a pool drained by readers.
    Postgres {
        pool: PgPool,
        connection: Option<PgConnection>,
    },
}

impl Writer {
    fn of(db: Db) -> Self {
        match db {
            Db::Sqlite(sqlite) => Self::Sqlite(sqlite),
            Db::Postgres(pool) => Self::Postgres { pool, connection: None },
        }
    }

    /// After an error the connection is in an unknown state: the next batch gets a new one.
    fn forget(&mut self) {
        if let Self::Postgres { connection, .. } = self {
            *connection = None;
        }
    }

    /// Begins the transaction that holds the append lock.
    async fn begin(&mut self) -> Result<Tx<'_>, DbError> {
        match self {
            Self::Sqlite(sqlite) => Ok(Tx::Sqlite(sqlite.begin_durable().await?)),
            Self::Postgres { pool, connection } => {
                let connection = match connection {
                    Some(open) => open,
                    None => connection.insert(open(pool).await?),
                };
                Ok(Tx::Postgres(connection.begin_with(sql::BEGIN_APPEND_POSTGRES).await?))
            }
        }
    }

    /// One batch, one transaction.
    async fn commit(&mut self, batch: &mut [Request]) -> Result<Done, DbError> {
        let mut tx = self.begin().await?;
        let mut present = sql::present(&mut tx, batch).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut accepted = Vec::with_capacity(batch.len());
        let mut head = present.head;
        let passed = joint::pass(&mut tx, batch, &present).await?;
        for (index, request) in batch.iter_mut().enumerate() {
            match batch::judge(request, &present) {
                Judgement::Write(_)
                    if !passed[index] && !fences_hold(&mut tx, &mut request.attachments).await? =>
                {
                    outcomes.push(Err(AppendError::Fenced));
                }
                Judgement::Write(guards) => {
                    present.counts.accepted(&guards.counts);
                    let first = head + 1;
                    head += Position::try_from(request.events.len()).unwrap_or(Position::MAX);
                    accepted.push((index, guards, first, head));
                    outcomes.push(Ok(Answer::Written(Appended::Committed { last: head })));
                }
                Judgement::Replay(receipt) => outcomes.push(Ok(Answer::Met(Appended::Replayed(receipt)))),
                Judgement::Repeated(first) => {
                    let last = sql::last_of_command(&mut tx, request.command(), first).await?;
                    outcomes.push(Ok(Answer::Met(Appended::Committed { last })));
                }
                Judgement::Refuse(error) => outcomes.push(Err(error)),
            }
        }
        if accepted.is_empty() {
            tx.rollback().await?;
            return Ok(Done { outcomes, written: accepted });
        }
        write_batch(&mut tx, batch, &accepted).await?;
        tx.commit().await?;
        Ok(Done { outcomes, written: accepted })
    }
}

/// Index in the batch, guard changes, positions of the first and the last event.
type Accepted = (usize, GuardWrites, Position, Position);

async fn write_batch(tx: &mut Tx<'_>, batch: &mut [Request], accepted: &[Accepted]) -> Result<(), DbError> {
    for (index, _, first, _) in accepted {
        let request = &mut batch[*index];
        if !request.attachments.is_empty() {
            let recorded = request.recorded(*first);
            for attachment in &mut request.attachments {
                attachment.write(tx, &recorded).await?;
            }
        }
    }
    let placed: Vec<Placed<'_>> = accepted
        .iter()
        .map(|(index, guards, first, last)| Placed {
            request: &batch[*index],
            guards,
            first: *first,
            last: *last,
        })
        .collect();
    write::write(tx, &placed).await
}

/// Asks every attachment of one request. With several, the first may have written before the second refuses, so
/// they ask inside a savepoint.
async fn fences_hold(tx: &mut Tx<'_>, attachments: &mut [Box<dyn Attachment>]) -> Result<bool, DbError> {
    let mut fences: Vec<_> =
        attachments.iter_mut().filter(|attachment| !matches!(attachment.kind(), Fence::None)).collect();
    match fences.as_mut_slice() {
        [] => Ok(true),
        [only] => Ok(only.fence(tx).await? == Verdict::Apply),
        several => {
            let mut savepoint = tx.savepoint().await?;
            for attachment in several {
                if attachment.fence(&mut savepoint).await? == Verdict::Fenced {
                    savepoint.rollback().await?;
                    return Ok(false);
                }
            }
            savepoint.commit().await?;
            Ok(true)
        }
    }
}

/// Opens the appender's connection. Its few statements are planned once, and always as lookups by index, row by row: a
/// plan made while the tables were small would otherwise read whole tables for as long as it is kept.
async fn open(pool: &PgPool) -> Result<PgConnection, DbError> {
    let options = pool.connect_options().as_ref().clone().options([
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ]);
    Ok(PgConnection::connect_with(&options).await?)
}
