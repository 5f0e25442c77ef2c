//! How many customers there are of each kind, of those that the caller may see (system A counted everybody's for
//! everybody).

use std::collections::BTreeMap;
use std::fmt::Display;

use application::access::list_scope;
use application::customers::held_under;
use axum::extract::{RawQuery, State};
use domain::customer::LeadLevel;
use projections::ReadModel;
use projections::queries::customers::{
    self, CustomerFilter, CustomerStatistics, LeadStatus, MiniProgramStatistics,
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const COUNTED: Text = Text::new("获取客户统计成功", "Here are the statistics");
const HELD: Text = Text::new("获取客户持有数量成功", "Here is how many customers you own");

/// How many of each; a kind that nobody is of is absent.
pub(super) type Counts = BTreeMap<String, i64>;

/// Counts under the words of their code table.
pub(super) fn counts<K: Display>(counted: BTreeMap<K, i64>) -> Counts {
    counted.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
}

/// Customers by kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// All of them.
    total: i64,
    /// By how far the contract is.
    by_contract_status: Counts,
    /// By where they came from.
    by_lead_source: Counts,
    /// By what they ask for.
    by_service_category: Counts,
    /// By how promising they are.
    by_lead_level: Counts,
}

/// Counts the customers outside the pool that the caller may see, lost ones too.
#[utoipa::path(
    get, path = "/api/customers/statistics", operation_id = "count_customers", tag = "customers",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<Statistics>), schemas::ReadProblems)
)]
pub async fn statistics(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let everything = CustomerFilter::default();
    let counted = customers::statistics(app.projections.roster(), &everything, list_scope(&caller)).await;
    let CustomerStatistics { total, by_contract_status, by_lead_source, by_service_category, by_lead_level } =
        counted.map_err(|error| db_problem(&error))?;
    let statistics = Statistics {
        total,
        by_contract_status: counts(by_contract_status),
        by_lead_source: counts(by_lead_source),
        by_service_category: counts(by_service_category),
        by_lead_level: counts(by_lead_level),
    };
    Ok(Answer::ok(COUNTED, &statistics)?.read_at(stale))
}

/// How many the caller owns, and may own.
#[derive(Debug, Serialize, ToSchema)]
pub struct Held {
    /// Customers owned that count against the limit: all of them, or the unsigned ones if the rules of the pool say so.
    count: i64,
    /// Customers that a claim may lead to at most.
    limit: i64,
}

/// How many customers the caller owns, by the very count that a claim is held to.
#[utoipa::path(
    get, path = "/api/customers/my-customer-count", operation_id = "count_own_customers", tag = "customers",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The count", body = Enveloped<Held>), schemas::ReadProblems)
)]
pub async fn my_customer_count(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    _: MinPosition,
) -> Result<Answer, Problem> {
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let cap = limits.held_to(caller.role);
    let count = held_under(&app.bus, caller.id, cap).await.map_err(|error| load_problem(&error))?;
    Answer::ok(HELD, &Held { count, limit: cap.max })
}

/// Parameters of the mini program's counts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct MiniProgramStatisticsQuery {
    /// Literal part of name, phone or WeChat id, whatever the case.
    search: Option<String>,
    /// Who owns it.
    assigned_to: Option<Uuid>,
    /// How promising it is.
    lead_level: Option<String>,
    /// 已流转 or 未流转.
    lead_status: Option<String>,
}

/// Customers as the mini program counts them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MiniProgramCounts {
    /// All that match.
    total: i64,
    /// Those that the caller owns.
    my_customers: i64,
    /// By how far the contract is.
    by_contract_status: Counts,
}

/// Counts for the mini program.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/statistics", operation_id = "count_customers_in_mini_program",
    tag = "mini program",
    params(MiniProgramStatisticsQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<MiniProgramCounts>), schemas::ReadProblems)
)]
pub async fn statistics_in_mini_program(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION);
    let filter = CustomerFilter {
        search: parameters.text("search"),
        assigned_to: parameters.id("assignedTo"),
        lead_level: parameters.code("leadLevel", LeadLevel::ALL),
        lead_status: parameters.code("leadStatus", LeadStatus::ALL),
        ..CustomerFilter::default()
    };
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let (roster, scope) = (app.projections.roster(), list_scope(&caller));
    let counted = customers::mini_program_statistics(roster, &filter, scope, caller.id).await;
    let MiniProgramStatistics { total, my_customers, by_contract_status } =
        counted.map_err(|error| db_problem(&error))?;
    let counts = MiniProgramCounts { total, my_customers, by_contract_status: counts(by_contract_status) };
    Ok(Answer::ok(COUNTED, &counts)?.read_at(stale))
}
