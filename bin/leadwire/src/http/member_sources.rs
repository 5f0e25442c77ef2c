//! `/api/intake/sources`: the databases that members are captured from, how far each is and what came of it;
//! `/api/intake/statistics`: how many members came by every way there is; and `/api/wecom/manual-check` with system S's JSON (existing-systems.md section 7.4).
//!
//! No request speaks to a source: it rings at the worker of this process and looks how it went, or reads what the workers
//! of all processes wrote down.

mod metrics;
mod statistics;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use application::access::{Action, allows};
use application::intake::worker::{Held, Tally};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use infrastructure::db::DbError;
use infrastructure::intake::{self, Asked, IntakeWorker, SourceState};
use projections::queries::members::statistics::{self as counted, SourceCount};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::deliveries::queue::MayProcess;
use super::problem::{self, Problem};
use super::refusals::db_problem;
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::{Millis, iso};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

pub(super) use metrics::measure;

const LISTED: Text = Text::new("获取会员来源成功", "Here are the sources of members");

/// How long a call waits for the workers: shorter than the 30 s that system S's monitor waits.
pub(super) const WORKERS_PATIENCE: Duration = Duration::from_secs(10);

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(statistics::count))
        .routes(routes!(check, check_by_get))
}

/// A source of members 会员来源: one table of another database.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSourceDocument {
    /// What the configuration calls it.
    pub(super) source: String,
    /// The table.
    table: String,
    /// `triggers` or `poll`.
    mode: String,
    /// When a run was first begun; members from before are no news.
    #[schema(value_type = DateTime<Utc>)]
    since: Millis,
    /// When the last run was begun.
    #[schema(value_type = Option<DateTime<Utc>>)]
    begun_at: Option<Millis>,
    /// When the last run ended well.
    #[schema(value_type = Option<DateTime<Utc>>)]
    ended_at: Option<Millis>,
    /// Why the last run failed; `null` when it did not.
    failure: Option<String>,
    /// When source and store were last compared to the end.
    #[schema(value_type = Option<DateTime<Utc>>)]
    reconciled_at: Option<Millis>,
    /// Captured rows that wait, as the source last said.
    waiting: i64,
    /// Rows put aside.
    parked: i64,
    /// For how many seconds the oldest row could have been worked on; it grows while nobody can look. Rows that wait for
    /// their next attempt do not count.
    oldest_seconds: Option<i64>,
    /// Whether somebody should look.
    alarm: bool,
    /// Why: a row waits too long, no run has ended well for too long, or a comparison held deletions.
    alarm_reason: Option<String>,
    /// Members whose rows the last comparison missed in such numbers that it deleted nobody; `null` when it did not.
    held: Option<HeldMembers>,
    /// Sums over all runs: rows that were looked at.
    rows_seen: i64,
    /// Members who were not known.
    registered: i64,
    /// Rows that said something new about a known member.
    changed: i64,
    /// Rows that said nothing new.
    unchanged: i64,
    /// Rows with a number, phone or WeChat id that another member holds.
    contested: i64,
    /// Members that came from here, the deleted ones too.
    members: i64,
    /// Those that take part.
    members_active: i64,
}

/// Members whom a comparison did not delete.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeldMembers {
    /// Members whose rows are gone.
    gone: u64,
    /// Members of the table that are known.
    known: u64,
}

impl MemberSourceDocument {
    fn of(state: SourceState, count: Option<&SourceCount>, alarm_age: Duration, now: DateTime<Utc>) -> Self {
        let alarm = state.alarm(now, alarm_age);
        Self {
            oldest_seconds: state.oldest_at(now),
            alarm: alarm.is_some(),
            alarm_reason: alarm.map(|alarm| alarm.to_string()),
            held: state.held().map(|Held { gone, known }| HeldMembers { gone, known }),
            parked: state.aside(),
            source: state.source,
            table: state.table_name,
            mode: state.mode,
            since: Millis(state.since),
            begun_at: state.begun_at.map(Millis),
            ended_at: state.ended_at.map(Millis),
            failure: state.failure,
            reconciled_at: state.reconciled_at.map(Millis),
            waiting: state.waiting,
            rows_seen: state.rows_seen,
            registered: state.registered,
            changed: state.changed,
            unchanged: state.unchanged,
            contested: state.contested,
            members: count.map_or(0, |count| count.total),
            members_active: count.map_or(0, |count| count.active),
        }
    }
}

