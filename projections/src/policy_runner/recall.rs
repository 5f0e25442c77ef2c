//! What is taken back with the answers of a page: messages about a lead that the recipient lost before they left
//! (docs/adr/0010-recall.md).
//!
//! A message waits either in the outbox or in the very chunk that is about to commit. The first is found by its row,
//! cancelled at the sequence its notice was read at, and refused if an attempt began meanwhile; the second is written
//! down as requested and cancelled at once, so that no dispatcher ever sees it. A repetition finds nothing that waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use application::bus::{AppendError, CommandBus, LoadError, StreamAppend, Versioned};
use application::policies::Loss;
use chrono::{DateTime, Utc};
use domain::notification::{
    DeliveryCancelled, DeliveryState, Notification, NotificationCommand, NotificationEvent,
};
use domain::subscription::{SubscriptionCommand, SubscriptionLedger};
use domain::{Aggregate, DeliveryId, EventId, Position, StreamId};
use infrastructure::bus::Bus;
use infrastructure::event_log::{Attachment, RecordedRaw, Until};
use infrastructure::outbox::recall::{self, CancelRows, Waiting};

use super::planner::NewNotice;
use crate::consumer::HandleError;

/// A lead that somebody lost, and the event that says so.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    event: EventId,
    correlation: String,
    position: Position,
    loss: Loss,
}

impl Lost {
    pub(super) fn of(event: &RecordedRaw, loss: Loss) -> Self {
        let correlation = event.metadata.correlation.clone();
        Self { event: event.event_id, correlation, position: event.position, loss }
    }

    fn because(&self, append: StreamAppend) -> StreamAppend {
        append.because(self.event, self.correlation.clone())
    }
}

/// What one append takes back.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// The cancellations and the credits that go back, behind the notices of the chunk.
    pub(super) streams: Vec<StreamAppend>,
    waiting: Vec<DeliveryId>,
    doubted: Vec<DeliveryId>,
    new: Vec<DeliveryId>,
}

