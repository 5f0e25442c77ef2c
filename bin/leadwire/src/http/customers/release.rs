//! Put one customer into the public pool, from the web console and from the mini program.

use application::access::Caller;
use application::customers::{self as use_case, Release};
use application::forms;
use axum::extract::State;
use domain::CustomerId;

use super::CustomerPath;
use super::document::CustomerDocument;
use super::written;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const RELEASED: Text = Text::new("客户已释放到公海", "The customer is in the public pool now");

/// Puts one customer into the public pool.
#[utoipa::path(
    post, path = "/api/customers/{id}/release-to-pool", operation_id = "release_customer", tag = "public pool",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::ReleaseBody,
    responses(
        (status = 200, description = "The customer in the pool", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn release(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    execute(&app, &caller, id, request).await
}

/// The same, from the mini program.
#[utoipa::path(
    post, path = "/api/customers/miniprogram/{id}/release-to-pool", operation_id = "release_customer_from_mini_program", tag = "public pool",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::ReleaseBody,
    responses(
        (status = 200, description = "The customer in the pool", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn release_from_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    execute(&app, &caller, id, request).await
}

async fn execute(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(app, caller, &[id.to_string()]);
    let form = forms::Release::parse(request.body).map_err(Problem::fields)?;
    let release = Release { customer: id, expected: request.expected, reason: form.reason };
    let done = use_case::release(&app.bus, caller, &context, release).await;
    written::show(app, caller, done, RELEASED).await
}
