//! The list of customers, with system A's filters.

use application::access::list_scope;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{ContractStatus, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::customers::{
    self, CustomerFilter, LeadStatus, PAGE_CUSTOMERS, PAGE_CUSTOMERS_MAX, SortBy, SortOrder,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::CustomerDocument;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取客户列表成功", "Here are the customers");

/// Last page that can be asked for; whoever reads further needs a filter.
pub(in crate::http) const PAGE_MAX: i64 = 1_000_000;

/// One page of customers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPage {
    /// The rows.
    customers: Vec<CustomerDocument>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// Lists the customers that the caller may see.
#[utoipa::path(
    get, path = "/api/customers", operation_id = "list_customers", tag = "customers",
    params(schemas::CustomerListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<CustomerPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let (filter, request) = parse(query.as_deref())?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let found = customers::list(app.projections.roster(), &filter, list_scope(&caller), request).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let owners: Vec<_> = found.items.iter().filter_map(|row| row.customer.owner()).collect();
    let people = People::find(&app, owners).await?;
    let total_pages = found.total_pages();
    let row = |row: &customers::CustomerRow| CustomerDocument::row(&caller, row.id, &row.customer, &people);
    let page = CustomerPage {
        customers: found.items.iter().map(row).collect(),
        total: found.total,
        page: found.page,
        limit: found.limit,
        total_pages,
    };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// Reads system A's parameters.
fn parse(query: Option<&str>) -> Result<(CustomerFilter, PageRequest), Problem> {
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION); // read by its own extractor
    let page = parameters.whole("page", 1..=PAGE_MAX).unwrap_or(1);
    let limit_max = i64::from(PAGE_CUSTOMERS_MAX);
    let limit = parameters.whole("limit", 1..=limit_max).unwrap_or(i64::from(PAGE_CUSTOMERS));
    let filter = CustomerFilter {
        search: parameters.text("search"),
        name: parameters.text("name"),
        phone: parameters.text("phone"),
        lead_source: parameters.code("leadSource", LeadSource::ALL),
        service_category: parameters.code("serviceCategory", ServiceCategory::ALL),
        contract_status: parameters.code("contractStatus", ContractStatus::ALL),
        lead_level: parameters.code("leadLevel", LeadLevel::ALL),
        assigned_to: parameters.id("assignedTo"),
        lead_status: parameters.code("leadStatus", LeadStatus::ALL),
        follow_up_status: parameters.code("followUpStatus", FollowUpStatus::ALL),
        caregiver: parameters.text("caregiverName").or(parameters.text("caregiverPhone")),
        created_from: parameters.from("createdStartDate"),
        created_to: last(parameters.until("createdEndDate")),
        assigned_from: parameters.from("assignedStartDate"),
        assigned_to_time: last(parameters.until("assignedEndDate")),
        sort_by: parameters.code("sortBy", SortBy::ALL),
        sort_order: parameters.code("sortOrder", SortOrder::ALL),
    };
    parameters.finish()?;
    Ok((filter, PageRequest::new(small(page), small(limit), PAGE_CUSTOMERS_MAX)))
}

/// The last instant before the first one after.
pub(in crate::http) fn last(after: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    after.map(|after| after - TimeDelta::microseconds(1))
}

/// A number that was held within bounds far below the type's.
pub(in crate::http) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_system_a_is_read() {
        let query = "page=2&limit=50&search=%E7%8E%8B&leadSource=%E5%AE%98%E7%BD%91&leadLevel=A%E7%B1%BB\
                     &leadStatus=%E5%B7%B2%E6%B5%81%E8%BD%AC&createdEndDate=2026-01-02&sortBy=name&sortOrder=asc\
                     &minPosition=5&contractStatus=&followUpStatus=%E6%B5%81%E8%BD%AC%E6%9C%AA%E8%B7%9F%E8%BF%9B&caregiverName=\
                     &caregiverPhone=";
        let (filter, page) = parse(Some(query)).unwrap();
        let expected = CustomerFilter {
            search: Some("王".into()),
            lead_source: Some(LeadSource::Website),
            lead_level: Some(LeadLevel::A),
            lead_status: Some(LeadStatus::Transferred),
            follow_up_status: Some(FollowUpStatus::TransferredUntouched),
            created_to: Some("2026-01-02T15:59:59.999999Z".parse().unwrap()),
            sort_by: Some(SortBy::Name),
            sort_order: Some(SortOrder::Ascending),
            ..CustomerFilter::default()
        };
        assert_eq!(filter, expected);
        assert_eq!(page, PageRequest::new(2, 50, 200));
    }

    #[test]
    fn a_page_has_at_most_200_rows() {
        for query in ["limit=201", "limit=0", "page=0", "sortBy=phone%3Bdrop", "order=asc"] {
            assert_eq!(parse(Some(query)).unwrap_err().kind.status, 400, "{query}");
        }
        assert!(parse(Some("limit=200")).is_ok());
        assert!(parse(None).is_ok());
    }
}
