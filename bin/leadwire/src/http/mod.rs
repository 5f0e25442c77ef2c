//! The HTTP contract (http-api.md): one file an endpoint group, one shape for every answer.
//!
//! Handlers are thin: parse, use case, view. Reading order: [`answer`] and [`problem`] (what can be
//! answered), `frame` (what surrounds every request), [`command`] and [`reading`] (keys, versions,
//! positions), `customers`.

mod addresses;
pub mod answer;
pub mod callbacks;
pub mod command;
mod cors;
pub mod customers;
pub mod deliveries;
mod frame;
pub mod health;
pub mod lead_transfer;
pub mod member_messages;
pub mod member_notices;
pub mod member_sources;
pub mod members;
pub mod metrics;
pub mod notifications;
mod openapi;
mod path;
pub mod people;
pub mod preferences;
pub mod problem;
pub mod query;
mod rate_limits;
pub mod reading;
pub mod recycling;
pub mod refusals;
pub mod schedules;
pub mod schemas;
pub mod service_tokens;
pub mod sessions;
mod socket;
mod socketio;
pub mod templates;
pub mod text;
pub mod time;
pub mod users;
pub mod wechat_binding;
pub mod wechat_subscribe;

use axum::{Extension, Router, middleware};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub use frame::{RequestId, X_REQUEST_ID};
pub use problem::Problem;
pub use reading::RecentWrites;
pub use refusals::load_problem;

use crate::app::SharedApp;

/// Every route, with its state. Call it inside a Tokio runtime: live sockets share one task that watches the
/// inbox.
pub fn router(app: SharedApp) -> Router {
    let (router, document) = routes().split_for_parts();
    let hub = socket::Hub::start(&app);
    let limits = rate_limits::RateLimits::new(&app.settings.protection);
    router
        .merge(socketio::routes(&app, &hub))
        .fallback(frame::unknown_route)
        .method_not_allowed_fallback(frame::wrong_method)
        .layer(Extension(openapi::Written::of(&document)))
        .layer(Extension(hub))
        .layer(middleware::from_fn_with_state(limits, rate_limits::guard))
        .layer(middleware::from_fn_with_state(app.clone(), cors::cors))
        .layer(middleware::from_fn_with_state(app.clone(), frame::frame))
        .with_state(app)
}

/// What is served beside everything else on an address for probes, also where nobody answers people: health and metrics.
pub fn probes(app: SharedApp) -> Router {
    let (router, _) = OpenApiRouter::new().merge(health::routes()).merge(metrics::routes()).split_for_parts();
    router
        .fallback(frame::unknown_route)
        .method_not_allowed_fallback(frame::wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), frame::frame))
        .with_state(app)
}

/// Every route and its description.
fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::with_openapi(openapi::Base::openapi())
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(service_tokens::routes())
        .merge(wechat_binding::routes())
        .merge(wechat_subscribe::routes())
        .merge(callbacks::routes())
        .merge(customers::routes())
        .merge(notifications::routes())
        .merge(deliveries::routes())
        .merge(preferences::routes())
        .merge(templates::routes())
        .merge(socket::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(lead_transfer::routes())
        .merge(schedules::routes())
        .merge(recycling::routes())
        .merge(member_sources::routes())
        .merge(members::routes())
        .merge(member_messages::routes())
        .merge(member_notices::routes())
        .merge(openapi::routes())
}
