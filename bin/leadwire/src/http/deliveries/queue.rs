//! `/api/wecom/process-queue`, with system S's JSON (existing-systems.md section 7.4).
//!
//! There it was the engine, of captured members too: somebody had to call it every five minutes. Here workers send by themselves, and no request
//! waits for a provider. The route looks at what is due, lets the workers do it, and tells how it went as soon as it has
//! ended or the time is up.

use std::time::Duration;

use application::access::Action;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::notification::Channel;
use infrastructure::db::DbError;
use infrastructure::intake::Asked;
use infrastructure::service_tokens::SERVICE_TOKEN_PREFIX;
use projections::queries::deliveries::due::{self, Due};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::permitted;
use crate::app::{App, SharedApp};
use crate::auth::{Authenticated, QueueProcess, ServiceCaller, bearer};
use crate::http::member_sources::{WORKERS_PATIENCE, worked_off};
use crate::http::problem::Problem;
use crate::http::time::iso;

/// Most deliveries of one call.
const DELIVERIES_MAX: i64 = 100;

/// How often it looks while nothing is committed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Whoever may call it: a machine with the scope `queue:process`, or an administrator.
#[derive(Debug, Clone, Copy)]
pub struct MayProcess;

impl FromRequestParts<SharedApp> for MayProcess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let person = bearer(&parts.headers).is_some_and(|token| !token.starts_with(SERVICE_TOKEN_PREFIX));
        if person {
            let Authenticated(caller) = Authenticated::from_request_parts(parts, app).await?;
            permitted(&caller, Action::ActOnDeliveries)?;
        } else {
            ServiceCaller::<QueueProcess>::from_request_parts(parts, app).await?;
        }
        Ok(Self)
    }
}

/// Waits until the WeCom messages that are due have been tried, and tells how it went.
#[utoipa::path(
    post, path = "/api/wecom/process-queue", operation_id = "process_wecom_queue", tag = "deliveries",
    security(("bearer" = []), ("serviceSecret" = [])),
    responses(
        (status = 200, description = "`{success, message, processed}` when nothing is due, else `{success, message, statistics: {total, success, failed, timestamp}}`; `success` is false, and the message says why, when a source of members was not gone through", body = Object),
        crate::http::schemas::ReadProblems
    )
)]
pub async fn process(State(app): State<SharedApp>, _: MayProcess) -> Response {
    answer(&app).await
}

/// The same: system S's monitor calls it with GET.
#[utoipa::path(
    get, path = "/api/wecom/process-queue", operation_id = "process_wecom_queue_by_get", tag = "deliveries",
    security(("bearer" = []), ("serviceSecret" = [])),
    responses(
        (status = 200, description = "As for POST", body = Object),
        crate::http::schemas::ReadProblems
    )
)]
pub async fn look(State(app): State<SharedApp>, _: MayProcess) -> Response {
    answer(&app).await
}

async fn answer(app: &App) -> Response {
    match processed(app).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the WeCom queue cannot be read");
            let message = "数据库暂时不可用，请稍后重试";
            let answer = json!({ "success": false, "error": "处理队列失败", "message": message });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(answer)).into_response()
        }
    }
}

async fn processed(app: &App) -> Result<Value, DbError> {
    let before = due::of_channel(&app.db, Channel::WecomApp, app.clock.now(), DELIVERIES_MAX).await?;
    let worked = worked_off(app, Asked::default()).await;
    let (rows, success, reason) =
        (worked.tally, worked.obstacle.is_none(), worked.obstacle.map(|obstacle| obstacle.to_string()));
    if before.is_empty() && rows.is_quiet() {
        let message = reason.unwrap_or_else(|| "队列为空".to_owned());
        return Ok(json!({ "success": success, "message": message, "processed": 0 }));
    }
    let after = tried(app, &before).await?;
    let accepted = after.iter().filter(|row| row.is_accepted()).count();
    // What was captured is part of the queue too: there it was the same row.
    let total = rows.seen + count(before.len());
    let done = count(accepted) + rows.seen.saturating_sub(rows.parked + rows.put_off);
    let statistics = json!({
        "total": total,
        "success": done,
        "failed": total.saturating_sub(done),
        "timestamp": iso(app.clock.now()),
    });
    let message = reason.unwrap_or_else(|| "处理完成".to_owned());
    Ok(json!({ "success": success, "message": message, "statistics": statistics }))
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// The same rows as soon as each was tried, or the time is up.
async fn tried(app: &App, before: &[Due]) -> Result<Vec<Due>, DbError> {
    let deadline = Instant::now() + WORKERS_PATIENCE;
    let mut doorbell = app.bus.log().doorbell();
    loop {
        doorbell.mark_unchanged();
        let after = due::again(&app.db, before).await?;
        let all = after
            .iter()
            .all(|row| before.iter().any(|old| old.delivery == row.delivery && row.moved_on(old)));
        if all || Instant::now() >= deadline || app.stop.is_cancelled() {
            return Ok(after);
        }
        // Either way the loop looks again.
        let _ = timeout_at(Instant::now() + LOOK_AGAIN, doorbell.changed()).await;
    }
}
