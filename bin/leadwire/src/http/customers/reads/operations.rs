//! The operation log 操作日志: what each event changed, before and after. Nothing is written for it; it is the
//! customer's stream, read with administrators' eyes (fault A-29: system A's log was best effort, and doubled).

use application::access::{Action, Caller};
use application::history::{OperationType, actor, words};
use axum::extract::State;
use domain::customer::{Customer, CustomerEvent, FollowUpRecorded};
use domain::{Actor, CustomerId, EventId, FollowUpId, StaffId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::CustomerPath;
use super::super::document::CustomerDocument;
use super::story::{self, Step};
use super::{acted, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::{People, Person};
use crate::http::problem::Problem;
use crate::http::reading::MinPosition;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取操作日志成功", "Here are the operations");

/// Most entries of one answer: the newest.
const ENTRIES_MAX: usize = 500;

/// What the entries are about.
const ENTITY: &str = "customer";

/// What a follow-up's entry is related to.
const FOLLOW_UP: &str = "follow_up";

/// Members that change with everything and say nothing, or that stand in the entry itself.
const NOISE: [&str; 5] = ["_id", "updatedAt", "lastActivityAt", "lastUpdatedBy", "assignedToUser"];

/// One operation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationLog {
    /// Id of the event.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// `customer`.
    entity_type: &'static str,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    entity_id: CustomerId,
    /// What was done, e.g. `assign`.
    operation_type: &'static str,
    /// The same in Chinese.
    operation_name: &'static str,
    /// What changed.
    details: Details,
    /// Who did it; all zeros for a part of the system.
    #[schema(value_type = uuid::Uuid)]
    operator_id: StaffId,
    /// Who did it, by name.
    operator: Option<Person>,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    operated_at: Millis,
    /// Id of the request.
    request_id: String,
    /// Position of the event in the log.
    position: i64,
}

/// What an operation changed: the members that differ, as the customer's document shows them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Before.
    #[schema(value_type = Object)]
    before: Map<String, Value>,
    /// After.
    #[schema(value_type = Object)]
    after: Map<String, Value>,
    /// In words.
    description: String,
    /// The follow-up, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    related_id: Option<FollowUpId>,
    /// `follow_up`, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    related_type: Option<&'static str>,
}

/// Who changed what of a customer, newest first. For administrators.
#[utoipa::path(
    get, path = "/api/customers/{id}/operation-logs", operation_id = "list_operation_logs", tag = "customers",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The operations", body = Enveloped<Vec<OperationLog>>),
        schemas::ReadProblems
    )
)]
pub async fn operation_logs(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    _: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewOperationLogs)?;
    let story = story::read(&app, &caller, id, None, ENTRIES_MAX).await?;
    let named = story.steps.iter().flat_map(|step| application::history::people(&step.event.payload));
    let people = People::find(&app, named).await?;
    let logs: Vec<_> =
        story.steps.into_iter().rev().map(|step| OperationLog::of(&caller, id, step, &people)).collect();
    Ok(Answer::ok(LISTED, &logs)?.version(story.version))
}

impl OperationLog {
    fn of(caller: &Caller, id: CustomerId, step: Step, people: &People) -> Self {
        let Step { event, before, after } = step;
        let operation = OperationType::of(&event.payload);
        let (operator, part) = match actor(&event.payload) {
            Actor::Staff(staff) => (Some(staff), None),
            Actor::System(part) => (None, Some(part)),
        };
        let name = |staff: StaffId| people.name(Some(staff)).map(|person| person.name);
        let (before, mut after) = changed(&shown(caller, id, &before), &shown(caller, id, &after));
        let follow_up = match &event.payload {
            CustomerEvent::FollowedUp(followed) => Some(followed),
            _ => None,
        };
        after.extend(follow_up.into_iter().flat_map(said));
        Self {
            id: event.event_id,
            customer_id: id,
            entity_type: ENTITY,
            entity_id: id,
            operation_type: operation.as_str(),
            operation_name: operation.label(),
            details: Details {
                before,
                after,
                description: words(&event.payload, &name).zh,
                related_id: follow_up.map(|followed| followed.id),
                related_type: follow_up.map(|_| FOLLOW_UP),
            },
            operator_id: operator.unwrap_or(StaffId(Uuid::nil())),
            operator: acted(people, operator, part.as_deref()),
            operated_at: Millis(event.recorded_at),
            request_id: event.metadata.correlation,
            position: event.position,
        }
    }
}

/// What a follow-up said.
fn said(followed: &FollowUpRecorded) -> [(String, Value); 2] {
    [("type".to_owned(), json!(followed.kind)), ("content".to_owned(), json!(followed.content))]
}

/// The customer's document; nothing before it existed.
fn shown(caller: &Caller, id: CustomerId, customer: &Customer) -> Map<String, Value> {
    if customer.created.is_none() {
        return Map::new();
    }
    let document = CustomerDocument::detail(caller, id, customer, &People::default());
    match serde_json::to_value(document) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(), // a document is an object
    }
}

/// The members that differ.
fn changed(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let differing = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let differs = |(name, value): &(&String, &Value)| {
            !NOISE.contains(&name.as_str()) && other.get(*name).unwrap_or(&Value::Null) != *value
        };
        one.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    (differing(before, after), differing(after, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_differs_is_shown() {
        let before = json!({ "a": 1, "b": "x", "c": null, "updatedAt": 1 });
        let after = json!({ "a": 2, "b": "x", "d": true, "e": null, "updatedAt": 2 });
        let (before, after) = changed(&members(&before), &members(&after));
        assert_eq!(Value::Object(before), json!({ "a": 1 }));
        assert_eq!(Value::Object(after), json!({ "a": 2, "d": true }));
    }
}
