//! `/api/deliveries`: what became of each message, and what an operator may do about it. Nobody below operator sees it,
//! nobody but an administrator acts; everything that is done is an event with its actor.

pub mod act;
pub mod channels;
pub mod document;
pub mod list;
pub mod many;
pub mod parameters;
pub mod queue;
pub mod reconciliation;
pub mod statistics;

use std::sync::Arc;

use application::access::{Action, Caller, allows};
use application::bus::ExecuteError;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::DeliveryId;
use domain::channel_control::{ChannelControlError, REASON_CHARS_MAX};
use domain::notification::{Channel, DeliveryState, NotificationError};
use infrastructure::channel_control::ControlError;
use infrastructure::outbox::decide::DecideError;
use projections::ReadModel;
use projections::policy_runner::PolicyRunner;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use super::refusals::{append_problem, db_problem, execute_problem, load_problem};
use super::text::Text;
use crate::app::{App, SharedApp};

/// The read model that all of this is about.
const DELIVERIES: ReadModel = ReadModel::Deliveries;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(many::retry_many))
        .routes(routes!(statistics::statistics))
        .routes(routes!(channels::channels))
        .routes(routes!(channels::pause))
        .routes(routes!(channels::resume))
        .routes(routes!(reconciliation::reconciliation))
        .routes(routes!(list::detail))
        .routes(routes!(act::retry))
        .routes(routes!(act::discard))
        .routes(routes!(act::settle))
        .routes(routes!(queue::process, queue::look))
}

/// The policy as this process would run it, for checking what was decided.
pub(crate) fn policy(app: &App) -> PolicyRunner {
    let channels = Arc::new(app.settings.channels());
    PolicyRunner::new(app.bus.clone(), app.projections.consumers().clone(), channels, app.clock.clone())
        .with_fallback_after(app.settings.delivery.fallback_after)
}

/// Refuses everybody who may not do this.
fn permitted(caller: &Caller, action: Action) -> Result<(), Problem> {
    if allows(caller.role, action) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

/// The delivery that the path names. What is no id names none: 404.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryPath(pub DeliveryId);

impl FromRequestParts<SharedApp> for DeliveryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::DELIVERY_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// The channel that the path names.
#[derive(Debug, Clone, Copy)]
pub struct ChannelPath(pub Channel);

impl FromRequestParts<SharedApp> for ChannelPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::CHANNEL_NOT_FOUND);
        let Path(name) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        name.parse().map(Self).map_err(|_| unknown())
    }
}

/// Why nothing was decided about a delivery.
fn decide_problem(error: &DecideError) -> Problem {
    match error {
        DecideError::NotFound | DecideError::Refused(NotificationError::NotFound) => {
            Problem::of(&problem::DELIVERY_NOT_FOUND)
        }
        DecideError::Refused(refusal) => refused(*refusal),
        DecideError::BodyGone => Problem::of(&problem::DELIVERY_BODY_GONE),
        DecideError::Load(error) => load_problem(error),
        DecideError::Append(error) => append_problem(error),
        DecideError::Encode(error) => {
            tracing::error!(error = %error, "an event cannot be written");
            Problem::of(&problem::INTERNAL)
        }
        DecideError::Db(error) => db_problem(error),
    }
}

fn refused(refusal: NotificationError) -> Problem {
    let (state, en) = match refusal {
        NotificationError::NotRequeueable(state) => (Some(state), "it cannot be sent once more"),
        NotificationError::NotDiscardable(state) => (Some(state), "it cannot be given up"),
        NotificationError::NotSettleable(state) => (Some(state), "its arrival is not open to a decision"),
        NotificationError::NotWaiting(state)
        | NotificationError::NotCancellable(state)
        | NotificationError::NotHeld(state) => (Some(state), "this cannot be done with it"),
        NotificationError::AlreadySettled(_) => (
            Some(DeliveryState::Unknown),
            "it was decided on already; only that it arrived can still be said",
        ),
        NotificationError::NoStandby => return Problem::of(&problem::NO_STANDBY),
        NotificationError::NotFound | NotificationError::StaleAttempt | NotificationError::UnderWay => {
            (None, "an attempt is under way, please try again")
        }
    };
    let words = match state {
        Some(state) => format!("The delivery is {state}: {en}"),
        None => format!("As things stand, {en}"),
    };
    Problem::of(&problem::DELIVERY_STATE)
        .text(Text::with(refusal.to_string(), words))
        .details(json!({ "state": state }))
}

/// Why a channel was neither paused nor resumed.
fn control_problem(error: ControlError) -> Problem {
    match error {
        ExecuteError::Refused(refusal @ ChannelControlError::InApp) => Problem::of(&problem::REFUSED_VALUE)
            .text(Text::with(refusal.to_string(), "The inbox cannot be paused"))
            .details(json!({ "path": "name" })),
        ExecuteError::Refused(refusal @ ChannelControlError::InvalidReason) => {
            let en = format!("The reason must have 1 to {REASON_CHARS_MAX} characters");
            Problem::of(&problem::REFUSED_VALUE)
                .text(Text::with(refusal.to_string(), en))
                .details(json!({ "path": "reason" }))
        }
        other => execute_problem(other),
    }
}

#[cfg(test)]
mod tests {
    use domain::notification::Settlement;

    use super::*;

    #[test]
    fn every_refusal_has_its_status_and_the_words_of_the_rule() {
        use NotificationError as E;
        for (refusal, status, code) in [
            (E::NotFound, 404, "DELIVERY_NOT_FOUND"),
            (E::NotRequeueable(DeliveryState::Accepted), 409, "DELIVERY_STATE"),
            (E::NotDiscardable(DeliveryState::InFlight), 409, "DELIVERY_STATE"),
            (E::NotSettleable(DeliveryState::Dead), 409, "DELIVERY_STATE"),
            (E::AlreadySettled(Settlement::Closed), 409, "DELIVERY_STATE"),
            (E::NoStandby, 409, "NO_STANDBY"),
            (E::StaleAttempt, 409, "DELIVERY_STATE"),
        ] {
            let problem = decide_problem(&DecideError::Refused(refusal));
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            assert_eq!(problem.text.zh, refusal.to_string());
        }
        assert_eq!(decide_problem(&DecideError::BodyGone).kind.status, 409);
    }
}
