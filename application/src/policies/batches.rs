//! Notices about a batch: one summary for each person it concerns, naming only the leads that changed hands.

use std::collections::BTreeMap;

use domain::batch::{BatchEvent, BatchReleaseCompleted};
use domain::{CustomerId, StaffId};
use serde_json::json;

use super::about::{About, Said, instant, typed};
use super::{Fact, PolicyEvent, ReactError, Reaction, View};
use crate::customers::SOURCE_BY_BATCH;
use crate::texts;

/// The person who gained, then everybody who lost, in the order of their ids.
pub(super) fn completed(event: &PolicyEvent, view: &View<'_>) -> Result<Vec<Reaction>, ReactError> {
    let Fact::Batch(_, BatchEvent::Completed(batch)) = &event.fact else {
        return Err(ReactError::WrongRow(event.fact.event_type()));
    };
    if batch.moved.is_empty() {
        return Ok(Vec::new()); // nothing changed
    }
    let source = batch.reason.as_deref().map_or_else(
        || Said { zh: SOURCE_BY_BATCH, en: "batch assignment" }.into(),
        |reason| Said::alike(typed(reason)),
    );
    let new_owner = view.staff.name(batch.to);
    let about = |customers| {
        About::customers(customers).said("source", source.clone()).word("newOwner", new_owner).facts(json!({
            "assignedToId": batch.to.to_string(),
            "newOwner": new_owner,
            "assignerName": view.staff.actor_name(&batch.by),
            "assignTime": instant(batch.at),
        }))
    };
    let template =
        if batch.out_of_pool { &texts::ASSIGNED_FROM_POOL_SUMMARY } else { &texts::ASSIGNED_SUMMARY };
    let gained = batch.moved.iter().map(|moved| moved.customer).collect();
    let mut reactions = about(gained).tell(template, [batch.to], view)?;
    let losses = batch.moved.iter().filter_map(|moved| Some((moved.from?, moved.customer)));
    for (loser, lost) in by_person(losses) {
        reactions.extend(about(lost).tell(&texts::TRANSFERRED_OUT_SUMMARY, [loser], view)?);
    }
    Ok(reactions)
}

/// Everybody who lost a lead to the pool, unless they released it themselves.
pub(super) fn released(event: &PolicyEvent, view: &View<'_>) -> Result<Vec<Reaction>, ReactError> {
    let Fact::Batch(_, BatchEvent::Released(batch)) = &event.fact else {
        return Err(ReactError::WrongRow(event.fact.event_type()));
    };
    let BatchReleaseCompleted { released, reason, by, at } = batch;
    let reason = typed(reason);
    let mut reactions = Vec::new();
    for (loser, lost) in by_person(released.iter().map(|lead| (lead.owner, lead.customer))) {
        let about = About::customers(lost).word("reason", reason.clone()).facts(json!({
            "oldOwner": view.staff.name(loser),
            "operatorName": view.staff.actor_name(by),
            "reason": reason,
            "releasedAt": instant(*at),
        }));
        reactions.extend(about.tell_unless_actor(&texts::RECLAIMED_SUMMARY, loser, by.staff(), view)?);
    }
    Ok(reactions)
}

/// Each person's leads, in the order of the persons' ids.
pub(super) fn by_person(
    leads: impl Iterator<Item = (StaffId, CustomerId)>,
) -> BTreeMap<StaffId, Vec<CustomerId>> {
    let mut people: BTreeMap<StaffId, Vec<CustomerId>> = BTreeMap::new();
    for (person, lead) in leads {
        people.entry(person).or_default().push(lead);
    }
    people
}
