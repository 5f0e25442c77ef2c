//! Who may be given leads.

use std::collections::HashMap;

use application::access::{self, Action};
use axum::extract::{RawQuery, State};
use domain::StaffId;
use projections::ReadModel;
use projections::queries::staff::{self, StaffRow};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::reachability::{self, Reachability};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
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
    /// How the person can be reached now; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reachability: Option<Reachability>,
}

/// What may be asked for besides.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AssignableQuery {
    /// `true`: also tell how each person can be reached now.
    pub reachability: Option<bool>,
}

/// The active staff, by name.
#[utoipa::path(
    get, path = "/api/customers/assignable-users", operation_id = "list_assignable_users", tag = "customers",
    params(AssignableQuery, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The people", body = Enveloped<Vec<AssignableUser>>),
        schemas::ReadProblems
    )
)]
pub async fn assignable_users(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    if !access::allows(caller.role, Action::PickAssignee) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let wanted = parse(query.as_deref())?;
    let stale = fresh(&app, &caller, ReadModel::StaffDirectory, min).await;
    let found = staff::assignable(&app.db).await.map_err(|error| db_problem(&error))?;
    let mut reachable = if wanted { reachability::of(&app, &found).await? } else { HashMap::new() };
    let users = found.into_iter().filter_map(|row| {
        let reachability = reachable.remove(&row.id);
        AssignableUser::of(row, reachability)
    });
    let users: Vec<_> = users.collect();
    Ok(Answer::ok(LISTED, &users)?.read_at(stale))
}

/// Whether reachability is wanted.
fn parse(query: Option<&str>) -> Result<bool, Problem> {
    let mut parameters = Parameters::of(query);
    let wanted = parameters.word("reachability", &[("true", true), ("false", false)]);
    parameters.text(MIN_POSITION); // read by its own extractor
    parameters.finish()?;
    Ok(wanted.unwrap_or(false))
}

impl AssignableUser {
    fn of(row: StaffRow, reachability: Option<Reachability>) -> Option<Self> {
        let account = row.staff.account.filter(|account| access::assignable(account.role))?;
        Some(Self {
            id: row.id,
            name: account.name,
            username: account.username,
            role: account.role.as_str(),
            department: account.department,
            reachability,
        })
    }
}