/// Every source that a run was ever begun on.
pub(super) async fn documents(app: &App) -> Result<Vec<MemberSourceDocument>, DbError> {
    let (states, now) = (intake::all(&app.db).await?, app.clock.now());
    let counts = counted::sources(&app.db).await?;
    let counts: BTreeMap<&str, &SourceCount> =
        counts.iter().map(|count| (count.source.as_str(), count)).collect();
    let alarm_of = |name: &str| {
        let set = app.settings.intake.iter().find(|source| source.name == name);
        // Another process may have it alone.
        set.map_or(Duration::MAX, |source| source.alarm_age)
    };
    let document = |state: SourceState| {
        let (alarm, count) = (alarm_of(&state.source), counts.get(state.source.as_str()).copied());
        MemberSourceDocument::of(state, count, alarm, now)
    };
    Ok(states.into_iter().map(document).collect())
}

/// The databases that members are captured from, by name.
#[utoipa::path(
    get, path = "/api/intake/sources", operation_id = "list_member_sources", tag = "operations",
    responses(
        (status = 200, description = "The sources", body = Enveloped<Vec<MemberSourceDocument>>),
        schemas::ReadProblems
    )
)]
async fn list(State(app): State<SharedApp>, Authenticated(caller): Authenticated) -> Result<Answer, Problem> {
    if !allows(caller.role, Action::ViewSchedules) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let sources = documents(&app).await.map_err(|error| db_problem(&error))?;
    Answer::ok(LISTED, &sources)
}

/// Compares source and store at once, where members registered since Leadwire first looked, and tells what was missed.
/// What takes longer goes on after the answer; what failed is taken up again.
#[utoipa::path(
    post, path = "/api/wecom/manual-check", operation_id = "check_members", tag = "deliveries",
    security(("bearer" = []), ("serviceSecret" = [])),
    responses(
        (status = 200, description = "`{success, message, checked}` when nothing was missed, else `{success, message, statistics: {checked, success, failed, timestamp}}`; `success` is false, and the message says why, when a source could not be compared", body = Object),
        schemas::ReadProblems
    )
)]
async fn check(State(app): State<SharedApp>, _: MayProcess) -> Response {
    Json(checked(&app).await).into_response()
}

/// The same: system S's monitor calls it with GET.
#[utoipa::path(
    get, path = "/api/wecom/manual-check", operation_id = "check_members_by_get", tag = "deliveries",
    security(("bearer" = []), ("serviceSecret" = [])),
    responses(
        (status = 200, description = "As for POST", body = Object),
        schemas::ReadProblems
    )
)]
async fn check_by_get(State(app): State<SharedApp>, _: MayProcess) -> Response {
    Json(checked(&app).await).into_response()
}

async fn checked(app: &App) -> Value {
    told(worked_off(app, Asked { compare: true }).await, app.clock.now())
}

/// The answer of system S, and whether it holds for every source.
fn told(worked: Worked, now: DateTime<Utc>) -> Value {
    let rows = worked.tally;
    let quiet = rows.known + rows.older + rows.unchanged;
    let missed = rows.seen.saturating_sub(quiet).max(rows.parked);
    match worked.obstacle {
        // It is under way.
        Some(Obstacle::Late) => {
            return json!({ "success": true, "message": "检查仍在后台进行", "checked": missed });
        }
        Some(obstacle) if missed == 0 => {
            return json!({ "success": false, "message": obstacle.to_string(), "checked": 0 });
        }
        None if missed == 0 => {
            return json!({ "success": true, "message": "没有遗漏的会员", "checked": 0 });
        }
        Some(_) | None => {}
    }
    let statistics = json!({
        "checked": missed,
        "success": missed - rows.parked,
        "failed": rows.parked,
        "timestamp": iso(now),
    });
    let message = worked.obstacle.map_or_else(|| "检查完成".to_owned(), |obstacle| obstacle.to_string());
    json!({ "success": worked.obstacle.is_none(), "message": message, "statistics": statistics })
}

/// Why not every source was gone through, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// A worker is not done yet.
    Late,
    /// No worker runs in this process, although sources are configured.
    Absent,
    /// So many rows are gone that nobody was deleted.
    Held(Held),
    /// A source or our database cannot be used.
    Failed,
}

