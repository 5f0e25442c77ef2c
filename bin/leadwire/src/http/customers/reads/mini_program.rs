//! What the mini program asks for: the list, one customer, the colleagues.

use application::access::{Caller, sees_colleagues};
use axum::extract::{RawQuery, State};
use domain::customer::Customer;
use domain::{Actor, CustomerId, StaffId};
use projections::ReadModel;
use projections::queries::staff::{self, StaffRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::CustomerPath;
use super::super::detail::visible;
use super::super::document::{self, CustomerDocument};
use super::super::list::{CustomerPage, Wanted};
use super::super::written::with_due;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取客户列表成功", "Here are the customers");
const FOUND: Text = Text::new("获取客户详情成功", "Here is the customer");
const COLLEAGUES: Text = Text::new("获取员工列表成功", "Here are your colleagues");

/// What system A's mini program shows for nobody and nothing.
const UNASSIGNED: &str = "未分配";

/// What it shows for somebody it cannot name.
const UNKNOWN: &str = "未知";

/// What it shows for an account that works; no other is listed.
const ACTIVE: &str = "active";

/// One page of customers, and whether there are more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MiniProgramPage {
    /// The page.
    #[serde(flatten)]
    page: CustomerPage,
    /// Whether a later page has more.
    has_more: bool,
}

/// Lists the customers that the caller may see, as the console's list does.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/list", operation_id = "list_customers_in_mini_program",
    tag = "mini program",
    params(schemas::CustomerListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<MiniProgramPage>), schemas::ReadProblems)
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
    let has_more = match page.page {
        Some(number) => i64::from(number) < page.total_pages,
        None => page.next_cursor.is_some(),
    };
    Ok(Answer::ok(LISTED, &MiniProgramPage { page, has_more })?.read_at(stale))
}

/// A customer with everybody's names.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MiniProgramCustomer {
    /// The customer.
    #[serde(flatten)]
    customer: CustomerDocument,
    /// Who created it, by name.
    created_by_name: String,
    /// The owner's name, or 未分配.
    assigned_to_name: String,
    /// Who gave it to the owner, by name, or 未知.
    assigned_by_name: String,
}

impl MiniProgramCustomer {
    /// The customer as the caller sees it, with everybody's names.
    pub async fn of(
        app: &App,
        caller: &Caller,
        id: CustomerId,
        customer: &Customer,
    ) -> Result<Self, Problem> {
        let creator = customer.created.as_ref().map(|created| &created.by);
        let assigner = customer.assigned_by.as_ref();
        let named = [creator, assigner].into_iter().flatten().filter_map(Actor::staff);
        let people = People::find(app, named.chain(customer.owner())).await?;
        let name = |id: StaffId| people.name(Some(id)).map(|person| person.name);
        let actor = |actor: Option<&Actor>| match actor {
            Some(Actor::Staff(id)) => name(*id),
            Some(system) => Some(document::actor(system)),
            None => None,
        };
        let detail = CustomerDocument::detail(caller, id, customer, &people);
        Ok(Self {
            created_by_name: actor(creator).unwrap_or_else(|| UNKNOWN.to_owned()),
            assigned_to_name: customer.owner().and_then(name).unwrap_or_else(|| UNASSIGNED.to_owned()),
            assigned_by_name: actor(assigner).unwrap_or_else(|| UNKNOWN.to_owned()),
            customer: with_due(app, detail, customer).await,
        })
    }
}

/// One customer; 404 for one that is unknown or not for the caller's eyes.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/{id}", operation_id = "show_customer_in_mini_program",
    tag = "mini program",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The customer", body = Enveloped<MiniProgramCustomer>),
        schemas::ReadProblems
    )
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let row = visible(&app, &caller, id).await?;
    let shown = MiniProgramCustomer::of(&app, &caller, id, &row.customer).await?;
    Ok(Answer::ok(FOUND, &shown)?.version(row.version).read_at(stale))
}

/// A colleague.
#[derive(Debug, Serialize, ToSchema)]
pub struct Colleague {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: StaffId,
    /// Name on screens.
    name: String,
    /// Role.
    role: &'static str,
    /// Department, or 未分配.
    department: String,
    /// Phone.
    phone: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// `active`.
    status: &'static str,
}

/// The colleagues who work here, by name; dispatchers and above see all of them, the others themselves.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/employees/list", operation_id = "list_colleagues", tag = "mini program",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The colleagues", body = Enveloped<Vec<Colleague>>), schemas::ReadProblems)
)]
pub async fn employees(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::StaffDirectory, min).await;
    let found = staff::assignable(&app.db).await.map_err(|error| db_problem(&error))?;
    let visible = |row: &StaffRow| row.id == caller.id || sees_colleagues(caller.role);
    let colleagues: Vec<_> = found.into_iter().filter(visible).filter_map(Colleague::of).collect();
    Ok(Answer::ok(COLLEAGUES, &colleagues)?.read_at(stale))
}

impl Colleague {
    fn of(row: StaffRow) -> Option<Self> {
        let account = row.staff.account?;
        Some(Self {
            id: row.id,
            name: account.name,
            role: account.role.as_str(),
            department: account.department.unwrap_or_else(|| UNASSIGNED.to_owned()),
            phone: account.phone.map(|phone| phone.as_str().to_owned()),
            email: account.email,
            status: ACTIVE,
        })
    }
}
