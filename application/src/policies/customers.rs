//! Notices about one customer.

use domain::customer::{
    AssignmentSource, Customer, CustomerAssigned, CustomerEvent, CustomerReleased, CustomerTransferred,
    FollowUpRecorded, is_system_note,
};
use domain::notification::Decision;
use domain::{CustomerId, NotificationId, StaffId, StreamId};
use serde_json::json;

use super::about::{About, instant, not_told, typed};
use super::routing::suppress;
use super::{Fact, FirstOwner, PolicyEvent, ReactError, Reaction, View, reasons};
use crate::customers::SOURCE_BY_HAND;
use crate::texts::{self, Template};

/// Most characters of a follow-up that its notice shows, the ellipsis included (existing-systems.md section 4.2).
const FOLLOW_UP_SHOWN_MAX: usize = 80;

pub(super) type Reactions = Result<Vec<Reaction>, ReactError>;

/// Every active supervisor. The first owner is told of the assignment instead, the creator knows.
pub(super) fn created(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Created(created)) = customer_event(event)? else { return wrong_row(event) };
    if let Some(import) = created.import {
        let merged = |person| in_summary(&texts::CREATED, person, id, &import.into());
        return Ok(view.staff.supervisors().map(merged).collect());
    }
    let (owner, creator) = (view.owner_after_command, created.by.staff());
    let knows = |person: &StaffId| Some(*person) == creator || owner.is_some_and(|o| o.owner == *person);
    let (knowing, audience): (Vec<StaffId>, Vec<StaffId>) = view.staff.supervisors().partition(knows);
    let name = view.staff.actor_name(&created.by);
    let about = About::customer(id, customer(event, view)?)
        .word("creatorName", name)
        .facts(json!({ "creatorName": name, "createdAt": instant(created.at) }));
    let mut reactions = about.tell(&texts::CREATED, audience, view)?;
    reactions.extend(knowing.into_iter().map(|person| {
        let decision = owner.filter(|owner| owner.owner == person).map_or_else(creator_knows, told_as_owner);
        not_told(&texts::CREATED, person, vec![id], &decision)
    }));
    Ok(reactions)
}

fn creator_knows() -> Decision {
    suppress(reasons::ACTOR_IS_RECIPIENT)
}

/// Who owns a new lead reads of it in the notice of the assignment.
fn told_as_owner(first: FirstOwner) -> Decision {
    let notice = NotificationId::of(first.event, first.owner, texts::ASSIGNED.kind);
    Decision::Merge { into: StreamId::from(notice).to_string() }
}

/// The new owner, also when they created the lead themselves: then it is the proof that it is theirs.
pub(super) fn assigned(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Assigned(assigned)) = customer_event(event)? else { return wrong_row(event) };
    let template = match assigned.source {
        AssignmentSource::Pool | AssignmentSource::PoolBatch(_) => &texts::ASSIGNED_FROM_POOL,
        AssignmentSource::Create
        | AssignmentSource::Manual
        | AssignmentSource::MiniProgram
        | AssignmentSource::Batch(_)
        | AssignmentSource::Import(_)
        | AssignmentSource::Rule(_) => &texts::ASSIGNED,
    };
    if let Some(summary) = assigned.source.told_by() {
        return Ok(vec![in_summary(template, assigned.to, id, &summary)]);
    }
    let CustomerAssigned { to, by, reason, at, .. } = assigned;
    let about = About::customer(id, customer(event, view)?).facts(json!({
        "assignedToId": to.to_string(),
        "newOwner": view.staff.name(*to),
        "assignerName": view.staff.actor_name(by),
        "assignTime": instant(*at),
        "source": typed(reason.as_deref().unwrap_or(SOURCE_BY_HAND)),
    }));
    Ok(about.tell(template, [*to], view)?)
}

