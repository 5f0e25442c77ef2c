//! What the reconciliation finds missing is put back: decisions, notices, and rows of the outbox with the very bytes
//! they had, rendered again from the same event as of its moment. Whatever is there stays as it is, so a repair beside
//! running processes, or twice, changes nothing.
//!
//! Nothing is resent blindly. A row whose attempt was under way comes back as unknown, with the event that says so, and
//! the channel's policy or an operator decides.

use std::collections::{HashMap, HashSet};

use application::bus::{AppendError, Draft, StreamAppend};
use application::channels::{Rendered, mark_possibly_repeated};
use application::delivery::{Contract, digest, spread};
use application::member_notices::audience;
use application::policies::{Outgoing, POLICY};
use chrono::{DateTime, TimeDelta, Utc};
use domain::member_notices::MemberNotices;
use domain::notification::{
    Conclusion, Decision, Delivery, DeliveryState, Failure, FailureClass, NotificationCommand,
    NotificationEvent,
};
use domain::staff::Staff;
use domain::{
    Actor, Aggregate, CommandId, DeliveryId, EventId, Metadata, NotificationId, Position, StreamId,
};
use infrastructure::event_log::Until;
use infrastructure::outbox::restore::{RestoreRows, Restored};
use infrastructure::outbox::{NewWork, STANDBY, recipient_key};
use serde::Serialize;

use super::PolicyRunner;
use super::audit::{Audit, Page, Readable, Stored, digests_of, rowless, stored};
use super::chunk::{Chunk, work};
use super::commit::Fence;
use super::decisions::{self, Key};
use super::planner::NewNotice;
use super::reconcile::{MISSING_SHOWN_MAX, MissingRow, count, row};
use crate::consumer::HandleError;

/// Said of an attempt whose row was lost.
const NOBODY_SAW: &str = "the row of this attempt was missing; nobody saw its end";

/// What a repair put back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// Looked at up to here.
    pub to: Position,
    /// Decisions recorded.
    pub decisions: u64,
    /// Notices requested.
    pub notices: u64,
    /// Rows put into the outbox, beside those of the notices requested just now.
    pub rows: u64,
    /// Rows among them whose attempt was under way: nobody knows whether it arrived.
    pub unknown: u64,
    /// Rows that could not be put back: their channel is no longer configured or does not reach the person, or
    /// something happened to their notice meanwhile.
    pub unrepaired: u64,
    /// The first of these.
    pub first_unrepaired: Vec<MissingRow>,
}

/// Puts back what is missing since `after`; see [`reconcile`](super::reconcile()).
pub async fn repair(runner: &PolicyRunner, after: Position) -> Result<Repaired, HandleError> {
    let mut audit = Audit::begin(runner, after).await?;
    let mut repaired = Repaired { to: audit.reached(), ..Repaired::default() };
    while let Some(page) = audit.next().await? {
        let notices = stored(runner, page.notices().map(|notice| notice.id)).await?;
        mend_rows(runner, &page, &notices, &mut repaired).await?;
        mend_answers(runner, page, &notices, &mut repaired).await?;
    }
    Ok(repaired)
}

/// Decisions and notices. Once a notice was requested late, later losses take it back like any other.
async fn mend_answers(
    runner: &PolicyRunner,
    page: Page,
    notices: &HashMap<NotificationId, Stored>,
    repaired: &mut Repaired,
) -> Result<(), HandleError> {
    let events: Vec<EventId> = page.answers.iter().map(|answer| answer.event).collect();
    let recorded: HashSet<Key> = decisions::recorded(runner.db(), &events).await?.into_iter().collect();
    let missing = page.answers.iter().flat_map(decisions::of).filter(|d| !recorded.contains(&d.key)).count();
    let requested = notices.values().filter(|notice| notice.requests == 0).count();
    repaired.decisions += count(missing);
    repaired.notices += count(requested);
    if missing == 0 && requested == 0 {
        return Ok(());
    }
    let known = notices.iter().filter(|(_, notice)| notice.requests > 0);
    let known: HashSet<StreamId> = known.map(|(id, _)| StreamId::from(*id)).collect();
    for chunk in Chunk::missing(page.answers, page.to, &known) {
        runner.committer().commit(Fence::Repair, chunk).await?;
    }
    Ok(())
}

