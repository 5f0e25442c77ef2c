//! The standing check of product.md G9: every event is asked about again, and the answers are compared with what was
//! recorded. Reads only.

use std::collections::HashSet;

use domain::{EventId, NotificationId, Position, StaffId, StreamId};
use infrastructure::db::DbError;
use infrastructure::event_log::Filter;
use serde::Serialize;

use super::decisions::{self, Key};
use super::planner::Answer;
use super::{PAGE_EVENTS, PolicyRunner, TYPES};

/// Most findings listed; the counts go on.
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

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
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
    /// Events that wait for an operator.
    pub parked: u64,
    /// The first of the missing decisions.
    pub first_missing: Vec<Missing>,
}

impl Reconciliation {
    /// Nothing missing, nothing doubled.
    pub fn is_clean(&self) -> bool {
        self.missing + self.unexpected + self.notices_missing + self.notices_doubled == 0
    }
}

/// Checks everything the policy has answered since `after` (0, unless the policy was registered later than the log
/// began).
pub async fn reconcile(runner: &PolicyRunner, after: Position) -> Result<Reconciliation, DbError> {
    let reached = runner.consumers.position(application::policies::POLICY).await?.unwrap_or(0);
    let waiting: HashSet<Position> =
        super::parked(runner.db()).await?.into_iter().map(|event| event.position).collect();
    let mut found = Reconciliation { to: reached, ..Reconciliation::default() };
    let mut planner = runner.planner();
    let mut after = after;
    loop {
        let mut page = runner.bus.log().page(after, PAGE_EVENTS, Filter::Types(&TYPES)).await?;
        let full = page.len() == PAGE_EVENTS;
        page.retain(|event| event.position <= reached);
        let Some(last) = page.last().map(|event| event.position) else { return Ok(found) };
        let answers = planner.answer(&page, after, HashSet::new()).await?;
        let (parked, answered): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| waiting.contains(&answer.position));
        found.parked += count(parked.len());
        compare(runner, &answered, &mut found).await?;
        after = last;
        planner.reached(last);
        if !full {
            return Ok(found);
        }
    }
}

async fn compare(
    runner: &PolicyRunner,
    answers: &[Answer],
    found: &mut Reconciliation,
) -> Result<(), DbError> {
    let events: Vec<EventId> = answers.iter().map(|answer| answer.event).collect();
    let recorded: HashSet<Key> = decisions::recorded(runner.db(), &events).await?.into_iter().collect();
    let mut expected = HashSet::new();
    found.events += count(answers.len());
    for answer in answers {
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
    notices(runner, answers, found).await
}

/// A notice's stream begins with its one request.
async fn notices(
    runner: &PolicyRunner,
    answers: &[Answer],
    found: &mut Reconciliation,
) -> Result<(), DbError> {
    let told = answers.iter().flat_map(|answer| answer.outcome.iter().flatten());
    let ids: Vec<NotificationId> =
        told.filter_map(|told| told.notice.as_ref()).map(|notice| notice.id).collect();
    let streams: Vec<(StreamId, i64)> = ids.iter().map(|id| (StreamId::from(*id), 0)).collect();
    let stored = runner.bus.log().streams_many(&streams).await?;
    for (stream, _) in &streams {
        let events = stored.get(stream).into_iter().flatten();
        match events.filter(|event| event.event_type == "NotificationRequested").count() {
            0 => found.notices_missing += 1,
            1 => {}
            _ => found.notices_doubled += 1,
        }
    }
    Ok(())
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

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
