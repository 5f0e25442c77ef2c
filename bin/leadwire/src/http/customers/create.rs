//! Create a customer, from the web console and from the mini program.

use application::access::Caller;
use application::bus::Executed;
use application::customers::{self as use_case, Create, CustomerReceipt};
use application::forms;
use axum::extract::State;
use domain::CustomerId;
use serde::Serialize;
use utoipa::ToSchema;

use super::document::CustomerDocument;
use super::written::{self, Shown};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::{customer_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const CREATED: Text = Text::new("客户创建成功", "The customer was created");

/// Creates a customer, owned by its creator unless somebody else is named.
#[utoipa::path(
    post, path = "/api/customers", operation_id = "create_customer", tag = "customers",
    params(schemas::CommandHeaders),
    request_body = schemas::CreateCustomerBody,
    responses(
        (status = 201, description = "The customer", body = Enveloped<CustomerDocument>),
        schemas::CommandProblems
    )
)]
pub async fn create(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let (executed, _, document) = execute(&app, &caller, request).await?;
    written::answer(&app, &caller, Answer::created(CREATED, &document)?, &executed)
}

/// The new customer as the mini program reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MiniProgramCreated {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: CustomerId,
    /// Its number: `CUS` and 11 digits.
    customer_id: String,
    /// When it was created.
    #[schema(value_type = Option<DateTime<Utc>>)]
    created_at: Option<Millis>,
    /// The whole customer.
    customer: CustomerDocument,
    /// `CREATED`.
    action: &'static str,
}

/// Creates a customer from the mini program.
#[utoipa::path(
    post, path = "/api/customers/miniprogram/create", operation_id = "create_customer_from_mini_program", tag = "customers",
    params(schemas::CommandHeaders),
    request_body = schemas::CreateCustomerBody,
    responses(
        (status = 201, description = "The customer", body = Enveloped<MiniProgramCreated>),
        schemas::CommandProblems
    )
)]
pub async fn create_from_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let (executed, id, customer) = execute(&app, &caller, request).await?;
    let created = MiniProgramCreated {
        id,
        customer_id: customer.customer_id.clone(),
        created_at: customer.created_at,
        customer,
        action: "CREATED",
    };
    written::answer(&app, &caller, Answer::created(CREATED, &created)?, &executed)
}

async fn execute(
    app: &App,
    caller: &Caller,
    request: CommandRequest,
) -> Result<(Executed<CustomerReceipt>, CustomerId, CustomerDocument), Problem> {
    let request = request.without_version()?;
    let context = request.context(app, caller, &[]);
    let form = forms::CreateCustomer::parse(request.body).map_err(Problem::fields)?;
    let create = Create {
        id: CustomerId(app.ids.next()),
        profile: form.profile,
        contract_status: form.contract_status,
        lead_level: form.lead_level,
        owner: form.assigned_to,
        reason: form.assignment_reason,
    };
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let created = use_case::create(&app.bus, app.numbers.as_ref(), &limits, caller, &context, create).await;
    match created {
        Ok(executed) => {
            let shown = Shown::load(app, &executed.result).await?;
            let document = shown.document(app, caller).await?;
            Ok((executed, shown.id, document))
        }
        Err(error) => Err(customer_problem(app, caller, error).await),
    }
}
