//! Events the policy could not answer: kept with the reason, shown to operators, tried again on their word.
//!
//! A notice must not overtake an earlier one about the same lead, so later events of a parked event's stream wait
//! behind it. Other streams go on (architecture.md section 4).

use std::collections::HashSet;

use application::policies::Fact;
use chrono::{DateTime, Utc};
use domain::customer::{Customer, CustomerEvent};
use domain::member::Member;
use domain::{EventId, Position, StreamId};
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::event_log::{Filter, RecordedRaw, Until};
use infrastructure::{with_pool, with_tx};
use serde::Serialize;
use uuid::Uuid;

use application::policies::POLICY;

use super::PolicyRunner;
use super::backdrop::Backdrop;
use super::chunk::Chunk;
use super::commit::Fence;
use super::planner::{Answer, Concerned, Known, Told, answer_one, owner_in_log, read};
use crate::consumer::HandleError;

/// Most parked events shown or tried again at once.
pub const PARKED_MAX: i64 = 1000;

const INSERT: &str = "
INSERT INTO parked (consumer, position, event_id, stream_id, event_type, reason, attempts, parked_at, tried_at)
VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) ON CONFLICT (consumer, position) DO NOTHING";

const STREAMS: &str = "SELECT DISTINCT stream_id FROM parked WHERE consumer = $1";

const LIST: &str = "
SELECT position, event_id, stream_id, event_type, reason, attempts, parked_at, tried_at
  FROM parked WHERE consumer = $1 ORDER BY position LIMIT $2";

const REMOVE: &str = "DELETE FROM parked WHERE consumer = $1 AND position = $2";

const TRIED: &str = "
UPDATE parked SET reason = $3, attempts = attempts + 1, tried_at = $4 WHERE consumer = $1 AND position = $2";

const ALL: &[&str] = &[INSERT, STREAMS, LIST, REMOVE, TRIED];
pub(super) const POSTGRES_STATEMENTS: &[&str] = ALL;
pub(super) const SQLITE_STATEMENTS: &[&str] = ALL;

/// An event that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Its position.
    pub position: Position,
    /// The event.
    pub event: EventId,
    /// Its stream.
    pub stream: StreamId,
    /// Its type.
    pub event_type: String,
    /// Why it could not be answered; never its payload.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Since when it waits.
    pub parked_at: DateTime<Utc>,
    /// When it was last tried.
    pub tried_at: DateTime<Utc>,
}

/// What a retry led to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Answered now.
    pub answered: usize,
    /// Still parked.
    pub still_parked: usize,
}

/// An event to be parked.
#[derive(Debug, Clone)]
pub(super) struct NewParked {
    position: Position,
    event: EventId,
    stream: StreamId,
    event_type: String,
    reason: String,
}

impl NewParked {
    /// `None` when the event was answered.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let reason = answer.outcome.as_ref().err()?.clone();
        let (event, position) = (answer.event, answer.position);
        Some(Self {
            position,
            event,
            stream: answer.stream.clone(),
            event_type: answer.event_type.clone(),
            reason,
        })
    }
}

pub(super) async fn insert(tx: &mut Tx<'_>, rows: &[NewParked], at: DateTime<Utc>) -> Result<(), DbError> {
    for row in rows {
        tracing::error!(event.position = row.position, event.r#type = %row.event_type, reason = %row.reason,
            "the policy cannot answer an event; it is parked");
        with_tx!(&mut *tx, conn => sqlx::query(INSERT)
            .bind(POLICY).bind(row.position).bind(row.event.0).bind(row.stream.as_str())
            .bind(&row.event_type).bind(&row.reason).bind(at)
            .execute(conn).await.map(drop))?;
    }
    Ok(())
}

/// The streams whose later events must wait.
pub(super) async fn blocked_streams(db: &Db) -> Result<HashSet<StreamId>, DbError> {
    let streams: Vec<String> =
        with_pool!(db, pool => sqlx::query_scalar(STREAMS).bind(POLICY).fetch_all(pool).await)?;
    Ok(streams.iter().filter_map(|stream| StreamId::parse(stream)).collect())
}

