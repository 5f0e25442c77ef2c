//! Sending many deliveries once more: first counted, then confirmed with the count.
//!
//! Each is a decision of its own, under a command id of its own that derives from the request's key: a request that was
//! cut off in the middle goes on where it stopped when it is repeated with what is left.

use application::access::{Action, Caller};
use application::bus::{AppendError, Appended, CommandBus as _, CommandContext, Draft};
use application::forms::{self, RETRIES_MAX, RetryFilter};
use axum::extract::State;
use domain::notification::NotificationCommand;
use domain::{Actor, CommandId, DeliveryId, Position};
use infrastructure::outbox::decide::{self, DecideError};
use projections::queries::deliveries::{self as query, DeliveryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::act::BY_HAND;
use super::{DELIVERIES, decide_problem, permitted};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{append_problem, db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const COUNTED: Text = Text::new("统计完成，请确认数量后再投递", "Counted; confirm the number to send them");
const REQUEUED: Text = Text::new("批量重新投递完成", "The deliveries are sent once more");

/// Which deliveries, and how many the sender was told there are.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryManyBody {
    /// Which; only dead, refused and unknown ones are meant.
    pub filter: RetryFilterBody,
    /// Only count them.
    pub dry_run: Option<bool>,
    /// The count that the dry run gave; needed to send.
    pub expected_count: Option<i64>,
    /// Why.
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// Every condition holds; an empty filter means all of them.
#[derive(ToSchema)]
pub struct RetryFilterBody {
    /// dead, rejected or unknown.
    pub state: Option<String>,
    /// The way.
    pub channel: Option<String>,
    /// Type of the notice.
    #[schema(rename = "type")]
    pub kind: Option<String>,
    /// Whose.
    pub recipient: Option<Uuid>,
    /// Who must act on the failure.
    pub class: Option<String>,
    /// Requested on this day (in China) or at this instant, or later.
    pub from: Option<String>,
    /// Requested on this day (in China) or at this instant, or earlier.
    pub to: Option<String>,
}

/// What was counted, and what was done.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retried {
    /// How many the filter means.
    count: i64,
    /// How many are sent once more; 0 in a dry run.
    requeued: i64,
    /// How many are not: somebody else was faster, or their text is gone.
    refused: i64,
}

/// Sends many deliveries once more. Asked with `dryRun` it counts; asked again with that number as `expectedCount` it
/// sends. When the number is another one meanwhile, it sends nothing and tells the new one.
#[utoipa::path(
    post, path = "/api/deliveries/retry", operation_id = "retry_deliveries", tag = "deliveries",
    params(schemas::CommandHeaders),
    request_body = RetryManyBody,
    responses((status = 200, description = "How many", body = Enveloped<Retried>), schemas::CommandProblems)
)]
pub async fn retry_many(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::RetryDeliveries::parse(request.body).map_err(Problem::fields)?;
    if let Some((first, position)) = first_answer(&app, &context).await? {
        return Ok(Answer::ok(REQUEUED, &first)?.written(position, true));
    }
    fresh(&app, &caller, DELIVERIES, MinPosition::default()).await;
    let filter = filter(form.filter);
    let count = query::count_retryable(&app.db, &filter).await.map_err(|error| db_problem(&error))?;
    if form.dry_run {
        return Answer::ok(COUNTED, &Retried { count, ..Retried::default() });
    }
    if form.expected != Some(count) {
        // The twin of this request may have changed the number.
        let (first, position) = first_answer(&app, &context).await?.ok_or_else(|| changed(count))?;
        return Ok(Answer::ok(REQUEUED, &first)?.written(position, true));
    }
    if count > RETRIES_MAX {
        return Err(too_many(count));
    }
    let limit = u32::try_from(count).unwrap_or(u32::MAX);
    let found = query::retryable(&app.db, &filter, limit).await.map_err(|error| db_problem(&error))?;
    let reason = form.reason.unwrap_or_else(|| BY_HAND.to_owned());
    let (done, last) = requeue(&app, &caller, &context, &found, &reason, count).await?;
    let remembered = remember(&app, &context, done).await?;
    let (done, position, replayed) = match remembered {
        Remembered::First(position) => (done, position.or(last), false),
        Remembered::Twin(first, position) => (first, Some(position), true),
    };
    let answer = Answer::ok(REQUEUED, &done)?;
    let Some(position) = position else { return Ok(answer) };
    app.writes.noted(caller.id, position);
    Ok(answer.written(position, replayed))
}

