//! Give one customer to somebody, from the web console and from the mini program.

use application::access::Caller;
use application::bus::Executed;
use application::customers::{self as use_case, CustomerReceipt};
use application::forms;
use axum::extract::State;
use domain::CustomerId;
use domain::customer::AssignmentSource;
use serde::Serialize;
use utoipa::ToSchema;

use super::CustomerPath;
use super::document::CustomerDocument;
use super::notice::AssignNotice;
use super::written::{self, Shown};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::{customer_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const ASSIGNED: Text = Text::new("客户分配成功", "The customer was assigned");

/// The customer after the assignment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    /// The whole customer.
    #[serde(flatten)]
    customer: CustomerDocument,
    /// What the mini program is handed; only when the customer changed hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_data: Option<AssignNotice>,
}

/// Assigns one customer.
#[utoipa::path(
    patch, path = "/api/customers/{id}/assign", operation_id = "assign_customer", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::AssignBody,
    responses(
        (status = 200, description = "The customer after the assignment", body = Enveloped<Assigned>),
        schemas::CommandProblems
    )
)]
pub async fn assign(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let (executed, shown) = execute(&app, &caller, id, request, AssignmentSource::Manual).await?;
    let notification_data = notice(&caller, &executed, &shown);
    let customer = shown.document(&app, &caller).await?;
    written::answer(
        &app,
        &caller,
        Answer::ok(ASSIGNED, &Assigned { customer, notification_data })?,
        &executed,
    )
}

/// Assigns one customer; `customerId` in the answer is the id, as the mini program expects.
#[utoipa::path(
    patch, path = "/api/customers/miniprogram/{id}/assign", operation_id = "assign_customer_from_mini_program", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::AssignBody,
    responses(
        (status = 200, description = "The customer after the assignment", body = Enveloped<Assigned>),
        schemas::CommandProblems
    )
)]
pub async fn assign_from_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let (executed, shown) = execute(&app, &caller, id, request, AssignmentSource::MiniProgram).await?;
    let notification_data = notice(&caller, &executed, &shown);
    let mut customer = shown.document(&app, &caller).await?;
    customer.customer_id = id.to_string();
    written::answer(
        &app,
        &caller,
        Answer::ok(ASSIGNED, &Assigned { customer, notification_data })?,
        &executed,
    )
}

async fn execute(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    request: CommandRequest,
    source: AssignmentSource,
) -> Result<(Executed<CustomerReceipt>, Shown), Problem> {
    let context = request.context(app, caller, &[id.to_string()]);
    let form = forms::Assign::parse(request.body).map_err(Problem::fields)?;
    let assign = use_case::Assign {
        customer: id,
        expected: request.expected,
        to: form.assigned_to,
        reason: form.assignment_reason,
        source,
    };
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    match use_case::assign(&app.bus, &limits, caller, &context, assign).await {
        Ok(executed) => {
            let shown = Shown::load(app, &executed.result).await?;
            Ok((executed, shown))
        }
        Err(error) => Err(customer_problem(app, caller, error).await),
    }
}

fn notice(caller: &Caller, executed: &Executed<CustomerReceipt>, shown: &Shown) -> Option<AssignNotice> {
    executed.result.changed.then(|| AssignNotice::of(caller, shown.id, &shown.customer))
}
