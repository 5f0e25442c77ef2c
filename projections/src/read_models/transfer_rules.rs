//! The transfer rules 流转规则: one row each, with what its runs moved (existing-systems.md section 5.1).
//!
//! `doc` is the aggregate's state; the figures come from the facts that end its runs. A deleted rule keeps its row,
//! because its stream goes on and its runs stay; lists do not show it.
//!
//! An hour outside the rule's window ends with a fact as well, and is no run to whoever reads the figures: they would
//! show 03:00 and no lead each morning (existing-systems.md section 5.3, number 4).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::transfer_rule::TransferRule;
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::{TransferRunCompleted, TransferRunEvent};
use domain::{Aggregate, Position, Sequence};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use sqlx::FromRow;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::table::{Cell, Dialect, Kind, Table, Target, fetch_in, may, must, upsert};

/// 2: an hour outside the rule's window is no run.
pub(crate) const REVISION: i64 = 2;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&[
    "TransferRuleCreated",
    "TransferRuleRevised",
    "TransferRuleEnabled",
    "TransferRuleDisabled",
    "TransferRuleDeleted",
    "TransferRunCompleted",
]);

pub(crate) const TABLE: Table = Table {
    name: "transfer_rules",
    columns: &[
        must("id", Kind::Uuid),
        must("enabled", Kind::Bool),
        must("deleted", Kind::Bool),
        may("created_at", Kind::Time),
        must("runs", Kind::Int),
        must("moved", Kind::Int),
        may("last_run_at", Kind::Time),
        must("last_moved", Kind::Int),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[],
};

const COLUMNS: &str = "id, runs, moved, last_run_at, last_moved, version, position, doc";

#[derive(FromRow)]
struct Row {
    id: Uuid,
    runs: i64,
    moved: i64,
    last_run_at: Option<DateTime<Utc>>,
    last_moved: i64,
    version: i64,
    position: i64,
    doc: String,
}

/// A rule with the figures of its runs.
struct Rule {
    state: TransferRule,
    runs: i64,
    moved: i64,
    last_run_at: Option<DateTime<Utc>>,
    last_moved: i64,
    version: Sequence,
    position: Position,
    changed: bool,
}

impl Rule {
    fn new() -> Self {
        let (state, last_run_at) = (TransferRule::default(), None);
        Self { state, runs: 0, moved: 0, last_run_at, last_moved: 0, version: 0, position: 0, changed: false }
    }

    fn read(row: &Row) -> Result<Self, HandleError> {
        let state = serde_json::from_str(&row.doc)
            .map_err(|_| poison(row.position, &format!("the row {} cannot be read", row.id)))?;
        Ok(Self {
            state,
            runs: row.runs,
            moved: row.moved,
            last_run_at: row.last_run_at,
            last_moved: row.last_moved,
            version: row.version,
            position: row.position,
            changed: false,
        })
    }

    fn cells(&self, id: Uuid) -> Result<Vec<Cell>, HandleError> {
        let doc =
            serde_json::to_string(&self.state).map_err(|error| poison(self.position, &error.to_string()))?;
        Ok(vec![
            id.into(),
            self.state.enabled.into(),
            self.state.deleted_at.is_some().into(),
            self.state.created_at.into(),
            self.runs.into(),
            self.moved.into(),
            self.last_run_at.into(),
            self.last_moved.into(),
            self.version.into(),
            self.position.into(),
            Cell::text(&doc),
        ])
    }
}

/// The rule that an event is about.
fn rule_of(fact: &Fact) -> Option<(Uuid, Position)> {
    match fact {
        Fact::TransferRule(event) => Some((event.stream.uuid()?, event.position)),
        Fact::TransferRun(event, _) => match &event.payload {
            TransferRunEvent::Completed(e) => Some((e.rule.0, event.position)),
            _ => None,
        },
        _ => None,
    }
}

fn was_open(e: &TransferRunCompleted) -> bool {
    e.explanation.as_deref() != Some(Nothing::WindowClosed.code())
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let mut ids: Vec<Uuid> = page.iter().filter_map(|fact| Some(rule_of(fact)?.0)).collect();
    ids.sort_unstable();
    ids.dedup();
    let sql = TABLE.select_where_in(Dialect::of_tx(tx), target, COLUMNS, "id");
    let found: Vec<Row> = fetch_in(tx, sql, &ids).await?;
    let mut rules = HashMap::new();
    for row in found {
        rules.insert(row.id, Rule::read(&row)?);
    }
    for fact in page {
        let Some((id, position)) = rule_of(fact) else { continue };
        let rule = rules.entry(id).or_insert_with(Rule::new);
        if position <= rule.position {
            continue; // already in
        }
        match fact {
            Fact::TransferRule(event) => {
                rule.state.evolve(&event.payload);
                rule.version = event.sequence;
            }
            Fact::TransferRun(event, _) => {
                if let TransferRunEvent::Completed(e) = &event.payload
                    && was_open(e)
                {
                    rule.last_moved = i64::try_from(e.moved.len()).unwrap_or(i64::MAX);
                    rule.moved += rule.last_moved;
                    rule.runs += 1;
                    rule.last_run_at = Some(e.at);
                }
            }
            _ => {}
        }
        rule.position = position;
        rule.changed = true;
    }
    let changed = ids.iter().filter_map(|id| Some((*id, rules.get(id).filter(|rule| rule.changed)?)));
    let rows = changed.map(|(id, rule)| rule.cells(id)).collect::<Result<Vec<_>, _>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
