//! What readers do with their notices, as set-wise updates, and how each is taken back.
//!
//! A row remembers the number of the event that turned it. Taking an event back touches the rows that bear its number
//! and no others: a notice that was read twice meanwhile stays read by the other one, one that was taken out and put
//! aside again stays aside. Two readings are remembered, the first one and the next one: more than two within
//! [`UNDO_SECONDS`] of which two are taken back is nobody's morning.

use chrono::{DateTime, TimeDelta, Utc};
use domain::inbox::{InboxEvent, Reading, ReadingUndone, UNDO_SECONDS};
use domain::{Recorded, StaffId};
use infrastructure::db::{DbError, Tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::TABLE;
use crate::table::{Dialect, Target, among, ids_as_json};

/// System A's word for a notice that was not read yet; READ is its word for one that was.
pub(super) const SENT: &str = "SENT";

/// Which rows: those named in `$1` of the reader `$2`; `$3` is when, `$4` the position.
const NAMED: &str = "WHERE id {among} AND recipient = $2 AND position < $4";

/// Which rows: those of the reader `$2` that the list shows up to the number `$1`; `$3` is when, `$4` the position.
const SHOWN: &str = "WHERE recipient = $2 AND seq <= $1 AND archived_at IS NULL
   AND (snoozed_until IS NULL OR snoozed_until <= $3) AND position < $4";

/// Which rows: those of the reader `$2`; `$1` is the number of the event that is taken back, `$3` when, `$4` the position.
const OWN: &str = "WHERE recipient = $2 AND position < $4";

/// `$5` is the number of this event.
const READ: &str = "SET status = 'READ', read_at = $3, read_by = $5, updated_at = $3, position = $4 {rows}
   AND status = 'SENT'";

/// Read already, by something that can still be taken back: `$5` is the number of this event, `$6` since when it can.
const READ_AGAIN: &str = "SET again_at = $3, again_by = $5, position = $4 {rows}
   AND read_at >= $6 AND again_by IS NULL";

const ARCHIVE: &str = "SET archived_at = $3, archived_by = $5, updated_at = $3, position = $4 {rows}
   AND archived_at IS NULL";

const UNARCHIVE: &str = "SET archived_at = NULL, archived_by = NULL, updated_at = $3, position = $4 {rows}
   AND archived_at IS NOT NULL";

/// `$5` is the number of this event, `$6` until when.
const SNOOZE: &str = "SET snoozed_until = $6, snoozed_by = $5, prior_until = snoozed_until,
   prior_by = snoozed_by, updated_at = $3, position = $4 {rows}";

/// `$5` is since when that event can have been.
const UNDO_READ: &str =
    "SET status = CASE WHEN again_by IS NULL THEN 'SENT' ELSE 'READ' END, read_at = again_at,
   read_by = again_by, again_at = NULL, again_by = NULL, updated_at = $3, position = $4 {rows}
   AND read_at >= $5 AND read_by = $1";
const UNDO_READ_AGAIN: &str = "SET again_at = NULL, again_by = NULL, updated_at = $3, position = $4 {rows}
   AND read_at >= $5 AND again_by = $1";
const UNDO_ARCHIVE: &str = "SET archived_at = NULL, archived_by = NULL, updated_at = $3, position = $4 {rows}
   AND archived_at >= $5 AND archived_by = $1";

const UNDO_SNOOZE: &str = "SET snoozed_until = prior_until, snoozed_by = prior_by, prior_until = NULL,
   prior_by = NULL, updated_at = $3, position = $4 {rows} AND snoozed_until IS NOT NULL AND snoozed_by = $1";
const UNDO_PRIOR_SNOOZE: &str =
    "SET prior_until = NULL, prior_by = NULL, updated_at = $3, position = $4 {rows}
   AND snoozed_until IS NOT NULL AND prior_by = $1";

fn update(dialect: Dialect, target: Target, set: &str, rows: &str) -> String {
    let rows = rows.replace("{among}", among(dialect));
    format!("UPDATE {} {}", target.name(&TABLE), set.replace("{rows}", &rows))
}

/// Every statement, for the test that prepares them.
#[cfg(test)]
pub(super) fn statements(dialect: Dialect, target: Target) -> Vec<String> {
    let named = [READ, READ_AGAIN, ARCHIVE, UNARCHIVE, SNOOZE].map(|set| (set, NAMED));
    let shown = [READ, READ_AGAIN].map(|set| (set, SHOWN));
    let own = [UNDO_READ, UNDO_READ_AGAIN, UNDO_ARCHIVE, UNDO_SNOOZE, UNDO_PRIOR_SNOOZE];
    let all = [named.to_vec(), shown.to_vec(), own.map(|set| (set, OWN)).to_vec()].concat();
    all.into_iter().map(|(set, rows)| update(dialect, target, set, rows)).collect()
}

/// A value for a statement.
#[derive(Debug, Clone)]
enum Bind {
    Ids(Vec<Uuid>),
    Id(Uuid),
    Number(i64),
    Time(DateTime<Utc>),
}

/// Whose inbox an event is about.
pub(super) fn reader(event: &InboxEvent) -> StaffId {
    match event {
        InboxEvent::Read(e) => e.reader,
        InboxEvent::AllRead(e) => e.reader,
        InboxEvent::Archived(e) => e.reader,
        InboxEvent::Unarchived(e) => e.reader,
        InboxEvent::Snoozed(e) => e.reader,
        InboxEvent::Undone(e) => e.reader,
    }
}

/// Folds what a reader did.
pub(super) async fn apply(
    tx: &mut Tx<'_>,
    target: Target,
    event: &Recorded<InboxEvent>,
) -> Result<(), DbError> {
    let number = Bind::Number(event.sequence);
    let ids = |ids: &[domain::NotificationId]| Bind::Ids(ids.iter().map(|id| id.0).collect());
    let (rows, first, at, sets): (_, _, _, Vec<(&str, Vec<Bind>)>) = match &event.payload {
        InboxEvent::Read(e) => (NAMED, ids(&e.notifications), e.at, reading(number, e.at)),
        InboxEvent::AllRead(e) => (SHOWN, Bind::Number(e.up_to), e.at, reading(number, e.at)),
        InboxEvent::Archived(e) => (NAMED, ids(&e.notifications), e.at, vec![(ARCHIVE, vec![number])]),
        InboxEvent::Unarchived(e) => (NAMED, ids(&e.notifications), e.at, vec![(UNARCHIVE, vec![])]),
        InboxEvent::Snoozed(e) => {
            let sets = vec![(SNOOZE, vec![number, Bind::Time(e.until)])];
            (NAMED, ids(&[e.notification]), e.at, sets)
        }
        InboxEvent::Undone(e) => (OWN, Bind::Number(e.undone), e.at, undoing(e)),
    };
    let reader = Bind::Id(reader(&event.payload).0);
    for (set, rest) in sets {
        let mut binds = vec![first.clone(), reader.clone(), Bind::Time(at), Bind::Number(event.position)];
        binds.extend(rest);
        run(tx, update(Dialect::of_tx(tx), target, set, rows), binds).await?;
    }
    Ok(())
}

fn reading(number: Bind, at: DateTime<Utc>) -> Vec<(&'static str, Vec<Bind>)> {
    let lately = Bind::Time(at - TimeDelta::seconds(UNDO_SECONDS));
    // A row that is turned bears this position, so that only one of the two touches it.
    vec![(READ_AGAIN, vec![number.clone(), lately]), (READ, vec![number])]
}

fn undoing(e: &ReadingUndone) -> Vec<(&'static str, Vec<Bind>)> {
    // The row may have been turned as long before the event that is taken back as that was before this one.
    let since = || vec![Bind::Time(e.at - TimeDelta::seconds(2 * UNDO_SECONDS))];
    match e.reading {
        Reading::MarkRead | Reading::MarkAllRead => vec![(UNDO_READ_AGAIN, since()), (UNDO_READ, since())],
        Reading::Archive => vec![(UNDO_ARCHIVE, since())],
        Reading::Snooze => vec![(UNDO_PRIOR_SNOOZE, vec![]), (UNDO_SNOOZE, vec![])],
    }
}

async fn run(tx: &mut Tx<'_>, sql: String, binds: Vec<Bind>) -> Result<(), DbError> {
    let sql = AssertSqlSafe(sql);
    match tx {
        Tx::Postgres(tx) => {
            let mut query = sqlx::query(sql);
            for bind in binds {
                query = match bind {
                    Bind::Ids(ids) => query.bind(ids),
                    Bind::Id(id) => query.bind(id),
                    Bind::Number(number) => query.bind(number),
                    Bind::Time(at) => query.bind(at),
                };
            }
            query.execute(&mut **tx).await?;
        }
        Tx::Sqlite(tx) => {
            let mut query = sqlx::query(sql);
            for bind in binds {
                query = match bind {
                    Bind::Ids(ids) => query.bind(ids_as_json(&ids)),
                    Bind::Id(id) => query.bind(id),
                    Bind::Number(number) => query.bind(number),
                    Bind::Time(at) => query.bind(at),
                };
            }
            query.execute(&mut **tx).await?;
        }
    }
    Ok(())
}
