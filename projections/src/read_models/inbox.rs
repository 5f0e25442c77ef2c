//! The inbox 收件箱: what each reader was told, numbered 1, 2, 3 … per reader in the order of the log.
//!
//! The numbers are the cursor of the live sockets, so they have no gap and come out the same in every rebuild.
//! A notice that is read keeps the time of its first reading.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::inbox::InboxEvent;
use domain::notification::{Channel, Decision, NotificationEvent, NotificationRequested};
use domain::{NotificationId, Position, StaffId};
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::Filter;
use infrastructure::with_tx;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::table::{Cell, Dialect, Index, Kind, Table, Target, among, fetch_in, may, must, upsert};

pub(crate) const FILTER: Filter<'static> =
    Filter::Types(&["NotificationRequested", "NotificationsRead", "AllNotificationsRead"]);

/// System A's word for a notice that was not read yet.
pub(crate) const SENT: &str = "SENT";
/// System A's word for a notice that was.
pub(crate) const READ: &str = "READ";

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
        must("status", Kind::Text),
        must("created_at", Kind::Time),
        may("read_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        Index { name: "by_reader", on: "recipient, seq", only: None, folding: true },
        // What is unread is counted on every page of the console, and is little beside what was read.
        Index { name: "unread", on: "recipient, seq", only: Some("status = 'SENT'"), folding: false },
    ],
};

/// Marks some of a reader's notices: `$1` the ids, `$2` the reader, `$3` when, `$4` the position.
fn read_some(dialect: Dialect, target: Target) -> String {
    format!(
        "UPDATE {} SET status = 'READ', read_at = $3, position = $4 \
         WHERE id {} AND recipient = $2 AND status = 'SENT' AND position < $4",
        target.name(&TABLE),
        among(dialect)
    )
}

/// Marks all of a reader's notices up to a number: `$1` the reader, `$2` the number, `$3` when, `$4` the position.
fn read_all(target: Target) -> String {
    format!(
        "UPDATE {} SET status = 'READ', read_at = $3, position = $4 \
         WHERE recipient = $1 AND seq <= $2 AND status = 'SENT' AND position < $4",
        target.name(&TABLE)
    )
}

/// The last number of each reader.
fn last_numbers(dialect: Dialect, target: Target) -> String {
    let table = target.name(&TABLE);
    format!("SELECT recipient, max(seq) FROM {table} WHERE recipient {} GROUP BY recipient", among(dialect))
}

/// Every statement that is assembled here, for the test that prepares them.
#[cfg(test)]
pub(crate) fn statements(dialect: Dialect, target: Target) -> Vec<String> {
    vec![read_some(dialect, target), read_all(target), last_numbers(dialect, target)]
}

/// A notice of this page.
struct Fresh<'e> {
    request: &'e NotificationRequested,
    seq: i64,
    read_at: Option<DateTime<Utc>>,
    position: Position,
}

/// Somebody read something that an earlier page holds.
enum Reading<'e> {
    Some { reader: StaffId, notices: Vec<&'e NotificationId>, at: DateTime<Utc>, position: Position },
    All { reader: StaffId, up_to: i64, at: DateTime<Utc>, position: Position },
}

/// A page folded in memory.
#[derive(Default)]
struct Page<'e> {
    fresh: HashMap<NotificationId, Fresh<'e>>,
    order: Vec<NotificationId>,
    readings: Vec<Reading<'e>>,
}

impl<'e> Page<'e> {
    fn read_some(
        &mut self,
        reader: StaffId,
        notices: &'e [NotificationId],
        at: DateTime<Utc>,
        position: Position,
    ) {
        let mut earlier = Vec::new();
        for notice in notices {
            match self.fresh.get_mut(notice) {
                Some(fresh) if fresh.request.recipient == reader => fresh.read(at, position),
                Some(_) => {} // somebody else's
                None => earlier.push(notice),
            }
        }
        if !earlier.is_empty() {
            self.readings.push(Reading::Some { reader, notices: earlier, at, position });
        }
    }

    fn read_all(&mut self, reader: StaffId, up_to: i64, at: DateTime<Utc>, position: Position) {
        for fresh in self.fresh.values_mut() {
            if fresh.request.recipient == reader && fresh.seq <= up_to {
                fresh.read(at, position);
            }
        }
        self.readings.push(Reading::All { reader, up_to, at, position });
    }
}

