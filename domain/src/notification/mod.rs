//! The notification 通知: what one person should learn, once, and the fate of each delivery of it.
//!
//! The aggregate is the guard of the delivery state machine: an attempt starts only from a waiting state, and
//! only the attempt that is in flight can be concluded. A worker that lost its lease meets a higher attempt
//! number and is refused (notifications.md section 4).

mod chain;
mod codes;
mod command;
mod events;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use codes::{Channel, DeliveryState, FailureClass, Priority, Settlement};
pub use command::{Conclusion, NotificationCommand, NotificationError};
pub use events::{
    Decision, DeliveryAccepted, DeliveryCancelled, DeliveryConfirmed, DeliveryDied, DeliveryDiscarded,
    DeliveryMerged, DeliveryRejected, DeliveryReleased, DeliveryRequeued, DeliveryRetryScheduled,
    DeliverySettled, DeliveryStarted, DeliveryUncertain, Failure, Message, NotificationEvent,
    NotificationRequested, PlannedDelivery,
};

use crate::Aggregate;
use crate::ids::{DeliveryId, StaffId};

/// A notice as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Who should learn it; `None` before it was requested.
    pub recipient: Option<StaffId>,
    /// The kind of notice; `None` before it was requested.
    #[serde(default)]
    pub scene: Option<String>,
    /// Its deliveries.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
}

/// One delivery as its events left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// Number of the last attempt; 0 before the first.
    pub attempt: i64,
    /// Attempts that count against the schedule.
    pub counted: i64,
    /// When the next attempt is due, while a failed one waits for it.
    pub due_at: Option<DateTime<Utc>>,
    /// The channel before it in the route, when it stands by.
    #[serde(default)]
    pub after: Option<Channel>,
    /// Whether it stands by, or did until the channel before it told the person: then it may still be asked.
    #[serde(default)]
    pub stands_by: bool,
    /// What its unknown arrival was decided to count as.
    #[serde(default)]
    pub settlement: Option<Settlement>,
    /// Whether an attempt of it may have arrived.
    #[serde(default)]
    pub doubted: bool,
}

impl Aggregate for Notification {
    const TYPE: &'static str = "notification";
    type Command = NotificationCommand;
    type Event = NotificationEvent;
    type Error = NotificationError;

    fn decide(&self, command: NotificationCommand) -> Result<Vec<NotificationEvent>, NotificationError> {
        match command {
            NotificationCommand::Request(_) if self.recipient.is_some() => Ok(vec![]),
            NotificationCommand::Request(request) => Ok(vec![(*request).into()]),
            NotificationCommand::Start { delivery, at } => {
                let found = self.delivery(delivery)?;
                match found.state {
                    DeliveryState::Pending | DeliveryState::Retry => {
                        let attempt = found.attempt + 1;
                        Ok(vec![DeliveryStarted { delivery, attempt, at }.into()])
                    }
                    other => Err(NotificationError::NotWaiting(other)),
                }
            }
            NotificationCommand::Conclude { delivery, attempt, conclusion, at } => {
                let found = self.delivery(delivery)?;
                if found.attempt != attempt || !found.can_end_as(&conclusion) {
                    return Err(NotificationError::StaleAttempt);
                }
                if found.waits_as(&conclusion) {
                    return Ok(vec![]);
                }
                let follows = self.after_conclusion(found.channel, &conclusion, at);
                let mut events = vec![conclude(delivery, attempt, conclusion, at)];
                events.extend(follows);
                Ok(events)
            }
            NotificationCommand::Requeue { delivery, by, reason, at } => {
                match self.delivery(delivery)?.state {
                    DeliveryState::Dead | DeliveryState::Unknown | DeliveryState::Rejected => {
                        Ok(vec![DeliveryRequeued { delivery, by, reason, at }.into()])
                    }
                    other => Err(NotificationError::NotRequeueable(other)),
                }
            }
            NotificationCommand::Cancel { delivery, reason, at } => self.cancel(delivery, reason, at),
            NotificationCommand::Release { delivery, at } => self.release(delivery, at),
            NotificationCommand::Merge { delivery, into, at } => self.merge(delivery, into, at),
            NotificationCommand::Settle { delivery, settlement, by, reason, at } => {
                self.settle(DeliverySettled { delivery, settlement, by, reason, at })
            }
            NotificationCommand::Discard { delivery, by, reason, at } => {
                self.discard(DeliveryDiscarded { delivery, by, reason, at })
            }
            NotificationCommand::Confirm { delivery, proof, provider_message_id, at } => {
                self.confirm(DeliveryConfirmed { delivery, proof, provider_message_id, at })
            }
            NotificationCommand::Refute { delivery, failure, at } => self.refute(delivery, failure, at),
        }
    }

