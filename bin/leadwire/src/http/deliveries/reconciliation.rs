//! The standing check: is there a decision for everybody each event concerns, a notice for each of them, and work for
//! each notice (product.md G9).

use application::access::Action;
use axum::extract::{RawQuery, State};
use projections::policy_runner::{self, Reconciliation};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::{IntoParams, ToSchema};

use super::{permitted, policy};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

/// Checks at the same time in this process: each reads the whole log and asks the policy about every event again, so a
/// few people in a hurry would take the machine from everybody else. Whoever goes away gives up the place in the queue.
static TURNS: Semaphore = Semaphore::const_new(1);

const CLEAN: Text = Text::new("核对完成，无缺失、无重复", "Checked: nothing is missing, nothing is doubled");
const UNCLEAN: Text = Text::new(
    "核对完成，发现差异，请执行 leadwire deliveries reconcile --repair",
    "Checked: there are differences; run leadwire deliveries reconcile --repair",
);

/// What the check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconciliationDocument {
    /// Whether nothing is missing and nothing doubled.
    clean: bool,
    /// The counts, and the first of what is missing.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    found: Reconciliation,
}

/// What may be left out.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReconciliationQuery {
    /// Events up to this position are not looked at; those of before the policy was there never are.
    #[param(minimum = 0, default = 0)]
    pub after: Option<i64>,
}

/// Checks everything from the first event on: what should have been decided, requested and queued against what was.
#[utoipa::path(
    get, path = "/api/deliveries/reconciliation", operation_id = "reconcile_deliveries", tag = "deliveries",
    params(ReconciliationQuery),
    responses(
        (status = 200, description = "What the check found", body = Enveloped<ReconciliationDocument>),
        schemas::ReadProblems
    )
)]
pub async fn reconciliation(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewDeliveries)?;
    let mut parameters = Parameters::of(query.as_deref());
    let after = parameters.whole("after", 0..=i64::MAX).unwrap_or(0);
    parameters.finish()?;
    let _turn = turn().await;
    let found = policy_runner::reconcile(&policy(&app), after).await.map_err(|error| db_problem(&error))?;
    let clean = found.is_clean();
    Answer::ok(if clean { CLEAN } else { UNCLEAN }, &ReconciliationDocument { clean, found })
}

/// Waits until this check may begin; it goes on until the permit is dropped. `None` cannot be: nobody closes it.
async fn turn() -> Option<SemaphorePermit<'static>> {
    TURNS.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_check_at_a_time_and_who_leaves_the_queue_holds_up_nobody() {
        let first = turn().await;
        let mut second = Box::pin(turn());
        let mut third = Box::pin(turn());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(third.as_mut().now_or_never().flatten().is_some());
    }
}
