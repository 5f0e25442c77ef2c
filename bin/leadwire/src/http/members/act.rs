//! One thing done with one member: changed, activated, upgraded, revoked, deleted. The operator is whoever is logged in,
//! never whom a header names (fault S-18).

use application::access::Caller;
use application::bus::Executed;
use application::forms;
use application::members::{self as use_case, Act, Action, MemberReceipt};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::MemberId;

use super::document::MemberDocument;
use super::{MemberIdPath, MemberPath, after, done, written};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::{Answer, IDEMPOTENT_REPLAYED, X_POSITION};
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const UPDATED: Text = Text::new("会员资料已更新", "The member was updated");
const ACTIVATED: Text = Text::new("会员已激活", "The member is active");
const UPGRADED: Text = Text::new("会员升级成功", "The member was upgraded");
const REVOKED: Text = Text::new("会员已撤销", "The membership was taken back");

/// Changes fields of a member. Absent and blank fields stay, `null` clears; type and status have commands of their own.
#[utoipa::path(
    patch, path = "/api/members/{id}", operation_id = "update_member", tag = "members",
    params(MemberIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::MemberColumns,
    responses(
        (status = 200, description = "The member after the change", body = Enveloped<MemberDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn update(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let forms::UpdateMember(changes) =
        forms::UpdateMember::parse(request.body.clone()).map_err(Problem::fields)?;
    show(&app, &caller, id, &request, Action::Update(Box::new(changes)), UPDATED).await
}

/// Lets a member take part, whether it waited or its membership had been taken back.
#[utoipa::path(
    post, path = "/api/members/{id}/activate", operation_id = "activate_member", tag = "members",
    params(MemberIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses(
        (status = 200, description = "The member", body = Enveloped<MemberDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn activate(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    forms::Empty::parse(request.body.clone()).map_err(Problem::fields)?;
    show(&app, &caller, id, &request, Action::Activate, ACTIVATED).await
}

/// Writes down that a member paid for more, or for the same until a later day.
#[utoipa::path(
    post, path = "/api/members/{id}/upgrade", operation_id = "upgrade_member", tag = "members",
    params(MemberIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = schemas::UpgradeMemberBody,
    responses(
        (status = 200, description = "The member", body = Enveloped<MemberDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn upgrade(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let forms::UpgradeMember(upgrade) =
        forms::UpgradeMember::parse(request.body.clone()).map_err(Problem::fields)?;
    show(&app, &caller, id, &request, Action::Upgrade(upgrade), UPGRADED).await
}

/// Takes a membership back.
#[utoipa::path(
    post, path = "/api/members/{id}/revoke", operation_id = "revoke_member", tag = "members",
    params(MemberIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body(content = Option<schemas::RevokeMemberBody>),
    responses(
        (status = 200, description = "The member", body = Enveloped<MemberDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn revoke(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::RevokeMember::parse(request.body.clone()).map_err(Problem::fields)?;
    show(&app, &caller, id, &request, Action::Revoke { reason: form.reason }, REVOKED).await
}

/// Takes a member off every list. The log keeps what happened; number, phone and WeChat id are free again.
#[utoipa::path(
    delete, path = "/api/members/{id}", operation_id = "delete_member", tag = "members",
    params(MemberIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses((status = 204, description = "Deleted"), schemas::CommandProblems)
)]
pub(super) async fn delete(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let executed = carried_out(&app, &caller, id, &request, Action::Delete).await?;
    app.writes.noted(caller.id, executed.position);
    let position = [(X_POSITION, executed.position.to_string())];
    let mut response = (StatusCode::NO_CONTENT, position).into_response();
    if executed.replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

async fn show(
    app: &App,
    caller: &Caller,
    id: MemberId,
    request: &CommandRequest,
    action: Action,
    text: Text,
) -> Result<Answer, Problem> {
    let executed = carried_out(app, caller, id, request, action).await?;
    let document = after(app, caller, &executed.result).await?;
    Ok(written(app, caller, Answer::ok(text, &document)?, &executed))
}

async fn carried_out(
    app: &App,
    caller: &Caller,
    id: MemberId,
    request: &CommandRequest,
    action: Action,
) -> Result<Executed<MemberReceipt>, Problem> {
    let context = request.context(app, caller, &[id.to_string()]);
    let act = Act { member: id, expected: request.expected, action };
    done(use_case::act(&app.bus, caller, &context, act).await)
}
