//! Write down a follow-up, from the web console and from the mini program.

use application::access::Caller;
use application::customers::{self as use_case, FollowUp, Treat, Treatment};
use application::forms;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::customer::FollowUpKind;
use domain::{CustomerId, FollowUpId};
use serde::Serialize;
use utoipa::ToSchema;

use super::CustomerPath;
use super::written::{self, Shown};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::people::Person;
use crate::http::problem::Problem;
use crate::http::refusals::customer_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const RECORDED: Text = Text::new("跟进记录已添加", "The follow-up was recorded");

/// A follow-up, as lists and as its creation show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FollowUpDocument {
    /// Its id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    pub id: FollowUpId,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    pub customer_id: CustomerId,
    /// `phone`, `wechat`, `visit` or `other`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What came of it.
    pub content: String,
    /// When to follow up next.
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub next_follow_up_date: Option<Millis>,
    /// Who wrote it; `null` when no person did.
    pub created_by: Option<Person>,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    pub created_at: Millis,
    /// The same: a follow-up never changes.
    #[schema(value_type = DateTime<Utc>)]
    pub updated_at: Millis,
}

/// Writes down a follow-up.
#[utoipa::path(
    post, path = "/api/customers/{id}/follow-ups", operation_id = "record_follow_up", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::FollowUpBody,
    responses(
        (status = 201, description = "The follow-up", body = Enveloped<FollowUpDocument>),
        schemas::CommandProblems
    )
)]
pub async fn record(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    execute(&app, &caller, id, request).await
}

/// The same, from the mini program.
#[utoipa::path(
    post, path = "/api/customers/miniprogram/{id}/follow-ups", operation_id = "record_follow_up_from_mini_program", tag = "customers",
    params(schemas::IdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::FollowUpBody,
    responses(
        (status = 201, description = "The follow-up", body = Enveloped<FollowUpDocument>),
        schemas::CommandProblems
    )
)]
pub async fn record_from_mini_program(
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
    let form = forms::FollowUp::parse(request.body).map_err(Problem::fields)?;
    // The command's own id, so that a repetition of the command names the same follow-up.
    let follow_up = FollowUpId(context.metadata.command.0);
    let what = Treatment::FollowUp(FollowUp {
        id: follow_up,
        kind: form.kind,
        content: form.content.clone(),
        next_at: form.next_at,
    });
    let treat = Treat { customer: id, expected: request.expected, what };
    let executed = match use_case::treat(&app.bus, caller, &context, treat).await {
        Ok(executed) => executed,
        Err(error) => return Err(customer_problem(app, caller, error).await),
    };
    let at = if executed.replayed {
        written_at(&Shown::load(app, &executed.result).await?, context.at)
    } else {
        Millis(context.at)
    };
    let document = FollowUpDocument {
        id: follow_up,
        customer_id: id,
        kind: FollowUpKind::as_str(form.kind),
        content: form.content,
        next_follow_up_date: form.next_at.map(Millis),
        created_by: Some(Person::of(caller)),
        created_at: at,
        updated_at: at,
    };
    written::answer(app, caller, Answer::created(RECORDED, &document)?, &executed)
}

/// When a follow-up was written whose first answer is given again.
fn written_at(shown: &Shown, now: DateTime<Utc>) -> Millis {
    Millis(shown.customer.last_follow_up.as_ref().map_or(now, |last| last.at))
}
