//! The log of the public pool 公海记录: one row for each lead that went in or came out.

use domain::customer::{CustomerEvent, RECYCLE_RULE};
use domain::{Actor, Recorded, StaffId};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::assignment_log::distinct;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&[
    "CustomerCreated",
    "CustomerAssigned",
    "CustomerClaimed",
    "CustomerReleased",
    "CustomerRecycled",
]);

domain::code_table! {
    /// What happened, in system A's words (existing-systems.md section 1.2).
    PoolAction {
        /// It was created into the pool.
        Enter = "enter",
        /// Somebody took it.
        Claim = "claim",
        /// It was given to somebody.
        Assign = "assign",
        /// Its owner gave it up, or had to; then a person or a rule is the operator.
        Release = "release",
    }
}

pub(crate) const TABLE: Table = Table {
    name: "pool_log",
    columns: &[
        must("id", Kind::Uuid),
        must("customer", Kind::Uuid),
        must("action", Kind::Text),
        may("operator", Kind::Uuid),
        may("operator_system", Kind::Text),
        may("from_user", Kind::Uuid),
        may("to_user", Kind::Uuid),
        may("reason", Kind::Text),
        must("operated_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        index("by_customer", "customer, position"),
        index("by_position", "position"),
        index("by_time", "operated_at, action"),
    ],
};

/// What went through the gate: the action, who gave it up, who got it, and why.
type Passage<'e> = (PoolAction, Option<StaffId>, Option<StaffId>, Option<&'e str>);

fn row(event: &Recorded<CustomerEvent>) -> Option<Vec<Cell>> {
    let (passage, by, at): (Passage<'_>, _, _) = match &event.payload {
        CustomerEvent::Created(e) => {
            ((PoolAction::Enter, None, None, Some(e.pooled.as_deref()?)), e.by.clone(), e.at)
        }
        CustomerEvent::Assigned(e) if e.out_of_pool => {
            ((PoolAction::Assign, None, Some(e.to), e.reason.as_deref()), e.by.clone(), e.at)
        }
        CustomerEvent::Claimed(e) => ((PoolAction::Claim, None, Some(e.by), None), Actor::Staff(e.by), e.at),
        CustomerEvent::Released(e) => {
            ((PoolAction::Release, Some(e.from), None, Some(&e.reason)), e.by.clone(), e.at)
        }
        CustomerEvent::Recycled(e) => {
            let by = Actor::System(RECYCLE_RULE.to_owned());
            ((PoolAction::Release, Some(e.from), None, Some(&e.reason)), by, e.at)
        }
        _ => return None,
    };
    let (action, from, to, reason) = passage;
    let system = match &by {
        Actor::System(part) => Some(part.as_str()),
        Actor::Staff(_) => None,
    };
    Some(vec![
        event.event_id.0.into(),
        event.stream.uuid()?.into(),
        Cell::text(action.as_str()),
        by.staff().map(|by| by.0).into(),
        Cell::text_or_null(system),
        from.map(|staff| staff.0).into(),
        to.map(|staff| staff.0).into(),
        Cell::text_or_null(reason),
        at.into(),
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
