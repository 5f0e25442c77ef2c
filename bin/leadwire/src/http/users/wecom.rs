//! Which member of the configured WeCom corporation a member of staff is. An administrator says so: WeCom's userids are
//! given out by the corporation itself, so there is nothing to prove.

use application::access::Action;
use application::forms;
use application::staff as use_case;
use axum::extract::State;
use domain::Actor;
use domain::staff::StaffCommand;

use super::write::answer;
use super::{UserDocument, UserPath, permitted, staff_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const BOUND: Text = Text::new("企业微信绑定成功", "The WeCom member is bound");
const UNBOUND: Text = Text::new("企业微信已解绑", "No WeCom member is bound any more");

/// Why the log says a binding ended.
const BY_AN_ADMINISTRATOR: &str = "管理员解绑";

/// Binds a member of the configured corporation, in place of another one.
#[utoipa::path(
    put, path = "/api/users/{id}/wecom-binding", operation_id = "bind_wecom", tag = "users",
    params(schemas::IdPath, schemas::CommandHeaders),
    request_body = schemas::WecomBindingBody,
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn bind(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[id.to_string()]);
    let form = forms::WecomBinding::parse(request.body).map_err(Problem::fields)?;
    let (corp, by) = (corp(&app)?, Actor::Staff(caller.id));
    let command = StaffCommand::BindWecom { corp, user: form.user, by, at: context.at };
    let bound = use_case::command(&app.bus, &context, id, command).await.map_err(staff_problem)?;
    answer(&app, &caller, &bound, Answer::ok, BOUND).await
}

/// Takes the member off. Messages of WeCom do not reach the person any more.
#[utoipa::path(
    delete, path = "/api/users/{id}/wecom-binding", operation_id = "unbind_wecom", tag = "users",
    params(schemas::IdPath, schemas::CommandHeaders),
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn unbind(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let context = request.without_version()?.context(&app, &caller, &[id.to_string()]);
    let (corp, by) = (corp(&app)?, Actor::Staff(caller.id));
    let reason = BY_AN_ADMINISTRATOR.to_owned();
    let command = StaffCommand::UnbindWecom { corp, reason, by, at: context.at };
    let unbound = use_case::command(&app.bus, &context, id, command).await.map_err(staff_problem)?;
    answer(&app, &caller, &unbound, Answer::ok, UNBOUND).await
}

/// The corporation of the application, or of the robot when there is no application.
fn corp(app: &App) -> Result<String, Problem> {
    let of_app = app.settings.wecom_app.as_ref().map(|set| set.channel.corp.clone());
    let of_robot = || app.settings.wecom_robot.as_ref().and_then(|set| set.channel.corp.clone());
    of_app.or_else(of_robot).ok_or_else(|| Problem::of(&problem::WECOM_NOT_CONFIGURED))
}
