//! The public form 官网留资: anybody may send it, and nobody learns from it whose phone is known (fault A-15).

use application::customers::{self as use_case, WEBSITE, WebsiteLead};
use application::forms;
use axum::extract::State;
use domain::{Actor, CustomerId, StaffId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::{anonymous_problem, db_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

/// The same for a known and for an unknown phone.
const SUBMITTED: Text = Text::new("提交成功", "Thank you, we will call you");

/// What the sender learns: nothing but that it arrived.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// An id to quote; says nothing about who is known.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
}

/// Makes a lead of what somebody wrote on the website.
#[utoipa::path(
    post, path = "/api/customers/website-lead", operation_id = "submit_website_lead", tag = "customers", security(()),
    params(schemas::CommandHeaders),
    request_body = schemas::WebsiteLeadBody,
    responses(
        (status = 201, description = "It arrived", body = Enveloped<Received>),
        schemas::CommandProblems
    )
)]
pub async fn website_lead(State(app): State<SharedApp>, request: CommandRequest) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let context = request.context_of(&app, WEBSITE, Actor::System(WEBSITE.to_owned()), &[]);
    let form = forms::WebsiteLead::parse(request.body).map_err(Problem::fields)?;
    // The command's own id, whatever becomes of the form: a sender who repeats it must not learn from another id that
    // the phone was known.
    let id = CustomerId(context.metadata.command.0);
    let lead = WebsiteLead {
        id,
        name: form.name,
        phone: form.phone,
        service_category: form.service_category,
        remarks: form.remarks,
    };
    let owner = default_owner(&app).await?;
    let submitted = use_case::website_lead(&app.bus, app.numbers.as_ref(), &context, owner, lead).await;
    submitted.map_err(anonymous_problem)?;
    Answer::created(SUBMITTED, &Received { customer_id: id })
}

/// The configured owner of such leads, if that account exists.
async fn default_owner(app: &App) -> Result<Option<StaffId>, Problem> {
    match &app.settings.limits.website_owner {
        None => Ok(None),
        Some(username) => {
            let found = app.auth.credentials.staff_named(username).await;
            found.map_err(|error| db_problem(&error))
        }
    }
}