/// The new owner and the former one, each unless they did it themselves.
pub(super) fn transferred(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Transferred(transferred)) = customer_event(event)? else {
        return wrong_row(event);
    };
    let CustomerTransferred { from, to, by, reason, source, at } = transferred;
    if let Some(summary) = source.told_by() {
        let (gained, lost) = match source {
            AssignmentSource::Rule(_) => (&texts::AUTO_TRANSFER_IN, &texts::AUTO_TRANSFER_OUT),
            _ => (&texts::ASSIGNED, &texts::TRANSFERRED_OUT),
        };
        return Ok(vec![in_summary(gained, *to, id, &summary), in_summary(lost, *from, id, &summary)]);
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
            "source": typed(reason.as_deref().unwrap_or(SOURCE_BY_HAND)),
        }))
    };
    let actor = by.staff();
    let mut reactions = about().tell_unless_actor(&texts::TRANSFERRED, *to, actor, view)?;
    reactions.extend(about().tell_unless_actor(&texts::TRANSFERRED_OUT, *from, actor, view)?);
    Ok(reactions)
}

/// The former owner, unless they released it themselves.
pub(super) fn released(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Released(released)) = customer_event(event)? else { return wrong_row(event) };
    let CustomerReleased { from, by, reason, batch, at } = released;
    if let Some(batch) = batch {
        return Ok(vec![in_summary(&texts::RECLAIMED, *from, id, &StreamId::from(*batch))]);
    }
    let reason = typed(reason);
    let about = About::customer(id, customer(event, view)?).word("reason", reason.clone()).facts(json!({
        "oldOwner": view.staff.name(*from),
        "operatorName": view.staff.actor_name(by),
        "reason": reason,
        "releasedAt": instant(*at),
    }));
    Ok(about.tell_unless_actor(&texts::RECLAIMED, *from, by.staff(), view)?)
}

/// The owner, unless they followed up themselves. Notes that system A wrote about its own doings tell nobody.
pub(super) fn followed_up(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::FollowedUp(followed)) = customer_event(event)? else { return wrong_row(event) };
    let FollowUpRecorded { id: follow_up, kind, content, by, at, .. } = followed;
    if is_system_note(*kind, content) {
        return Ok(Vec::new());
    }
    let customer = customer(event, view)?;
    let Some(owner) = customer.owner() else { return Ok(Vec::new()) };
    let (author, summary) = (view.staff.actor_name(by), shortened(&typed(content)));
    let about = About::customer(id, customer)
        .word("operatorName", author)
        .word("summary", summary.clone())
        .facts(json!({
            "followUpId": follow_up.to_string(),
            "operatorName": author,
            "summary": summary,
            "followedUpAt": instant(*at),
        }));
    Ok(about.tell_unless_actor(&texts::FOLLOW_UP_ADDED, owner, by.staff(), view)?)
}

/// The text, or its beginning with an ellipsis.
fn shortened(text: &str) -> String {
    if text.chars().count() <= FOLLOW_UP_SHOWN_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(FOLLOW_UP_SHOWN_MAX - 1).collect();
    format!("{}…", kept.trim_end())
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

/// One lead of many that moved together: its owners read about it in their summary.
pub(super) fn in_summary(
    template: &Template,
    recipient: StaffId,
    customer: CustomerId,
    summary: &StreamId,
) -> Reaction {
    let decision = Decision::Merge { into: summary.to_string() };
    not_told(template, recipient, vec![customer], &decision)
}

pub(super) fn customer_event(event: &PolicyEvent) -> Result<(CustomerId, &CustomerEvent), ReactError> {
    match &event.fact {
        Fact::Customer(id, event) => Ok((*id, event)),
        _ => Err(ReactError::WrongRow(event.fact.event_type())),
    }
}

pub(super) fn wrong_row(event: &PolicyEvent) -> Reactions {
    Err(ReactError::WrongRow(event.fact.event_type()))
}

pub(super) fn customer<'v>(event: &PolicyEvent, view: &View<'v>) -> Result<&'v Customer, ReactError> {
    view.customer.ok_or(ReactError::NoCustomer(event.fact.event_type()))
}
