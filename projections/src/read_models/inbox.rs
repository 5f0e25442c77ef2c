//! The inbox 收件箱: what each reader was told, numbered 1, 2, 3 … per reader in the order of the log, and what the
//! reader did with it.
//!
//! The numbers are the cursor of the live sockets, so they have no gap and come out the same in every rebuild.
//! A notice that is read keeps the time of its first reading, and remembers by which event of the reader's stream
//! it was turned, so that taking that event back restores exactly what it turned (`marks`).

mod marks;

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::notification::{Channel, Decision, NotificationEvent, NotificationRequested};
use domain::{Actor, Metadata, Position, StaffId};
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Dialect, Index, Kind, Table, Target, among, fetch_in, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&[
    "NotificationRequested",
    "NotificationsRead",
    "AllNotificationsRead",
    "NotificationsArchived",
    "NotificationsUnarchived",
    "NotificationSnoozed",
    "ReadingUndone",
]);

pub(crate) const TABLE: Table = Table {
    name: "inbox",
    columns: &[
        must("id", Kind::Uuid),
        must("recipient", Kind::Uuid),
        must("seq", Kind::Int),
        must("scene", Kind::Text),
        must("title", Kind::Text),
        must("content", Kind::Text),
        must("priority", Kind::Text),
        must("data", Kind::Text),
        must("icon", Kind::Text),
        must("color", Kind::Text),
        must("action_url", Kind::Text),
        must("action_text", Kind::Text),
        must("customers", Kind::Text),
        must("cause", Kind::Uuid),
        may("created_by", Kind::Uuid),
        must("status", Kind::Text),
        must("created_at", Kind::Time),
        must("updated_at", Kind::Time),
        may("read_at", Kind::Time),
        // Numbers of events in the reader's stream: which one turned it, and which one would have.
        may("read_by", Kind::Int),
        may("again_at", Kind::Time),
        may("again_by", Kind::Int),
        may("archived_at", Kind::Time),
        may("archived_by", Kind::Int),
        may("snoozed_until", Kind::Time),
        may("snoozed_by", Kind::Int),
        // What stood before it was put off once more.
        may("prior_until", Kind::Time),
        may("prior_by", Kind::Int),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        Index { name: "by_reader", on: "recipient, seq", only: None, folding: true },
        // What is unread is counted on every page of the console, and is little beside what was read.
        Index { name: "unread", on: "recipient, seq", only: Some("status = 'SENT'"), folding: true },
        // What can still be taken back is found among what was done lately.
        Index { name: "read", on: "recipient, read_at", only: Some("read_at IS NOT NULL"), folding: true },
        Index {
            name: "archived",
            on: "recipient, archived_at",
            only: Some("archived_at IS NOT NULL"),
            folding: true,
        },
        Index {
            name: "snoozed",
            on: "recipient, snoozed_until",
            only: Some("snoozed_until IS NOT NULL"),
            folding: true,
        },
    ],
};

/// Who acted, of some events.
const CAUSES: &str = "SELECT event_id, metadata FROM events WHERE event_id ";

/// The last number of each reader.
fn last_numbers(dialect: Dialect, target: Target) -> String {
    let table = target.name(&TABLE);
    format!("SELECT recipient, max(seq) FROM {table} WHERE recipient {} GROUP BY recipient", among(dialect))
}

fn causes(dialect: Dialect) -> String {
    format!("{CAUSES}{}", among(dialect))
}

/// Every statement that is assembled here, for the test that prepares them.
#[cfg(test)]
pub(crate) fn statements(dialect: Dialect, target: Target) -> Vec<String> {
    let mut statements = marks::statements(dialect, target);
    statements.extend([last_numbers(dialect, target), causes(dialect)]);
    statements
}

/// Whether the inbox is one of the ways the notice takes.
fn is_for_inbox(request: &NotificationRequested) -> bool {
    request
        .deliveries
        .iter()
        .any(|planned| planned.channel == Channel::InApp && planned.decision == Decision::Deliver)
}

/// The notices of a page that are for the inbox, with their positions.
fn requests(page: &[Fact]) -> impl Iterator<Item = (&NotificationRequested, Position)> {
    page.iter().filter_map(|fact| match fact {
        Fact::Notification(event) => match &event.payload {
            NotificationEvent::Requested(request) if is_for_inbox(request) => Some((request, event.position)),
            _ => None,
        },
        _ => None,
    })
}

/// Notices of the page that are not written yet, and whose.
#[derive(Default)]
struct Pending {
    rows: Vec<Vec<Cell>>,
    readers: HashSet<StaffId>,
}

