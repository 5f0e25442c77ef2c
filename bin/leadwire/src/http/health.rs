//! `/health/*`: is the process alive, and should it be sent requests.

use std::time::Duration;

use application::access::{Action, allows};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use infrastructure::self_check::{self, SelfCheck};
use projections::{ConsumerState, ConsumerStatus};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::member_sources::{self, MemberSourceDocument};
use super::problem::Problem;
use super::schemas::Enveloped;
use super::text::Text;
use super::time::Millis;
use crate::app::{App, SharedApp};
use crate::auth::{bearer, caller_of};

/// Longest time a check may take: a probe must not hang where the database does.
const CHECK_SECONDS: u64 = 2;

/// Events a consumer may be behind before the node is called not ready.
const LAG_EVENTS_MAX: i64 = 50_000;

const ALIVE: Text = Text::new("服务运行中", "The process is alive");
const READY: Text = Text::new("服务已就绪", "The service is ready");
const NOT_READY: Text = Text::new("服务未就绪", "The service is not ready");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Whether the process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Live {
    /// `up`.
    status: &'static str,
}

/// Whether requests should be sent here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// What was looked at; for administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

/// What readiness looks at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checks {
    /// The database can be written.
    writable: bool,
    /// The appender of this process runs.
    appender: bool,
    /// The schema is there and the consumers' checkpoints can be read.
    migrated: bool,
    /// The background tasks of this process.
    #[schema(value_type = Object)]
    tasks: Value,
    /// Every consumer of the database: position, lag, state, owner.
    #[schema(value_type = Vec<Object>)]
    consumers: Vec<ConsumerStatus>,
    /// What the last nightly check found; `null` before the first one. It does not turn readiness red: it says that
    /// something is to be repaired, not that requests should go elsewhere.
    self_check: Option<CheckedNight>,
    /// The databases that members are captured from. They do not turn readiness red either.
    intake: Vec<MemberSourceDocument>,
}

/// A nightly check.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedNight {
    /// The day it belongs to.
    day: String,
    /// When it ended.
    #[schema(value_type = DateTime<Utc>)]
    ended_at: Millis,
    /// Whether nothing was missing and nothing doubled.
    clean: bool,
    /// The counts.
    #[schema(value_type = Object)]
    found: Value,
}

impl CheckedNight {
    fn of(check: SelfCheck) -> Self {
        let SelfCheck { day, ended_at, clean, result } = check;
        let found = serde_json::from_str(&result).unwrap_or_default();
        Self { day, ended_at: Millis(ended_at), clean, found }
    }
}

/// Alive: the process answers.
#[utoipa::path(
    get, path = "/health/live", operation_id = "live", tag = "operations", security(()),
    responses((status = 200, description = "Alive", body = Enveloped<Live>))
)]
async fn live() -> Result<Answer, Problem> {
    Answer::ok(ALIVE, &Live { status: "up" })
}

/// Ready: the store is writable, the schema is there, every consumer and task works. The details are for
/// administrators.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "ready", tag = "operations", security((), ("bearer" = [])),
    responses((status = 200, description = "Ready", body = Enveloped<Ready>), (status = 503, description = "Not ready", body = Enveloped<Ready>))
)]
async fn ready(State(app): State<SharedApp>, headers: HeaderMap) -> Result<Answer, Problem> {
    let checks = Checks::of(&app).await;
    let good = checks.all_good() && app.health.is_good() && !app.stop.is_cancelled();
    let status = if good { "ready" } else { "not_ready" };
    let checks = may_see_checks(&app, &headers).await.then_some(checks);
    let answer = Answer::ok(if good { READY } else { NOT_READY }, &Ready { status, checks })?;
    Ok(if good { answer } else { answer.failed(StatusCode::SERVICE_UNAVAILABLE) })
}

async fn may_see_checks(app: &App, headers: &HeaderMap) -> bool {
    let Some(token) = bearer(headers) else { return false };
    matches!(caller_of(app, token).await, Ok((caller, _)) if allows(caller.role, Action::ViewHealth))
}

impl Checks {
    async fn of(app: &App) -> Self {
        let limit = Duration::from_secs(CHECK_SECONDS);
        let writable = async {
            // Taking the right to write and giving it back: a full disk or a replica says no here.
            let tx = app.db.begin_write().await?;
            tx.rollback().await
        };
        let writable = tokio::time::timeout(limit, writable);
        let consumers = tokio::time::timeout(limit, app.projections.status());
        let checked = tokio::time::timeout(limit, self_check::last(&app.db));
        let sources = tokio::time::timeout(limit, member_sources::documents(app));
        let (writable, consumers, checked, sources) = tokio::join!(writable, consumers, checked, sources);
        let consumers = consumers.ok().and_then(|status| {
            status.inspect_err(|error| tracing::warn!(error = %error, "the consumers cannot be read")).ok()
        });
        Self {
            writable: matches!(writable, Ok(Ok(()))),
            appender: app.bus.log().is_running(),
            migrated: consumers.is_some(),
            tasks: serde_json::to_value(app.health.tasks()).unwrap_or_default(),
            consumers: consumers.unwrap_or_default(),
            intake: sources.ok().and_then(Result::ok).unwrap_or_default(),
            self_check: checked.ok().and_then(Result::ok).flatten().map(CheckedNight::of),
        }
    }

    fn all_good(&self) -> bool {
        let works = |consumer: &ConsumerStatus| {
            consumer.state != ConsumerState::Error && consumer.lag <= LAG_EVENTS_MAX
        };
        self.writable && self.appender && self.migrated && self.consumers.iter().all(works)
    }
}
