//! Notices about a batch: one summary for each person it concerns, naming only the leads that changed hands.

use std::collections::BTreeMap;

use domain::batch::{BatchAssignmentCompleted, BatchEvent};
use domain::{CustomerId, StaffId};
use serde_json::json;

use super::about::{About, instant};
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
    let source = batch.reason.as_deref().unwrap_or(SOURCE_BY_BATCH);
    let new_owner = view.staff.name(batch.to);
    let about = |customers| {
        About::customers(customers).word("source", source).word("newOwner", new_owner).facts(json!({
            "assignedToId": batch.to.to_string(),
            "newOwner": new_owner,
            "assignerName": view.staff.actor_name(&batch.by),
            "assignTime": instant(batch.at),
            "source": source,
        }))
    };
    let gained = batch.moved.iter().map(|moved| moved.customer).collect();
    let mut reactions = about(gained).tell(&texts::ASSIGNED_SUMMARY, [batch.to], view)?;
    for (loser, lost) in losses(batch) {
        reactions.extend(about(lost).tell(&texts::TRANSFERRED_OUT_SUMMARY, [loser], view)?);
    }
    Ok(reactions)
}

fn losses(batch: &BatchAssignmentCompleted) -> BTreeMap<StaffId, Vec<CustomerId>> {
    let mut losses: BTreeMap<StaffId, Vec<CustomerId>> = BTreeMap::new();
    for moved in &batch.moved {
        if let Some(loser) = moved.from {
            losses.entry(loser).or_default().push(moved.customer);
        }
    }
    losses
}
