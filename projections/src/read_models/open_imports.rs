//! Imports that began: whether they are over, and when they last stored something. What finds the abandoned ones.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::Recorded;
use domain::batch::BatchEvent;
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Index, Kind, Table, Target, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> =
    Filter::Types(&["ImportStarted", "ImportChunkStored", "ImportCompleted"]);

pub(crate) const TABLE: Table = Table {
    name: "open_imports",
    columns: &[
        must("id", Kind::Uuid),
        must("open", Kind::Bool),
        must("touched_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[Index { name: "by_age", on: "touched_at", only: Some("open"), folding: false }],
};

/// Whether the import goes on after the event, and when that happened.
fn step(event: &BatchEvent) -> Option<(bool, DateTime<Utc>)> {
    match event {
        BatchEvent::ImportStarted(started) => Some((true, started.at)),
        BatchEvent::ImportChunkStored(chunk) => Some((true, chunk.at)),
        BatchEvent::ImportCompleted(completed) => Some((false, completed.at)),
        BatchEvent::Completed(_) | BatchEvent::Released(_) => None,
    }
}

fn row(event: &Recorded<BatchEvent>) -> Option<(Uuid, Vec<Cell>)> {
    let (open, at) = step(&event.payload)?;
    let id = event.stream.uuid()?;
    // When it was recorded: the command's own time is the same for every chunk of it.
    let at = at.max(event.recorded_at);
    Some((id, vec![id.into(), open.into(), at.into(), event.position.into()]))
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    // Of several events of one import the last one counts.
    let rows: BTreeMap<_, _> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::Batch(event) => row(event),
            _ => None,
        })
        .collect();
    let rows: Vec<_> = rows.into_values().collect();
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
