//! The route of a notice: which channel speaks when the one before it does not, and what becomes of those behind it
//! (notifications.md section 3). What follows from an answer is decided with it and commits with it, so a person is
//! never between two channels.

use chrono::{DateTime, Utc};

use super::codes::{Channel, DeliveryState, FailureClass, Settlement};
use super::command::{Conclusion, NotificationError};
use super::events::{
    DeliveryCancelled, DeliveryConfirmed, DeliveryDiscarded, DeliveryMerged, DeliveryRejected,
    DeliveryReleased, DeliverySettled, DeliveryUncertain, Failure, NotificationEvent,
};
use super::{Delivery, Notification};
use crate::envelope::Actor;
use crate::ids::{DeliveryId, NotificationId};

/// Begins the reason of a standby that was not needed.
const TOLD_BY: &str = "told_by_";
/// Begins the reason of a standby that speaks now.
const AFTER: &str = "after_";
/// Reason of what was held for a time that is over.
const DUE: &str = "due";
/// Reason of a standby whose route ended with nobody knowing whether the person was told.
const CLOSED: &str = "route_closed";
/// Reason of a standby whose route an operator gave up.
const DISCARDED: &str = "route_discarded";

/// Who closes what is no longer true and may have been told.
const RECALL: &str = "recall";

type Decided = Result<Vec<NotificationEvent>, NotificationError>;

fn told_by(channel: Channel) -> String {
    format!("{TOLD_BY}{channel}")
}

/// Whether a cancellation says that an earlier channel told the person.
pub(super) fn is_told_by(reason: &str) -> bool {
    reason.starts_with(TOLD_BY)
}

impl Notification {
    /// What an attempt's end means for the channels behind it.
    pub(super) fn after_conclusion(
        &self,
        channel: Channel,
        conclusion: &Conclusion,
        at: DateTime<Utc>,
    ) -> Vec<NotificationEvent> {
        match conclusion {
            Conclusion::Accepted { .. } => self.dismiss(channel, &told_by(channel), at),
            Conclusion::Rejected(_) | Conclusion::Died(_) => {
                self.call_next(channel, false, at).into_iter().collect()
            }
            // Nobody knows yet; the channel's policy or an operator settles it.
            Conclusion::Uncertain(_) | Conclusion::Retry { .. } => vec![],
        }
    }

    /// It is not sent, and nobody calls it any more. What may have arrived already is not said to be taken back: nobody
    /// knows of it, and nothing more is done. A standby that was dismissed stays so whatever a provider says later.
    pub(super) fn cancel(&self, delivery: DeliveryId, reason: String, at: DateTime<Utc>) -> Decided {
        use DeliveryState::{Cancelled, Held, Pending, Retry};
        let found = self.delivery(delivery)?;
        let (channel, attempt) = (found.channel, found.attempt);
        match found.state {
            Pending | Retry if found.doubted => {
                let failure = Failure { class: FailureClass::Uncertain, code: None, detail: reason.clone() };
                let (settlement, by) = (Settlement::Closed, Actor::System(RECALL.to_owned()));
                let closed = DeliverySettled { delivery, settlement, by, reason, at };
                Ok(vec![DeliveryUncertain { delivery, attempt, failure, at }.into(), closed.into()])
            }
            Cancelled if !found.stands_by || is_told_by(&reason) => Ok(vec![]),
            Pending | Retry | Held | Cancelled => {
                Ok(vec![DeliveryCancelled { delivery, channel, reason, at }.into()])
            }
            other => Err(NotificationError::NotCancellable(other)),
        }
    }

    pub(super) fn release(&self, delivery: DeliveryId, at: DateTime<Utc>) -> Decided {
        let found = self.held(delivery)?;
        let (channel, reason) = (found.channel, DUE.to_owned());
        Ok(vec![DeliveryReleased { delivery, channel, reason, possibly_repeated: false, at }.into()])
    }

    /// Those behind it are told of by the digest too.
    pub(super) fn merge(&self, delivery: DeliveryId, into: NotificationId, at: DateTime<Utc>) -> Decided {
        let found = self.held(delivery)?;
        let mut events = vec![DeliveryMerged { delivery, into, at }.into()];
        let behind = self.behind(found.channel);
        events.extend(behind.map(|(delivery, _)| DeliveryMerged { delivery, into, at }.into()));
        Ok(events)
    }

