//! A member that somebody of the staff types in.

use application::access::Action;
use application::forms;
use application::members::{self as use_case, Register};
use axum::extract::State;
use domain::MemberId;

use super::document::MemberDocument;
use super::{after, done, may, written};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const REGISTERED: Text = Text::new("会员登记成功", "The member was registered");

/// Registers a member. Number, WeChat id and phone are required and belong to one member only; where nothing is said, it
/// is an active, normal member with one match for women and none for others.
#[utoipa::path(
    post, path = "/api/members", operation_id = "register_member", tag = "members",
    params(schemas::CommandHeaders),
    request_body = schemas::MemberColumns,
    responses(
        (status = 201, description = "The member", body = Enveloped<MemberDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn register(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::RegisterMember)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let forms::RegisterMember(fields) =
        forms::RegisterMember::parse(request.body).map_err(Problem::fields)?;
    let register = Register { id: MemberId(app.ids.next()), fields };
    let executed = done(use_case::register(&app.bus, &caller, &context, register).await)?;
    let document = after(&app, &caller, &executed.result).await?;
    Ok(written(&app, &caller, Answer::created(REGISTERED, &document)?, &executed))
}
