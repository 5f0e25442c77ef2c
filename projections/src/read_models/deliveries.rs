//! The deliveries 投递: one row for each way a notice took, and one for each attempt.
//!
//! The notification aggregate's own `evolve` moves the state; this file adds times, failures and the attempts.

mod rows;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::notification::{
    Channel, Decision, DeliveryState, Failure, NotificationEvent, NotificationRequested,
};
use domain::{NotificationId, Position, Recorded};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Dialect, Kind, Table, Target, fetch_in, index, may, must, upsert};
use rows::{Attempt, Row};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::StreamType("notification");

pub(crate) const TABLE: Table = Table {
    name: "deliveries",
    columns: &[
        must("id", Kind::Uuid),
        must("notification", Kind::Uuid),
        must("cause", Kind::Uuid),
        must("recipient", Kind::Uuid),
        must("scene", Kind::Text),
        must("channel", Kind::Text),
        must("state", Kind::Text),
        may("reason", Kind::Text),
        // The channel before it in the route.
        may("after_channel", Kind::Text),
        must("possibly_repeated", Kind::Bool),
        may("merged_into", Kind::Uuid),
        may("settlement", Kind::Text),
        must("attempts", Kind::Int),
        must("counted", Kind::Int),
        may("failure_class", Kind::Text),
        may("failure_code", Kind::Int),
        may("failure_detail", Kind::Text),
        may("due_at", Kind::Time),
        must("created_at", Kind::Time),
        must("updated_at", Kind::Time),
        // The beginning of the first attempt.
        may("called_at", Kind::Time),
        may("accepted_at", Kind::Time),
        may("delivered_at", Kind::Time),
        may("provider_message_id", Kind::Text),
        must("requested_position", Kind::Int),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        index("by_age", "requested_position, id"),
        index("by_state", "state, requested_position, id"),
        index("by_recipient", "recipient, requested_position, id"),
        index("by_notification", "notification"),
        index("by_time", "created_at"),
        index("by_message", "provider_message_id"),
    ],
};

pub(crate) const ATTEMPTS: Table = Table {
    name: "delivery_attempts",
    columns: &[
        must("delivery", Kind::Uuid),
        must("number", Kind::Int),
        must("started_at", Kind::Time),
        may("ended_at", Kind::Time),
        may("outcome", Kind::Text),
        may("code", Kind::Int),
        may("class", Kind::Text),
        may("detail", Kind::Text),
        must("position", Kind::Int),
    ],
    key: &["delivery", "number"],
    indexes: &[],
};

/// A page folded over the rows it touches.
#[derive(Default)]
struct Page {
    rows: HashMap<Uuid, Row>,
    attempts: HashMap<(Uuid, i64), Attempt>,
    changed: Vec<Uuid>,
    changed_attempts: Vec<(Uuid, i64)>,
}

/// How an attempt ended.
struct Ending<'e> {
    attempt: i64,
    at: DateTime<Utc>,
    outcome: DeliveryState,
    failure: Option<&'e Failure>,
}

impl Page {
    fn requested(&mut self, request: &NotificationRequested, notice: NotificationId, position: Position) {
        for planned in &request.deliveries {
            let id = planned.delivery.0;
            if self.rows.contains_key(&id) {
                continue; // already in
            }
            let Planned { reason, due_at, after } = Planned::of(&planned.decision);
            let state = planned.initial_state();
            let arrived = (state == DeliveryState::Delivered).then_some(request.at);
            self.changed.push(id);
            self.rows.insert(
                id,
                Row {
                    id,
                    notification: notice.0,
                    cause: request.cause.0,
                    recipient: request.recipient.0,
                    scene: request.scene.clone(),
                    channel: planned.channel.as_str().to_owned(),
                    state: state.as_str().to_owned(),
                    reason,
                    after_channel: after.map(|channel| channel.as_str().to_owned()),
                    possibly_repeated: false,
                    merged_into: None,
                    settlement: None,
                    attempts: 0,
                    counted: 0,
                    failure_class: None,
                    failure_code: None,
                    failure_detail: None,
                    due_at,
                    created_at: request.at,
                    updated_at: request.at,
                    called_at: None,
                    accepted_at: arrived,
                    delivered_at: arrived,
                    provider_message_id: None,
                    requested_position: position,
                    position,
                },
            );
        }
    }

    fn started(&mut self, delivery: Uuid, number: i64, at: DateTime<Utc>, position: Position) {
        self.changed_attempts.push((delivery, number));
        self.attempts.insert(
            (delivery, number),
            Attempt {
                delivery,
                number,
                started_at: at,
                ended_at: None,
                outcome: None,
                code: None,
                class: None,
                detail: None,
                position,
            },
        );
    }

