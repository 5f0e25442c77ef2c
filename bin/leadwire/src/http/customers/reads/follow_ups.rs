//! What was done about a customer, and where its owner stands with it.

use application::access::{Caller, field_view, free_text};
use axum::extract::{RawQuery, State};
use domain::CustomerId;
use domain::customer::{FollowUpKind, FollowUpStatus};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::follow_ups::{self as query, PAGE_FOLLOW_UPS_MAX};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::CustomerPath;
use super::super::detail::visible;
use super::super::follow_up::FollowUpDocument;
use super::fresh_row;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取跟进记录成功", "Here are the follow-ups");
const STATUS: Text = Text::new("获取跟进状态成功", "Here is where the owner stands");

/// Parameters of the list of follow-ups.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct FollowUpQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Follow-ups of a page.
    #[param(minimum = 1, maximum = 200, default = 200)]
    limit: Option<u32>,
}

/// The follow-ups on a customer, newest first; notes that system A wrote about its own doings are left out.
#[utoipa::path(
    get, path = "/api/customers/{id}/follow-ups", operation_id = "list_follow_ups", tag = "customers",
    params(schemas::IdPath, FollowUpQuery, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The follow-ups", body = Enveloped<Vec<FollowUpDocument>>),
        schemas::ReadProblems
    )
)]
pub async fn follow_ups(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    answer(&app, &caller, id, query.as_deref(), min).await
}

/// The same, for the mini program.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/{id}/follow-ups", operation_id = "list_follow_ups_in_mini_program",
    tag = "mini program",
    params(schemas::IdPath, FollowUpQuery, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The follow-ups", body = Enveloped<Vec<FollowUpDocument>>),
        schemas::ReadProblems
    )
)]
pub async fn follow_ups_in_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    answer(&app, &caller, id, query.as_deref(), min).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    query: Option<&str>,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION);
    let (page, limit) = parameters.page("limit", PAGE_FOLLOW_UPS_MAX, PAGE_FOLLOW_UPS_MAX);
    parameters.finish()?;
    let (row, stale) = fresh_row(app, caller, id, ReadModel::FollowUps, min).await?;
    let view = field_view(caller, &row.customer);
    let request = PageRequest::new(page, limit, PAGE_FOLLOW_UPS_MAX);
    let found = query::of_customer(&app.db, id, request).await.map_err(|error| db_problem(&error))?;
    let people = People::find(app, found.items.iter().filter_map(|item| item.author)).await?;
    let documents = found.items.into_iter().map(|item| FollowUpDocument {
        id: item.id,
        customer_id: item.customer,
        kind: FollowUpKind::as_str(item.kind),
        content: free_text(view, &item.content),
        next_follow_up_date: item.next_follow_up_at.map(Millis),
        created_by: people.person(item.author),
        created_at: Millis(item.created_at),
        updated_at: Millis(item.created_at),
    });
    Ok(Answer::ok(LISTED, &documents.collect::<Vec<_>>())?.read_at(stale))
}

/// Where the owner stands with a customer (existing-systems.md section 1.5).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FollowUpState {
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// Its name.
    customer_name: String,
    /// 新客未跟进, 流转未跟进, 已跟进, or `null` for a signed customer.
    follow_up_status: Option<&'static str>,
    /// How often it went from one owner to another.
    transfer_count: i64,
    /// Whether anybody ever followed up.
    has_follow_up: bool,
    /// Whether its owner did.
    current_owner_has_follow_up: bool,
}

/// Where the owner stands with a customer, by the rule of the list.
#[utoipa::path(
    get, path = "/api/customers/{id}/follow-up-status", operation_id = "show_follow_up_status", tag = "customers",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses((status = 200, description = "The state", body = Enveloped<FollowUpState>), schemas::ReadProblems)
)]
pub async fn follow_up_status(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let behind = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let customer = visible(&app, &caller, id).await?.customer;
    let standing = FollowUpState {
        customer_id: id,
        follow_up_status: customer.follow_up_status().map(FollowUpStatus::as_str),
        transfer_count: customer.transfer_count,
        has_follow_up: customer.last_follow_up.is_some(),
        current_owner_has_follow_up: customer.owner_followed_up(),
        customer_name: free_text(field_view(&caller, &customer), &customer.profile.name),
    };
    Ok(Answer::ok(STATUS, &standing)?.read_at(behind))
}
