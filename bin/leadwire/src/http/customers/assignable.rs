//! Who may be given leads.

use application::access::{self, Action};
use axum::extract::State;
use domain::StaffId;
use projections::ReadModel;
use projections::queries::staff::{self, StaffRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取可分配用户列表成功", "Here are the people who may own customers");

/// Somebody who may be given leads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignableUser {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: StaffId,
    /// Name on screens.
    name: String,
    /// Login name.
    username: String,
    /// Role.
    role: &'static str,
    /// Department.
    department: Option<String>,
}

/// The active staff, by name.
#[utoipa::path(
    get, path = "/api/customers/assignable-users", operation_id = "list_assignable_users", tag = "customers",
    params(schemas::ReadHeaders),
    responses(
        (status = 200, description = "The people", body = Enveloped<Vec<AssignableUser>>),
        schemas::ReadProblems
    )
)]
pub async fn assignable_users(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    if !access::allows(caller.role, Action::PickAssignee) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let stale = fresh(&app, &caller, ReadModel::StaffDirectory, min).await;
    let found = staff::assignable(&app.db).await.map_err(|error| db_problem(&error))?;
    let users: Vec<_> = found.into_iter().filter_map(AssignableUser::of).collect();
    Ok(Answer::ok(LISTED, &users)?.read_at(stale))
}

impl AssignableUser {
    fn of(row: StaffRow) -> Option<Self> {
        let account = row.staff.account.filter(|account| access::assignable(account.role))?;
        Some(Self {
            id: row.id,
            name: account.name,
            username: account.username,
            role: account.role.as_str(),
            department: account.department,
        })
    }
}