/// Takes a row away. `false`: somebody else answered the event.
pub(super) async fn remove(tx: &mut Tx<'_>, position: Position) -> Result<bool, DbError> {
    let rows = with_tx!(tx, conn => sqlx::query(REMOVE).bind(POLICY).bind(position)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

type Row = (i64, Uuid, String, String, String, i64, DateTime<Utc>, DateTime<Utc>);

/// The events that wait, oldest first, at most [`PARKED_MAX`].
pub async fn parked(db: &Db) -> Result<Vec<ParkedEvent>, DbError> {
    let rows: Vec<Row> =
        with_pool!(db, pool => sqlx::query_as(LIST).bind(POLICY).bind(PARKED_MAX).fetch_all(pool).await)?;
    let event = |(position, event, stream, event_type, reason, attempts, parked_at, tried_at): Row| {
        let stream = StreamId::parse(&stream).ok_or_else(|| DbError::Corrupt {
            table: "parked",
            at: format!("position {position}"),
            reason: "the stream has no valid name".to_owned(),
        })?;
        let event = EventId(event);
        Ok(ParkedEvent { position, event, stream, event_type, reason, attempts, parked_at, tried_at })
    };
    rows.into_iter().map(event).collect()
}

/// Tries every parked event again, oldest first, as of when it happened: after a repair of the program or its
/// configuration. Safe beside a running policy and beside another retry.
pub async fn retry_parked(runner: &PolicyRunner) -> Result<Retried, HandleError> {
    let mut retried = Retried::default();
    let mut blocked: HashSet<StreamId> = HashSet::new();
    for waiting in parked(runner.db()).await? {
        let answered = !blocked.contains(&waiting.stream) && retry(runner, &waiting).await?;
        if answered {
            retried.answered += 1;
        } else {
            retried.still_parked += 1;
            blocked.insert(waiting.stream);
        }
    }
    Ok(retried)
}

async fn retry(runner: &PolicyRunner, waiting: &ParkedEvent) -> Result<bool, HandleError> {
    let page = runner.bus.log().page(waiting.position - 1, 1, Filter::All).await?;
    let Some(event) = page.first().filter(|event| event.event_id == waiting.event) else {
        return Err(HandleError::Poison {
            position: waiting.position,
            reason: "the log holds another event there".to_owned(),
        });
    };
    let known = read(runner.bus.upcasters(), event);
    let backdrop = Backdrop::load(&runner.bus, event.position, &known).await?;
    let (fact, (outcome, after)) = match &known {
        Known::Fact(fact) => (Some(fact), answer_again(runner, event, fact, &backdrop).await?),
        Known::Unreadable(reason) => (None, (Err(reason.clone()), None)),
    };
    if let Err(reason) = &outcome {
        still(runner, waiting.position, reason).await?;
        return Ok(false);
    }
    let answer = Answer::of(event, outcome, fact, &backdrop, after.as_ref());
    let mut chunks = Chunk::cut(vec![answer], event.position).into_iter().peekable();
    while let Some(chunk) = chunks.next() {
        // The row goes away with the last part: a retry that dies before it is made again.
        let last = chunks.peek().is_none();
        let fence = if last { Fence::Parked(event.position) } else { Fence::Repair };
        match runner.committer().commit(fence, chunk).await {
            Ok(()) => {}
            // Another retry was faster; the event is answered.
            Err(HandleError::Fenced) if last => {}
            // A part that found no quiet moment tells nobody yet, so the event stays parked.
            Err(HandleError::Fenced) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// One event with the view of its moment, read from the log alone; and its customer, when the answer needed one.
async fn answer_again(
    runner: &PolicyRunner,
    event: &RecordedRaw,
    fact: &Fact,
    backdrop: &Backdrop,
) -> Result<(Result<Vec<Told>, String>, Option<Customer>), DbError> {
    let (mut customer, mut owner, mut member) = (None, None, None);
    if fact.needs_customer() {
        let until = Until::Sequence(event.sequence);
        match runner.bus.load_until::<Customer>(&event.stream, until).await {
            Ok(loaded) => customer = Some(loaded.state),
            Err(error) => return Ok((Err(error.to_string()), None)),
        }
    }
    if fact.needs_member() {
        match runner.bus.load_until::<Member>(&event.stream, Until::Sequence(event.sequence)).await {
            Ok(loaded) => member = Some(loaded.state),
            Err(error) => return Ok((Err(error.to_string()), None)),
        }
    }
    if matches!(fact, Fact::Customer(_, change) if matches!(**change, CustomerEvent::Created(_))) {
        owner = owner_in_log(&runner.bus, event).await?;
    }
    let concerned =
        Concerned { customer: customer.as_ref(), owner_after_command: owner, member: member.as_ref() };
    let told = answer_one(event, fact, concerned, backdrop, &runner.channels);
    Ok((told, customer))
}

async fn still(runner: &PolicyRunner, position: Position, reason: &str) -> Result<(), DbError> {
    let mut tx = runner.db().begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(TRIED)
        .bind(POLICY).bind(position).bind(reason).bind(runner.clock.now())
        .execute(conn).await.map(drop))?;
    tx.commit().await
}