    fn ended(&mut self, delivery: Uuid, ending: &Ending<'_>, position: Position) {
        // A delivery may also be concluded without an attempt, or long after its last one ended.
        let key = (delivery, ending.attempt);
        let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.ended_at.is_none()) else {
            return;
        };
        attempt.ended_at = Some(ending.at);
        attempt.outcome = Some(ending.outcome.as_str().to_owned());
        attempt.code = ending.failure.and_then(|failure| failure.code);
        attempt.class = ending.failure.map(|failure| failure.class.as_str().to_owned());
        attempt.detail = ending.failure.map(|failure| failure.detail.clone());
        attempt.position = position;
        self.changed_attempts.push(key);
    }

    /// One event after the request.
    fn event(&mut self, event: &Recorded<NotificationEvent>) -> Result<(), HandleError> {
        let Some((delivery, at)) = event.payload.subject() else { return Ok(()) };
        let id = delivery.0;
        let missing = || poison(event.position, "the delivery was never requested");
        let row = self.rows.get_mut(&id).ok_or_else(missing)?;
        if event.position <= row.position {
            return Ok(()); // already in
        }
        row.evolve(event)?;
        row.updated_at = at;
        row.noted(&event.payload);
        self.changed.push(id);
        if let NotificationEvent::Started(e) = &event.payload {
            self.started(id, e.attempt, at, event.position);
        }
        if let Some(ending) = Ending::of(&event.payload, at) {
            self.ended(id, &ending, event.position);
        }
        Ok(())
    }
}

impl<'e> Ending<'e> {
    /// What the event says about an attempt, if it ends one.
    fn of(event: &'e NotificationEvent, at: DateTime<Utc>) -> Option<Self> {
        let (attempt, outcome, failure) = match event {
            NotificationEvent::Accepted(e) => (e.attempt, DeliveryState::Accepted, None),
            NotificationEvent::RetryScheduled(e) => (e.attempt, DeliveryState::Retry, Some(&e.failure)),
            NotificationEvent::Rejected(e) => (e.attempt, DeliveryState::Rejected, Some(&e.failure)),
            NotificationEvent::Uncertain(e) => (e.attempt, DeliveryState::Unknown, Some(&e.failure)),
            NotificationEvent::Died(e) => (e.attempt, DeliveryState::Dead, Some(&e.failure)),
            NotificationEvent::Requested(_)
            | NotificationEvent::Started(_)
            | NotificationEvent::Requeued(_)
            | NotificationEvent::Cancelled(_)
            | NotificationEvent::Released(_)
            | NotificationEvent::Merged(_)
            | NotificationEvent::Settled(_)
            | NotificationEvent::Discarded(_)
            | NotificationEvent::Confirmed(_) => return None,
        };
        Some(Self { attempt, at, outcome, failure })
    }
}

/// Reason of a delivery that stands by: the channel before it may tell the person.
const STANDBY: &str = "standby";

/// What was planned for one channel beside its state.
#[derive(Default)]
struct Planned {
    /// Why it is not simply sent.
    reason: Option<String>,
    /// When it will be.
    due_at: Option<DateTime<Utc>>,
    /// The channel before it in the route.
    after: Option<Channel>,
}

impl Planned {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Deliver => Self::default(),
            Decision::Merge { into } => Self { reason: Some(into.clone()), ..Self::default() },
            Decision::Hold { until, reason } => {
                let reason = (!reason.is_empty()).then(|| reason.clone());
                Self { reason, due_at: Some(*until), ..Self::default() }
            }
            Decision::Standby { after } => {
                Self { reason: Some(STANDBY.to_owned()), after: Some(*after), ..Self::default() }
            }
            Decision::Suppress { reason } => Self { reason: Some(reason.clone()), ..Self::default() },
        }
    }
}

/// The deliveries a page is about.
fn touched(page: &[Fact]) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for fact in page {
        let Fact::Notification(event) = fact else { continue };
        match &event.payload {
            NotificationEvent::Requested(e) => {
                ids.extend(e.deliveries.iter().map(|planned| planned.delivery.0));
            }
            other => ids.extend(other.subject().map(|(delivery, _)| delivery.0)),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

async fn load(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<Page, HandleError> {
    let (ids, dialect) = (touched(page), Dialect::of_tx(tx));
    let sql = TABLE.select_where_in(dialect, target, &TABLE.column_list(), "id");
    let rows: Vec<Row> = fetch_in(tx, sql, &ids).await?;
    let known: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let sql = ATTEMPTS.select_where_in(dialect, target, &ATTEMPTS.column_list(), "delivery");
    let attempts: Vec<Attempt> = fetch_in(tx, sql, &known).await?;
    Ok(Page {
        rows: rows.into_iter().map(|row| (row.id, row)).collect(),
        attempts: attempts.into_iter().map(|attempt| ((attempt.delivery, attempt.number), attempt)).collect(),
        ..Page::default()
    })
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let mut folded = load(tx, target, page).await?;
    for fact in page {
        let Fact::Notification(event) = fact else { continue };
        match &event.payload {
            NotificationEvent::Requested(request) => {
                folded.requested(request, request.notification, event.position);
            }
            _ => folded.event(event)?,
        }
    }
    folded.changed.sort_unstable();
    folded.changed.dedup();
    folded.changed_attempts.sort_unstable();
    folded.changed_attempts.dedup();
    let rows: Vec<_> = folded.changed.iter().filter_map(|id| folded.rows.get(id)).map(Row::cells).collect();
    upsert(tx, &TABLE, target, &rows).await?;
    let attempts: Vec<_> = folded
        .changed_attempts
        .iter()
        .filter_map(|key| folded.attempts.get(key))
        .map(Attempt::cells)
        .collect();
    upsert(tx, &ATTEMPTS, target, &attempts).await?;
    Ok(())
}
