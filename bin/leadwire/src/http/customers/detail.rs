//! One customer by its id.

use application::access::{Caller, detail_scope};
use axum::extract::State;
use domain::CustomerId;
use projections::ReadModel;
use projections::queries::customers::{self, CustomerRow};
use projections::queries::recycling;

use super::CustomerPath;
use super::document::CustomerDocument;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const FOUND: Text = Text::new("获取客户详情成功", "Here is the customer");

/// One customer; 404 for one that is unknown or not for the caller's eyes.
#[utoipa::path(
    get, path = "/api/customers/{id}", operation_id = "show_customer", tag = "customers",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The customer", body = Enveloped<CustomerDocument>),
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
    let people = People::find(&app, row.customer.owner()).await?;
    let policy = recycling::policy(&app.db).await.map_err(|error| db_problem(&error))?;
    let document =
        CustomerDocument::detail(&caller, id, &row.customer, &people).due_by(&policy, &row.customer);
    Ok(Answer::ok(FOUND, &document)?.version(row.version).read_at(stale))
}

/// The customer, when the caller may see it.
pub(super) async fn visible(app: &App, caller: &Caller, id: CustomerId) -> Result<CustomerRow, Problem> {
    let row = customers::by_id(&app.db, id).await.map_err(|error| db_problem(&error))?;
    row.filter(|row| detail_scope(caller).contains(&row.customer))
        .ok_or_else(|| Problem::of(&problem::CUSTOMER_NOT_FOUND))
}