fn filter(form: RetryFilter) -> DeliveryFilter {
    let RetryFilter { state, channel, scene, recipient, class, from, to } = form;
    DeliveryFilter { state, channel, scene, recipient, class, from, to, cursor: None }
}

fn changed(count: i64) -> Problem {
    Problem::of(&problem::COUNT_CHANGED)
        .text(Text::with(
            format!("符合条件的投递现有{count}条，请按新数量确认"),
            format!("There are {count} of them now: confirm that number"),
        ))
        .details(json!({ "count": count }))
}

fn too_many(count: i64) -> Problem {
    Problem::of(&problem::REFUSED_VALUE)
        .text(Text::with(
            format!("一次最多重新投递{RETRIES_MAX}条，当前{count}条，请缩小范围"),
            format!("At most {RETRIES_MAX} at once, and there are {count}: narrow the filter"),
        ))
        .details(json!({ "path": "filter", "count": count }))
}

async fn requeue(
    app: &App,
    caller: &Caller,
    context: &CommandContext,
    found: &[DeliveryId],
    reason: &str,
    count: i64,
) -> Result<(Retried, Option<Position>), Problem> {
    let (by, at) = (Actor::Staff(caller.id), context.at);
    let mut done = Retried { count, ..Retried::default() };
    let mut last = None;
    for delivery in found.iter().copied() {
        let command =
            NotificationCommand::Requeue { delivery, by: by.clone(), reason: reason.to_owned(), at };
        match decide::ask(&app.bus, delivery, command, &part(context, delivery)).await {
            Ok(decided) => {
                done.requeued += 1;
                last = decided.position.or(last);
            }
            Err(DecideError::Refused(_) | DecideError::BodyGone | DecideError::NotFound) => done.refused += 1,
            Err(error) => return Err(decide_problem(&error)),
        }
    }
    Ok((done, last))
}

/// The same request as far as one delivery goes.
fn part(context: &CommandContext, delivery: DeliveryId) -> CommandContext {
    let mut part = context.clone();
    part.metadata.command = CommandId::from_key(&context.metadata.command.to_string(), &delivery.to_string());
    part
}

async fn first_answer(app: &App, context: &CommandContext) -> Result<Option<(Retried, Position)>, Problem> {
    let Some(fingerprint) = &context.fingerprint else { return Ok(None) };
    let found = app.bus.receipt(context.metadata.command).await.map_err(|error| load_problem(&error))?;
    let Some(receipt) = found else { return Ok(None) };
    if receipt.fingerprint != *fingerprint {
        return Err(append_problem(&AppendError::KeyReused));
    }
    Ok(Some((kept(receipt.result)?, receipt.position)))
}

/// The answer that a receipt keeps.
fn kept(result: serde_json::Value) -> Result<Retried, Problem> {
    serde_json::from_value(result).map_err(|error| {
        tracing::error!(error = %error, "a receipt cannot be read");
        Problem::of(&problem::INTERNAL)
    })
}

/// Whose answer counts.
enum Remembered {
    /// This one. With a key it is kept at the position.
    First(Option<Position>),
    /// That of a twin with the same key, which ended first.
    Twin(Retried, Position),
}

/// Keeps the answer, so that a repetition with the same key gets it again, however close behind it is.
async fn remember(app: &App, context: &CommandContext, done: Retried) -> Result<Remembered, Problem> {
    let Some(fingerprint) = context.fingerprint.clone() else { return Ok(Remembered::First(None)) };
    let draft = Draft {
        metadata: context.metadata.clone(),
        recorded_at: context.at,
        streams: vec![],
        guards: vec![],
        receipt: Some((fingerprint, json!(done))),
    };
    match app.bus.append(draft).await {
        Ok(Appended::Committed { last }) => Ok(Remembered::First(Some(last))),
        Ok(Appended::Replayed(receipt)) => Ok(Remembered::Twin(kept(receipt.result)?, receipt.position)),
        Err(error) => Err(append_problem(&error)),
    }
}
