//! Everything the policy has answered, asked again page by page, beside what the log and the outbox hold of it: what
//! the reconciliation compares and a repair puts right.

use std::collections::{HashMap, HashSet};

use domain::notification::{Channel, Notification, NotificationEvent, NotificationRequested};
use domain::{Aggregate, DeliveryId, NotificationId, Position, Sequence, StreamId};
use infrastructure::db::DbError;
use infrastructure::event_log::{Filter, RecordedRaw};
use infrastructure::outbox::restore::present;
use infrastructure::upcasters::Upcasters;

use super::planner::{Answer, NewNotice, Planner, payload};
use super::{PAGE_EVENTS, PolicyRunner, TYPES, start};

/// A walk through what the policy has answered.
pub(super) struct Audit<'r> {
    runner: &'r PolicyRunner,
    planner: Planner,
    /// Events that wait for an operator.
    waiting: HashSet<Position>,
    after: Position,
    reached: Position,
    is_over: bool,
}

/// Some answers.
pub(super) struct Page {
    pub(super) answers: Vec<Answer>,
    /// Events among them that wait for an operator; they have no answer.
    pub(super) parked: usize,
    /// The last position looked at.
    pub(super) to: Position,
}

impl<'r> Audit<'r> {
    pub(super) async fn begin(runner: &'r PolicyRunner, after: Position) -> Result<Self, DbError> {
        let reached = runner.consumers.position(application::policies::POLICY).await?.unwrap_or(0);
        let after = after.max(start::read(runner.db()).await?);
        let waiting = super::parked(runner.db()).await?.into_iter().map(|event| event.position).collect();
        Ok(Self { runner, planner: runner.planner(), waiting, after, reached, is_over: false })
    }

    /// The walk begins behind this position: behind the one asked for, and never before the policy began.
    pub(super) fn after(&self) -> Position {
        self.after
    }

    /// Where the policy is; the walk ends there.
    pub(super) fn reached(&self) -> Position {
        self.reached
    }

    /// The next answers; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, DbError> {
        if self.is_over {
            return Ok(None);
        }
        let mut page = self.runner.bus.log().page(self.after, PAGE_EVENTS, Filter::Types(&TYPES)).await?;
        self.is_over = page.len() < PAGE_EVENTS;
        page.retain(|event| event.position <= self.reached);
        let Some(to) = page.last().map(|event| event.position) else { return Ok(None) };
        let answers = self.planner.answer(&page, self.after, HashSet::new()).await?;
        let (parked, answers): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| self.waiting.contains(&answer.position));
        self.planner.reached(to);
        self.after = to;
        Ok(Some(Page { answers, parked: parked.len(), to }))
    }
}

impl Page {
    /// Every notice that should exist.
    pub(super) fn notices(&self) -> impl Iterator<Item = &NewNotice> {
        let told = self.answers.iter().flat_map(|answer| answer.outcome.iter().flatten());
        told.filter_map(|told| told.notice.as_ref())
    }
}

/// A notice as the log has it.
#[derive(Debug)]
pub(super) struct Stored {
    /// How often it was requested; once, if all is well.
    pub(super) requests: usize,
    /// What became of it; `None` when it was not requested or an event cannot be read.
    pub(super) readable: Option<Readable>,
}

/// A notice that can be read.
#[derive(Debug)]
pub(super) struct Readable {
    pub(super) request: RecordedRaw,
    pub(super) requested: NotificationRequested,
    pub(super) events: Vec<NotificationEvent>,
    pub(super) state: Notification,
    pub(super) sequence: Sequence,
}

impl Stored {
    fn of(upcasters: &Upcasters, events: &[RecordedRaw]) -> Self {
        let requests = events.iter().filter(|event| event.event_type == "NotificationRequested").count();
        Self { requests, readable: Readable::of(upcasters, events) }
    }
}

impl Readable {
    fn of(upcasters: &Upcasters, recorded: &[RecordedRaw]) -> Option<Self> {
        let read: Result<Vec<NotificationEvent>, String> =
            recorded.iter().map(|event| payload(upcasters, event)).collect();
        let events = read.ok()?;
        let Some(NotificationEvent::Requested(requested)) = events.first().cloned() else { return None };
        let mut state = Notification::default();
        for event in &events {
            state.evolve(event);
        }
        let (request, sequence) = (recorded.first()?.clone(), recorded.last()?.sequence);
        Some(Self { request, requested, events, state, sequence })
    }

    /// The deliveries that need a row: a provider is to be asked, and the last word is not spoken.
    fn open(&self) -> impl Iterator<Item = DeliveryId> {
        let open = self.state.deliveries.iter();
        let open = open.filter(|(_, found)| found.channel != Channel::InApp && !found.state.is_final());
        open.map(|(delivery, _)| *delivery)
    }

    /// The digests that tell of it.
    fn digests(&self) -> impl Iterator<Item = NotificationId> {
        self.events.iter().filter_map(|event| match event {
            NotificationEvent::Merged(merged) => Some(merged.into),
            _ => None,
        })
    }
}

/// These notices as the log has them; each of them is answered for.
pub(super) async fn stored(
    runner: &PolicyRunner,
    ids: impl Iterator<Item = NotificationId>,
) -> Result<HashMap<NotificationId, Stored>, DbError> {
    let ids: Vec<NotificationId> = ids.collect();
    let streams: Vec<(StreamId, Sequence)> = ids.iter().map(|id| (StreamId::from(*id), 0)).collect();
    let events = runner.bus.log().streams_many(&streams).await?;
    let upcasters = runner.bus.upcasters();
    let one = |(id, (stream, _)): (NotificationId, &(StreamId, Sequence))| {
        let events = events.get(stream).map(Vec::as_slice).unwrap_or_default();
        (id, Stored::of(upcasters, events))
    };
    Ok(ids.into_iter().zip(&streams).map(one).collect())
}

/// The digests that tell of these notices, as the log has them.
pub(super) async fn digests_of(
    runner: &PolicyRunner,
    notices: &HashMap<NotificationId, Stored>,
) -> Result<HashMap<NotificationId, Stored>, DbError> {
    let readable = notices.values().filter_map(|stored| stored.readable.as_ref());
    let digests: HashSet<NotificationId> = readable.flat_map(Readable::digests).collect();
    stored(runner, digests.into_iter()).await
}

/// Deliveries without the row they need, in the order of their ids.
pub(super) async fn rowless(
    runner: &PolicyRunner,
    notices: &HashMap<NotificationId, Stored>,
) -> Result<Vec<(NotificationId, DeliveryId)>, DbError> {
    let readable = notices.iter().filter_map(|(id, stored)| Some((*id, stored.readable.as_ref()?)));
    let mut open: Vec<(NotificationId, DeliveryId)> =
        readable.flat_map(|(id, notice)| notice.open().map(move |delivery| (id, delivery))).collect();
    let ids: Vec<DeliveryId> = open.iter().map(|(_, delivery)| *delivery).collect();
    let present = present(runner.db(), &ids).await?;
    open.retain(|(_, delivery)| !present.contains(delivery));
    open.sort_unstable();
    Ok(open)
}
