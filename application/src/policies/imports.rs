//! Notices about an import 导入: whoever owns rows of it gets one summary, the other supervisors one of theirs.

use domain::batch::{BatchEvent, ImportCompleted};
use domain::notification::Decision;
use domain::{CustomerId, NotificationId, StaffId, StreamId};
use serde_json::json;

use super::about::{About, Said, instant, not_told};
use super::batches::by_person;
use super::routing::suppress;
use super::{Fact, PolicyEvent, ReactError, Reaction, View, reasons};
use crate::texts;

/// Where the leads of an import come from, in the owners' summaries.
const SOURCE_BY_IMPORT: Said<&str> = Said { zh: "导入", en: "import" };

/// Most leads that a supervisor's summary names. It is the same for all of them, and one append must hold them all.
const NAMED_MAX: usize = 100;

/// The owners, also the importer; then every active supervisor who does not know yet.
pub(super) fn completed(event: &PolicyEvent, view: &View<'_>) -> Result<Vec<Reaction>, ReactError> {
    let Fact::Batch(batch, BatchEvent::ImportCompleted(import)) = &event.fact else {
        return Err(ReactError::WrongRow(event.fact.event_type()));
    };
    let ImportCompleted { created, by, at } = import;
    if created.is_empty() {
        return Ok(Vec::new()); // the process died before the first row
    }
    let importer = view.staff.actor_name(by);
    let mut reactions = Vec::new();
    let owners = by_person(created.iter().map(|lead| (lead.owner, lead.customer)));
    for (owner, leads) in &owners {
        let about = About::customers(leads.clone()).said("source", SOURCE_BY_IMPORT.into()).facts(json!({
            "batchId": batch.to_string(),
            "assignedToId": owner.to_string(),
            "newOwner": view.staff.name(*owner),
            "assignerName": importer,
            "assignTime": instant(*at),
        }));
        reactions.extend(about.tell(&texts::ASSIGNED_SUMMARY, [*owner], view)?);
    }

    let knows = |person: &StaffId| owners.contains_key(person) || by.staff() == Some(*person);
    let (knowing, audience): (Vec<StaffId>, Vec<StaffId>) = view.staff.supervisors().partition(knows);
    let all: Vec<CustomerId> = created.iter().map(|lead| lead.customer).collect();
    let about = About::many(all, NAMED_MAX).word("creatorName", importer).facts(json!({
        "batchId": batch.to_string(),
        "creatorName": importer,
        "createdAt": instant(*at),
    }));
    let named = about.customers.clone();
    reactions.extend(about.tell(&texts::CREATED_SUMMARY, audience, view)?);
    reactions.extend(knowing.into_iter().map(|person| {
        let decision = if owners.contains_key(&person) {
            let notice = NotificationId::of(event.id, person, texts::ASSIGNED_SUMMARY.kind);
            Decision::Merge { into: StreamId::from(notice).to_string() }
        } else {
            suppress(reasons::ACTOR_IS_RECIPIENT)
        };
        not_told(&texts::CREATED_SUMMARY, person, named.clone(), &decision)
    }));
    Ok(reactions)
}
