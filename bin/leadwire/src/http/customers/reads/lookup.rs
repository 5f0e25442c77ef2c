//! Customers by what people have at hand: a piece of text, the number, the phone.

use application::access::{FieldView, detail_scope, field_view, list_scope};
use axum::extract::{RawQuery, State};
use domain::contact::Phone;
use domain::customer::CustomerNumber;
use projections::ReadModel;
use projections::queries::customers::{self, PAGE_CUSTOMERS, PAGE_CUSTOMERS_MAX};
use projections::queries::recycling;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::document::CustomerDocument;
use super::super::list::documents;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::path::PathText;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const FOUND: Text = Text::new("搜索客户成功", "Here is what was found");
const SHOWN: Text = Text::new("获取客户详情成功", "Here is the customer");
const ADDRESS: Text = Text::new("获取客户地址成功", "Here is the address");

/// Parameters of the search.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct SearchQuery {
    /// Literal part of name, phone or WeChat id, whatever the case; everybody when missing.
    search: Option<String>,
    /// Most rows.
    #[param(minimum = 1, maximum = 200, default = 10)]
    limit: Option<u32>,
}

/// The newest customers with a text in name, phone or WeChat id, lost ones too, leads in the pool not.
#[utoipa::path(
    get, path = "/api/customers/search", operation_id = "search_customers", tag = "customers",
    params(SearchQuery, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The customers", body = Enveloped<Vec<CustomerDocument>>),
        schemas::ReadProblems
    )
)]
pub async fn search(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION);
    let text = parameters.text("search").unwrap_or_default();
    let limit = parameters.count("limit", PAGE_CUSTOMERS, PAGE_CUSTOMERS_MAX);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let found = customers::search(app.projections.roster(), &text, limit, list_scope(&caller)).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let rows = documents(&app, &caller, &found, CustomerDocument::row).await?;
    Ok(Answer::ok(FOUND, &rows)?.read_at(stale))
}

/// The customer with a number; 404 for one that is unknown or not for the caller's eyes.
#[utoipa::path(
    get, path = "/api/customers/customer-id/{customerId}", operation_id = "show_customer_by_number", tag = "customers",
    params(("customerId" = String, Path, description = "`CUS` and 11 digits"), schemas::ReadHeaders),
    responses(
        (status = 200, description = "The customer", body = Enveloped<CustomerDocument>),
        schemas::ReadProblems
    )
)]
pub async fn by_number(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    PathText(number): PathText,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let unknown = || Problem::of(&problem::CUSTOMER_NOT_FOUND);
    let number = CustomerNumber::parse(&number).map_err(|_| unknown())?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let row = customers::by_number(&app.db, number.as_str()).await.map_err(|error| db_problem(&error))?;
    let row = row.filter(|row| detail_scope(&caller).contains(&row.customer)).ok_or_else(unknown)?;
    let people = People::find(&app, row.customer.owner()).await?;
    let policy = recycling::policy(&app.db).await.map_err(|error| db_problem(&error))?;
    let document =
        CustomerDocument::detail(&caller, row.id, &row.customer, &people).due_by(&policy, &row.customer);
    Ok(Answer::ok(SHOWN, &document)?.version(row.version).read_at(stale))
}

/// Where a customer lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddressOfPhone {
    /// The address; `null` when none is known.
    address: Option<String>,
}

/// The address of the customer with a phone; 404 when there is none, or its address is not for the caller's eyes.
#[utoipa::path(
    get, path = "/api/customers/address-by-phone/{phone}", operation_id = "show_address_by_phone", tag = "customers",
    params(("phone" = String, Path, description = "A Chinese phone number, as people type it"), schemas::ReadHeaders),
    responses(
        (status = 200, description = "The address", body = Enveloped<AddressOfPhone>),
        schemas::ReadProblems
    )
)]
pub async fn address_by_phone(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    PathText(phone): PathText,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let unknown = || Problem::of(&problem::CUSTOMER_NOT_FOUND);
    let phone = Phone::parse(&phone).map_err(|_| unknown())?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let row = customers::by_phone(&app.db, &phone, detail_scope(&caller))
        .await
        .map_err(|error| db_problem(&error))?;
    let row = row.filter(|row| field_view(&caller, &row.customer) == FieldView::Full).ok_or_else(unknown)?;
    let address = AddressOfPhone { address: row.customer.profile.address };
    Ok(Answer::ok(ADDRESS, &address)?.read_at(stale))
}