/// Rows of the page's notices, and of the digests that tell of them.
async fn mend_rows(
    runner: &PolicyRunner,
    page: &Page,
    notices: &HashMap<NotificationId, Stored>,
    repaired: &mut Repaired,
) -> Result<(), HandleError> {
    let at = runner.clock.now();
    let missing = rowless(runner, notices).await?;
    if !missing.is_empty() {
        let sent = |notice: &NewNotice| -> Vec<(DeliveryId, NewWork)> {
            let work = |sent: &Outgoing| (sent.delivery, work(notice, sent, at, runner.fallback_after));
            notice.outgoing.iter().map(work).collect()
        };
        let works: HashMap<DeliveryId, NewWork> = page.notices().flat_map(sent).collect();
        put_all_back(runner, notices, (missing, works), repaired).await?;
    }
    let digests = digests_of(runner, notices).await?;
    let missing = rowless(runner, &digests).await?;
    let mut works = HashMap::new();
    for (id, delivery) in &missing {
        let Some(stored) = digests.get(id).and_then(|stored| stored.readable.as_ref()) else { continue };
        if let Some(work) = digest_work(runner, stored, *delivery, at).await? {
            works.insert(*delivery, work);
        }
    }
    put_all_back(runner, &digests, (missing, works), repaired).await
}

/// The row of a digest, with the person's bindings as of its request.
async fn digest_work(
    runner: &PolicyRunner,
    stored: &Readable,
    delivery: DeliveryId,
    at: DateTime<Utc>,
) -> Result<Option<NewWork>, HandleError> {
    let request = &stored.requested;
    let until = Until::Position(stored.request.position);
    let staff = runner.bus.load_until::<Staff>(&StreamId::from(request.recipient), until).await;
    let staff = staff.map_err(|error| HandleError::Log(AppendError::Unavailable(error.to_string())))?;
    let Some(channel) = stored.state.deliveries.get(&delivery).map(|found| found.channel) else {
        return Ok(None);
    };
    let rendered = if request.recipient == audience() {
        let notices = runner.bus.load_until::<MemberNotices>(&StreamId::member_notices(), until).await;
        let notices =
            notices.map_err(|error| HandleError::Log(AppendError::Unavailable(error.to_string())))?;
        digest::render_members_again(request, &runner.channels, &notices.state.text)
    } else {
        digest::render_again(request, channel, &runner.channels, &staff.state)
    };
    let behind = Decision::Standby { after: channel };
    let has_standby = request.deliveries.iter().any(|planned| planned.decision == behind);
    Ok(rendered.map(|Rendered { app, receiver, template, body }| NewWork {
        delivery,
        notification: request.notification,
        channel,
        recipient: request.recipient,
        recipient_key: recipient_key(&app, &receiver),
        ledger: template.map(|template| StreamId::subscription(&app, &receiver, &template)),
        app,
        request_body: body,
        due_at: at,
        created_at: at,
        gained: None,
        held_for: None,
        subject: None,
        fallback: has_standby.then_some(runner.fallback_after),
    }))
}

/// Missing rows, with what is to be done as far as it could be rendered.
async fn put_all_back(
    runner: &PolicyRunner,
    notices: &HashMap<NotificationId, Stored>,
    (missing, mut works): (Vec<(NotificationId, DeliveryId)>, HashMap<DeliveryId, NewWork>),
    repaired: &mut Repaired,
) -> Result<(), HandleError> {
    let at = runner.clock.now();
    let mut by_notice: HashMap<NotificationId, Vec<Restored>> = HashMap::new();
    for (id, delivery) in missing {
        let stored = notices.get(&id).and_then(|stored| stored.readable.as_ref());
        let again = works.remove(&delivery).zip(stored).and_then(|(work, stored)| restored(work, stored, at));
        match again {
            Some(row) => by_notice.entry(id).or_default().push(row),
            None => repaired.give_up(row(notices, (id, delivery))),
        }
    }
    for (id, rows) in by_notice {
        let Some(stored) = notices.get(&id).and_then(|stored| stored.readable.as_ref()) else { continue };
        let unknown = rows.iter().filter(|row| row.state == DeliveryState::Unknown).count();
        let missing: Vec<DeliveryId> = rows.iter().map(|row| row.work.delivery).collect();
        if put_back(runner, stored, rows, at).await? {
            repaired.rows += count(missing.len());
            repaired.unknown += count(unknown);
        } else {
            for delivery in missing {
                repaired.give_up(row(notices, (id, delivery)));
            }
        }
    }
    Ok(())
}