impl Recall {
    /// Looks for what waits. With `spare_leased` (the present moment), what a process has leased is left to it.
    pub(super) async fn of(
        bus: &Bus,
        losses: &[Lost],
        notices: &[NewNotice],
        at: DateTime<Utc>,
        spare_leased: Option<DateTime<Utc>>,
    ) -> Result<Self, HandleError> {
        let mut found = Self::default();
        if losses.is_empty() {
            return Ok(found);
        }
        found.add_new(losses, notices, at)?;
        // Each row is found with one loss only: with the one that takes the most back.
        let mut losses = losses.to_vec();
        losses.sort_by_key(|lost| lost.loss.untrue);
        let asked: Vec<recall::Lost> = losses
            .iter()
            .map(|lost| recall::Lost {
                lead: lost.loss.customer,
                owner: lost.loss.former_owner,
                at: lost.position,
            })
            .collect();
        let waiting = recall::waiting(bus.log().db(), &asked, spare_leased).await?;
        found.add_waiting(bus, &losses, &waiting, at).await?;
        Ok(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// The deliveries, for the name of the command.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &DeliveryId> {
        self.waiting.iter().chain(&self.doubted).chain(&self.new)
    }

    /// What happens to the rows; goes behind the insertion of the chunk's own. `left` tells that one of them went its
    /// way meanwhile.
    pub(super) fn attachment(&self, left: Arc<AtomicBool>, at: DateTime<Utc>) -> Box<dyn Attachment> {
        let (waiting, doubted, new) = (self.waiting.clone(), self.doubted.clone(), self.new.clone());
        Box::new(CancelRows { waiting, doubted, new, left, at })
    }

    /// Messages of the chunk itself: their notices have one event, the request.
    fn add_new(
        &mut self,
        losses: &[Lost],
        notices: &[NewNotice],
        at: DateTime<Utc>,
    ) -> Result<(), HandleError> {
        let mut gains: HashMap<_, Vec<&NewNotice>> = HashMap::new();
        for notice in notices.iter().filter(|notice| !notice.outgoing.is_empty()) {
            if let Some(gained) = notice.gained {
                gains.entry((gained.lead, gained.owner)).or_default().push(notice);
            }
        }
        for lost in losses {
            let Some(waiting) = gains.get_mut(&(lost.loss.customer, lost.loss.former_owner)) else {
                continue;
            };
            let earlier = |notice: &NewNotice| {
                let gained = notice.gained.is_some_and(|g| g.cause < lost.position);
                gained && lost.loss.takes_back(notice.scene)
            };
            for notice in waiting.extract_if(.., |notice| earlier(notice)) {
                let events: Vec<NotificationEvent> = notice
                    .outgoing
                    .iter()
                    .map(|sent| {
                        let (delivery, channel) = (sent.delivery, sent.channel);
                        let reason = lost.loss.reason.to_owned();
                        DeliveryCancelled { delivery, channel, reason, at }.into()
                    })
                    .collect();
                self.new.extend(notice.outgoing.iter().map(|sent| sent.delivery));
                let append = StreamAppend::of(notice.id, 1, &events).map_err(|e| unwritable(lost, &e))?;
                self.streams.push(lost.because(append));
            }
        }
        Ok(())
    }

    /// Messages in the outbox.
    async fn add_waiting(
        &mut self,
        bus: &Bus,
        losses: &[Lost],
        waiting: &[Waiting],
        at: DateTime<Utc>,
    ) -> Result<(), HandleError> {
        let mut notices =
            Loaded::<Notification>::of(bus, waiting.iter().map(|w| w.notification.into())).await?;
        let mut ledgers =
            Loaded::<SubscriptionLedger>::of(bus, waiting.iter().filter_map(|w| w.credit.clone())).await?;
        for row in waiting {
            let Some(lost) = losses.get(row.loss) else { continue };
            let (delivery, reason) = (row.delivery, lost.loss.reason.to_owned());
            let command = NotificationCommand::Cancel { delivery, reason, at };
            let stream = StreamId::from(row.notification);
            let scene = notices.known(&stream).and_then(|notice| notice.scene.as_deref());
            if !lost.loss.takes_back(scene.unwrap_or_default()) {
                continue;
            }
            let Some(cancelled) = notices.decide(bus, lost, &stream, command).await? else { continue };
            let ended = notices.known(&stream).and_then(|notice| notice.deliveries.get(&delivery));
            if ended.is_some_and(|ended| ended.state == DeliveryState::Unknown) {
                self.doubted.push(delivery);
            } else {
                self.waiting.push(delivery);
            }
            self.streams.push(cancelled);
            if let Some(ledger) = &row.credit {
                let returned = SubscriptionCommand::Return { delivery, at };
                self.streams.extend(ledgers.decide(bus, lost, ledger, returned).await?);
            }
        }
        Ok(())
    }
}

/// Aggregates as the recall leaves them, so that several decisions about one follow each other.
struct Loaded<A>(HashMap<StreamId, Versioned<A>>);

impl<A: Aggregate> Loaded<A> {
    async fn of(bus: &Bus, streams: impl Iterator<Item = StreamId>) -> Result<Self, HandleError> {
        let mut streams: Vec<StreamId> = streams.collect();
        streams.sort_unstable();
        streams.dedup();
        let states = bus.load_many::<A>(&streams).await.map_err(unreadable)?;
        Ok(Self(streams.into_iter().zip(states).collect()))
    }

    fn known(&self, stream: &StreamId) -> Option<&A> {
        self.0.get(stream).map(|loaded| &loaded.state)
    }

    /// The events of a decision; `None` when there is nothing to do. A refusal may come from a state in memory that is
    /// behind the row, so the log is asked before it is believed.
    async fn decide(
        &mut self,
        bus: &Bus,
        lost: &Lost,
        stream: &StreamId,
        command: A::Command,
    ) -> Result<Option<StreamAppend>, HandleError>
    where
        A::Command: Clone,
    {
        let Some(loaded) = self.0.get_mut(stream) else { return Ok(None) };
        let events = if let Ok(events) = loaded.state.decide(command.clone()) {
            events
        } else {
            *loaded = bus.load_until(stream, Until::Now).await.map_err(unreadable)?;
            loaded.state.decide(command).unwrap_or_default()
        };
        if events.is_empty() {
            return Ok(None);
        }
        let append = StreamAppend::of(stream.clone(), loaded.sequence, &events);
        for event in &events {
            loaded.state.evolve(event);
            loaded.sequence += 1;
        }
        append.map(|append| Some(lost.because(append))).map_err(|error| unwritable(lost, &error))
    }
}

fn unwritable(lost: &Lost, error: &serde_json::Error) -> HandleError {
    let reason = format!("a cancellation cannot be written: {error}");
    HandleError::Poison { position: lost.position, reason }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unreadable(error: LoadError) -> HandleError {
    HandleError::Log(AppendError::Unavailable(error.to_string()))
}