impl Pending {
    /// Writes them: what comes next may concern them.
    async fn flush(&mut self, tx: &mut Tx<'_>, target: Target) -> Result<(), DbError> {
        self.readers.clear();
        upsert(tx, &TABLE, target, &std::mem::take(&mut self.rows)).await
    }
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let all = || requests(page).map(|(request, _)| request);
    let mut known = known(tx, target, all().map(|request| request.notification.0)).await?;
    let mut last = last(tx, target, all().map(|request| request.recipient.0)).await?;
    let actors = actors(tx, requests(page)).await?;
    let mut pending = Pending::default();
    for fact in page {
        match fact {
            Fact::Notification(event) => {
                let NotificationEvent::Requested(request) = &event.payload else { continue };
                if !is_for_inbox(request) || !known.insert(request.notification.0) {
                    continue;
                }
                let seq = last.entry(request.recipient.0).or_insert(0);
                *seq += 1;
                pending.rows.push(row(request, *seq, actors.get(&request.cause.0), event.position)?);
                pending.readers.insert(request.recipient);
            }
            Fact::Inbox(event) => {
                if pending.readers.contains(&marks::reader(&event.payload)) {
                    pending.flush(tx, target).await?;
                }
                marks::apply(tx, target, event).await?;
            }
            Fact::Customer(_)
            | Fact::Staff(_)
            | Fact::Batch(_)
            | Fact::Subscription(_)
            | Fact::TransferRule(_)
            | Fact::TransferRun(..)
            | Fact::RecycleRule(_)
            | Fact::Member(_)
            | Fact::RecycleRun(_) => {}
        }
    }
    Ok(pending.flush(tx, target).await?)
}

/// A notice that nobody has looked at.
fn row(
    request: &NotificationRequested,
    seq: i64,
    created_by: Option<&StaffId>,
    position: Position,
) -> Result<Vec<Cell>, HandleError> {
    let message = &request.message;
    let json = |written: Result<String, serde_json::Error>| {
        written.map(|text| Cell::text(&text)).map_err(|error| poison(position, &error.to_string()))
    };
    Ok(vec![
        request.notification.0.into(),
        request.recipient.0.into(),
        seq.into(),
        Cell::text(&request.scene),
        Cell::text(&message.title),
        Cell::text(&message.content),
        Cell::text(request.priority.as_str()),
        json(serde_json::to_string(&message.data))?,
        Cell::text(&message.icon),
        Cell::text(&message.color),
        Cell::text(&message.action_url),
        Cell::text(&message.action_text),
        json(serde_json::to_string(&request.customers))?,
        request.cause.0.into(),
        created_by.map(|staff| staff.0).into(),
        Cell::text(marks::SENT),
        request.at.into(),
        request.at.into(),
        Cell::Time(None),
        Cell::Int(None),
        Cell::Time(None),
        Cell::Int(None),
        Cell::Time(None),
        Cell::Int(None),
        Cell::Time(None),
        Cell::Int(None),
        Cell::Time(None),
        Cell::Int(None),
        position.into(),
    ])
}

async fn known(
    tx: &mut Tx<'_>,
    target: Target,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashSet<Uuid>, DbError> {
    let sql = TABLE.select_where_in(Dialect::of_tx(tx), target, "id", "id");
    let found: Vec<(Uuid,)> = fetch_in(tx, sql, &ids.collect::<Vec<_>>()).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

async fn last(
    tx: &mut Tx<'_>,
    target: Target,
    readers: impl Iterator<Item = Uuid>,
) -> Result<BTreeMap<Uuid, i64>, DbError> {
    let sql = last_numbers(Dialect::of_tx(tx), target);
    let found: Vec<(Uuid, i64)> = fetch_in(tx, sql, &distinct(readers)).await?;
    Ok(found.into_iter().collect())
}

/// The people whose doing caused the notices, by event.
async fn actors<'e>(
    tx: &mut Tx<'_>,
    requests: impl Iterator<Item = (&'e NotificationRequested, Position)>,
) -> Result<HashMap<Uuid, StaffId>, HandleError> {
    let asked: BTreeMap<Uuid, Position> =
        requests.map(|(request, position)| (request.cause.0, position)).collect();
    let sql = causes(Dialect::of_tx(tx));
    let found: Vec<(Uuid, String)> = fetch_in(tx, sql, &distinct(asked.keys().copied())).await?;
    let mut actors = HashMap::new();
    for (event, metadata) in found {
        let metadata: Metadata = serde_json::from_str(&metadata).map_err(|_| {
            poison(asked.get(&event).copied().unwrap_or_default(), "the cause's metadata is not JSON")
        })?;
        if let Actor::Staff(staff) = metadata.actor {
            actors.insert(event, staff);
        }
    }
    Ok(actors)
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
