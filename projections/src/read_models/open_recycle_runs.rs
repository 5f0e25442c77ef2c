//! Runs of the recycle rules that began, with what each planned and what came of it. What lists them, and finds the ones
//! that a crash left open.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::recycle_rule::run::{RecycleRunCompleted, RecycleRunEvent, RecycleRunPlanned, RecycleRunStarted};
use domain::{Position, Recorded};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::table::{Cell, Dialect, Index, Kind, Table, Target, fetch_in, index, may, must, upsert};

/// 2: counts the leads of each run; the list read them out of the log before.
pub(crate) const REVISION: i64 = 2;

pub(crate) const FILTER: Filter<'static> =
    Filter::Types(&["RecycleRunStarted", "RecycleRunPlanned", "RecycleRunCompleted"]);

pub(crate) const TABLE: Table = Table {
    name: "open_recycle_runs",
    columns: &[
        must("id", Kind::Uuid),
        must("open", Kind::Bool),
        must("period", Kind::Time),
        must("started_at", Kind::Time),
        may("completed_at", Kind::Time),
        must("rules", Kind::Text),
        must("planned", Kind::Int),
        must("fallen", Kind::Int),
        must("stayed", Kind::Int),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        Index { name: "by_period", on: "period", only: Some("open"), folding: false },
        index("latest", "period, id"),
    ],
};

/// A rule of a run, as the table keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRule {
    /// The rule.
    pub rule: Uuid,
    /// What it was called then.
    pub name: String,
    /// Leads that were to fall by it.
    pub planned: u64,
}

/// A run.
#[derive(FromRow)]
struct RunRow {
    id: Uuid,
    open: bool,
    period: DateTime<Utc>,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    rules: String,
    planned: i64,
    fallen: i64,
    stayed: i64,
    position: i64,
}

/// A run with its rules as they can be counted on.
struct Run {
    row: RunRow,
    rules: Vec<RunRule>,
}

impl Run {
    fn begun(id: Uuid, position: Position, e: &RecycleRunStarted) -> Self {
        let rule = |named: &domain::recycle_rule::run::NamedRule| RunRule {
            rule: named.rule.0,
            name: named.name.clone(),
            planned: 0,
        };
        let row = RunRow {
            id,
            open: true,
            period: e.period,
            started_at: e.at,
            completed_at: None,
            rules: String::new(),
            planned: 0,
            fallen: 0,
            stayed: 0,
            position,
        };
        Self { row, rules: e.rules.iter().map(rule).collect() }
    }

    fn read(row: RunRow) -> Result<Self, HandleError> {
        let rules = serde_json::from_str(&row.rules)
            .map_err(|_| poison(row.position, "the rules of a run cannot be read"))?;
        Ok(Self { row, rules })
    }

    fn plan(&mut self, e: &RecycleRunPlanned) {
        self.row.planned += count(e.falls.len());
        for fall in &e.falls {
            if let Some(rule) = self.rules.iter_mut().find(|one| one.rule == fall.rule.0) {
                rule.planned += 1;
            }
        }
    }

    fn end(&mut self, e: &RecycleRunCompleted) {
        self.row.open = false;
        self.row.completed_at = Some(e.at);
        self.row.fallen = count(e.fallen.len());
        self.row.stayed = count(e.skipped.len());
    }

    fn cells(&self) -> Result<Vec<Cell>, HandleError> {
        let row = &self.row;
        let rules = serde_json::to_string(&self.rules)
            .map_err(|_| poison(row.position, "the rules of a run cannot be written"))?;
        Ok(vec![
            row.id.into(),
            row.open.into(),
            row.period.into(),
            row.started_at.into(),
            row.completed_at.into(),
            Cell::text(&rules),
            row.planned.into(),
            row.fallen.into(),
            row.stayed.into(),
            row.position.into(),
        ])
    }
}

fn count(leads: usize) -> i64 {
    i64::try_from(leads).unwrap_or(i64::MAX)
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let events: Vec<(Uuid, &Recorded<RecycleRunEvent>)> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::RecycleRun(event) => Some((event.stream.uuid()?, &**event)),
            _ => None,
        })
        .collect();
    let ids: BTreeSet<Uuid> = events.iter().map(|(id, _)| *id).collect();
    let sql = TABLE.select_where_in(Dialect::of_tx(tx), target, &TABLE.column_list(), "id");
    let known: Vec<RunRow> = fetch_in(tx, sql, &ids.into_iter().collect::<Vec<_>>()).await?;
    let mut runs = BTreeMap::new();
    for row in known {
        runs.insert(row.id, Run::read(row)?);
    }
    for (id, event) in events {
        step(&mut runs, id, event)?;
    }
    let rows: Vec<_> = runs.values().map(Run::cells).collect::<Result<_, _>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}

/// Takes one event in, unless it is in already.
fn step(
    runs: &mut BTreeMap<Uuid, Run>,
    id: Uuid,
    event: &Recorded<RecycleRunEvent>,
) -> Result<(), HandleError> {
    let position = event.position;
    if let RecycleRunEvent::Started(started) = &event.payload {
        runs.entry(id).or_insert_with(|| Run::begun(id, position, started));
        return Ok(());
    }
    let Some(run) = runs.get_mut(&id) else {
        return Err(poison(position, "a run does not begin with its start"));
    };
    if position <= run.row.position {
        return Ok(());
    }
    match &event.payload {
        RecycleRunEvent::Started(_) => {}
        RecycleRunEvent::Planned(planned) => run.plan(planned),
        RecycleRunEvent::Completed(completed) => run.end(completed),
    }
    run.row.position = position;
    Ok(())
}
