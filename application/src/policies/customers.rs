//! Notices about one customer.

use domain::customer::{Customer, CustomerAssigned, CustomerEvent, CustomerTransferred};
use domain::notification::Decision;
use domain::{BatchId, CustomerId, StaffId, StreamId};
use serde_json::json;

use super::about::{About, instant, not_told};
use super::{Fact, PolicyEvent, ReactError, Reaction, View};
use crate::customers::SOURCE_BY_HAND;
use crate::texts::{self, Template};

type Reactions = Result<Vec<Reaction>, ReactError>;

/// Every active supervisor but the creator and the first owner, who is told of the assignment.
pub(super) fn created(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Created(created)) = customer_event(event)? else { return wrong_row(event) };
    let customer = customer(event, view)?;
    let knows = [created.by.staff(), view.owner_after_command];
    let audience: Vec<StaffId> =
        view.staff.supervisors().filter(|person| !knows.contains(&Some(*person))).collect();
    if audience.is_empty() {
        return Ok(Vec::new());
    }
    let creator = view.staff.actor_name(&created.by);
    let about = About::customer(id, customer)
        .word("creatorName", creator)
        .facts(json!({ "creatorName": creator, "createdAt": instant(created.at) }));
    Ok(about.tell(&texts::CREATED, audience, view)?)
}

/// The new owner, also when they created the lead themselves: then it is the proof that it is theirs.
pub(super) fn assigned(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Assigned(assigned)) = customer_event(event)? else { return wrong_row(event) };
    if let Some(batch) = assigned.source.batch() {
        return Ok(vec![in_summary(&texts::ASSIGNED, assigned.to, id, batch)]);
    }
    let CustomerAssigned { to, by, reason, at, .. } = assigned;
    let about = About::customer(id, customer(event, view)?).facts(json!({
        "assignedToId": to.to_string(),
        "newOwner": view.staff.name(*to),
        "assignerName": view.staff.actor_name(by),
        "assignTime": instant(*at),
        "source": reason.as_deref().unwrap_or(SOURCE_BY_HAND),
    }));
    Ok(about.tell(&texts::ASSIGNED, [*to], view)?)
}

/// The new owner and the former one, each unless they did it themselves.
pub(super) fn transferred(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Transferred(transferred)) = customer_event(event)? else {
        return wrong_row(event);
    };
    let CustomerTransferred { from, to, by, reason, source, at } = transferred;
    if let Some(batch) = source.batch() {
        return Ok(vec![
            in_summary(&texts::ASSIGNED, *to, id, batch),
            in_summary(&texts::TRANSFERRED_OUT, *from, id, batch),
        ]);
    }
    let (old_owner, new_owner) = (view.staff.name(*from), view.staff.name(*to));
    let customer = customer(event, view)?;
    let about = || {
        About::customer(id, customer).word("oldOwner", old_owner).word("newOwner", new_owner).facts(json!({
            "assignedToId": to.to_string(),
            "oldOwner": old_owner,
            "newOwner": new_owner,
            "assignerName": view.staff.actor_name(by),
            "assignTime": instant(*at),
            "source": reason.as_deref().unwrap_or(SOURCE_BY_HAND),
        }))
    };
    let actor = by.staff();
    let mut reactions = about().tell_unless_actor(&texts::TRANSFERRED, *to, actor, view)?;
    reactions.extend(about().tell_unless_actor(&texts::TRANSFERRED_OUT, *from, actor, view)?);
    Ok(reactions)
}

/// The owner, unless they changed it themselves.
pub(super) fn status_changed(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::StatusChanged(changed)) = customer_event(event)? else { return wrong_row(event) };
    let customer = customer(event, view)?;
    let Some(owner) = customer.owner() else { return Ok(Vec::new()) };
    let (old, new) = (changed.from.as_str(), changed.to.as_str());
    let about = About::customer(id, customer).word("oldStatus", old).word("newStatus", new).facts(json!({
        "oldStatus": old,
        "newStatus": new,
        "operatorName": view.staff.actor_name(&changed.by),
        "changedAt": instant(changed.at),
    }));
    Ok(about.tell_unless_actor(&texts::STATUS_CHANGED, owner, changed.by.staff(), view)?)
}

/// One lead of a batch: its owners read about it in the batch's summary.
fn in_summary(template: &Template, recipient: StaffId, customer: CustomerId, batch: BatchId) -> Reaction {
    let decision = Decision::Merge { into: StreamId::from(batch).to_string() };
    not_told(template, recipient, vec![customer], &decision)
}

fn customer_event(event: &PolicyEvent) -> Result<(CustomerId, &CustomerEvent), ReactError> {
    match &event.fact {
        Fact::Customer(id, event) => Ok((*id, event)),
        Fact::Batch(..) => Err(ReactError::WrongRow(event.fact.event_type())),
    }
}

fn wrong_row(event: &PolicyEvent) -> Reactions {
    Err(ReactError::WrongRow(event.fact.event_type()))
}

fn customer<'v>(event: &PolicyEvent, view: &View<'v>) -> Result<&'v Customer, ReactError> {
    view.customer.ok_or(ReactError::NoCustomer(event.fact.event_type()))
}
