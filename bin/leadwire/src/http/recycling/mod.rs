//! `/api/recycle-rules`, `/api/recycle-runs` and `/api/pool-rules`: which leads go back into the public pool, and what people are held to around
//! it (transfer-and-recycle.md section 3). Administrators write, managers and operators see.

pub mod pool;
pub mod preview;
pub mod rules;
pub mod runs;
pub mod shapes;

use application::access::{Action, Caller, allows};
use application::bus::ExecuteError;
use application::forms::{pool_rules_violation, recycle_violation};
use application::recycling::{RecycleError, RecycleRefusal};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::RecycleRuleId;
use domain::pool_rules::PoolRulesError;
use domain::recycle_rule::RecycleRuleError;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use super::refusals::execute_problem;
use super::text::Text;
use crate::app::SharedApp;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(rules::create, rules::list))
        .routes(routes!(preview::preview))
        .routes(routes!(rules::show, rules::revise, rules::delete))
        .routes(routes!(rules::toggle))
        .routes(routes!(runs::list))
        .routes(routes!(runs::explain))
        .routes(routes!(pool::show, pool::set))
}

/// The rule that the path names. What is no id names none: 404.
#[derive(Debug, Clone, Copy)]
pub struct RecycleRulePath(Option<RecycleRuleId>);

impl RecycleRulePath {
    /// Asked for once it is clear that the caller may know.
    fn known(self) -> Result<RecycleRuleId, Problem> {
        self.0.ok_or_else(|| Problem::of(&problem::RECYCLE_RULE_NOT_FOUND))
    }
}

impl FromRequestParts<SharedApp> for RecycleRulePath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Self::Rejection> {
        let id = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(id.ok().and_then(|Path(id)| id.parse().ok())))
    }
}

/// The rule, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct RuleIdPath {
    /// `_id` of the rule.
    #[expect(dead_code, reason = "only described")]
    id: uuid::Uuid,
}

fn may(caller: &Caller, action: Action) -> Result<(), Problem> {
    if allows(caller.role, action) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

/// Why a rule is not kept, shown or changed.
fn recycle_problem(error: RecycleError) -> Problem {
    match error {
        ExecuteError::Refused(RecycleRefusal::Rule(RecycleRuleError::Invalid(violations))) => {
            Problem::fields(violations.iter().map(recycle_violation).collect())
        }
        ExecuteError::Refused(RecycleRefusal::Pool(PoolRulesError::Invalid(violations))) => {
            Problem::fields(violations.iter().map(pool_rules_violation).collect())
        }
        ExecuteError::Refused(RecycleRefusal::Rule(RecycleRuleError::NotFound)) => {
            Problem::of(&problem::RECYCLE_RULE_NOT_FOUND)
        }
        ExecuteError::Refused(RecycleRefusal::Forbidden(_)) => Problem::of(&problem::FORBIDDEN),
        ExecuteError::Refused(refusal @ RecycleRefusal::Stale { sequence }) => {
            let english = "Somebody else has changed these rules, please reload";
            Problem::of(&problem::VERSION_CONFLICT)
                .text(Text::with(refusal.to_string(), english))
                .details(json!({ "version": sequence }))
        }
        other => execute_problem(other),
    }
}