    fn evolve(&mut self, event: &NotificationEvent) {
        match event {
            NotificationEvent::Requested(e) => self.requested(e),
            NotificationEvent::Started(e) => self.update(e.delivery, |d| {
                d.state = DeliveryState::InFlight;
                d.attempt = e.attempt;
                d.counted += 1;
                d.due_at = None;
            }),
            NotificationEvent::Accepted(e) => self.moved(e.delivery, DeliveryState::Accepted),
            NotificationEvent::Rejected(e) => self.moved(e.delivery, DeliveryState::Rejected),
            NotificationEvent::RetryScheduled(e) => self.update(e.delivery, |d| {
                // A wait that does not count gives its attempt back, if one was made.
                let given_back = !e.counted && d.state == DeliveryState::InFlight;
                d.counted -= i64::from(given_back);
                d.state = DeliveryState::Retry;
                d.due_at = Some(e.due_at);
                d.doubted |= e.failure.class == FailureClass::Uncertain;
            }),
            NotificationEvent::Uncertain(e) => {
                self.moved(e.delivery, DeliveryState::Unknown);
                self.update(e.delivery, |d| d.doubted = true);
            }
            NotificationEvent::Died(e) => self.moved(e.delivery, DeliveryState::Dead),
            NotificationEvent::Requeued(e) => self.update(e.delivery, |d| {
                d.state = DeliveryState::Pending;
                d.counted = 0;
                d.due_at = None;
                d.settlement = None;
            }),
            NotificationEvent::Cancelled(e) => {
                let superseded = chain::is_told_by(&e.reason);
                self.moved(e.delivery, DeliveryState::Cancelled);
                self.update(e.delivery, |d| d.stands_by &= superseded);
            }
            NotificationEvent::Released(e) => {
                self.moved(e.delivery, DeliveryState::Pending);
                self.update(e.delivery, |d| d.stands_by = false);
            }
            NotificationEvent::Merged(e) => self.moved(e.delivery, DeliveryState::Merged),
            NotificationEvent::Settled(e) => self.update(e.delivery, |d| {
                d.settlement = Some(e.settlement);
                if e.settlement == Settlement::Sent {
                    d.state = DeliveryState::Accepted;
                }
            }),
            NotificationEvent::Discarded(e) => {
                self.moved(e.delivery, DeliveryState::Cancelled);
                self.update(e.delivery, |d| d.stands_by = false);
            }
            NotificationEvent::Confirmed(e) => self.moved(e.delivery, DeliveryState::Delivered),
        }
    }
}

impl Notification {
    /// One delivery.
    pub fn delivery(&self, id: DeliveryId) -> Result<&Delivery, NotificationError> {
        self.deliveries.get(&id).ok_or(NotificationError::NotFound)
    }

    fn requested(&mut self, request: &NotificationRequested) {
        self.recipient = Some(request.recipient);
        self.scene = Some(request.scene.clone());
        for planned in &request.deliveries {
            let state = planned.initial_state();
            let after = match planned.decision {
                Decision::Standby { after } => Some(after),
                _ => None,
            };
            self.deliveries.insert(
                planned.delivery,
                Delivery {
                    channel: planned.channel,
                    state,
                    attempt: 0,
                    counted: 0,
                    due_at: None,
                    after,
                    stands_by: after.is_some(),
                    settlement: None,
                    doubted: false,
                },
            );
        }
    }

    fn moved(&mut self, delivery: DeliveryId, state: DeliveryState) {
        self.update(delivery, |d| {
            d.state = state;
            d.due_at = None;
        });
    }

    fn update(&mut self, delivery: DeliveryId, change: impl FnOnce(&mut Delivery)) {
        if let Some(found) = self.deliveries.get_mut(&delivery) {
            change(found);
        }
    }
}

impl Delivery {
    /// Whether it can end so: the provider can only have taken what is under way, and nobody can doubt the
    /// arrival of what never left.
    fn can_end_as(&self, conclusion: &Conclusion) -> bool {
        match conclusion {
            Conclusion::Accepted { .. } => self.state == DeliveryState::InFlight,
            Conclusion::Uncertain(_) => !self.state.is_final() && self.attempt > 0,
            Conclusion::Rejected(_) | Conclusion::Retry { .. } | Conclusion::Died(_) => {
                !self.state.is_final()
            }
        }
    }

    /// Whether it waits for that very moment already.
    fn waits_as(&self, conclusion: &Conclusion) -> bool {
        matches!(conclusion, Conclusion::Retry { due_at, .. } if self.due_at == Some(*due_at))
    }
}

impl PlannedDelivery {
    /// The state a decision puts a delivery in. The inbox needs no attempt: the request itself is the delivery.
    pub fn initial_state(&self) -> DeliveryState {
        match (&self.decision, self.channel) {
            (Decision::Deliver, Channel::InApp) => DeliveryState::Delivered,
            (Decision::Deliver, _) => DeliveryState::Pending,
            (Decision::Merge { .. }, _) => DeliveryState::Merged,
            (Decision::Hold { .. } | Decision::Standby { .. }, _) => DeliveryState::Held,
            (Decision::Suppress { .. }, _) => DeliveryState::Suppressed,
        }
    }
}

fn conclude(
    delivery: DeliveryId,
    attempt: i64,
    conclusion: Conclusion,
    at: DateTime<Utc>,
) -> NotificationEvent {
    match conclusion {
        Conclusion::Accepted { provider_message_id } => {
            DeliveryAccepted { delivery, attempt, provider_message_id, at }.into()
        }
        Conclusion::Rejected(failure) => DeliveryRejected { delivery, attempt, failure, at }.into(),
        Conclusion::Retry { failure, due_at, counted } => {
            DeliveryRetryScheduled { delivery, attempt, failure, due_at, counted, at }.into()
        }
        Conclusion::Uncertain(failure) => DeliveryUncertain { delivery, attempt, failure, at }.into(),
        Conclusion::Died(failure) => DeliveryDied { delivery, attempt, failure, at }.into(),
    }
}

crate::adapt_to_cqrs_es!(Notification);
