//! A delivery and an attempt as the tables keep them.

use chrono::{DateTime, Utc};
use domain::notification::{Delivery, Failure, Notification, NotificationEvent};
use domain::{Aggregate, DeliveryId, Recorded};
use sqlx::FromRow;
use uuid::Uuid;

use super::super::folded::poison;
use crate::consumer::HandleError;
use crate::table::Cell;

/// A delivery as the table keeps it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) notification: Uuid,
    pub(super) cause: Uuid,
    pub(super) recipient: Uuid,
    pub(super) scene: String,
    pub(super) channel: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) after_channel: Option<String>,
    pub(super) possibly_repeated: bool,
    pub(super) merged_into: Option<Uuid>,
    pub(super) settlement: Option<String>,
    pub(super) attempts: i64,
    pub(super) counted: i64,
    pub(super) failure_class: Option<String>,
    pub(super) failure_code: Option<i64>,
    pub(super) failure_detail: Option<String>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) called_at: Option<DateTime<Utc>>,
    pub(super) accepted_at: Option<DateTime<Utc>>,
    pub(super) delivered_at: Option<DateTime<Utc>>,
    pub(super) provider_message_id: Option<String>,
    pub(super) requested_position: i64,
    pub(super) position: i64,
}

/// An attempt as the table keeps it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Attempt {
    pub(super) delivery: Uuid,
    pub(super) number: i64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) outcome: Option<String>,
    pub(super) code: Option<i64>,
    pub(super) class: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) position: i64,
}

impl Row {
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            self.notification.into(),
            self.cause.into(),
            self.recipient.into(),
            Cell::text(&self.scene),
            Cell::text(&self.channel),
            Cell::text(&self.state),
            Cell::text_or_null(self.reason.as_deref()),
            Cell::text_or_null(self.after_channel.as_deref()),
            self.possibly_repeated.into(),
            self.merged_into.into(),
            Cell::text_or_null(self.settlement.as_deref()),
            self.attempts.into(),
            self.counted.into(),
            Cell::text_or_null(self.failure_class.as_deref()),
            self.failure_code.into(),
            Cell::text_or_null(self.failure_detail.as_deref()),
            self.due_at.into(),
            self.created_at.into(),
            self.updated_at.into(),
            self.called_at.into(),
            self.accepted_at.into(),
            self.delivered_at.into(),
            Cell::text_or_null(self.provider_message_id.as_deref()),
            self.requested_position.into(),
            self.position.into(),
        ]
    }

    /// What an event says beside the state.
    pub(super) fn noted(&mut self, event: &NotificationEvent) {
        match event {
            NotificationEvent::Requested(_) => {}
            NotificationEvent::Started(e) => self.called_at = self.called_at.or(Some(e.at)),
            NotificationEvent::Accepted(e) => {
                self.accepted_at = Some(e.at);
                self.provider_message_id.clone_from(&e.provider_message_id);
            }
            NotificationEvent::RetryScheduled(e) => self.failed(&e.failure),
            NotificationEvent::Rejected(e) => self.failed(&e.failure),
            NotificationEvent::Uncertain(e) => self.failed(&e.failure),
            NotificationEvent::Died(e) => self.failed(&e.failure),
            // It begins anew: what was decided about its first life no longer says where it stands.
            NotificationEvent::Requeued(e) => self.reason = Some(e.reason.clone()),
            NotificationEvent::Cancelled(e) => self.reason = Some(e.reason.clone()),
            NotificationEvent::Released(e) => {
                self.reason = Some(e.reason.clone());
                self.possibly_repeated = e.possibly_repeated;
            }
            NotificationEvent::Merged(e) => self.merged_into = Some(e.into.0),
            NotificationEvent::Settled(e) => self.reason = Some(e.reason.clone()),
            NotificationEvent::Discarded(e) => self.reason = Some(e.reason.clone()),
            NotificationEvent::Confirmed(e) => {
                self.delivered_at = Some(e.at);
                if e.provider_message_id.is_some() {
                    self.provider_message_id.clone_from(&e.provider_message_id);
                }
            }
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.failure_class = Some(failure.class.as_str().to_owned());
        self.failure_code = failure.code;
        self.failure_detail = Some(failure.detail.clone());
    }

    /// Lets the aggregate say what the event does to the state.
    pub(super) fn evolve(&mut self, event: &Recorded<NotificationEvent>) -> Result<(), HandleError> {
        let unreadable = |_| poison(event.position, "a delivery's row holds an unknown code");
        let id = DeliveryId(self.id);
        let mut notice = Notification::default();
        notice.deliveries.insert(
            id,
            Delivery {
                channel: self.channel.parse().map_err(unreadable)?,
                state: self.state.parse().map_err(unreadable)?,
                attempt: self.attempts,
                counted: self.counted,
                due_at: self.due_at,
                after: self.after_channel.as_deref().map(str::parse).transpose().map_err(unreadable)?,
                // Only what is decided depends on it, and nothing is decided here.
                stands_by: false,
                doubted: false,
                settlement: self.settlement.as_deref().map(str::parse).transpose().map_err(unreadable)?,
            },
        );
        notice.evolve(&event.payload);
        if let Ok(after) = notice.delivery(id) {
            after.state.as_str().clone_into(&mut self.state);
            self.attempts = after.attempt;
            self.counted = after.counted;
            self.due_at = after.due_at;
            self.settlement = after.settlement.map(|settlement| settlement.as_str().to_owned());
        }
        self.position = event.position;
        Ok(())
    }
}

impl Attempt {
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            self.delivery.into(),
            self.number.into(),
            self.started_at.into(),
            self.ended_at.into(),
            Cell::text_or_null(self.outcome.as_deref()),
            self.code.into(),
            Cell::text_or_null(self.class.as_deref()),
            Cell::text_or_null(self.detail.as_deref()),
            self.position.into(),
        ]
    }
}
