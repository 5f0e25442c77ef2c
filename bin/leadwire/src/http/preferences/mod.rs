//! `/api/notifications/preferences`: how a person wants to be told, and how a role is told that has not said otherwise
//! (notifications.md section 5).

pub mod view;

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, ExecuteError, Versioned};
use application::forms::{self, violation_of};
use application::preferences::{self as use_case, PreferencesRefusal};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use domain::Sequence;
use domain::preferences::{Document, Preferences, PreferencesError, Whose};
use domain::staff::Role;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use view::{PreferencesDocument, PreferencesView};

use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Problem};
use super::refusals::{execute_problem, load_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::users::permitted;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

const SHOWN: Text = Text::new("获取通知偏好成功", "Here are the preferences");
const SET: Text = Text::new("通知偏好已保存", "The preferences were saved");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(show, set)).routes(routes!(show_role, set_role))
}

/// The role that the path names by code or Chinese name, if there is one. Asked for with `known` once it
/// is clear that the caller may know, and that the body can be read.
#[derive(Debug, Clone, Copy)]
pub struct RolePath(Option<Role>);

impl RolePath {
    fn known(self) -> Result<Role, Problem> {
        self.0.ok_or_else(|| Problem::of(&problem::ROLE_NOT_FOUND))
    }
}

impl FromRequestParts<SharedApp> for RolePath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Self::Rejection> {
        let name = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(name.ok().and_then(|Path(name)| Role::from_alias(&name))))
    }
}

/// Shows how the caller is told: the own document, and what it comes to with the role's for every type and channel,
/// each with the setting that caused it.
#[utoipa::path(
    get, path = "/api/notifications/preferences", operation_id = "show_preferences", tag = "notifications",
    responses(
        (status = 200, description = "The preferences", body = Enveloped<PreferencesView>),
        schemas::ReadProblems
    )
)]
pub async fn show(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    let found = load(&app, Whose::Staff(caller.id)).await?;
    own(&app, &caller, SHOWN, &found).await
}

/// Replaces the caller's document as a whole; what it leaves out is left to the role and the defaults. The inbox
/// cannot be turned off, and critical types are told whatever is set.
#[utoipa::path(
    put, path = "/api/notifications/preferences", operation_id = "set_preferences", tag = "notifications",
    params(schemas::CommandHeaders, schemas::VersionHeader),
    request_body = PreferencesDocument,
    responses(
        (status = 200, description = "The preferences", body = Enveloped<PreferencesView>),
        schemas::CommandProblems
    )
)]
pub async fn set(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let written = write(&app, &caller, &[], Whose::Staff(caller.id), request).await?;
    let answer = own(&app, &caller, SET, &written.found).await?;
    Ok(answer.written(written.position, written.replayed))
}

/// Shows how everybody with a role is told who has not said otherwise.
#[utoipa::path(
    get, path = "/api/notifications/preferences/roles/{role}", operation_id = "show_role_preferences",
    tag = "notifications",
    params(("role" = String, Path, description = "Code or Chinese name of the role")),
    responses(
        (status = 200, description = "The preferences", body = Enveloped<PreferencesView>),
        schemas::ReadProblems
    )
)]
pub async fn show_role(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RolePath,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let role = path.known()?;
    let found = load(&app, Whose::Role(role)).await?;
    of_role(&app, SHOWN, &found)
}

/// Replaces the document of a role as a whole.
#[utoipa::path(
    put, path = "/api/notifications/preferences/roles/{role}", operation_id = "set_role_preferences",
    tag = "notifications",
    params(
        ("role" = String, Path, description = "Code or Chinese name of the role"),
        schemas::CommandHeaders, schemas::VersionHeader
    ),
    request_body = PreferencesDocument,
    responses(
        (status = 200, description = "The preferences", body = Enveloped<PreferencesView>),
        schemas::CommandProblems
    )
)]
pub async fn set_role(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RolePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let role = path.known()?;
    let written = write(&app, &caller, &[role.to_string()], Whose::Role(role), request).await?;
    Ok(of_role(&app, SET, &written.found)?.written(written.position, written.replayed))
}

/// A document that was replaced.
struct Written {
    found: Versioned<Preferences>,
    position: domain::Position,
    replayed: bool,
}

async fn write(
    app: &App,
    caller: &Caller,
    params: &[String],
    whose: Whose,
    request: CommandRequest,
) -> Result<Written, Problem> {
    let context = request.context(app, caller, params);
    let expected = request.expected;
    let form = forms::SetPreferences::parse(request.body).map_err(Problem::fields)?;
    let executed = use_case::set(&app.bus, &context, whose, &form.document, expected).await;
    let executed = executed.map_err(preferences_problem)?;
    app.writes.noted(caller.id, executed.position);
    let sequence = executed.result.sequence;
    let found = app.bus.load_at::<Preferences>(&whose.stream(), sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    Ok(Written { found, position: executed.position, replayed: executed.replayed })
}

async fn load(app: &App, whose: Whose) -> Result<Versioned<Preferences>, Problem> {
    app.bus.load::<Preferences>(&whose.stream()).await.map_err(|error| load_problem(&error))
}

async fn own(
    app: &App,
    caller: &Caller,
    text: Text,
    found: &Versioned<Preferences>,
) -> Result<Answer, Problem> {
    let role = load(app, Whose::Role(caller.role)).await?;
    let now = app.clock.now();
    answer(
        text,
        &PreferencesView::of(found, &found.state.document, &role.state.document, now),
        found.sequence,
    )
}

fn of_role(app: &App, text: Text, found: &Versioned<Preferences>) -> Result<Answer, Problem> {
    let now = app.clock.now();
    let view = PreferencesView::of(found, &Document::default(), &found.state.document, now);
    answer(text, &view, found.sequence)
}

fn answer(text: Text, view: &PreferencesView, sequence: Sequence) -> Result<Answer, Problem> {
    Ok(Answer::ok(text, view)?.version(sequence))
}

/// Why a document was not replaced.
fn preferences_problem(error: ExecuteError<PreferencesRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(PreferencesRefusal::Rule(PreferencesError::Invalid(violations))) => {
            Problem::fields(violations.iter().map(violation_of).collect())
        }
        ExecuteError::Refused(refusal @ PreferencesRefusal::Stale { sequence }) => {
            Problem::of(&problem::VERSION_CONFLICT)
                .text(Text::with(
                    refusal.to_string(),
                    "Somebody else has changed these preferences, please reload",
                ))
                .details(json!({ "version": sequence }))
        }
        other => execute_problem(other),
    }
}
