//! Who there is, and one of them.

use application::access::Action;
use application::bus::CommandBus as _;
use application::forms::Rule;
use axum::extract::{RawQuery, State};
use domain::StreamId;
use domain::staff::{Role, Staff};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::staff::{self as query, PAGE_STAFF, PAGE_STAFF_MAX, StaffFilter};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{UserDocument, UserPath, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取用户列表成功", "Here are the users");
const FOUND: Text = Text::new("获取用户信息成功", "Here is the user");

/// One page of users.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPage {
    /// The rows, by name.
    items: Vec<UserDocument>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    page_size: u32,
    /// Number of pages.
    total_pages: i64,
}

/// Parameters of the list of users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct UserListQuery {
    /// Number of the page, from 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Most rows of a page; 10 when missing.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// Literal part of login name, name, phone or department.
    search: Option<String>,
    /// The role, by code or Chinese name.
    role: Option<String>,
    /// Whether the account works.
    active: Option<bool>,
}

/// Lists the staff, by name.
#[utoipa::path(
    get, path = "/api/users", operation_id = "list_users", tag = "users",
    params(UserListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<UserPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
    RawQuery(query): RawQuery,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::PickAssignee)?;
    let mut parameters = Parameters::of(query.as_deref());
    let (page, size) = parameters.page("pageSize", PAGE_STAFF, PAGE_STAFF_MAX);
    let codes = || Role::ALL.iter().map(Role::to_string).collect();
    let filter = StaffFilter {
        search: parameters.text("search"),
        role: parameters.read("role", |text| {
            Role::from_alias(text).ok_or_else(|| Rule::UnknownCode { allowed: codes() })
        }),
        active: parameters.word("active", &[("true", true), ("false", false)]),
    };
    parameters.text(MIN_POSITION);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::StaffDirectory, min).await;
    let request = PageRequest::new(page, size, PAGE_STAFF_MAX);
    let rows = query::page(&app.db, &filter, request).await.map_err(|error| db_problem(&error))?;
    let page = UserPage {
        total: rows.total,
        page: rows.page,
        page_size: rows.limit,
        total_pages: rows.total_pages(),
        items: rows.items.into_iter().filter_map(|row| UserDocument::of(row.id, row.staff)).collect(),
    };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// Shows one member of staff, as of this moment.
#[utoipa::path(
    get, path = "/api/users/{id}", operation_id = "show_user", tag = "users",
    params(schemas::IdPath),
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::ReadProblems)
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
) -> Result<Answer, Problem> {
    if id != caller.id {
        permitted(&caller, Action::PickAssignee)?;
    }
    let found = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?;
    let document = UserDocument::of(id, found.state);
    let document = document.ok_or_else(|| Problem::of(&problem::USER_NOT_FOUND))?;
    Ok(Answer::ok(FOUND, &document)?.version(found.sequence))
}
