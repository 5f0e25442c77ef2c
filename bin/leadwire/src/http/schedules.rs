//! `/api/schedules`: the jobs of the installation, when each runs next and what came of its last run. The rows are those
//! of all processes, whichever answers.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use application::access::{Action, allows};
use axum::extract::State;
use chrono::{DateTime, Utc};
use infrastructure::db::DbError;
use infrastructure::scheduler::{self, ScheduleRow};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::problem::{self, Problem};
use super::refusals::db_problem;
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

const LISTED: Text = Text::new("获取定时任务列表成功", "Here are the jobs");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A job 定时任务.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleDocument {
    /// Its name.
    name: String,
    /// When it runs: minute, hour, day, month, day of the week.
    cron: String,
    /// On whose wall clock.
    zone: String,
    /// What becomes of periods that nobody ran: `run_once`, or `skip_after_…_min`.
    misfire: String,
    /// `waiting`, `running`, `retrying` after a failure, `interrupted` by a stop.
    state: &'static str,
    /// When its next period begins.
    #[schema(value_type = Option<DateTime<Utc>>)]
    next_at: Option<Millis>,
    /// The last period that was begun, or passed over when the job was new.
    #[schema(value_type = DateTime<Utc>)]
    period: Millis,
    /// How often that was begun.
    attempt: i64,
    /// When it was last begun.
    #[schema(value_type = Option<DateTime<Utc>>)]
    started_at: Option<Millis>,
    /// When it is begun again after a failure.
    #[schema(value_type = Option<DateTime<Utc>>)]
    retry_at: Option<Millis>,
    /// The last attempt that ended; `null` before the first.
    last: Option<LastRunDocument>,
}

/// An attempt that ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRunDocument {
    /// What it was for.
    #[schema(value_type = DateTime<Utc>)]
    period: Millis,
    /// When it ended.
    #[schema(value_type = DateTime<Utc>)]
    ended_at: Millis,
    /// How long it took, in milliseconds.
    took_ms: i64,
    /// Whether it did what it should.
    succeeded: bool,
    /// What came of it, in one sentence.
    outcome: String,
}

impl ScheduleDocument {
    /// A job as it stands at `now`.
    pub(crate) fn of(row: ScheduleRow, now: DateTime<Utc>) -> Self {
        let (state, next) = (row.state().as_str(), row.next(now));
        let last = LastRunDocument::of(&row);
        let ScheduleRow { name, cron, zone, misfire, period, attempt, started_at, retry_at, .. } = row;
        Self {
            name,
            cron,
            zone,
            misfire,
            state,
            next_at: next.map(|next| Millis(next.0)),
            period: Millis(period),
            attempt,
            started_at: started_at.map(Millis),
            retry_at: retry_at.map(Millis),
            last,
        }
    }
}

impl LastRunDocument {
    fn of(row: &ScheduleRow) -> Option<Self> {
        Some(Self {
            period: Millis(row.ended_period?),
            ended_at: Millis(row.ended_at?),
            took_ms: row.took_ms?,
            succeeded: row.succeeded?,
            outcome: row.outcome.clone()?,
        })
    }
}

/// The jobs, by name.
#[utoipa::path(
    get, path = "/api/schedules", operation_id = "list_schedules", tag = "operations",
    responses(
        (status = 200, description = "The jobs", body = Enveloped<Vec<ScheduleDocument>>),
        schemas::ReadProblems
    )
)]
async fn list(State(app): State<SharedApp>, Authenticated(caller): Authenticated) -> Result<Answer, Problem> {
    if !allows(caller.role, Action::ViewSchedules) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let (rows, now) = (scheduler::all(&app.db).await.map_err(|error| db_problem(&error))?, app.clock.now());
    let jobs: Vec<_> = rows.into_iter().map(|row| ScheduleDocument::of(row, now)).collect();
    Answer::ok(LISTED, &jobs)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    job: String,
}

/// What Prometheus learns of the jobs.
pub(super) async fn measure(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let family = Family::<OfJob, Gauge>::default;
    let (ended, succeeded, next) = (family(), family(), family());
    let took = Family::<OfJob, Gauge<f64, AtomicU64>>::default();
    let help = "When the last run of a job ended, in seconds since 1970";
    registry.register_with_unit("job_ended", help, Unit::Seconds, ended.clone());
    registry.register("job_succeeded", "1 when the last run of a job did what it should", succeeded.clone());
    registry.register_with_unit(
        "job_took",
        "How long the last run of a job took",
        Unit::Seconds,
        took.clone(),
    );
    let help = "When the next period of a job begins, in seconds since 1970";
    registry.register_with_unit("job_next", help, Unit::Seconds, next.clone());
    let now = app.clock.now();
    for row in scheduler::all(&app.db).await? {
        let of = OfJob { job: row.name.clone() };
        if let Some(moment) = row.next(now) {
            next.get_or_create(&of).set(moment.0.timestamp());
        }
        let Some(last) = LastRunDocument::of(&row) else { continue };
        ended.get_or_create(&of).set(last.ended_at.0.timestamp());
        succeeded.get_or_create(&of).set(i64::from(last.succeeded));
        let took_ms = u64::try_from(last.took_ms).unwrap_or(0);
        took.get_or_create(&of).set(Duration::from_millis(took_ms).as_secs_f64());
    }
    Ok(())
}
