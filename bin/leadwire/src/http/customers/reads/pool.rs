//! The public pool 公海: what waits in it, and how much.

use application::access::{Action, Caller, searches_pool_by_contact};
use axum::extract::{RawQuery, State};
use domain::contact::Phone;
use domain::customer::{LeadLevel, LeadSource, ServiceCategory};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::pool::{self as query, PAGE_POOL_MAX, PoolFilter, PoolStatistics};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::document::CustomerDocument;
use super::super::list::CustomerPage;
use super::statistics::{Counts, counts};
use super::{fresh_both, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::calendar;

const LISTED: Text = Text::new("获取公海客户列表成功", "Here is the public pool");
const COUNTED: Text = Text::new("获取公海统计成功", "Here are the statistics of the public pool");

/// Rows of a page when the caller does not say.
const PAGE_POOL: u32 = 10;

/// Largest budget that a filter may name, in yuan a month; far beyond any that a lead may have.
const BUDGET_MAX: i64 = 10_000_000;

/// Parameters of the pool's list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct PoolQuery {
    /// Literal part of the name, whatever the case, or a whole phone. Parts of phones and WeChat ids are found for
    /// admins and managers only: others could read off what they may not see.
    search: Option<String>,
    /// Where it came from.
    lead_source: Option<String>,
    /// What is asked for.
    service_category: Option<String>,
    /// How promising it is. 流失 is the label of all rows here and narrows nothing.
    lead_level: Option<String>,
    /// Smallest budget in yuan a month.
    #[param(minimum = 0, maximum = 10_000_000)]
    min_budget: Option<i64>,
    /// Largest budget in yuan a month.
    #[param(minimum = 0, maximum = 10_000_000)]
    max_budget: Option<i64>,
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 10)]
    limit: Option<u32>,
}

/// Lists the leads in the public pool, the last that came first.
#[utoipa::path(
    get, path = "/api/customers/public-pool", operation_id = "list_public_pool", tag = "public pool",
    params(PoolQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<CustomerPage>), schemas::ReadProblems)
)]
pub async fn pool(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewPool)?;
    let (filter, request) = parse(&caller, query.as_deref())?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let found = query::list(app.projections.roster(), &filter, request).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let page = CustomerPage::of(&app, &caller, found, CustomerDocument::pool_row).await?;
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

fn parse(caller: &Caller, query: Option<&str>) -> Result<(PoolFilter, PageRequest), Problem> {
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION);
    let (page, limit) = parameters.page("limit", PAGE_POOL, PAGE_POOL_MAX);
    let (search, name) = searched(caller, parameters.text("search"));
    let filter = PoolFilter {
        search,
        name,
        lead_source: parameters.code("leadSource", LeadSource::ALL),
        service_category: parameters.code("serviceCategory", ServiceCategory::ALL),
        lead_level: parameters.code("leadLevel", LeadLevel::ALL).filter(|level| *level != LeadLevel::Lost),
        min_budget: parameters.whole("minBudget", 0..=BUDGET_MAX),
        max_budget: parameters.whole("maxBudget", 0..=BUDGET_MAX),
    };
    parameters.finish()?;
    Ok((filter, PageRequest::new(page, limit, PAGE_POOL_MAX)))
}

/// What is looked for in name, phone and WeChat id, and what in the name alone.
fn searched(caller: &Caller, text: Option<String>) -> (Option<String>, Option<String>) {
    match text {
        Some(text) if !searches_pool_by_contact(caller.role) => match Phone::parse(&text) {
            Ok(phone) => (Some(phone.as_str().to_owned()), None),
            Err(_) => (None, Some(text)),
        },
        anything => (anything, None),
    }
}

/// How much is in the pool, and what went through it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCounts {
    /// Leads that wait.
    total: i64,
    /// Leads that went in today.
    today_entered: i64,
    /// Leads that were claimed or assigned out of it today.
    today_claimed: i64,
    /// Waiting leads by where they came from.
    by_lead_source: Counts,
    /// Waiting leads by how promising they are, by their real level.
    by_lead_level: Counts,
}

/// Counts the public pool; a day is one in China.
#[utoipa::path(
    get, path = "/api/customers/public-pool/statistics", operation_id = "count_public_pool", tag = "public pool",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<PoolCounts>), schemas::ReadProblems)
)]
pub async fn pool_statistics(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewPoolStatistics)?;
    let stale = fresh_both(&app, &caller, ReadModel::PoolLog, min).await;
    let midnight = calendar::day_start(app.clock.now(), app.limits().zone);
    let counted = query::statistics(app.projections.roster(), midnight).await;
    let PoolStatistics { total, today_entered, today_claimed, by_lead_source, by_lead_level } =
        counted.map_err(|error| db_problem(&error))?;
    let (by_lead_source, by_lead_level) = (counts(by_lead_source), counts(by_lead_level));
    let counts = PoolCounts { total, today_entered, today_claimed, by_lead_source, by_lead_level };
    Ok(Answer::ok(COUNTED, &counts)?.read_at(stale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::StaffId;
    use domain::staff::Role;

    fn filter(role: Role, query: &str) -> PoolFilter {
        let id = StaffId(uuid::Uuid::from_u128(1));
        let caller = Caller { id, username: "u".into(), name: "U".into(), role };
        parse(&caller, Some(query)).unwrap().0
    }

    #[test]
    fn who_sees_no_phone_cannot_find_one_out_by_its_parts() {
        for (role, text, search, name) in [
            (Role::Manager, "1381234", Some("1381234"), None),
            (Role::Operator, "1381234", None, Some("1381234")),
            (Role::Employee, "wang-wechat", None, Some("wang-wechat")),
            (Role::Employee, "138 1234 8999", Some("13812348999"), None),
            (Role::Employee, "", None, None),
        ] {
            let found = filter(role, &format!("search={text}"));
            assert_eq!((found.search.as_deref(), found.name.as_deref()), (search, name), "{role} {text}");
        }
    }

    #[test]
    fn the_label_of_every_row_narrows_nothing() {
        let of = |level: LeadLevel| {
            filter(Role::Admin, &format!("leadLevel={level}&minBudget=1&maxBudget=9")).lead_level
        };
        assert_eq!((of(LeadLevel::A), of(LeadLevel::Lost)), (Some(LeadLevel::A), None));
    }
}
