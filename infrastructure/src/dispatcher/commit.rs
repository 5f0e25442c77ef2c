//! The commits of an attempt: named so that they can be repeated, fenced by the row, tried again for a while.

use std::time::Duration;

use application::bus::{AppendError, Draft, LoadError, StreamAppend, Versioned};
use chrono::{DateTime, Utc};
use domain::notification::{Notification, NotificationEvent};
use domain::subscription::{SubscriptionEvent, SubscriptionLedger};
use domain::{Actor, CommandId, Metadata};

use super::attempt::Engine;
use crate::event_log::Attachment;
use crate::outbox::lease::Leased;

/// How often a commit is tried that meets a conflict or a database that does not answer: for about a minute.
const COMMIT_TRIES_MAX: u32 = 30;
/// Pause before the next try; twice as long each time, up to the second value.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);
const COMMIT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// How a commit failed.
pub(super) enum Trouble {
    /// Somebody else wrote to what it was decided by: load and decide again.
    Conflict,
    /// The lease is lost or the attempt was concluded: whatever we know comes too late.
    Lost,
    /// The store does not answer; it may have committed.
    Unavailable(String),
    /// Trying again cannot help.
    Broken(String),
}

impl Engine {
    /// Commits events together with what they do to the row.
    pub(super) async fn append(
        &self,
        row: &Leased,
        attempt: i64,
        step: &str,
        at: DateTime<Utc>,
        streams: Vec<StreamAppend>,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<(), Trouble> {
        let key = format!("{}:{attempt}:{step}:{}", row.delivery, row.token);
        let metadata = Metadata {
            command: CommandId::from_key("dispatcher", &key),
            correlation: row.correlation.clone(),
            causation: row.causation,
            actor: Actor::System("dispatcher".to_owned()),
        };
        let draft = Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
        match self.bus.append_with(draft, attachments).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { .. }) => Err(Trouble::Conflict),
            Err(AppendError::Fenced) => Err(Trouble::Lost),
            Err(error @ (AppendError::Busy | AppendError::Unavailable(_))) => {
                Err(Trouble::Unavailable(error.to_string()))
            }
            Err(error) => Err(Trouble::Broken(error.to_string())),
        }
    }

    /// Repeats a step that met a conflict or a store that did not answer.
    pub(super) async fn tried<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        step: impl Fn() -> F,
    ) -> Result<T, Trouble> {
        let mut pause = COMMIT_PAUSE;
        for _ in 1..COMMIT_TRIES_MAX {
            match step().await {
                Err(Trouble::Conflict) => {}
                Err(Trouble::Unavailable(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(COMMIT_PAUSE_MAX);
                }
                done => return done,
            }
        }
        step().await
    }
}

impl Trouble {
    /// Says once what became of it.
    pub(super) fn log(self, row: &Leased, what: &str) {
        let delivery = row.delivery;
        match self {
            Self::Lost => {
                tracing::warn!(delivery.id = %delivery,
                    "delivery {delivery} {what}: the lease is lost, or it was concluded already");
            }
            Self::Conflict => {
                tracing::error!(delivery.id = %delivery, "delivery {delivery} {what}: too many conflicts");
            }
            Self::Unavailable(error) | Self::Broken(error) => {
                tracing::error!(delivery.id = %delivery, error, "delivery {delivery} {what}");
            }
        }
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unavailable(_) => Self::Unavailable(error.to_string()),
            LoadError::Undecodable { .. } => Self::Broken(error.to_string()),
        }
    }
}

/// The events of the notice, and of the ledger when it is touched or must stand still.
pub(super) fn streams(
    row: &Leased,
    notice: &Versioned<Notification>,
    events: &[NotificationEvent],
    ledger: Option<&Versioned<SubscriptionLedger>>,
    credits: &[SubscriptionEvent],
) -> Result<Vec<StreamAppend>, Trouble> {
    let broken = |error: serde_json::Error| Trouble::Broken(error.to_string());
    let mut streams = vec![StreamAppend::of(row.notification, notice.sequence, events).map_err(broken)?];
    if let (Some(stream), Some(ledger)) = (&row.ledger, ledger) {
        streams.push(StreamAppend::of(stream.clone(), ledger.sequence, credits).map_err(broken)?);
    }
    Ok(streams)
}
