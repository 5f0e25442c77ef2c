//! 报备 for system A's machine caller: what the customers of one member of staff need, in that person's name.
//!
//! System A let the holder of its one shared secret read any customer by id (fault A-14). Here a machine needs a service
//! token of its own and names the person it acts for, and sees what that person sees (docs/adr/0014).

use application::access::Caller;
use application::forms::Rule;
use axum::extract::{RawQuery, State};
use domain::CustomerId;
use domain::contact::Phone;
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::staff::{self, PAGE_STAFF_MAX, StaffFilter, StaffRow};
use utoipa::IntoParams;

use super::super::detail::visible;
use super::baobei::{BaobeiPage, BaobeiQuery, BaobeiRow, Wanted};
use crate::app::{App, SharedApp};
use crate::auth::{CustomersRead, Refused, ServiceCaller, staff_caller};
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const SHOWN: Text = Text::new("获取报备客户详情成功", "Here is what the customer needs");

/// For whom a machine acts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct OnBehalfQuery {
    /// Phone of the member of staff; it must be the phone of exactly one active account.
    phone: String,
}

/// Which customer.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct OneQuery {
    /// Id of the customer, as the list gives it.
    id: uuid::Uuid,
}

/// Lists what the customers need that a member of staff may see, for a machine that acts for that person.
#[utoipa::path(
    get, path = "/api/miniprogram/customers/baobei/list", operation_id = "list_needs_for_machine",
    tag = "mini program", security(("bearer" = []), ("serviceSecret" = [])),
    params(OnBehalfQuery, BaobeiQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<BaobeiPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    machine: ServiceCaller<CustomersRead>,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let phone = parameters.required("phone", phone);
    let wanted = Wanted::take(&mut parameters);
    parameters.finish()?;
    let caller = acting_for(&app, &machine, phone).await?;
    wanted.answer(&app, &caller, min).await
}

/// What one customer needs, for a machine that acts for a member of staff; 404 for a customer that is unknown or not for
/// that person's eyes.
#[utoipa::path(
    get, path = "/api/miniprogram/customers/baobei/detail", operation_id = "show_needs_to_machine",
    tag = "mini program", security(("bearer" = []), ("serviceSecret" = [])),
    params(OnBehalfQuery, OneQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The customer", body = Enveloped<BaobeiRow>), schemas::ReadProblems)
)]
pub async fn detail(
    State(app): State<SharedApp>,
    machine: ServiceCaller<CustomersRead>,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION);
    let phone = parameters.required("phone", phone);
    let id = parameters.required("id", |text| text.parse::<CustomerId>().map_err(|_| Rule::Id));
    parameters.finish()?;
    let caller = acting_for(&app, &machine, phone).await?;
    let id = id.ok_or_else(|| Problem::of(&problem::CUSTOMER_NOT_FOUND))?;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let row = visible(&app, &caller, id).await?;
    Ok(Answer::ok(SHOWN, &BaobeiRow::of(&caller, row))?.read_at(stale))
}

fn phone(text: &str) -> Result<Phone, Rule> {
    Phone::parse(text).map_err(|_| Rule::Phone)
}

/// The one active member of staff with this phone, as the log knows the person at this moment. Phones of staff are not
/// unique: a machine that means one of two is told that there is nobody, rather than given the other one's customers.
async fn acting_for(
    app: &App,
    machine: &ServiceCaller<CustomersRead>,
    phone: Option<Phone>,
) -> Result<Caller, Problem> {
    let unknown = || Problem::of(&problem::USER_NOT_FOUND);
    let phone = phone.ok_or_else(unknown)?;
    let search = Some(phone.as_str().to_owned());
    let filter = StaffFilter { search, active: Some(true), ..StaffFilter::default() };
    let most = PageRequest::new(1, PAGE_STAFF_MAX, PAGE_STAFF_MAX);
    let found = staff::page(&app.db, &filter, most).await.map_err(|error| db_problem(&error))?;
    let has =
        |row: &StaffRow| row.staff.account.as_ref().is_some_and(|one| one.phone.as_ref() == Some(&phone));
    let mut named = found.items.into_iter().filter(has);
    let (Some(row), None) = (named.next(), named.next()) else { return Err(unknown()) };
    let caller = staff_caller(app, row.id).await.map_err(|refused| match refused {
        Refused::Suspended | Refused::Unknown => unknown(),
        other => other.into(),
    })?;
    tracing::info!(
        service_token.id = %machine.token.id, staff.id = %caller.id,
        "the service token {} reads for {}", machine.token.id, caller.id
    );
    Ok(caller)
}
