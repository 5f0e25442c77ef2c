//! A new password, by the person or by an administrator. Every session of the person ends with it.

use application::access::Action;
use application::bus::CommandBus as _;
use application::forms::{self, FieldError, Rule};
use axum::extract::{Extension, State};
use domain::StreamId;
use domain::staff::Staff;
use serde_json::Value;

use super::write::set_password;
use super::{UserPath, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::addresses::ClientAddress;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::refusals::load_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::sessions::{begin, prove};
use crate::http::text::Text;

const CHANGED: Text = Text::new("密码修改成功", "The password was changed");

/// Sets a password. For one's own account the old one is needed and a new session is answered; an administrator sets
/// anybody else's. Every session the person had is ended.
#[utoipa::path(
    post, path = "/api/users/{id}/password", operation_id = "change_password", tag = "users",
    params(schemas::IdPath),
    request_body = schemas::ChangePasswordBody,
    responses(
        (status = 200, description = "A new session for the own account, else nothing", body = Enveloped<Value>),
        (status = 429, description = "Too many wrong passwords", body = schemas::ProblemSchema, content_type = "application/problem+json"),
        schemas::CommandProblems
    )
)]
pub async fn change(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    if id != caller.id {
        permitted(&caller, Action::EditStaff)?;
    }
    let form = forms::ChangePassword::parse(request.body).map_err(Problem::fields)?;
    let now = app.clock.now();
    if id != caller.id {
        let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?;
        staff.state.account.ok_or_else(|| Problem::of(&problem::USER_NOT_FOUND))?;
        set_password(&app, id, form.new, now).await?;
        tracing::info!(staff.id = %id, by.id = %caller.id, "the password of {id} was set");
        return Answer::ok(CHANGED, &Value::Null);
    }
    let missing = || Problem::fields(vec![FieldError::new("oldPassword", Rule::Required)]);
    let old = form.old.ok_or_else(missing)?;
    // Counted like a log-in: a stolen session must not be a place to guess the password.
    let proved = prove(&app, caller.username, old, address).await.map_err(|refused| {
        if refused.kind == &problem::INVALID_CREDENTIALS {
            Problem::of(&problem::WRONG_PASSWORD)
        } else {
            refused
        }
    });
    let (_, account) = proved?;
    set_password(&app, id, form.new, now).await?;
    tracing::info!(staff.id = %id, "{id} changed the own password");
    Answer::ok(CHANGED, &begin(&app, id, account).await?)
}
