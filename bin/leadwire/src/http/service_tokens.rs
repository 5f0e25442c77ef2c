//! `/api/service-tokens`: tokens of machine callers. Shown once; what is kept cannot be turned back into one.

use application::access::Action;
use application::forms::{self, ServiceScope};
use axum::extract::State;
use domain::Actor;
use infrastructure::service_tokens::ServiceToken;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::answer::Answer;
use super::command::CommandRequest;
use super::path::PathText;
use super::problem::{self, Problem};
use super::refusals::db_problem;
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use super::users::permitted;
use crate::app::SharedApp;
use crate::auth::{AnyScope, Authenticated, ServiceCaller};

const CREATED: Text = Text::new(
    "服务令牌创建成功，请立即保存，之后无法再次查看",
    "The token was created: keep it, it is shown only now",
);
const LISTED: Text = Text::new("获取服务令牌列表成功", "Here are the service tokens");
const REVOKED: Text = Text::new("服务令牌已吊销", "The token was taken back");
const IT_IS_YOU: Text = Text::new("获取服务令牌信息成功", "This is the token you use");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show_self)).routes(routes!(revoke))
}

/// A service token without the token.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTokenDocument {
    /// Id.
    #[serde(rename = "_id")]
    id: Uuid,
    /// Who is to use it.
    name: String,
    /// What for.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<ServiceScope>,
    /// Id of who made it, or `cli`.
    created_by: String,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
    /// When it ends; never when `null`.
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Millis>,
    /// When it was taken back.
    #[schema(value_type = Option<DateTime<Utc>>)]
    revoked_at: Option<Millis>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewServiceTokenDocument {
    /// The token: `Authorization: Bearer lw_…`.
    token: String,
    /// What it is.
    #[serde(flatten)]
    about: ServiceTokenDocument,
}

impl From<ServiceToken> for ServiceTokenDocument {
    fn from(token: ServiceToken) -> Self {
        let ServiceToken { id, name, scopes, created_by, created_at, expires_at, revoked_at } = token;
        Self {
            id,
            name,
            scopes,
            created_by,
            created_at: Millis(created_at),
            expires_at: expires_at.map(Millis),
            revoked_at: revoked_at.map(Millis),
        }
    }
}

/// Makes a service token. It is shown in this answer and never again.
#[utoipa::path(
    post, path = "/api/service-tokens", operation_id = "create_service_token", tag = "users",
    request_body = schemas::ServiceTokenBody,
    responses(
        (status = 201, description = "The token", body = Enveloped<NewServiceTokenDocument>),
        schemas::CommandProblems
    )
)]
pub async fn create(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let form = forms::NewServiceToken::parse(request.body).map_err(Problem::fields)?;
    let (id, by) = (app.ids.next(), Actor::Staff(caller.id));
    let made = app.auth.service_tokens.create(id, form, &by, app.clock.now()).await;
    let (about, token) = made.map_err(|error| db_problem(&error))?;
    tracing::info!(service_token.id = %id, by.id = %caller.id, "the service token {id} was made");
    let token = token.expose_secret().to_owned();
    Answer::created(CREATED, &NewServiceTokenDocument { token, about: about.into() })
}

/// Lists the service tokens, newest first, taken back or not.
#[utoipa::path(
    get, path = "/api/service-tokens", operation_id = "list_service_tokens", tag = "users",
    responses(
        (status = 200, description = "The tokens", body = Enveloped<Vec<ServiceTokenDocument>>),
        schemas::ReadProblems
    )
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let all = app.auth.service_tokens.all().await.map_err(|error| db_problem(&error))?;
    let documents: Vec<ServiceTokenDocument> = all.into_iter().map(Into::into).collect();
    Answer::ok(LISTED, &documents)
}

/// Takes a service token back: it is refused from now on.
#[utoipa::path(
    delete, path = "/api/service-tokens/{id}", operation_id = "revoke_service_token", tag = "users",
    params(("id" = uuid::Uuid, Path, description = "Id of the token")),
    responses(
        (status = 200, description = "The token", body = Enveloped<ServiceTokenDocument>),
        schemas::CommandProblems
    )
)]
pub async fn revoke(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    PathText(id): PathText,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    request.without_version()?;
    let unknown = || Problem::of(&problem::SERVICE_TOKEN_NOT_FOUND);
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let revoked = app.auth.service_tokens.revoke(id, app.clock.now()).await;
    let token = revoked.map_err(|error| db_problem(&error))?.ok_or_else(unknown)?;
    tracing::info!(service_token.id = %id, by.id = %caller.id, "the service token {id} was taken back");
    Answer::ok(REVOKED, &ServiceTokenDocument::from(token))
}

/// What the service token of this request is good for.
#[utoipa::path(
    get, path = "/api/service-tokens/self", operation_id = "show_own_service_token", tag = "users",
    security(("bearer" = []), ("serviceSecret" = [])),
    responses(
        (status = 200, description = "The token", body = Enveloped<ServiceTokenDocument>),
        schemas::ReadProblems
    )
)]
pub async fn show_self(caller: ServiceCaller<AnyScope>) -> Result<Answer, Problem> {
    Answer::ok(IT_IS_YOU, &ServiceTokenDocument::from(caller.token))
}
