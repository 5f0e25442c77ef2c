//! What went into the public pool and came out: of everybody, and of one customer.

use application::access::{Action, FieldView, field_view, free_text};
use application::bus::CommandBus as _;
use axum::extract::{RawQuery, State};
use domain::customer::Customer;
use domain::{CustomerId, EventId, StreamId};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::pool::{self as query, PAGE_POOL_MAX, PoolLogEntry};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::CustomerPath;
use super::{acted, fresh_row, permitted};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::{People, Person};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取公海记录成功", "Here is what went through the public pool");

/// Entries of a page when the caller does not say.
const PAGE_LOGS: u32 = 20;

/// One time a customer went into the pool or came out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolLog {
    /// Id of the event.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// `enter`, `claim`, `assign` or `release`.
    action: &'static str,
    /// Who did it.
    operator_id: Option<Person>,
    /// Who had it before.
    from_user_id: Option<Person>,
    /// Who has it after.
    to_user_id: Option<Person>,
    /// Why.
    reason: Option<String>,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    operated_at: Millis,
    /// Position of the event in the log.
    position: i64,
}

/// The passages of one customer through the pool, newest first.
#[utoipa::path(
    get, path = "/api/customers/{id}/public-pool-logs", operation_id = "list_pool_logs_of_customer",
    tag = "public pool",
    params(schemas::IdPath, schemas::ReadHeaders),
    responses((status = 200, description = "The entries", body = Enveloped<Vec<PoolLog>>), schemas::ReadProblems)
)]
pub async fn logs_of_customer(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let (row, stale) = fresh_row(&app, &caller, id, ReadModel::PoolLog, min).await?;
    let entries = query::logs_of(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let people = named(&app, &entries).await?;
    let view = field_view(&caller, &row.customer);
    let logs: Vec<_> = entries.into_iter().map(|entry| PoolLog::of(entry, &people, view)).collect();
    Ok(Answer::ok(LISTED, &logs)?.read_at(stale))
}

/// Parameters of the pool's log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct PoolLogQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 200, default = 20)]
    limit: Option<u32>,
}

/// One page of the pool's log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolLogPage {
    /// The entries.
    logs: Vec<NamedPoolLog>,
    /// Entries on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most entries of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// An entry with the customer's number and name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedPoolLog {
    /// The entry.
    #[serde(flatten)]
    log: PoolLog,
    /// Number people quote.
    customer_number: Option<String>,
    /// Name.
    customer_name: Option<String>,
}

/// What went through the public pool, newest first.
#[utoipa::path(
    get, path = "/api/customers/public-pool/logs", operation_id = "list_pool_logs", tag = "public pool",
    params(PoolLogQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<PoolLogPage>), schemas::ReadProblems)
)]
pub async fn pool_logs(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewPoolStatistics)?;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION);
    let (page, limit) = parameters.page("limit", PAGE_LOGS, PAGE_POOL_MAX);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::PoolLog, min).await;
    let found = query::logs(&app.db, PageRequest::new(page, limit, PAGE_POOL_MAX)).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let people = named(&app, &found.items).await?;
    let streams: Vec<_> = found.items.iter().map(|entry| StreamId::from(entry.customer)).collect();
    let customers = app.bus.load_many::<Customer>(&streams).await.map_err(|error| load_problem(&error))?;
    let (total, page, limit, total_pages) = (found.total, found.page, found.limit, found.total_pages());
    let logs = found.items.into_iter().zip(customers).map(|(entry, customer)| {
        let view = field_view(&caller, &customer.state);
        // A deleted customer is not named any more.
        let shown = Some(customer.state).filter(Customer::exists);
        NamedPoolLog {
            log: PoolLog::of(entry, &people, view),
            customer_number: shown.as_ref().and_then(|c| c.created.as_ref()).map(|c| c.number.to_string()),
            customer_name: shown.map(|customer| free_text(view, &customer.profile.name)),
        }
    });
    let page = PoolLogPage { logs: logs.collect(), total, page, limit, total_pages };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

async fn named(app: &App, entries: &[PoolLogEntry]) -> Result<People, Problem> {
    let mut ids = Vec::new();
    for entry in entries {
        ids.extend([entry.operator, entry.from_user, entry.to_user].into_iter().flatten());
    }
    People::find(app, ids).await
}

impl PoolLog {
    fn of(entry: PoolLogEntry, people: &People, view: FieldView) -> Self {
        Self {
            id: entry.id,
            customer_id: entry.customer,
            action: entry.action.as_str(),
            operator_id: acted(people, entry.operator, entry.operator_system.as_deref()),
            from_user_id: people.person(entry.from_user),
            to_user_id: people.person(entry.to_user),
            reason: entry.reason.map(|reason| free_text(view, &reason)),
            operated_at: Millis(entry.operated_at),
            position: entry.position,
        }
    }
}