    pub(super) fn settle(&self, settled: DeliverySettled) -> Decided {
        let found = self.delivery(settled.delivery)?;
        if found.state != DeliveryState::Unknown {
            return Err(NotificationError::NotSettleable(found.state));
        }
        // What the channel's policy decided for want of knowledge gives way to somebody who knows that it arrived.
        if let Some(earlier) = found.settlement.filter(|_| settled.settlement != Settlement::Sent) {
            return Err(NotificationError::AlreadySettled(earlier));
        }
        let at = settled.at;
        let follows = match settled.settlement {
            Settlement::Sent => self.dismiss(found.channel, &told_by(found.channel), at),
            Settlement::Closed => self.dismiss(found.channel, CLOSED, at),
            Settlement::Escalated => {
                let next = self.call_next(found.channel, true, at);
                vec![next.ok_or(NotificationError::NoStandby)?]
            }
        };
        Ok(std::iter::once(settled.into()).chain(follows).collect())
    }

    /// Whoever gives one up gives the route up: the channels behind it stay silent.
    pub(super) fn discard(&self, discarded: DeliveryDiscarded) -> Decided {
        use DeliveryState::{Cancelled, Dead, Held, Pending, Rejected, Retry, Unknown};
        match self.delivery(discarded.delivery)?.state {
            Pending | Retry | Held | Dead | Rejected | Unknown => {
                let channel = self.delivery(discarded.delivery)?.channel;
                let dismissed = self.dismiss(channel, DISCARDED, discarded.at);
                Ok(std::iter::once(discarded.into()).chain(dismissed).collect())
            }
            Cancelled => Ok(vec![]),
            other => Err(NotificationError::NotDiscardable(other)),
        }
    }

    /// A proof is stronger than whatever we believed.
    pub(super) fn confirm(&self, confirmed: DeliveryConfirmed) -> Decided {
        let found = self.delivery(confirmed.delivery)?;
        match found.state {
            DeliveryState::Delivered => Ok(vec![]),
            DeliveryState::InFlight => Err(NotificationError::UnderWay),
            _ => {
                let dismissed = self.dismiss(found.channel, &told_by(found.channel), confirmed.at);
                Ok(std::iter::once(confirmed.into()).chain(dismissed).collect())
            }
        }
    }

    /// The channel that was not needed because this one had taken the message is asked now.
    pub(super) fn refute(&self, delivery: DeliveryId, failure: Failure, at: DateTime<Utc>) -> Decided {
        let found = self.delivery(delivery)?;
        match found.state {
            DeliveryState::Accepted | DeliveryState::Unknown => {
                let rejected = DeliveryRejected { delivery, attempt: found.attempt, failure, at };
                let next = self.call_next(found.channel, false, at);
                Ok(std::iter::once(rejected.into()).chain(next).collect())
            }
            DeliveryState::InFlight => Err(NotificationError::UnderWay),
            _ => Ok(vec![]),
        }
    }

    /// The channels that stand by behind a channel, in order of the route.
    pub fn standbys(&self, channel: Channel) -> Vec<Channel> {
        self.behind(channel).map(|(_, behind)| behind.channel).collect()
    }

    fn held(&self, delivery: DeliveryId) -> Result<&Delivery, NotificationError> {
        let found = self.delivery(delivery)?;
        let waits = found.state == DeliveryState::Held && !found.stands_by;
        if waits { Ok(found) } else { Err(NotificationError::NotHeld(found.state)) }
    }

    /// The next channel speaks, if one stands by.
    fn call_next(
        &self,
        channel: Channel,
        possibly_repeated: bool,
        at: DateTime<Utc>,
    ) -> Option<NotificationEvent> {
        let (delivery, next) = self.behind(channel).next()?;
        let reason = format!("{AFTER}{channel}");
        Some(DeliveryReleased { delivery, channel: next.channel, reason, possibly_repeated, at }.into())
    }

    /// Nobody behind it needs to speak.
    fn dismiss(&self, channel: Channel, reason: &str, at: DateTime<Utc>) -> Vec<NotificationEvent> {
        let waiting = self.behind(channel).filter(|(_, behind)| behind.state == DeliveryState::Held);
        waiting
            .map(|(delivery, behind)| {
                let (channel, reason) = (behind.channel, reason.to_owned());
                DeliveryCancelled { delivery, channel, reason, at }.into()
            })
            .collect()
    }

    /// Those that stand by behind a channel, in order of the route.
    fn behind(&self, channel: Channel) -> impl Iterator<Item = (DeliveryId, &Delivery)> {
        let mut before = channel;
        std::iter::from_fn(move || {
            let (id, next) = self.deliveries.iter().find(|(_, d)| d.after == Some(before) && d.stands_by)?;
            before = next.channel;
            // A route that comes back to its beginning ends there.
            (before != channel).then_some((*id, next))
        })
        .take(self.deliveries.len())
    }
}
