//! When each lead is to be followed up next, as its last follow-up said, and whether its owner is still to be reminded:
//! what finds the reminders of this minute.
//!
//! Every open row must be one that the lead agrees with, or the same rows would be found each minute and keep the others
//! from their turn. So a moment that was over when it was named is never open.

use std::collections::BTreeMap;

use domain::Recorded;
use domain::customer::{CustomerEvent, is_system_note};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use crate::consumer::HandleError;
use crate::table::{Cell, Index, Kind, Table, Target, may, must, upsert};

/// 2: a moment that was over when it was named is never open.
pub(crate) const REVISION: i64 = 2;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["FollowUpRecorded", "FollowUpDue"]);

pub(crate) const TABLE: Table = Table {
    name: "next_follow_ups",
    columns: &[
        must("id", Kind::Uuid),
        may("due_at", Kind::Time),
        must("open", Kind::Bool),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[Index { name: "by_due", on: "due_at", only: Some("open"), folding: false }],
};

fn row(event: &Recorded<CustomerEvent>) -> Option<(Uuid, Vec<Cell>)> {
    let (due, open) = match &event.payload {
        CustomerEvent::FollowedUp(e) if is_system_note(e.kind, &e.content) => return None,
        CustomerEvent::FollowedUp(e) => {
            (e.next_follow_up_at, e.next_follow_up_at.is_some_and(|due| e.at < due))
        }
        CustomerEvent::FollowUpDue(e) => (Some(e.due), false),
        _ => return None,
    };
    let id = event.stream.uuid()?;
    Some((id, vec![id.into(), due.into(), open.into(), event.position.into()]))
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    // Of several events of one lead the last one counts.
    let rows: BTreeMap<_, _> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::Customer(event) => row(event),
            _ => None,
        })
        .collect();
    let rows: Vec<_> = rows.into_values().collect();
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
