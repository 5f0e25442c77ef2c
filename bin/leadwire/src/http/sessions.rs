//! `/api/auth`: log in, stay logged in, log out, and who am I.

mod user;

use std::net::IpAddr;

use application::bus::CommandBus as _;
use application::forms;
use axum::extract::{Extension, State};
use chrono::TimeDelta;
use domain::contact::OpenId;
use domain::staff::{Account, Staff};
use domain::{StaffId, StreamId};
use infrastructure::credentials::CredentialsError;
use infrastructure::wechat::CodeProblem;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::addresses::ClientAddress;
use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Kind, Problem};
use super::refusals::{db_problem, load_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use crate::app::{App, SharedApp};
use crate::auth::{Authenticated, Begun, LoggedIn, Origin};

pub use user::User;
pub(super) use user::permissions;

const LOGGED_IN: Text = Text::new("登录成功", "Logged in");
const REFRESHED: Text = Text::new("刷新成功", "The session goes on");
const LOGGED_OUT: Text = Text::new("登出成功", "Logged out");
const IT_IS_YOU: Text = Text::new("获取用户信息成功", "This is you");
const SESSION_IS_GOOD: Text = Text::new("会话有效", "The session is good");

/// How long the token before stays good after a refresh: requests under way and other windows still carry it.
const ROTATION_SECONDS: i64 = 30;

/// How long a session can be kept alive by refreshing; then the person logs in again.
const SESSION_DAYS_MAX: i64 = 30;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(log_in_from_mini_program))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(session))
}

/// A token and whom it names.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// The bearer token.
    access_token: String,
    /// Who logged in.
    user: User,
}

/// Begins a session of somebody who has just proved who it is.
pub(super) async fn begin(app: &App, id: StaffId, account: Account) -> Result<Session, Problem> {
    let now = app.clock.now();
    let generation = app.auth.sessions.generation(id).await.map_err(|error| db_problem(&error))?;
    let begun = Begun {
        sid: Some(app.ids.next()),
        jti: Some(app.ids.next()),
        generation: Some(generation),
        auth_time: Some(now.timestamp()),
    };
    session_of(app, begun, id, account)
}

fn session_of(app: &App, begun: Begun, id: StaffId, account: Account) -> Result<Session, Problem> {
    let token = app.auth.tokens.issue_for(begun, id, &account.username, account.role, app.clock.now());
    let access_token = token.map_err(|_| Problem::of(&problem::INTERNAL))?;
    Ok(Session { access_token, user: User::of(id, account) })
}

/// Logs in with user name and password.
#[utoipa::path(
    post, path = "/api/auth/login", operation_id = "login", tag = "auth", security(()),
    request_body = schemas::LoginBody,
    responses(
        (status = 200, description = "The token and whom it names", body = Enveloped<Session>),
        schemas::LoginProblems
    )
)]
pub async fn login(
    State(app): State<SharedApp>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::Login::parse(request.body).map_err(Problem::fields)?;
    let (id, account) = prove(&app, form.username, form.password, address).await?;
    tracing::info!(staff.id = %id, "{id} logged in");
    Answer::ok(LOGGED_IN, &begin(&app, id, account).await?)
}

/// Logs in from the mini program: WeChat says who stands behind the code, and that person must have bound the own
/// account before. What the client says about itself is not looked at.
#[utoipa::path(
    post, path = "/api/auth/miniprogram-login", operation_id = "log_in_from_mini_program", tag = "auth", security(()),
    request_body = schemas::WechatCodeBody,
    responses(
        (status = 200, description = "The token and whom it names", body = Enveloped<Session>),
        schemas::LoginProblems
    )
)]
pub async fn log_in_from_mini_program(
    State(app): State<SharedApp>,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let code = forms::WechatCode::parse(request.body).map_err(Problem::fields)?;
    let (wechat_app, openid) = openid_of(&app, code, &problem::WECHAT_CODE_INVALID).await?;
    let bound = app.auth.credentials.staff_bound(&wechat_app, &openid).await;
    let id = bound.map_err(|error| db_problem(&error))?;
    let id = id.ok_or_else(|| Problem::of(&problem::WECHAT_NOT_BOUND))?;
    let account = active_account(&app, id).await?.ok_or_else(|| Problem::of(&problem::WECHAT_NOT_BOUND))?;
    tracing::info!(staff.id = %id, "{id} logged in from the mini program");
    Answer::ok(LOGGED_IN, &begin(&app, id, account).await?)
}

/// Who the code of `wx.login` stands for, in which app.
pub(super) async fn openid_of(
    app: &App,
    code: forms::WechatCode,
    refused: &'static Kind,
) -> Result<(String, OpenId), Problem> {
    let wechat = app.auth.wechat.as_ref().ok_or_else(|| Problem::of(&problem::WECHAT_NOT_CONFIGURED))?;
    match wechat.openid(&SecretString::from(code.0)).await {
        Ok(openid) => Ok((wechat.app().to_owned(), openid)),
        Err(CodeProblem::Refused) => Err(Problem::of(refused)),
        Err(CodeProblem::Blocked) => Err(Problem::of(&problem::WECHAT_BLOCKED)),
        Err(CodeProblem::Unavailable { wait, detail }) => {
            tracing::warn!("a login code cannot be exchanged: {detail}");
            // Rounded up: a client that comes back at the very second finds it over.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Err(Problem::of(&problem::WECHAT_UNAVAILABLE).retry_after(seconds))
        }
    }
}

