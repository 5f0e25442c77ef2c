//! The list of customers, with system A's filters.

use application::access::{Caller, list_scope};
use application::forms::Rule;
use axum::extract::{RawQuery, State};
use chrono_tz::Tz;
use domain::CustomerId;
use domain::customer::{ContractStatus, Customer, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use projections::ReadModel;
use projections::queries::customers::{
    self, CustomerCursor, CustomerFilter, CustomerRow, LeadStatus, PAGE_CUSTOMERS, PAGE_CUSTOMERS_MAX,
    SortBy, SortOrder,
};
use projections::queries::{Page, PageRequest, recycling};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::CustomerDocument;
use crate::app::{App, SharedApp};
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

/// One page of customers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPage {
    /// The rows.
    pub customers: Vec<CustomerDocument>,
    /// Rows on all pages.
    pub total: i64,
    /// Number of this page, from 1; absent behind a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Most rows of a page.
    pub limit: u32,
    /// Number of pages.
    pub total_pages: i64,
    /// Where the next page begins, whatever happens to the rows meanwhile; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How one row is shown.
type Shown = fn(&Caller, CustomerId, &Customer, &People) -> CustomerDocument;

impl CustomerPage {
    /// The page as the caller sees it.
    pub async fn of(
        app: &App,
        caller: &Caller,
        found: Page<CustomerRow>,
        shown: Shown,
    ) -> Result<Self, Problem> {
        let customers = documents(app, caller, &found.items, shown).await?;
        Ok(Self {
            customers,
            total: found.total,
            page: Some(found.page),
            limit: found.limit,
            total_pages: found.total_pages(),
            next_cursor: found.next_cursor,
        })
    }
}

/// Rows as the caller sees them, with the names of their owners and of whoever followed up last.
pub(super) async fn documents(
    app: &App,
    caller: &Caller,
    rows: &[CustomerRow],
    shown: Shown,
) -> Result<Vec<CustomerDocument>, Problem> {
    let named = rows.iter().flat_map(|row| {
        let follower = row.customer.last_follow_up.as_ref().and_then(|last| last.by.staff());
        [row.customer.owner(), follower.filter(|_| row.customer.in_pool())]
    });
    // Collected: a closure over references may not be held across the wait.
    let named: Vec<_> = named.flatten().collect();
    let people = People::find(app, named).await?;
    let policy = recycling::policy(&app.db).await.map_err(|error| db_problem(&error))?;
    let document =
        |row: &CustomerRow| shown(caller, row.id, &row.customer, &people).due_by(&policy, &row.customer);
    Ok(rows.iter().map(document).collect())
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
    let wanted = Wanted::parse(query.as_deref(), app.limits().zone)?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let page = wanted.page(&app, &caller).await?;
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// Which customers are wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    filter: CustomerFilter,
    page: PageRequest,
    limit: u32,
    behind: Option<CustomerCursor>,
}

impl Wanted {
    /// Reads system A's parameters, and the cursor; days are days of this zone.
    pub(super) fn parse(query: Option<&str>, zone: Tz) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(query);
        parameters.text(MIN_POSITION); // read by its own extractor
        let (page, limit) = parameters.page("limit", PAGE_CUSTOMERS, PAGE_CUSTOMERS_MAX);
        let filter = filter(&mut parameters, zone);
        let behind = parameters.read("cursor", |text| {
            let cursor: Option<CustomerCursor> = text.parse().ok();
            cursor.filter(|cursor| cursor.fits(&filter)).ok_or(Rule::Cursor)
        });
        parameters.finish()?;
        Ok(Self { filter, page: PageRequest::new(page, limit, PAGE_CUSTOMERS_MAX), limit, behind })
    }

    /// The page as the caller sees it.
    pub(super) async fn page(&self, app: &App, caller: &Caller) -> Result<CustomerPage, Problem> {
        let (roster, scope) = (app.projections.roster(), list_scope(caller));
        let found = match &self.behind {
            None => customers::list(roster, &self.filter, scope, self.page).await,
            Some(cursor) => customers::list_behind(roster, &self.filter, scope, cursor, self.limit).await,
        };
        let found = found.map_err(|error| db_problem(&error))?;
        let page = CustomerPage::of(app, caller, found, CustomerDocument::row).await?;
        Ok(CustomerPage { page: page.page.filter(|_| self.behind.is_none()), ..page })
    }
}

fn filter(parameters: &mut Parameters, zone: Tz) -> CustomerFilter {
    CustomerFilter {
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
        created_from: parameters.first("createdStartDate", zone),
        created_to: parameters.last("createdEndDate", zone),
        assigned_from: parameters.first("assignedStartDate", zone),
        assigned_to_time: parameters.last("assignedEndDate", zone),
        sort_by: parameters.code("sortBy", SortBy::ALL),
        sort_order: parameters.code("sortOrder", SortOrder::ALL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA: Tz = chrono_tz::Asia::Shanghai;

    #[test]
    fn every_filter_of_system_a_is_read() {
        let query = "page=2&limit=50&search=%E7%8E%8B&leadSource=%E5%AE%98%E7%BD%91&leadLevel=A%E7%B1%BB\
                     &leadStatus=%E5%B7%B2%E6%B5%81%E8%BD%AC&createdEndDate=2026-01-02&sortBy=name&sortOrder=asc\
                     &minPosition=5&contractStatus=&followUpStatus=%E6%B5%81%E8%BD%AC%E6%9C%AA%E8%B7%9F%E8%BF%9B&caregiverName=\
                     &caregiverPhone=";
        let wanted = Wanted::parse(Some(query), CHINA).unwrap();
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
        let page = PageRequest::new(2, 50, 200);
        assert_eq!(wanted, Wanted { filter: expected, page, limit: 50, behind: None });
    }

    #[test]
    fn a_page_has_at_most_200_rows() {
        for query in ["limit=201", "limit=0", "page=0", "sortBy=phone%3Bdrop", "order=asc", "cursor=x"] {
            assert_eq!(Wanted::parse(Some(query), CHINA).unwrap_err().kind.status, 400, "{query}");
        }
        assert!(Wanted::parse(Some("limit=200"), CHINA).is_ok());
        assert!(Wanted::parse(None, CHINA).is_ok());
    }
}
