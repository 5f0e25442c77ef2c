//! The public form of members: anybody may send it, so many of one address and so many in all (`super::super::rate_limits`),
//! and nobody learns from it whose phone or WeChat id is known.

use application::forms;
use application::members::{PUBLIC_FORM, PublicRegistration, register_publicly};
use axum::extract::{Request, State};
use domain::{Actor, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use super::member_problem;
use crate::app::SharedApp;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

/// Largest form, in bytes: its two long texts in their longest form fit, and a picture does not.
pub const REGISTRATION_BYTES_MAX: usize = 64 * 1024;

/// The same for somebody known and somebody new.
const SUBMITTED: Text = Text::new("提交成功", "Thank you, we will contact you");

/// What the sender learns: nothing but that it arrived.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegistrationReceived {
    /// An id to quote; says nothing about who is known.
    #[schema(value_type = uuid::Uuid)]
    id: MemberId,
}

/// Registers whoever fills in the form. WeChat id and phone are required; number, type, status and what the staff decides
/// are not the sender's to say.
#[utoipa::path(
    post, path = "/api/members/register", operation_id = "register_myself", tag = "members", security(()),
    params(schemas::CommandHeaders),
    request_body = schemas::MyselfColumns,
    responses(
        (status = 201, description = "It arrived", body = Enveloped<RegistrationReceived>),
        schemas::CommandProblems
    )
)]
pub(super) async fn register_myself(
    State(app): State<SharedApp>,
    request: Request,
) -> Result<Answer, Problem> {
    let max = REGISTRATION_BYTES_MAX.min(app.settings.server.body_bytes_max);
    let request = CommandRequest::of_at_most(request, max).await?.without_version()?;
    let context = request.context_of(&app, PUBLIC_FORM, Actor::System(PUBLIC_FORM.to_owned()), &[]);
    let forms::RegisterMyself(fields) =
        forms::RegisterMyself::parse(request.body).map_err(Problem::fields)?;
    // The command's own id, whatever becomes of the form: a sender who repeats it must not learn from another id that
    // the phone was known. Neither position nor version is told, for the same reason.
    let id = MemberId(context.metadata.command.0);
    let form = PublicRegistration { id, fields };
    register_publicly(&app.bus, &context, form).await.map_err(member_problem)?;
    Answer::created(SUBMITTED, &RegistrationReceived { id })
}
