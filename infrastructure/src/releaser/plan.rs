//! What a digest will tell of, read from the log page by page: of each message only what is needed is kept.

use application::bus::{StreamAppend, Versioned};
use application::delivery::digest::{Collected, LISTED_MAX, Member};
use chrono::{DateTime, Utc};
use domain::notification::{Notification, NotificationCommand, NotificationEvent, NotificationRequested};
use domain::{Aggregate, DeliveryId, NotificationId, StreamId};

use super::{Inner, MERGED_AT_ONCE, Trouble};
use crate::event_log::RecordedRaw;
use crate::outbox::hold::{Group, Held};

/// Notices read together.
const READ_MAX: usize = 500;

/// A digest before it is in words.
pub(super) struct Plan {
    /// What it says.
    pub(super) collected: Collected,
    /// Every row it tells of.
    pub(super) told: Vec<Held>,
    /// When the first of its notices was requested: the digest is no younger, so its quiet hours are judged when it
    /// leaves.
    pub(super) since: DateTime<Utc>,
    /// What its own commit merges.
    pub(super) merges: Merges,
}

/// Messages that become part of a digest in one commit.
#[derive(Default)]
pub(super) struct Merges {
    /// The events of each notice.
    pub(super) streams: Vec<StreamAppend>,
    /// The rows, standbys included.
    pub(super) rows: Vec<DeliveryId>,
    /// The messages that were held, without their standbys.
    pub(super) members: Vec<DeliveryId>,
}

impl Merges {
    pub(super) fn add(
        &mut self,
        row: &Held,
        notice: &Versioned<Notification>,
        events: &[NotificationEvent],
    ) -> Result<(), serde_json::Error> {
        let append = StreamAppend::of(row.notification, notice.sequence, events)?;
        let append = match row.causation {
            Some(cause) => append.because(cause, row.correlation.clone()),
            None => append,
        };
        self.streams.push(append);
        self.rows.extend(events.iter().filter_map(|event| event.subject().map(|(delivery, _)| delivery)));
        self.members.push(row.delivery);
        Ok(())
    }
}

/// A notice as the log has it, with the request it began with.
pub(super) struct Noted {
    pub(super) state: Versioned<Notification>,
    pub(super) request: NotificationRequested,
}

impl Inner {
    /// What of these rows is told together; `None` when nothing is left to tell.
    pub(super) async fn plan(
        &self,
        group: &Group,
        rows: &[Held],
        now: DateTime<Utc>,
    ) -> Result<Option<Plan>, Trouble> {
        let mut plan: Option<Plan> = None;
        for page in rows.chunks(READ_MAX) {
            for (row, noted) in page.iter().zip(self.notices(page).await?) {
                let Some(Noted { state, request }) = noted else { continue };
                let plan = plan.get_or_insert_with(|| Plan::begin(group, row, &request, now));
                let Some(events) = merge(row, &state, plan.collected.notification, now) else { continue };
                plan.tell(row, &request, &state.state);
                if plan.merges.members.len() < MERGED_AT_ONCE {
                    plan.merges.add(row, &state, &events)?;
                }
            }
        }
        Ok(plan.filter(|plan| !plan.told.is_empty()))
    }

    /// The notices of these rows, in their order; `None` for one that cannot be read, which stays held.
    pub(super) async fn notices(&self, rows: &[Held]) -> Result<Vec<Option<Noted>>, Trouble> {
        let wanted: Vec<(StreamId, i64)> =
            rows.iter().map(|row| (StreamId::from(row.notification), 0)).collect();
        let mut streams = self.bus.log().streams_many(&wanted).await?;
        let noted = wanted.iter().map(|(stream, _)| {
            let events = streams.remove(stream).unwrap_or_default();
            let noted = self.fold(events);
            if noted.is_none() {
                tracing::error!(stream = %stream, "the notice {stream} cannot be read; its message stays held");
            }
            noted
        });
        Ok(noted.collect())
    }

    fn fold(&self, events: Vec<RecordedRaw>) -> Option<Noted> {
        let mut state = Versioned { state: Notification::default(), sequence: 0 };
        let mut request = None;
        for event in events {
            let event = self.bus.upcasters().decode::<NotificationEvent>(event).ok()?;
            state.state.evolve(&event.payload);
            state.sequence = event.sequence;
            if let NotificationEvent::Requested(requested) = event.payload {
                request = Some(requested);
            }
        }
        Some(Noted { state, request: request? })
    }
}

/// The events by which a held message becomes part of a digest; `None` when it is not held any more: it was taken back,
/// given up or released meanwhile.
pub(super) fn merge(
    row: &Held,
    notice: &Versioned<Notification>,
    into: NotificationId,
    at: DateTime<Utc>,
) -> Option<Vec<NotificationEvent>> {
    notice.state.decide(NotificationCommand::Merge { delivery: row.delivery, into, at }).ok()
}

impl Plan {
    fn begin(group: &Group, first: &Held, request: &NotificationRequested, now: DateTime<Utc>) -> Self {
        let (notification, cause) = Collected::id(first.delivery, group.recipient);
        let collected = Collected {
            notification,
            recipient: group.recipient,
            channel: group.channel,
            behind: vec![],
            first: vec![],
            members: vec![],
            priority: request.priority,
            cause,
            at: now,
        };
        Self { collected, told: vec![], since: request.at, merges: Merges::default() }
    }

    fn tell(&mut self, row: &Held, request: &NotificationRequested, notice: &Notification) {
        self.since = self.since.min(request.at);
        let collected = &mut self.collected;
        let behind = notice.standbys(collected.channel);
        if collected.members.is_empty() {
            collected.behind = behind;
        } else {
            collected.behind.retain(|channel| behind.contains(channel));
        }
        // The most urgent one stands first in the code table.
        collected.priority = collected.priority.min(request.priority);
        collected.members.push(row.notification);
        if collected.first.len() < LISTED_MAX {
            collected.first.push(Member {
                notification: row.notification,
                title: request.message.title.clone(),
                content: request.message.content.clone(),
            });
        }
        self.told.push(row.clone());
    }
}
