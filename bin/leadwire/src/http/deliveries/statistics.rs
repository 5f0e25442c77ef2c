//! The figures: by channel, type or day, and how people answered when they were asked for their consent.

use application::access::Action;
use axum::extract::{RawQuery, State};
use projections::queries::statistics::{self as query, Authorisation, Group};
use serde::Serialize;
use utoipa::ToSchema;

use super::channels::{QueueDocument, queues};
use super::parameters::{self, StatisticsQuery};
use super::{DELIVERIES, permitted};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const SHOWN: Text = Text::new("获取投递统计成功", "Here are the figures");

/// The figures of a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryStatistics {
    /// The first instant.
    #[schema(value_type = DateTime<Utc>)]
    from: Millis,
    /// The first instant after it.
    #[schema(value_type = DateTime<Utc>)]
    until: Millis,
    /// One for each channel, type or day: how many stand where, rates, and percentiles of the latencies in milliseconds.
    #[schema(value_type = Vec<Object>)]
    groups: Vec<Group>,
    /// Consents and refusals of each template.
    #[schema(value_type = Vec<Object>)]
    authorisations: Vec<Authorisation>,
    /// What waits now, by channel.
    queues: Vec<QueueDocument>,
}

/// Figures of the deliveries that were requested in a time; at most 92 days.
#[utoipa::path(
    get, path = "/api/deliveries/statistics", operation_id = "delivery_statistics", tag = "deliveries",
    params(StatisticsQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The figures", body = Enveloped<DeliveryStatistics>), schemas::ReadProblems)
)]
pub async fn statistics(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewDeliveries)?;
    let (zone, now) = (app.limits().zone, app.clock.now());
    let (by, period) = parameters::statistics(query.as_deref(), zone, now)?;
    let stale = fresh(&app, &caller, DELIVERIES, min).await;
    let groups = query::of_deliveries(&app.db, by, period, &zone).await;
    let authorisations = query::authorisations(&app.db, period).await;
    let figures = DeliveryStatistics {
        from: Millis(period.from),
        until: Millis(period.until),
        groups: groups.map_err(|error| db_problem(&error))?,
        authorisations: authorisations.map_err(|error| db_problem(&error))?,
        queues: queues(&app, now).await?,
    };
    Ok(Answer::ok(SHOWN, &figures)?.read_at(stale))
}
