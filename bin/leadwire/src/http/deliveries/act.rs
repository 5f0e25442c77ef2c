//! What an operator does with one delivery. Each is an event of its notice, with the actor.

use application::access::{Action, Caller};
use application::bus::CommandContext;
use application::forms::{self, SettleAs};
use axum::extract::State;
use domain::notification::{DeliveryState, NotificationCommand, NotificationError, Settlement};
use domain::{Actor, DeliveryId};
use infrastructure::outbox::decide::{self, DecideError};
use projections::queries::deliveries as query;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::DeliveryIdPath;
use super::{DeliveryPath, decide_problem, permitted};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const REQUEUED: Text = Text::new("已重新投递", "The delivery is sent once more");
const DISCARDED: Text = Text::new("已放弃投递", "The delivery was given up");
const SETTLED: Text = Text::new("已认定投递结果", "It was decided what the delivery counts as");

/// Why it is sent once more, when nobody says.
pub(super) const BY_HAND: &str = "人工重新投递";

/// Which delivery was acted on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acted {
    /// The delivery.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: DeliveryId,
}

/// Why.
#[derive(ToSchema)]
pub struct ReasonBody {
    /// In words.
    #[schema(max_length = 200)]
    pub reason: String,
}

/// Why, when there is something to say.
#[derive(ToSchema)]
pub struct RetryBody {
    /// In words.
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// What an unknown arrival counts as.
#[derive(ToSchema)]
pub struct SettleBody {
    /// sent: it arrived · resend: it is sent once more · switch: the next channel tells it, marked as possibly repeated ·
    /// closed: nothing more is done.
    #[schema(rename = "as")]
    pub as_what: String,
    /// In words.
    #[schema(max_length = 200)]
    pub reason: String,
}

/// Sends a dead, refused or unknown delivery once more, from the beginning of its schedule.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/retry", operation_id = "retry_delivery", tag = "deliveries",
    params(DeliveryIdPath, schemas::CommandHeaders),
    request_body(content = Option<RetryBody>),
    responses((status = 200, description = "It is due", body = Enveloped<Acted>), schemas::CommandProblems)
)]
pub async fn retry(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    DeliveryPath(delivery): DeliveryPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[delivery.to_string()]);
    let form = forms::RetryDelivery::parse(request.body).map_err(Problem::fields)?;
    let reason = form.reason.unwrap_or_else(|| BY_HAND.to_owned());
    let command =
        NotificationCommand::Requeue { delivery, by: Actor::Staff(caller.id), reason, at: context.at };
    put(&app, &caller, delivery, command, &context, REQUEUED).await
}

/// Gives a delivery up, and the channels behind it. It stays listed as cancelled, with the reason.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/discard", operation_id = "discard_delivery", tag = "deliveries",
    params(DeliveryIdPath, schemas::CommandHeaders),
    request_body = ReasonBody,
    responses((status = 200, description = "It is given up", body = Enveloped<Acted>), schemas::CommandProblems)
)]
pub async fn discard(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    DeliveryPath(delivery): DeliveryPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[delivery.to_string()]);
    let reason = forms::Because::parse(request.body).map_err(Problem::fields)?.reason;
    let command =
        NotificationCommand::Discard { delivery, by: Actor::Staff(caller.id), reason, at: context.at };
    put(&app, &caller, delivery, command, &context, DISCARDED).await
}

/// Decides what an unknown arrival counts as.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/settle", operation_id = "settle_delivery", tag = "deliveries",
    params(DeliveryIdPath, schemas::CommandHeaders),
    request_body = SettleBody,
    responses((status = 200, description = "It is decided", body = Enveloped<Acted>), schemas::CommandProblems)
)]
pub async fn settle(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    DeliveryPath(delivery): DeliveryPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[delivery.to_string()]);
    let form = forms::SettleDelivery::parse(request.body).map_err(Problem::fields)?;
    let (by, at) = (Actor::Staff(caller.id), context.at);
    let command = settlement(form.as_what, form.reason, delivery, by, at);
    put(&app, &caller, delivery, command, &context, SETTLED).await
}

/// What an operator's choice asks of the notice.
pub(crate) fn settlement(
    as_what: SettleAs,
    reason: String,
    delivery: DeliveryId,
    by: Actor,
    at: chrono::DateTime<chrono::Utc>,
) -> NotificationCommand {
    let settlement = match as_what {
        SettleAs::Resend => return NotificationCommand::Requeue { delivery, by, reason, at },
        SettleAs::Sent => Settlement::Sent,
        SettleAs::Switch => Settlement::Escalated,
        SettleAs::Closed => Settlement::Closed,
    };
    NotificationCommand::Settle { delivery, settlement, by, reason, at }
}

/// How the rules refuse `command` in a state.
fn when_nothing_was_sent(command: &NotificationCommand) -> fn(DeliveryState) -> NotificationError {
    match command {
        NotificationCommand::Requeue { .. } => NotificationError::NotRequeueable,
        NotificationCommand::Discard { .. } => NotificationError::NotDiscardable,
        _ => NotificationError::NotSettleable,
    }
}

/// Why nothing is done about a delivery that no dispatcher ever had: suppressed, of the inbox, or none at all.
async fn without_work(
    app: &App,
    delivery: DeliveryId,
    refusal: fn(DeliveryState) -> NotificationError,
) -> Problem {
    match query::by_id(&app.db, delivery).await {
        Ok(Some(found)) => decide_problem(&DecideError::Refused(refusal(found.delivery.state))),
        Ok(None) => decide_problem(&DecideError::NotFound),
        Err(error) => db_problem(&error),
    }
}

async fn put(
    app: &App,
    caller: &Caller,
    delivery: DeliveryId,
    command: NotificationCommand,
    context: &CommandContext,
    text: Text,
) -> Result<Answer, Problem> {
    let refusal = when_nothing_was_sent(&command);
    let decided = match decide::ask(&app.bus, delivery, command, context).await {
        Err(DecideError::NotFound) => return Err(without_work(app, delivery, refusal).await),
        decided => decided.map_err(|error| decide_problem(&error))?,
    };
    let answer = Answer::ok(text, &Acted { id: delivery })?;
    let Some(position) = decided.position else { return Ok(answer) };
    app.writes.noted(caller.id, position);
    Ok(answer.written(position, decided.replayed))
}
