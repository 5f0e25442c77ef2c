//! The assignment log 分配记录: one row for each time a lead was given to somebody.

use domain::customer::{CustomerAssigned, CustomerEvent, CustomerTransferred};
use domain::{Actor, Recorded};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use crate::consumer::HandleError;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["CustomerAssigned", "CustomerTransferred"]);

/// System A's word for every entry that gives a lead to somebody (existing-systems.md section 1.6).
const ASSIGN: &str = "assign";

pub(crate) const TABLE: Table = Table {
    name: "assignment_log",
    columns: &[
        must("id", Kind::Uuid),
        must("customer", Kind::Uuid),
        may("old_owner", Kind::Uuid),
        may("new_owner", Kind::Uuid),
        may("assigned_by", Kind::Uuid),
        may("assigned_by_system", Kind::Text),
        must("assigned_at", Kind::Time),
        may("reason", Kind::Text),
        must("action", Kind::Text),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[index("by_customer", "customer, position")],
};

fn row(event: &Recorded<CustomerEvent>) -> Option<Vec<Cell>> {
    let (from, to, by, at, reason) = match &event.payload {
        CustomerEvent::Assigned(CustomerAssigned { to, by, at, reason, .. }) => (None, to, by, at, reason),
        CustomerEvent::Transferred(CustomerTransferred { from, to, by, at, reason, .. }) => {
            (Some(from.0), to, by, at, reason)
        }
        _ => return None,
    };
    let system = match by {
        Actor::System(part) => Some(part.as_str()),
        Actor::Staff(_) => None,
    };
    Some(vec![
        event.event_id.0.into(),
        event.stream.uuid()?.into(),
        from.into(),
        to.0.into(),
        by.staff().map(|by| by.0).into(),
        Cell::text_or_null(system),
        (*at).into(),
        Cell::text_or_null(reason.as_deref()),
        Cell::text(ASSIGN),
        event.position.into(),
    ])
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let rows: Vec<_> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::Customer(event) => row(event),
            _ => None,
        })
        .collect();
    upsert(tx, &TABLE, target, &distinct(rows)).await?;
    Ok(())
}

/// A page that holds an event twice (only a replay by hand does) must not meet one key twice in one statement.
fn distinct(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| match row.first() {
        Some(Cell::Uuid(Some(id))) => seen.insert(*id),
        _ => false,
    });
    rows
}
