//! `/api/wechat`: which WeChat account is whose. Made by the person, logged in, with a code that WeChat vouches for;
//! never by what a client says about itself (faults ).

use application::bus::CommandBus as _;
use application::forms;
use application::staff as use_case;
use axum::extract::State;
use domain::staff::{Staff, StaffCommand};
use domain::{Actor, StreamId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Problem};
use super::refusals::load_problem;
use super::schemas::{self, Enveloped};
use super::sessions::openid_of;
use super::text::Text;
use super::users::staff_problem;
use crate::app::SharedApp;
use crate::auth::Authenticated;

const BOUND: Text = Text::new("微信绑定成功", "The WeChat account is bound");
const UNBOUND: Text = Text::new("微信已解绑", "The WeChat account is not bound any more");
const SHOWN: Text = Text::new("获取微信绑定状态成功", "Here is whether a WeChat account is bound");

/// Why the log says a binding ended.
const BY_THE_PERSON: &str = "本人解绑";

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(bind)).routes(routes!(unbind)).routes(routes!(binding))
}

/// Whether the caller has bound a WeChat account of the mini program.
#[derive(Debug, Serialize, ToSchema)]
pub struct Binding {
    /// Whether it is.
    bound: bool,
    /// The mini program; `null` when none is configured.
    appid: Option<String>,
}

/// Binds the WeChat account behind the code to the caller's own account, in place of another one.
#[utoipa::path(
    post, path = "/api/wechat/bind", operation_id = "bind_wechat", tag = "users",
    request_body = schemas::WechatCodeBody,
    responses((status = 200, description = "Bound", body = Enveloped<Binding>), schemas::CommandProblems)
)]
pub async fn bind(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let code = forms::WechatCode::parse(request.body).map_err(Problem::fields)?;
    let (appid, openid) = openid_of(&app, code, &problem::WECHAT_CODE_REFUSED).await?;
    let by = Actor::Staff(caller.id);
    let command = StaffCommand::BindWechat { app: appid.clone(), openid, by, at: context.at };
    let bound = use_case::command(&app.bus, &context, caller.id, command).await.map_err(staff_problem)?;
    app.writes.noted(caller.id, bound.position);
    let answer = Answer::ok(BOUND, &Binding { bound: true, appid: Some(appid) })?;
    Ok(answer.written(bound.position, bound.replayed))
}

/// Takes the caller's WeChat account off. Messages do not reach it any more.
#[utoipa::path(
    post, path = "/api/wechat/unbind", operation_id = "unbind_wechat", tag = "users",
    responses((status = 200, description = "Not bound", body = Enveloped<Binding>), schemas::CommandProblems)
)]
pub async fn unbind(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let wechat = app.auth.wechat.as_ref().ok_or_else(|| Problem::of(&problem::WECHAT_NOT_CONFIGURED))?;
    let appid = wechat.app().to_owned();
    let (by, reason) = (Actor::Staff(caller.id), BY_THE_PERSON.to_owned());
    let command = StaffCommand::UnbindWechat { app: appid.clone(), reason, by, at: context.at };
    let unbound = use_case::command(&app.bus, &context, caller.id, command).await.map_err(staff_problem)?;
    app.writes.noted(caller.id, unbound.position);
    let answer = Answer::ok(UNBOUND, &Binding { bound: false, appid: Some(appid) })?;
    Ok(answer.written(unbound.position, unbound.replayed))
}

/// Whether the caller has bound a WeChat account. Which one is told to nobody.
#[utoipa::path(
    get, path = "/api/wechat/binding", operation_id = "show_wechat_binding", tag = "users",
    responses((status = 200, description = "The binding", body = Enveloped<Binding>), schemas::ReadProblems)
)]
pub async fn binding(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    let staff = app.bus.load::<Staff>(&StreamId::from(caller.id)).await;
    let staff = staff.map_err(|error| load_problem(&error))?.state;
    let appid = app.auth.wechat.as_ref().map(|wechat| wechat.app().to_owned());
    let bound = appid.as_ref().is_some_and(|appid| staff.openids.contains_key(appid));
    Answer::ok(SHOWN, &Binding { bound, appid })
}
