//! The follow-ups 跟进记录: one row for each time somebody followed up.

use domain::customer::{CustomerEvent, FollowUpKind, is_system_note};
use domain::{Actor, Recorded};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::assignment_log::distinct;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["FollowUpRecorded"]);

pub(crate) const TABLE: Table = Table {
    name: "follow_ups",
    columns: &[
        must("id", Kind::Uuid),
        must("customer", Kind::Uuid),
        may("author", Kind::Uuid),
        may("author_system", Kind::Text),
        must("kind", Kind::Text),
        must("content", Kind::Text),
        may("next_at", Kind::Time),
        must("created_at", Kind::Time),
        // A note that system A wrote about its own doings: kept, but on no list.
        must("system_note", Kind::Bool),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[index("by_customer", "customer, system_note, position")],
};

fn row(event: &Recorded<CustomerEvent>) -> Option<Vec<Cell>> {
    let CustomerEvent::FollowedUp(followed) = &event.payload else { return None };
    let system = match &followed.by {
        Actor::System(part) => Some(part.as_str()),
        Actor::Staff(_) => None,
    };
    Some(vec![
        followed.id.0.into(),
        event.stream.uuid()?.into(),
        followed.by.staff().map(|by| by.0).into(),
        Cell::text_or_null(system),
        Cell::text(FollowUpKind::as_str(followed.kind)),
        Cell::text(&followed.content),
        followed.next_follow_up_at.into(),
        followed.at.into(),
        is_system_note(followed.kind, &followed.content).into(),
        event.position.into(),
    ])
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let rows = page.iter().filter_map(|fact| match fact {
        Fact::Customer(event) => row(event),
        _ => None,
    });
    upsert(tx, &TABLE, target, &distinct(rows.collect())).await?;
    Ok(())
}