/// The rows of one notice. `false`: something happened to it meanwhile, and the next repair looks again.
async fn put_back(
    runner: &PolicyRunner,
    stored: &Readable,
    rows: Vec<Restored>,
    at: DateTime<Utc>,
) -> Result<bool, HandleError> {
    let mut state = stored.state.clone();
    let mut events: Vec<NotificationEvent> = Vec::new();
    for row in rows.iter().filter(|row| row.state == DeliveryState::Unknown) {
        let failure = Failure { class: FailureClass::Uncertain, code: None, detail: NOBODY_SAW.to_owned() };
        let (delivery, attempt) = (row.work.delivery, row.attempt);
        let conclusion = Conclusion::Uncertain(failure);
        let Ok(ended) = state.decide(NotificationCommand::Conclude { delivery, attempt, conclusion, at })
        else {
            return Ok(false);
        };
        for event in &ended {
            state.evolve(event);
        }
        events.extend(ended);
    }
    let restore = RestoreRows { rows, requests: vec![stored.request.clone()] };
    if events.is_empty() {
        let mut tx = runner.db().begin_write().await?;
        restore.restore(&mut tx).await?;
        tx.commit().await?;
        return Ok(true);
    }
    let stream = StreamId::from(stored.requested.notification);
    let append = StreamAppend::of(stream.clone(), stored.sequence, &events)
        .map_err(|error| poison(stored.request.position, &error))?;
    let metadata = Metadata {
        command: CommandId::from_key(POLICY, &format!("repair {stream} {}", stored.sequence)),
        correlation: stored.request.metadata.correlation.clone(),
        causation: Some(stored.request.event_id),
        actor: Actor::System(POLICY.to_owned()),
    };
    let draft = Draft { metadata, recorded_at: at, streams: vec![append], guards: Vec::new(), receipt: None };
    match runner.bus.append_with(draft, vec![Box::new(restore)]).await {
        Ok(_) => Ok(true),
        Err(AppendError::Conflict { .. }) => Ok(false),
        Err(error) => Err(HandleError::Log(error)),
    }
}

fn poison(position: Position, error: &serde_json::Error) -> HandleError {
    HandleError::Poison { position, reason: format!("a repair cannot be written: {error}") }
}

/// The row as the notice knows it.
fn restored(mut work: NewWork, stored: &Readable, at: DateTime<Utc>) -> Option<Restored> {
    let (delivery, channel) = (work.delivery, work.channel);
    let found = stored.state.deliveries.get(&delivery)?;
    (work.held_for, work.due_at) = waits(stored, delivery, found, at);
    work.created_at = stored.request.recorded_at;
    if stored.events.iter().any(|event| released_as_repeated(event, delivery)) {
        work.request_body = mark_possibly_repeated(channel, &work.request_body);
    }
    let was_under_way = found.state == DeliveryState::InFlight;
    let first_attempt_at = stored.events.iter().find_map(|event| match event {
        NotificationEvent::Started(started) if started.delivery == delivery => Some(started.at),
        _ => None,
    });
    let grace = TimeDelta::from_std(Contract::of(channel).grace).unwrap_or_default();
    Some(Restored {
        work,
        state: if was_under_way { DeliveryState::Unknown } else { found.state },
        attempt: found.attempt,
        maybe_arrived: was_under_way || stored.events.iter().any(|event| was_doubted(event, delivery)),
        first_attempt_at,
        settle_at: was_under_way.then(|| at + grace),
        settled_at: was_under_way.then_some(at),
    })
}

/// Why the row waits, and until when.
fn waits(
    stored: &Readable,
    delivery: DeliveryId,
    found: &Delivery,
    at: DateTime<Utc>,
) -> (Option<String>, DateTime<Utc>) {
    if found.state != DeliveryState::Held {
        return (None, found.due_at.unwrap_or(at));
    }
    let planned = stored.requested.deliveries.iter().find(|planned| planned.delivery == delivery);
    match planned.map(|planned| &planned.decision) {
        Some(Decision::Hold { until, reason }) if !found.stands_by => {
            (Some(reason.clone()), spread(*until, stored.requested.recipient))
        }
        _ => (Some(STANDBY.to_owned()), at),
    }
}

fn released_as_repeated(event: &NotificationEvent, delivery: DeliveryId) -> bool {
    matches!(event, NotificationEvent::Released(e) if e.delivery == delivery && e.possibly_repeated)
}

/// Whether an attempt may have arrived.
fn was_doubted(event: &NotificationEvent, delivery: DeliveryId) -> bool {
    match event {
        NotificationEvent::Uncertain(e) => e.delivery == delivery,
        NotificationEvent::RetryScheduled(e) => {
            e.delivery == delivery && e.failure.class == FailureClass::Uncertain
        }
        _ => false,
    }
}

impl Repaired {
    fn give_up(&mut self, row: Option<MissingRow>) {
        if row.as_ref().is_some_and(|row| self.first_unrepaired.contains(row)) {
            return; // a digest of several pages is met more than once
        }
        self.unrepaired += 1;
        if self.first_unrepaired.len() < MISSING_SHOWN_MAX {
            self.first_unrepaired.extend(row);
        }
    }
}