/// For whoever called.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("会员来源仍在后台处理，尚未完成"),
            Self::Absent => f.write_str("本进程不采集会员，未检查会员来源，请调用运行 worker 的进程"),
            Self::Held(Held { gone, known }) => write!(
                f,
                "来源表中找不到 {gone} 名会员（已知 {known} 名），为防误删未作删除；若数据有误请恢复后重新检查，\
                 确认已删除请运行 leadwire intake reconcile --accept-deletions"
            ),
            Self::Failed => f.write_str("会员来源或数据库暂时不可用，本次未完成，恢复后会自动继续"),
        }
    }
}

/// What the workers did when somebody rang.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Worked {
    /// The rows.
    pub(super) tally: Tally,
    /// Why that is not everything; `None`: each source was gone through.
    pub(super) obstacle: Option<Obstacle>,
}

/// Rings at every worker of this process and waits until each has gone through what there is, or the time is up.
pub(super) async fn worked_off(app: &App, asked: Asked) -> Worked {
    let deadline = Instant::now() + WORKERS_PATIENCE;
    if !app.intake.running {
        // Without a source there is nobody to miss.
        let obstacle = (!app.intake.workers.is_empty()).then_some(Obstacle::Absent);
        return Worked { obstacle, ..Worked::default() };
    }
    let ends = app.intake.workers.iter().map(|worker| run(worker, asked, deadline));
    let ends = futures_util::future::join_all(ends).await;
    ends.into_iter().fold(Worked::default(), |all, one| Worked {
        tally: all.tally.and(one.tally),
        obstacle: all.obstacle.max(one.obstacle),
    })
}

async fn run(worker: &IntakeWorker, asked: Asked, deadline: Instant) -> Worked {
    let mut ended = worker.bell().ended();
    let before = *ended.borrow();
    worker.bell().ring(asked);
    // A run that is under way began before the bell.
    let is_done = |now: &intake::Ended| now.runs > before.begun;
    let in_time = timeout_at(deadline, ended.wait_for(is_done)).await.is_ok();
    let now = *ended.borrow();
    let tally = if asked.compare { now.compared.since(before.compared) } else { now.all.since(before.all) };
    // Whoever waits for a source that is away is late as well.
    let held = now.held.filter(|_| asked.compare).map(Obstacle::Held);
    let obstacle = match (now.failed, in_time) {
        (true, _) => Some(Obstacle::Failed),
        (false, false) => Some(Obstacle::Late),
        (false, true) => held,
    };
    Worked { tally, obstacle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_that_nothing_was_missed_unless_somebody_looked() {
        const FAILED: &str = "会员来源或数据库暂时不可用，本次未完成，恢复后会自动继续";
        let quiet = Tally { seen: 3, known: 3, ..Tally::default() };
        let found = Tally { seen: 4, known: 1, registered: 2, parked: 1, ..Tally::default() };
        for (tally, obstacle, success, message) in [
            (quiet, None, true, "没有遗漏的会员"),
            (quiet, Some(Obstacle::Late), true, "检查仍在后台进行"),
            (
                quiet,
                Some(Obstacle::Absent),
                false,
                "本进程不采集会员，未检查会员来源，请调用运行 worker 的进程",
            ),
            (quiet, Some(Obstacle::Failed), false, FAILED),
            (found, None, true, "检查完成"),
            (found, Some(Obstacle::Failed), false, FAILED),
        ] {
            let told = told(Worked { tally, obstacle }, DateTime::UNIX_EPOCH);
            assert_eq!((&told["success"], &told["message"]), (&json!(success), &json!(message)));
        }
        let told = told(Worked { tally: found, obstacle: Some(Obstacle::Failed) }, DateTime::UNIX_EPOCH);
        let counted = &told["statistics"];
        assert_eq!(
            (&counted["checked"], &counted["success"], &counted["failed"]),
            (&json!(3), &json!(2), &json!(1))
        );
    }

    #[test]
    fn the_worst_obstacle_is_told() {
        assert!(None < Some(Obstacle::Late));
        let held = Obstacle::Held(Held { gone: 60, known: 100 });
        assert!(Obstacle::Late < Obstacle::Absent && Obstacle::Absent < held && held < Obstacle::Failed);
        let told = told(Worked { tally: Tally::default(), obstacle: Some(held) }, DateTime::UNIX_EPOCH);
        let message = told["message"].as_str().unwrap();
        assert!(
            message.contains("60 名会员（已知 100 名）") && message.contains("--accept-deletions"),
            "{message}"
        );
        assert_eq!(told["success"], false);
    }
}
