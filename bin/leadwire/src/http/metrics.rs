//! `/metrics`: Prometheus text. What this process counted, and what the database says at this moment. Names no person,
//! so it needs no account; keep it away from the public network as every other operator's page.

use std::fmt;

use application::delivery::Contract;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::notification::Channel;
use infrastructure::db::DbError;
use infrastructure::self_check;
use projections::queries::deliveries::channels as query;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::time::calendar;
use crate::app::{App, SharedApp};

/// What Prometheus expects.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Counters of this process; queues, consumers, channels and the nightly check of the whole installation.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operations", security(()),
    responses(
        (status = 200, content_type = "application/openmetrics-text", description = "Prometheus text"),
        (status = 503, content_type = "text/plain", description = "The database cannot be asked")
    )
)]
async fn metrics(State(app): State<SharedApp>) -> Response {
    let text = match current(&app).await {
        Ok(registry) => written(&app, &registry),
        Err(error) => {
            tracing::error!(error = %error, "metrics cannot be read");
            return (StatusCode::SERVICE_UNAVAILABLE, "# the database cannot be asked\n").into_response();
        }
    };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn written(app: &App, current: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, app.metrics.registry())?;
    encode_registry(&mut text, current)?;
    encode_eof(&mut text)?;
    Ok(text)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    channel: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfApp {
    provider: String,
    app: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SentBy {
    channel: String,
    app: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    provider: String,
    reason: String,
}

/// A limit: whose, and over which stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLimit {
    channel: String,
    app: String,
    /// `app`, or `receiver`: then what the busiest one got.
    scope: &'static str,
    window_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfConsumer {
    consumer: String,
}

/// What is asked for when somebody looks.
async fn current(app: &App) -> Result<Registry, DbError> {
    let mut registry = Registry::with_prefix("leadwire");
    queues(app, &mut registry).await?;
    channels(app, &mut registry).await?;
    quotas(app, &mut registry).await?;
    consumers(app, &mut registry).await?;
    checks(app, &mut registry).await?;
    super::schedules::measure(app, &mut registry).await?;
    super::member_sources::measure(app, &mut registry).await?;
    callbacks(app, &mut registry);
    Ok(registry)
}

async fn queues(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let (depth, oldest) = (Family::<InState, Gauge>::default(), Family::<OfChannel, Gauge>::default());
    registry.register("outbox_depth", "Deliveries that wait, standbys left out", depth.clone());
    let help = "Age of the oldest delivery that waits or is under way";
    registry.register_with_unit("outbox_oldest_age", help, Unit::Seconds, oldest.clone());
    let now = app.clock.now();
    for row in query::depth(&app.db).await? {
        let channel = row.channel.as_str().to_owned();
        let of = InState { channel: channel.clone(), state: row.state.as_str().to_owned() };
        depth.get_or_create(&of).set(row.count);
        // What is held waits on purpose.
        if row.state != domain::notification::DeliveryState::Held
            && let Some(since) = row.oldest
        {
            let age = oldest.get_or_create(&OfChannel { channel });
            age.set(age.get().max((now - since).num_seconds()));
        }
    }
    Ok(())
}

async fn channels(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let paused = Family::<OfChannel, Gauge>::default();
    registry.register("channel_paused", "1 while an operator has paused the channel", paused.clone());
    for channel in query::pauses(&app.db).await?.into_keys() {
        paused.get_or_create(&OfChannel { channel: channel.as_str().to_owned() }).set(1);
    }
    let breaker = Family::<InState, Gauge>::default();
    registry.register("channel_processes", "Processes by how they find the channel", breaker.clone());
    for row in query::health(&app.db, app.clock.now()).await? {
        breaker.get_or_create(&InState { channel: row.channel, state: row.state }).inc();
    }
    let refreshes = Family::<OfApp, Counter>::default();
    let help = "Access tokens that were fetched since the app is known";
    registry.register("token_refreshes", help, refreshes.clone());
    for token in query::tokens(&app.db).await? {
        let of = OfApp { provider: token.provider, app: token.app };
        refreshes.get_or_create(&of).inc_by(u64::try_from(token.version).unwrap_or(0));
    }
    Ok(())
}

/// How much was sent, and how much may be: today by channel, and in the window of every limit that a channel declares.
async fn quotas(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let (now, settings) = (app.clock.now(), app.settings.channels());
    let today = Family::<SentBy, Gauge>::default();
    registry.register("channel_sent_today", "Messages the provider took since midnight", today.clone());
    let (used, most) = (Family::<OfLimit, Gauge>::default(), Family::<OfLimit, Gauge>::default());
    let help = "Sends in the window of a limit; of a receiver's limit those to the busiest one";
    registry.register("channel_window_sends", help, used.clone());
    registry.register("channel_window_limit", "Most sends in the window of a limit", most.clone());
    let sent = query::accepted_since(&app.db, calendar::day_start(now, app.limits().zone)).await?;
    for channel in Channel::EXTERNAL.iter().copied() {
        let Some(provider) = settings.app(channel) else { continue };
        let name = channel.as_str().to_owned();
        let of = SentBy { channel: name.clone(), app: provider.clone() };
        today.get_or_create(&of).set(sent.get(&channel).copied().unwrap_or(0));
        let Contract { per_app, per_receiver, .. } = Contract::of(channel);
        let of_app = per_app.into_iter().map(|limit| ("app", limit));
        for (scope, limit) in of_app.chain(per_receiver.into_iter().map(|limit| ("receiver", limit))) {
            let window_seconds = limit.per.as_secs();
            let seconds = i64::try_from(window_seconds).unwrap_or(i64::MAX);
            let sends = match scope {
                "app" => query::used(&app.db, &provider, seconds, now).await?,
                _ => query::used_by_busiest(&app.db, channel, seconds, now).await?,
            };
            let of = OfLimit { channel: name.clone(), app: provider.clone(), scope, window_seconds };
            used.get_or_create(&of).set(sends);
            most.get_or_create(&of).set(i64::from(limit.max));
        }
    }
    Ok(())
}

async fn consumers(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let lag = Family::<OfConsumer, Gauge>::default();
    registry.register("consumer_lag_events", "Events of the log a consumer has not taken in", lag.clone());
    for consumer in app.projections.status().await? {
        lag.get_or_create(&OfConsumer { consumer: consumer.name }).set(consumer.lag);
    }
    Ok(())
}

async fn checks(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let Some(last) = self_check::last(&app.db).await? else { return Ok(()) };
    let (clean, ended) = (Gauge::<i64>::default(), Gauge::<i64>::default());
    clean.set(i64::from(last.clean));
    ended.set(last.ended_at.timestamp());
    registry.register("self_check_clean", "1 when the last nightly check found nothing", clean);
    let help = "When the last nightly check ended, in seconds since 1970";
    registry.register_with_unit("self_check_ended", help, Unit::Seconds, ended);
    Ok(())
}

fn callbacks(app: &App, registry: &mut Registry) {
    let refused = Family::<Refused, Counter>::default();
    registry.register("callbacks_refused", "Callbacks that were not believed", refused.clone());
    for (source, refusal, count) in app.callbacks.refused().all() {
        let of = Refused { provider: source.as_str().to_owned(), reason: refusal.as_str().to_owned() };
        refused.get_or_create(&of).inc_by(count);
    }
}