impl Fresh<'_> {
    /// The first reading counts.
    fn read(&mut self, at: DateTime<Utc>, position: Position) {
        if self.read_at.is_none() {
            self.read_at = Some(at);
            self.position = position;
        }
    }

    fn row(&self) -> Result<Vec<Cell>, HandleError> {
        let (request, message) = (self.request, &self.request.message);
        let json = |written: Result<String, serde_json::Error>| {
            written.map(|text| Cell::text(&text)).map_err(|error| poison(self.position, &error.to_string()))
        };
        Ok(vec![
            request.notification.0.into(),
            request.recipient.0.into(),
            self.seq.into(),
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
            Cell::text(if self.read_at.is_some() { READ } else { SENT }),
            request.at.into(),
            self.read_at.into(),
            self.position.into(),
        ])
    }
}

/// Whether the inbox is one of the ways the notice takes.
fn is_for_inbox(request: &NotificationRequested) -> bool {
    request
        .deliveries
        .iter()
        .any(|planned| planned.channel == Channel::InApp && planned.decision == Decision::Deliver)
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let requests = || {
        page.iter().filter_map(|fact| match fact {
            Fact::Notification(event) => match &event.payload {
                NotificationEvent::Requested(request) if is_for_inbox(request) => Some(request),
                _ => None,
            },
            _ => None,
        })
    };
    let known = known(tx, target, requests().map(|request| request.notification.0)).await?;
    let mut last = last(tx, target, requests().map(|request| request.recipient.0)).await?;
    let mut folded = Page::default();
    for fact in page {
        match fact {
            Fact::Notification(event) => {
                let NotificationEvent::Requested(request) = &event.payload else { continue };
                let id = request.notification;
                if !is_for_inbox(request) || known.contains(&id.0) || folded.fresh.contains_key(&id) {
                    continue;
                }
                let seq = last.entry(request.recipient.0).or_insert(0);
                *seq += 1;
                let fresh = Fresh { request, seq: *seq, read_at: None, position: event.position };
                folded.fresh.insert(id, fresh);
                folded.order.push(id);
            }
            Fact::Inbox(event) => match &event.payload {
                InboxEvent::Read(read) => {
                    folded.read_some(read.reader, &read.notifications, read.at, event.position);
                }
                InboxEvent::AllRead(read) => {
                    folded.read_all(read.reader, read.up_to, read.at, event.position);
                }
            },
            Fact::Customer(_) | Fact::Staff(_) | Fact::Batch(_) => {}
        }
    }
    let rows = folded.order.iter().filter_map(|id| folded.fresh.get(id)).map(Fresh::row);
    upsert(tx, &TABLE, target, &rows.collect::<Result<Vec<_>, _>>()?).await?;
    for reading in &folded.readings {
        mark(tx, target, reading).await?;
    }
    Ok(())
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
    let mut readers: Vec<Uuid> = readers.collect();
    readers.sort_unstable();
    readers.dedup();
    let sql = last_numbers(Dialect::of_tx(tx), target);
    let found: Vec<(Uuid, i64)> = fetch_in(tx, sql, &readers).await?;
    Ok(found.into_iter().collect())
}

async fn mark(tx: &mut Tx<'_>, target: Target, reading: &Reading<'_>) -> Result<(), DbError> {
    match reading {
        Reading::All { reader, up_to, at, position } => {
            let sql = AssertSqlSafe(read_all(target));
            with_tx!(tx, conn => sqlx::query(sql).bind(reader.0).bind(up_to).bind(at).bind(position)
                .execute(conn).await.map(drop))?;
        }
        Reading::Some { reader, notices, at, position } => {
            let sql = AssertSqlSafe(read_some(Dialect::of_tx(tx), target));
            let ids: Vec<Uuid> = notices.iter().map(|id| id.0).collect();
            match tx {
                Tx::Postgres(tx) => {
                    let query = sqlx::query(sql).bind(ids).bind(reader.0).bind(at).bind(position);
                    query.execute(&mut **tx).await?;
                }
                Tx::Sqlite(tx) => {
                    let query = sqlx::query(sql).bind(crate::table::ids_as_json(&ids)).bind(reader.0);
                    query.bind(at).bind(position).execute(&mut **tx).await?;
                }
            }
        }
    }
    Ok(())
}
