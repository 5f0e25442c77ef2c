//! Create a customer.

use application::customers::{self as use_case, Create};
use application::forms;
use axum::extract::State;
use domain::CustomerId;

use super::document::CustomerDocument;
use super::written::{self, Shown};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::customer_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

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
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::CreateCustomer::parse(request.body).map_err(Problem::fields)?;
    let create = Create {
        id: CustomerId(app.ids.next()),
        profile: form.profile,
        contract_status: form.contract_status,
        lead_level: form.lead_level,
        owner: form.assigned_to,
        reason: form.assignment_reason,
    };
    match use_case::create(&app.bus, app.numbers.as_ref(), &caller, &context, create).await {
        Ok(executed) => {
            let shown = Shown::load(&app, &executed.result).await?;
            let document = shown.document(&app, &caller).await?;
            written::answer(&app, &caller, Answer::created(CREATED, &document)?, &executed)
        }
        Err(error) => Err(customer_problem(&app, &caller, error).await),
    }
}
