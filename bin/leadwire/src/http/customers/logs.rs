//! Who was given a customer, when, by whom and why.

use axum::extract::State;
use domain::{CustomerId, EventId, StaffId};
use projections::ReadModel;
use projections::queries::assignments::{self, AssignmentEntry};
use serde::Serialize;
use utoipa::ToSchema;

use super::CustomerPath;
use super::detail::visible;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::{People, PersonName};
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取分配历史成功", "Here are the assignments");

/// One time the customer was given to somebody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentLog {
    /// Id of the event.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// `assign`.
    action: String,
    /// The owner before.
    #[schema(value_type = Option<uuid::Uuid>)]
    old_assigned_to: Option<StaffId>,
    /// The owner before, by name.
    old_assigned_to_user: Option<PersonName>,
    /// The owner after.
    #[schema(value_type = Option<uuid::Uuid>)]
    new_assigned_to: Option<StaffId>,
    /// The owner after, by name.
    new_assigned_to_user: Option<PersonName>,
    /// Who decided: an id, or the part of the system.
    assigned_by: Option<String>,
    /// Who decided, by name.
    assigned_by_user: Option<PersonName>,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    assigned_at: Millis,
    /// Why.
    reason: Option<String>,
    /// Position of the event in the log.
    position: i64,
}

/// The assignments of a customer, newest first.
#[utoipa::path(
    get, path = "/api/customers/{id}/assignment-logs", operation_id = "list_assignment_logs", tag = "customers",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The entries", body = Enveloped<Vec<AssignmentLog>>),
        schemas::ReadProblems
    )
)]
pub async fn assignment_logs(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let (of_rows, of_logs) = tokio::join!(
        fresh(&app, &caller, ReadModel::CustomerList, min),
        fresh(&app, &caller, ReadModel::AssignmentLog, min),
    );
    visible(&app, &caller, id).await?;
    let entries = assignments::of_customer(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let mut named = Vec::new();
    for entry in &entries {
        named.extend([entry.old_owner, entry.new_owner, entry.assigned_by].into_iter().flatten());
    }
    let people = People::find(&app, named).await?;
    let logs: Vec<_> = entries.into_iter().map(|entry| AssignmentLog::of(entry, &people)).collect();
    Ok(Answer::ok(LISTED, &logs)?.read_at([of_rows, of_logs].into_iter().flatten().min()))
}

impl AssignmentLog {
    fn of(entry: AssignmentEntry, people: &People) -> Self {
        Self {
            id: entry.id,
            customer_id: entry.customer,
            action: entry.action,
            old_assigned_to: entry.old_owner,
            old_assigned_to_user: people.name(entry.old_owner),
            new_assigned_to: entry.new_owner,
            new_assigned_to_user: people.name(entry.new_owner),
            assigned_by: entry.assigned_by.map(|by| by.to_string()).or(entry.assigned_by_system),
            assigned_by_user: people.name(entry.assigned_by),
            assigned_at: Millis(entry.assigned_at),
            reason: entry.reason,
            position: entry.position,
        }
    }
}
