//! Reading deliveries: the list, and one of them with every attempt.

use application::access::Action;
use axum::extract::{RawQuery, State};
use chrono::TimeDelta;
use projections::queries::deliveries::{self as query, DeliveryCursor, channels, waiting};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::document::{DeliveryDetailDocument, DeliveryDocument};
use super::parameters::{self, DeliveryListQuery};
use super::{DELIVERIES, DeliveryPath, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取投递列表成功", "Here are the deliveries");
const SHOWN: Text = Text::new("获取投递详情成功", "Here is the delivery");

/// The delivery that the path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryIdPath {
    /// `_id` of the delivery.
    pub id: Uuid,
}

/// One page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPage {
    /// The rows, newest first.
    items: Vec<DeliveryDocument>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists deliveries, newest first.
#[utoipa::path(
    get, path = "/api/deliveries", operation_id = "list_deliveries", tag = "deliveries",
    params(DeliveryListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<DeliveryPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewDeliveries)?;
    let (filter, limit) = parameters::list(query.as_deref(), app.limits().zone)?;
    let stale = fresh(&app, &caller, DELIVERIES, min).await;
    let rows = query::list(&app.db, &filter, limit).await.map_err(|error| db_problem(&error))?;
    let full = usize::try_from(limit).is_ok_and(|limit| rows.len() == limit);
    let next_cursor = rows.last().filter(|_| full).map(|last| DeliveryCursor::behind(last).to_string());
    let people = People::find(&app, rows.iter().map(|row| row.recipient).collect::<Vec<_>>()).await?;
    let items = rows.into_iter().map(|row| DeliveryDocument::of(row, &people)).collect();
    Ok(Answer::ok(LISTED, &DeliveryPage { items, next_cursor })?.read_at(stale))
}

/// One delivery: every attempt with its time, latency, code, class and excerpt; why it waits.
#[utoipa::path(
    get, path = "/api/deliveries/{id}", operation_id = "get_delivery", tag = "deliveries",
    params(DeliveryIdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The delivery", body = Enveloped<DeliveryDetailDocument>),
        schemas::ReadProblems
    )
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    DeliveryPath(id): DeliveryPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewDeliveries)?;
    let stale = fresh(&app, &caller, DELIVERIES, min).await;
    let found = query::by_id(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let detail = found.ok_or_else(|| Problem::of(&problem::DELIVERY_NOT_FOUND))?;
    let now = app.clock.now();
    let since = now - TimeDelta::seconds(channels::HEALTH_SECONDS);
    let waits = waiting::why(&app.db, &detail.delivery, since, now).await;
    let waits = waits.map_err(|error| db_problem(&error))?;
    let ways = query::of_notification(&app.db, detail.delivery.notification).await;
    let ways = ways.map_err(|error| db_problem(&error))?;
    let people = People::find(&app, [detail.delivery.recipient]).await?;
    let document = DeliveryDetailDocument::of(detail, waits.as_ref(), ways, &people);
    Ok(Answer::ok(SHOWN, &document)?.read_at(stale))
}
