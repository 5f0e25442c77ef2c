//! The standing check of product.md G9: every event is asked about again, and the answers are compared with what was
//! recorded: decisions, notices, and the rows that carry every notice to a provider. Reads only.

use std::collections::{HashMap, HashSet};

use domain::notification::{Channel, DeliveryState};
use domain::{DeliveryId, EventId, NotificationId, Position, StaffId};
use infrastructure::db::DbError;
use serde::Serialize;

use super::PolicyRunner;
use super::audit::{Audit, Page, Stored, digests_of, rowless, stored};
use super::decisions::{self, Key};

/// Most findings of a kind listed; the counts go on.
pub const MISSING_SHOWN_MAX: usize = 100;

/// A decision that should exist and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// The event.
    pub event: EventId,
    /// Its position.
    pub position: Position,
    /// Whom it concerns.
    pub recipient: StaffId,
    /// The notification type.
    pub scene: String,
    /// The channel.
    pub channel: String,
}

/// A delivery that nobody will make: its notice waits for it, and the outbox has no row of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its notice.
    pub notification: NotificationId,
    /// The channel.
    pub channel: Channel,
    /// Where it stands according to its notice.
    pub state: DeliveryState,
}

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Events up to here were not looked at.
    pub after: Position,
    /// Checked up to here.
    pub to: Position,
    /// Events that concern somebody.
    pub events: u64,
    /// Decisions that should exist.
    pub expected: u64,
    /// Decisions that do not.
    pub missing: u64,
    /// Decisions of these events for somebody they do not concern.
    pub unexpected: u64,
    /// Told people whose notice was never requested.
    pub notices_missing: u64,
    /// Notices that were requested more than once.
    pub notices_doubled: u64,
    /// Deliveries that wait without a row in the outbox.
    pub outbox_missing: u64,
    /// Events that wait for an operator.
    pub parked: u64,
    /// The first of the missing decisions.
    pub first_missing: Vec<Missing>,
    /// The first of the missing rows.
    pub first_outbox_missing: Vec<MissingRow>,
}

impl Reconciliation {
    /// Nothing missing, nothing doubled.
    pub fn is_clean(&self) -> bool {
        let decisions = self.missing + self.unexpected;
        decisions + self.notices_missing + self.notices_doubled + self.outbox_missing == 0
    }
}

/// Checks everything the policy has answered since `after`, 0 for all of it: what happened before the policy was
/// registered is not its own and is never looked at.
pub async fn reconcile(runner: &PolicyRunner, after: Position) -> Result<Reconciliation, DbError> {
    let mut audit = Audit::begin(runner, after).await?;
    let mut found = Reconciliation { after: audit.after(), to: audit.reached(), ..Reconciliation::default() };
    while let Some(page) = audit.next().await? {
        found.parked += count(page.parked);
        decisions_of(runner, &page, &mut found).await?;
        let notices = stored(runner, page.notices().map(|notice| notice.id)).await?;
        for notice in notices.values() {
            match notice.requests {
                0 => found.notices_missing += 1,
                1 => {}
                _ => found.notices_doubled += 1,
            }
        }
        rows(runner, &notices, &mut found).await?;
        rows(runner, &digests_of(runner, &notices).await?, &mut found).await?;
    }
    Ok(found)
}

async fn decisions_of(runner: &PolicyRunner, page: &Page, found: &mut Reconciliation) -> Result<(), DbError> {
    let events: Vec<EventId> = page.answers.iter().map(|answer| answer.event).collect();
    let recorded: HashSet<Key> = decisions::recorded(runner.db(), &events).await?.into_iter().collect();
    let mut expected = HashSet::new();
    found.events += count(page.answers.len());
    for answer in &page.answers {
        for key in decisions::of(answer).map(|decision| decision.key) {
            if !recorded.contains(&key) {
                found.missing += 1;
                found.note(&key, answer.position);
            }
            expected.insert(key);
        }
    }
    found.expected += count(expected.len());
    found.unexpected += count(recorded.difference(&expected).count());
    Ok(())
}

async fn rows(
    runner: &PolicyRunner,
    notices: &HashMap<NotificationId, Stored>,
    found: &mut Reconciliation,
) -> Result<(), DbError> {
    for missing in rowless(runner, notices).await? {
        // Digests of several pages are met more than once.
        let row = row(notices, missing);
        if row.as_ref().is_some_and(|row| found.first_outbox_missing.contains(row)) {
            continue;
        }
        found.outbox_missing += 1;
        if found.first_outbox_missing.len() < MISSING_SHOWN_MAX {
            found.first_outbox_missing.extend(row);
        }
    }
    Ok(())
}

/// A missing row with what its notice says of it.
pub(super) fn row(
    notices: &HashMap<NotificationId, Stored>,
    (notification, delivery): (NotificationId, DeliveryId),
) -> Option<MissingRow> {
    let found = notices.get(&notification)?.readable.as_ref()?.state.deliveries.get(&delivery)?;
    Some(MissingRow { delivery, notification, channel: found.channel, state: found.state })
}

impl Reconciliation {
    fn note(&mut self, key: &Key, position: Position) {
        if self.first_missing.len() < MISSING_SHOWN_MAX {
            self.first_missing.push(Missing {
                event: key.event,
                position,
                recipient: key.recipient,
                scene: key.scene.clone(),
                channel: key.channel.clone(),
            });
        }
    }
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
