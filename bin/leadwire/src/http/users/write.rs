//! Make and change accounts.

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, CommandContext};
use application::forms::{self, FieldError, Rule};
use application::staff as use_case;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::staff::{Staff, StaffCommand, StaffPatch};
use domain::{Actor, StaffId, StreamId};
use secrecy::SecretString;
use serde_json::Value;

use super::{UserDocument, UserPath, Written, permitted, staff_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::sessions::credentials_problem;
use crate::http::text::Text;

const CREATED: Text = Text::new("用户创建成功", "The user was created");
const UPDATED: Text = Text::new("用户更新成功", "The user was changed");
const SUSPENDED: Text = Text::new("账号已停用", "The account is suspended");
const ACTIVATED: Text = Text::new("账号已启用", "The account works again");

/// Makes an account.
#[utoipa::path(
    post, path = "/api/users", operation_id = "create_user", tag = "users",
    params(schemas::CommandHeaders),
    request_body = schemas::CreateUserBody,
    responses((status = 201, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn create(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let (request, form) = without_password(request.without_version()?, forms::CreateUser::parse)?;
    let context = request.context(&app, &caller, &[]);
    let (by, at) = (Actor::Staff(caller.id), context.at);
    let task = StaffPatch { monthly_task: form.monthly_task.map(Some), ..StaffPatch::default() };
    let register = StaffCommand::Register {
        username: form.username,
        name: form.name,
        role: form.role,
        department: form.department,
        phone: form.phone,
        email: form.email,
        by: by.clone(),
        at,
    };
    let requests = [register, StaffCommand::Update { changes: task, by, at }];
    let id = StaffId(app.ids.next());
    let written = use_case::commands(&app.bus, &context, id, &requests).await.map_err(staff_problem)?;
    let id = written.result.staff;
    // A repetition finishes what a crash left undone, and no more.
    let has_one = app.auth.credentials.has_password(id).await.map_err(|error| db_problem(&error))?;
    if !has_one {
        set_password(&app, id, form.password, at).await?;
    }
    answer(&app, &caller, &written, Answer::created, CREATED).await
}

/// Changes what is known about a member of staff, the role, whether the account works, or the password: all of it or
/// none, except that a password is set last.
#[utoipa::path(
    patch, path = "/api/users/{id}", operation_id = "update_user", tag = "users",
    params(schemas::IdPath, schemas::CommandHeaders),
    request_body = schemas::UpdateUserBody,
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn update(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let (request, form) = without_password(request.without_version()?, forms::UpdateUser::parse)?;
    let context = request.context(&app, &caller, &[id.to_string()]);
    if let Some(username) = &form.username {
        same_username(&app, id, username).await?;
    }
    let (by, at) = (Actor::Staff(caller.id), context.at);
    let mut requests = vec![StaffCommand::Update { changes: form.changes, by: by.clone(), at }];
    requests.extend(form.role.map(|role| StaffCommand::ChangeRole { role, by: by.clone(), at }));
    requests.extend(form.active.map(|active| {
        let by = by.clone();
        if active { StaffCommand::Activate { by, at } } else { StaffCommand::Suspend { by, at } }
    }));
    let written = carry_out(&app, &context, id, &requests).await?;
    if let Some(password) = form.password.filter(|_| !written.replayed) {
        set_password(&app, id, password, at).await?;
    }
    answer(&app, &caller, &written, Answer::ok, UPDATED).await
}

/// Cuts an account off, at once: its requests are refused and its sockets closed.
#[utoipa::path(
    post, path = "/api/users/{id}/suspend", operation_id = "suspend_user", tag = "users",
    params(schemas::IdPath, schemas::CommandHeaders),
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn suspend(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let command = |by, at| StaffCommand::Suspend { by, at };
    set_active(&app, &caller, id, request.without_version()?, command, SUSPENDED).await
}

/// Lets an account work again. Sessions from before the suspension have ended: the person logs in.
#[utoipa::path(
    post, path = "/api/users/{id}/activate", operation_id = "activate_user", tag = "users",
    params(schemas::IdPath, schemas::CommandHeaders),
    responses((status = 200, description = "The user", body = Enveloped<UserDocument>), schemas::CommandProblems)
)]
pub async fn activate(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    UserPath(id): UserPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let command = |by, at| StaffCommand::Activate { by, at };
    set_active(&app, &caller, id, request.without_version()?, command, ACTIVATED).await
}

async fn set_active(
    app: &App,
    caller: &Caller,
    id: StaffId,
    request: CommandRequest,
    command: impl FnOnce(Actor, DateTime<Utc>) -> StaffCommand,
    text: Text,
) -> Result<Answer, Problem> {
    permitted(caller, Action::EditStaff)?;
    let context: CommandContext = request.context(app, caller, &[id.to_string()]);
    let command = command(Actor::Staff(caller.id), context.at);
    let written = carry_out(app, &context, id, &[command]).await?;
    answer(app, caller, &written, Answer::ok, text).await
}

/// Carries out commands on an account that is there. Before a suspended account works again, every session it had is
/// ended: what was cut off stays cut off, and whoever comes back logs in. Before and not after, so that a crash in
/// between leaves a suspended account without sessions and no token alive.
async fn carry_out(
    app: &App,
    context: &CommandContext,
    id: StaffId,
    requests: &[StaffCommand],
) -> Result<Written, Problem> {
    if requests.iter().any(|request| matches!(request, StaffCommand::Activate { .. })) {
        let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?;
        if staff.state.suspended {
            app.auth.sessions.end_all(id).await.map_err(|error| db_problem(&error))?;
        }
    }
    use_case::commands(&app.bus, context, id, requests).await.map_err(staff_problem)
}

/// Reads the form and takes the password out of the request: what is remembered of a command must not tell anything
/// about a password, not even its fingerprint.
fn without_password<F>(
    mut request: CommandRequest,
    parse: impl FnOnce(Value) -> Result<F, Vec<FieldError>>,
) -> Result<(CommandRequest, F), Problem> {
    let form = parse(request.body.clone()).map_err(Problem::fields)?;
    if let Some(password) = request.body.get_mut("password") {
        *password = Value::Null;
    }
    Ok((request, form))
}

/// A login name never changes; system A's page sends the one that is there.
async fn same_username(app: &App, id: StaffId, username: &str) -> Result<(), Problem> {
    let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?.state;
    let account = staff.account.ok_or_else(|| Problem::of(&problem::USER_NOT_FOUND))?;
    if account.username == username {
        return Ok(());
    }
    Err(Problem::fields(vec![FieldError::new("username", Rule::Fixed)]))
}

/// Sets a password and ends every session of the person.
pub(super) async fn set_password(
    app: &App,
    id: StaffId,
    password: String,
    at: DateTime<Utc>,
) -> Result<(), Problem> {
    let set = app.auth.credentials.set_password(id, &SecretString::from(password), at).await;
    set.map_err(|error| credentials_problem(&error))?;
    app.auth.sessions.refresh().await.map_err(|error| db_problem(&error))
}

pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    written: &Written,
    status: impl FnOnce(Text, &UserDocument) -> Result<Answer, Problem>,
    text: Text,
) -> Result<Answer, Problem> {
    let id = written.result.staff;
    let found = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?;
    let document = UserDocument::of(id, found.state);
    let document = document.ok_or_else(|| Problem::of(&problem::USER_NOT_FOUND))?;
    app.writes.noted(caller.id, written.position);
    let answer = status(text, &document)?;
    Ok(answer.version(found.sequence).written(written.position, written.replayed))
}
