//! `/api/auth`: log in, and who am I.

use std::net::{IpAddr, SocketAddr};

use application::access::{Action, allows};
use application::bus::CommandBus as _;
use application::forms;
use axum::extract::{ConnectInfo, Extension, State};
use domain::staff::{Account, Role, Staff};
use domain::{StaffId, StreamId};
use infrastructure::credentials::CredentialsError;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Problem};
use super::refusals::{db_problem, load_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

const LOGGED_IN: Text = Text::new("登录成功", "Logged in");
const IT_IS_YOU: Text = Text::new("获取用户信息成功", "This is you");

/// System A's permission codes, and what each stands for in the one permission table.
const CODES: [(&str, Action); 4] = [
    ("customer:view", Action::ViewCustomers),
    ("customer:create", Action::CreateCustomer),
    ("customer:edit", Action::UpdateCustomer),
    ("user:view", Action::PickAssignee),
];

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(me))
}

/// A token and whom it names.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// The bearer token.
    access_token: String,
    /// Who logged in.
    user: User,
}

/// A person as system A's clients know it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Id.
    #[schema(value_type = uuid::Uuid)]
    id: StaffId,
    /// Login name.
    username: String,
    /// Name on screens.
    name: String,
    /// Phone.
    phone: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// Picture; none is kept.
    avatar: Option<String>,
    /// Role.
    #[schema(value_type = String)]
    role: Role,
    /// Department.
    department: Option<String>,
    /// System A's permission codes.
    permissions: Vec<&'static str>,
    /// When the account was made.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
}

impl User {
    fn of(id: StaffId, account: Account) -> Self {
        Self {
            id,
            username: account.username,
            name: account.name,
            phone: account.phone.map(|phone| phone.as_str().to_owned()),
            email: account.email,
            avatar: None,
            role: account.role,
            department: account.department,
            permissions: permissions(account.role),
            created_at: Millis(account.created_at),
        }
    }
}

fn permissions(role: Role) -> Vec<&'static str> {
    if role == Role::Admin {
        return vec!["*"];
    }
    CODES.iter().filter(|(_, action)| allows(role, *action)).map(|(code, _)| *code).collect()
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
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let form = forms::Login::parse(request.body).map_err(Problem::fields)?;
    let address = address.map(|Extension(ConnectInfo(address))| address.ip());
    let (id, account) = prove(&app, form.username, form.password, address).await?;
    let token = app.auth.tokens.issue(id, &account.username, account.role, app.clock.now());
    let access_token = token.map_err(|_| Problem::of(&problem::INTERNAL))?;
    tracing::info!(staff.id = %id, "{id} logged in");
    Answer::ok(LOGGED_IN, &Session { access_token, user: User::of(id, account) })
}

/// Checks a password. Who the person is and whether the account is cut off is told only to whoever knows it.
async fn prove(
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
    let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?.state;
    if staff.suspended {
        return Err(Problem::of(&problem::ACCOUNT_SUSPENDED));
    }
    let account = staff.account.ok_or_else(|| Problem::of(&problem::INVALID_CREDENTIALS))?;
    Ok((id, account))
}

fn credentials_problem(error: &CredentialsError) -> Problem {
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
    let staff = app.bus.load::<Staff>(&StreamId::from(caller.id)).await;
    let staff = staff.map_err(|error| load_problem(&error))?.state;
    let account = staff.account.ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
    Answer::ok(IT_IS_YOU, &User::of(caller.id, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_come_from_the_one_table() {
        for (role, expected) in [
            (Role::Admin, vec!["*"]),
            (Role::Manager, vec!["customer:view", "customer:create", "customer:edit", "user:view"]),
            (Role::Employee, vec!["customer:view", "customer:create", "customer:edit"]),
        ] {
            assert_eq!(permissions(role), expected, "{role}");
        }
    }
}
