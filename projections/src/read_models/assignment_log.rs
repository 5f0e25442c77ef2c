//! The assignment log 分配记录: one row for each time a lead was given to somebody, or given up.

use domain::customer::{
    CustomerAssigned, CustomerClaimed, CustomerEvent, CustomerRecycled, CustomerReleased,
    CustomerTransferred, RECYCLE_RULE,
};
use domain::{Actor, Recorded};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&[
    "CustomerAssigned",
    "CustomerTransferred",
    "CustomerClaimed",
    "CustomerReleased",
    "CustomerRecycled",
]);

/// System A's word for every entry that gives a lead to somebody (existing-systems.md section 1.6).
const ASSIGN: &str = "assign";

/// Its word for an entry that puts a lead into the public pool; the new owner is empty.
const RELEASE: &str = "release";

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
        CustomerEvent::Assigned(CustomerAssigned { to, by, at, reason, .. }) => {
            (None, Some(to.0), by.clone(), at, reason.as_deref())
        }
        CustomerEvent::Transferred(CustomerTransferred { from, to, by, at, reason, .. }) => {
            (Some(from.0), Some(to.0), by.clone(), at, reason.as_deref())
        }
        CustomerEvent::Claimed(CustomerClaimed { by, at }) => (None, Some(by.0), Actor::Staff(*by), at, None),
        CustomerEvent::Released(CustomerReleased { from, by, reason, at, .. }) => {
            (Some(from.0), None, by.clone(), at, Some(reason.as_str()))
        }
        CustomerEvent::Recycled(CustomerRecycled { from, reason, at, .. }) => {
            let by = Actor::System(RECYCLE_RULE.to_owned());
            (Some(from.0), None, by, at, Some(reason.as_str()))
        }
        _ => return None,
    };
    let action = if to.is_some() { ASSIGN } else { RELEASE };
    let system = match &by {
        Actor::System(part) => Some(part.as_str()),
        Actor::Staff(_) => None,
    };
    Some(vec![
        event.event_id.0.into(),
        event.stream.uuid()?.into(),
        from.into(),
        to.into(),
        by.staff().map(|by| by.0).into(),
        Cell::text_or_null(system),
        (*at).into(),
        Cell::text_or_null(reason),
        Cell::text(action),
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
pub(super) fn distinct(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| match row.first() {
        Some(Cell::Uuid(Some(id))) => seen.insert(*id),
        _ => false,
    });
    rows
}
