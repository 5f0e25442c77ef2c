//! Runs of the recycle rules that began: whether they are over. What lists them, and finds the ones that a crash left.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::Recorded;
use domain::recycle_rule::run::RecycleRunEvent;
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Index, Kind, Table, Target, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["RecycleRunStarted", "RecycleRunCompleted"]);

pub(crate) const TABLE: Table = Table {
    name: "open_recycle_runs",
    columns: &[
        must("id", Kind::Uuid),
        must("open", Kind::Bool),
        must("period", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[Index { name: "by_period", on: "period", only: Some("open"), folding: false }],
};

/// Whether the run goes on after the event, and the period it is the run of.
fn step(event: &RecycleRunEvent) -> Option<(bool, DateTime<Utc>)> {
    match event {
        RecycleRunEvent::Started(started) => Some((true, started.period)),
        RecycleRunEvent::Planned(_) => None,
        RecycleRunEvent::Completed(completed) => Some((false, completed.period)),
    }
}

fn row(event: &Recorded<RecycleRunEvent>) -> Option<(Uuid, Vec<Cell>)> {
    let (open, period) = step(&event.payload)?;
    let id = event.stream.uuid()?;
    Some((id, vec![id.into(), open.into(), period.into(), event.position.into()]))
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    // Of both events of one run the last one counts.
    let rows: BTreeMap<_, _> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::RecycleRun(event) => row(event),
            _ => None,
        })
        .collect();
    let rows: Vec<_> = rows.into_values().collect();
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
