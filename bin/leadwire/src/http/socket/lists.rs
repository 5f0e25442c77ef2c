//! Which lists changed, and for whom: what a client reads again when it is told to `refresh`.
//!
//! Computed from the log between two checkpoints of the customer list, so that whoever reads again finds the
//! change there, whichever process made it and whichever folded it.

use domain::customer::{Customer, CustomerEvent};
use domain::{Aggregate, CustomerId, Position, Recorded, StaffId, StreamId};
use infrastructure::db::DbError;
use infrastructure::event_log::{Filter, RecordedRaw};

use application::access::{Action, Caller, allows, list_scope};
use application::bus::CommandBus as _;

use crate::app::App;

/// Events looked at between two checkpoints. More at once (an import, a rebuild) is told as "everything".
const EVENTS_MAX: usize = 1000;

/// What happened to lists since the last look.
#[derive(Debug)]
pub(super) enum Changed {
    /// These customers changed, in the order it happened.
    Customers(Vec<Change>),
    /// Too much to tell one by one.
    Everything,
}

/// One customer changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) customer: CustomerId,
    /// What was done, in a word.
    pub(super) action: &'static str,
    /// How it is now.
    state: Customer,
    /// Who had it before.
    former: Option<StaffId>,
    /// Whether it moved the public pool.
    pool: bool,
}

impl Change {
    #[cfg(test)]
    pub(super) fn of_test(customer: CustomerId, action: &'static str) -> Self {
        Self { customer, action, state: Customer::default(), former: None, pool: false }
    }

    /// Whether it is, or was until now, on the person's list.
    pub(super) fn lists_for(&self, caller: &Caller) -> bool {
        allows(caller.role, Action::ViewCustomers)
            && (self.former == Some(caller.id) || list_scope(caller).contains(&self.state))
    }

    /// Whether the person sees it in the public pool, or has seen it there until now.
    pub(super) fn pools_for(&self, caller: &Caller) -> bool {
        self.pool && allows(caller.role, Action::ViewPool)
    }
}

/// What changed after `from`, up to and with `to`. A customer who cannot be read now is in "everything".
pub(super) async fn between(app: &App, from: Position, to: Position) -> Result<Changed, DbError> {
    let filter = Filter::StreamType(Customer::TYPE);
    let events = app.bus.log().page(from, EVENTS_MAX, filter).await?;
    let beyond = events.len() == EVENTS_MAX && events.last().is_some_and(|last| last.position < to);
    if beyond {
        return Ok(Changed::Everything);
    }
    let events = events.into_iter().take_while(|event| event.position <= to);
    let Some(events) = events.map(|event| read(app, event)).collect::<Option<Vec<_>>>() else {
        return Ok(Changed::Everything);
    };
    let streams: Vec<StreamId> = events.iter().map(|(customer, _)| StreamId::from(*customer)).collect();
    let Ok(states) = app.bus.load_many::<Customer>(&streams).await else { return Ok(Changed::Everything) };
    let changes = events.into_iter().zip(states).map(|((customer, event), state)| {
        let (action, former, moves) = told(&event.payload);
        Change { customer, action, former, pool: moves || state.state.in_pool(), state: state.state }
    });
    Ok(Changed::Customers(changes.collect()))
}

fn read(app: &App, event: RecordedRaw) -> Option<(CustomerId, Recorded<CustomerEvent>)> {
    let customer = CustomerId(event.stream.uuid()?);
    Some((customer, app.bus.upcasters().decode(event).ok()?))
}

/// The word for an event, who lost the customer by it, and whether it moves the public pool.
fn told(event: &CustomerEvent) -> (&'static str, Option<StaffId>, bool) {
    match event {
        CustomerEvent::Created(created) => ("create", None, created.pooled.is_some()),
        CustomerEvent::Updated(_) => ("update", None, false),
        CustomerEvent::StatusChanged(_) => ("statusUpdate", None, false),
        CustomerEvent::LevelChanged(_) => ("levelUpdate", None, false),
        CustomerEvent::Assigned(assigned) => ("assign", None, assigned.out_of_pool),
        CustomerEvent::Transferred(transferred) => ("assign", Some(transferred.from), false),
        CustomerEvent::Claimed(_) => ("claim", None, true),
        CustomerEvent::Released(released) => ("release", Some(released.from), true),
        CustomerEvent::Recycled(recycled) => ("release", Some(recycled.from), true),
        CustomerEvent::RecycleWarned(_) | CustomerEvent::FollowUpDue(_) => ("reminder", None, false),
        CustomerEvent::Frozen(_) => ("freeze", None, false),
        CustomerEvent::Unfrozen(_) => ("unfreeze", None, false),
        CustomerEvent::AutoTransferEnabled(_) | CustomerEvent::AutoTransferDisabled(_) => {
            ("autoTransfer", None, false)
        }
        CustomerEvent::FollowedUp(_) => ("followUp", None, false),
        // Where nobody owned it, it may have been in the pool.
        CustomerEvent::Deleted(deleted) => ("delete", deleted.from, deleted.from.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use domain::customer::Ownership;
    use domain::staff::Role;
    use uuid::Uuid;

    fn caller(n: u128, role: Role) -> Caller {
        Caller { id: StaffId(Uuid::from_u128(n)), username: "u".into(), name: "n".into(), role }
    }

    fn change(owner: Option<u128>, former: Option<u128>, pool: bool) -> Change {
        let ownership = owner.map_or(Ownership::Unassigned, |owner| Ownership::Owned {
            owner: StaffId(Uuid::from_u128(owner)),
            since: DateTime::UNIX_EPOCH,
        });
        Change {
            customer: CustomerId(Uuid::from_u128(9)),
            action: "assign",
            state: Customer { ownership, ..Customer::default() },
            former: former.map(|former| StaffId(Uuid::from_u128(former))),
            pool,
        }
    }

    #[test]
    fn a_change_is_told_to_who_has_it_who_had_it_and_who_sees_everything() {
        let moved = change(Some(1), Some(2), false);
        for (who, expected) in [
            (caller(1, Role::Employee), true),
            (caller(2, Role::Employee), true),
            (caller(3, Role::Employee), false),
            (caller(3, Role::Dispatch), false),
            (caller(3, Role::Manager), true),
            (caller(3, Role::Operator), true),
        ] {
            assert_eq!(moved.lists_for(&who), expected, "{who:?}");
            assert!(!moved.pools_for(&who), "{who:?}");
        }
        assert!(change(None, Some(2), true).pools_for(&caller(3, Role::Employee)), "everybody sees the pool");
    }
}
