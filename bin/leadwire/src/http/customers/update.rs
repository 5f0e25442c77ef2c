//! Change a customer's fields; never who owns it (fault A-12).

use application::access::Caller;
use application::customers::{self as use_case, CustomerReceipt, CustomerResult, Update};
use application::forms;
use axum::extract::State;
use domain::CustomerId;

use super::CustomerPath;
use super::document::CustomerDocument;
use super::reads::mini_program::MiniProgramCustomer;
use super::written::{self, Shown};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::customer_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const UPDATED: Text = Text::new("客户更新成功", "The customer was updated");

/// Changes fields of a customer. Absent and blank fields stay, `null` clears.
#[utoipa::path(
    patch, path = "/api/customers/{id}", operation_id = "update_customer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::UpdateCustomerBody,
    responses(
        (status = 200, description = "The customer after the change", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn update(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let done = execute(&app, &caller, id, request).await?;
    written::show(&app, &caller, done, UPDATED).await
}

/// The same, from the mini program, which is answered with everybody's names.
#[utoipa::path(
    patch, path = "/api/customers/miniprogram/{id}", operation_id = "update_customer_from_mini_program", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::UpdateCustomerBody,
    responses(
        (status = 200, description = "The customer after the change", body = Enveloped<MiniProgramCustomer>),
        schemas::CommandProblems
    )
)]
pub async fn update_from_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let executed = match execute(&app, &caller, id, request).await? {
        Ok(executed) => executed,
        Err(error) => return Err(customer_problem(&app, &caller, error).await),
    };
    let Shown { customer, .. } = Shown::load(&app, &executed.result).await?;
    let shown = MiniProgramCustomer::of(&app, &caller, id, &customer).await?;
    written::answer(&app, &caller, Answer::ok(UPDATED, &shown)?, &executed)
}

async fn execute(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    request: CommandRequest,
) -> Result<CustomerResult<CustomerReceipt>, Problem> {
    let context = request.context(app, caller, &[id.to_string()]);
    let form = forms::UpdateCustomer::parse(request.body).map_err(Problem::fields)?;
    let update = Update {
        customer: id,
        expected: request.expected,
        changes: form.changes,
        contract_status: form.contract_status,
        lead_level: form.lead_level,
    };
    Ok(use_case::update(&app.bus, caller, &context, update).await)
}