/// A new token for the session of the one that is sent. The old one stays good for half a minute.
#[utoipa::path(
    post, path = "/api/auth/refresh", operation_id = "refresh_session", tag = "auth",
    responses(
        (status = 200, description = "The new token and whom it names", body = Enveloped<Session>),
        schemas::ReadProblems
    )
)]
pub async fn refresh(
    State(app): State<SharedApp>,
    LoggedIn(caller, session): LoggedIn,
) -> Result<Answer, Problem> {
    let now = app.clock.now();
    if session.origin == Origin::Issuer {
        let text = Text::new("请在统一登录平台刷新登录", "Refresh the session where it was begun");
        return Err(Problem::of(&problem::FORBIDDEN).text(text));
    }
    if now - session.since >= TimeDelta::days(SESSION_DAYS_MAX) {
        return Err(Problem::of(&problem::TOKEN_EXPIRED));
    }
    let account =
        active_account(&app, caller.id).await?.ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
    let begun = Begun {
        sid: Some(session.mark.session),
        jti: Some(app.ids.next()),
        generation: session.mark.generation,
        auth_time: Some(session.since.timestamp()),
    };
    let fresh = session_of(&app, begun, caller.id, account)?;
    // A token that is its own session has no name apart from it: ending it would end the session.
    if session.mark.token != session.mark.session {
        let effective_at = now + TimeDelta::seconds(ROTATION_SECONDS);
        let ended = app.auth.sessions.end(session.mark.token, effective_at, session.until).await;
        ended.map_err(|error| db_problem(&error))?;
    }
    Answer::ok(REFRESHED, &fresh)
}

/// Ends the session: every token of it is refused from now on, in every process, and its sockets are closed.
#[utoipa::path(
    post, path = "/api/auth/logout", operation_id = "log_out", tag = "auth",
    responses((status = 200, description = "Logged out", body = Enveloped<Value>), schemas::ReadProblems)
)]
pub async fn logout(
    State(app): State<SharedApp>,
    LoggedIn(caller, session): LoggedIn,
) -> Result<Answer, Problem> {
    let now = app.clock.now();
    // The last token of the session may have been made this very moment.
    let expires_at = session.until.max(now + app.auth.tokens.life());
    let ended = app.auth.sessions.end(session.mark.session, now, expires_at).await;
    ended.map_err(|error| db_problem(&error))?;
    tracing::info!(staff.id = %caller.id, "{} logged out", caller.id);
    Answer::ok(LOGGED_OUT, &Value::Null)
}

/// The account, when it is there; a suspended one is told so.
async fn active_account(app: &App, id: StaffId) -> Result<Option<Account>, Problem> {
    let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?.state;
    if staff.suspended {
        return Err(Problem::of(&problem::ACCOUNT_SUSPENDED));
    }
    Ok(staff.account)
}

/// Checks a password, counting the attempt. Who the person is and whether the account is cut off is told only to whoever knows it.
pub(super) async fn prove(
    app: &App,
    username: String,
    password: String,
    address: Option<IpAddr>,
) -> Result<(StaffId, Account), Problem> {
    let attempts = &app.auth.attempts;
    attempts
        .begin(&username, address, app.clock.now())
        .map_err(|seconds| Problem::of(&problem::TOO_MANY_REQUESTS).retry_after(seconds))?;
    let credentials = &app.auth.credentials;
    let known = credentials.staff_named(&username).await.map_err(|error| db_problem(&error))?;
    let fits = credentials.verify(known, &SecretString::from(password)).await;
    let fits = fits.map_err(|error| credentials_problem(&error))?;
    let Some(id) = known.filter(|_| fits) else {
        return Err(Problem::of(&problem::INVALID_CREDENTIALS));
    };
    attempts.succeeded(&username, address);
    let account = active_account(app, id).await?;
    Ok((id, account.ok_or_else(|| Problem::of(&problem::INVALID_CREDENTIALS))?))
}

pub(super) fn credentials_problem(error: &CredentialsError) -> Problem {
    match error {
        CredentialsError::Db(error) => db_problem(error),
        CredentialsError::Hash(_) | CredentialsError::TooShort => {
            tracing::error!(error = %error, "a password cannot be checked");
            Problem::of(&problem::INTERNAL)
        }
    }
}

/// Who the token names, as the directory knows the person now.
#[utoipa::path(
    get, path = "/api/auth/me", operation_id = "show_me", tag = "auth",
    responses((status = 200, description = "The person", body = Enveloped<User>), schemas::ReadProblems)
)]
pub async fn me(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    let account =
        active_account(&app, caller.id).await?.ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
    Answer::ok(IT_IS_YOU, &User::of(caller.id, account))
}

/// The session of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionState {
    /// Always `true`: whose session is not good gets a 401.
    valid: bool,
    /// Whose it is.
    user: User,
    /// When the token ends.
    #[schema(value_type = DateTime<Utc>)]
    expires_at: Millis,
}

/// Whether the session is good, whose it is, and until when.
#[utoipa::path(
    get, path = "/api/auth/session", operation_id = "show_session", tag = "auth",
    responses((status = 200, description = "The session", body = Enveloped<SessionState>), schemas::ReadProblems)
)]
pub async fn session(
    State(app): State<SharedApp>,
    LoggedIn(caller, session): LoggedIn,
) -> Result<Answer, Problem> {
    let account =
        active_account(&app, caller.id).await?.ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
    let user = User::of(caller.id, account);
    let state = SessionState { valid: true, user, expires_at: Millis(session.until) };
    Answer::ok(SESSION_IS_GOOD, &state)
}
