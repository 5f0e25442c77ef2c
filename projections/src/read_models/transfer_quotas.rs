//! What each person lost and gained by each transfer rule 流转配额.
//!
//! A fold of the facts that end runs and of nothing else: whatever is done to the lists of a rule, its balances stay
//! (fault A-27).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::transfer_rule::run::TransferRunEvent;
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use sqlx::FromRow;
use uuid::Uuid;

use super::Fact;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Dialect, Kind, Table, Target, fetch_in, index, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["TransferRunCompleted"]);

pub(crate) const TABLE: Table = Table {
    name: "transfer_quotas",
    columns: &[
        must("rule", Kind::Uuid),
        must("staff", Kind::Uuid),
        must("moved_out", Kind::Int),
        must("moved_in", Kind::Int),
        must("last_moved_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["rule", "staff"],
    indexes: &[index("by_staff", "staff")],
};

const COLUMNS: &str = "rule, staff, moved_out, moved_in, last_moved_at, position";

#[derive(FromRow)]
struct Row {
    rule: Uuid,
    staff: Uuid,
    moved_out: i64,
    moved_in: i64,
    last_moved_at: DateTime<Utc>,
    position: i64,
}

impl Row {
    fn cells(&self) -> Vec<Cell> {
        vec![
            self.rule.into(),
            self.staff.into(),
            self.moved_out.into(),
            self.moved_in.into(),
            self.last_moved_at.into(),
            self.position.into(),
        ]
    }
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let ended: Vec<_> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::TransferRun(event, _) => match &event.payload {
                TransferRunEvent::Completed(e) => Some((event.position, e)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut rules: Vec<Uuid> = ended.iter().map(|(_, e)| e.rule.0).collect();
    rules.sort_unstable();
    rules.dedup();
    let sql = TABLE.select_where_in(Dialect::of_tx(tx), target, COLUMNS, "rule");
    let found: Vec<Row> = fetch_in(tx, sql, &rules).await?;
    let mut kept: BTreeMap<(Uuid, Uuid), Row> =
        found.into_iter().map(|row| ((row.rule, row.staff), row)).collect();
    let mut changed = BTreeMap::new();
    for (position, e) in ended {
        for person in &e.people {
            let (rule, staff) = (e.rule.0, person.staff.0);
            let nothing = || Row { rule, staff, moved_out: 0, moved_in: 0, last_moved_at: e.at, position: 0 };
            let row = kept.entry((rule, staff)).or_insert_with(nothing);
            if position <= row.position {
                continue; // already in
            }
            row.moved_out += i64::from(person.moved_out);
            row.moved_in += i64::from(person.moved_in);
            row.last_moved_at = e.at;
            row.position = position;
            changed.insert((rule, staff), row.cells());
        }
    }
    let rows: Vec<_> = changed.into_values().collect();
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
