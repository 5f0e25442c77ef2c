//! Who was given a customer or gave it up, when, by whom and why.

use application::access::{Caller, FieldView, field_view, free_text};
use axum::extract::State;
use domain::{CustomerId, EventId, StaffId};
use projections::ReadModel;
use projections::queries::assignments::{self, AssignmentEntry};
use serde::Serialize;
use utoipa::ToSchema;

use super::CustomerPath;
use super::reads::fresh_row;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::{People, PersonName};
use crate::http::problem::Problem;
use crate::http::reading::MinPosition;
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取分配历史成功", "Here are the assignments");

/// One time the customer was given to somebody, or given up.
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
    /// `assign`, or `release` when it went into the public pool; nobody has it after that.
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

/// The assignments and releases of a customer, newest first.
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
    answer(&app, &caller, id, min).await
}

/// The same, for the mini program.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/{id}/assignment-logs",
    operation_id = "list_assignment_logs_in_mini_program", tag = "mini program",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The entries", body = Enveloped<Vec<AssignmentLog>>),
        schemas::ReadProblems
    )
)]
pub async fn assignment_logs_in_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    answer(&app, &caller, id, min).await
}

async fn answer(app: &App, caller: &Caller, id: CustomerId, min: MinPosition) -> Result<Answer, Problem> {
    let (row, stale) = fresh_row(app, caller, id, ReadModel::AssignmentLog, min).await?;
    let entries = assignments::of_customer(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let mut named = Vec::new();
    for entry in &entries {
        named.extend([entry.old_owner, entry.new_owner, entry.assigned_by].into_iter().flatten());
    }
    let people = People::find(app, named).await?;
    let view = field_view(caller, &row.customer);
    let logs: Vec<_> = entries.into_iter().map(|entry| AssignmentLog::of(entry, &people, view)).collect();
    Ok(Answer::ok(LISTED, &logs)?.read_at(stale))
}

impl AssignmentLog {
    fn of(entry: AssignmentEntry, people: &People, view: FieldView) -> Self {
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
            reason: entry.reason.map(|reason| free_text(view, &reason)),
            position: entry.position,
        }
    }
}
