//! One thing said about one customer: freeze, unfreeze, automatic moves, level O, deletion.

use application::access::Caller;
use application::customers::{self as use_case, Treat, Treatment};
use application::forms;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::CustomerId;

use super::CustomerPath;
use super::document::CustomerDocument;
use super::written;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::{Answer, IDEMPOTENT_REPLAYED, X_POSITION};
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::customer_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const FROZEN: Text = Text::new("线索已冻结", "The customer is frozen");
const UNFROZEN: Text = Text::new("线索已解冻", "The customer is no longer frozen");
const SET: Text = Text::new("自动流转设置已更新", "Automatic moves were set");
const LEVEL_O: Text = Text::new("线索等级已更新为O类", "The level is O now");

/// Keeps a customer where it is: no release, no recycling, no automatic move.
#[utoipa::path(
    patch, path = "/api/customers/{id}/freeze", operation_id = "freeze_customer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body(content = Option<schemas::FreezeBody>),
    responses(
        (status = 200, description = "The customer", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn freeze(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::Freeze::parse(request.body.clone()).map_err(Problem::fields)?;
    execute(&app, &caller, id, &request, Treatment::Freeze { reason: form.reason }, FROZEN).await
}

/// Lets a customer move again.
#[utoipa::path(
    patch, path = "/api/customers/{id}/unfreeze", operation_id = "unfreeze_customer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body(content = Option<schemas::FreezeBody>),
    responses(
        (status = 200, description = "The customer", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn unfreeze(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::Freeze::parse(request.body.clone()).map_err(Problem::fields)?;
    execute(&app, &caller, id, &request, Treatment::Unfreeze { reason: form.reason }, UNFROZEN).await
}

/// Says whether rules may hand a customer on. Not in system A, where nothing could change it.
#[utoipa::path(
    patch, path = "/api/customers/{id}/auto-transfer", operation_id = "set_auto_transfer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::AutoTransferBody,
    responses(
        (status = 200, description = "The customer", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn auto_transfer(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::AutoTransfer::parse(request.body.clone()).map_err(Problem::fields)?;
    execute(&app, &caller, id, &request, Treatment::AutoTransfer { enabled: form.enabled }, SET).await
}

/// Sets the level of a signed customer to O.
#[utoipa::path(
    patch, path = "/api/customers/{id}/sync-lead-level-o", operation_id = "sync_lead_level_o", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses(
        (status = 200, description = "Done", body = Enveloped<Option<CustomerDocument>>),
        schemas::CommandProblems
    )
)]
pub async fn sync_lead_level_o(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    // System A's pages send nothing or an empty object.
    forms::Freeze::parse(request.body.clone()).map_err(Problem::fields)?;
    let done = treat(&app, &caller, id, &request, Treatment::LevelO).await;
    match done {
        Ok(executed) => {
            written::answer(&app, &caller, Answer::ok(LEVEL_O, &serde_json::Value::Null)?, &executed)
        }
        Err(error) => Err(customer_problem(&app, &caller, error).await),
    }
}

/// Takes a customer off every list. The log keeps what happened; phone and WeChat id are free again.
#[utoipa::path(
    delete, path = "/api/customers/{id}", operation_id = "delete_customer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses((status = 204, description = "Deleted"), schemas::CommandProblems)
)]
pub async fn delete(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Response, Problem> {
    match treat(&app, &caller, id, &request, Treatment::Delete).await {
        Ok(executed) => {
            app.writes.noted(caller.id, executed.position);
            let mut response =
                (StatusCode::NO_CONTENT, [(X_POSITION, executed.position.to_string())]).into_response();
            if executed.replayed {
                response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
            }
            Ok(response)
        }
        Err(error) => Err(customer_problem(&app, &caller, error).await),
    }
}

async fn execute(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    request: &CommandRequest,
    how: Treatment,
    text: Text,
) -> Result<Answer, Problem> {
    let done = treat(app, caller, id, request, how).await;
    written::show(app, caller, done, text).await
}

async fn treat(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    request: &CommandRequest,
    what: Treatment,
) -> use_case::CustomerResult<use_case::CustomerReceipt> {
    let context = request.context(app, caller, &[id.to_string()]);
    use_case::treat(&app.bus, caller, &context, Treat { customer: id, expected: request.expected, what })
        .await
}
