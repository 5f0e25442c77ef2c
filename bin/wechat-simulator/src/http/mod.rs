//! The thin HTTP layer: the WeChat side, the control side, the page for people.

pub(crate) mod connection;
mod control;
mod flow;
mod page;
mod wechat;

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::json;

use crate::handle::SimulatorHandle;

pub(crate) fn router(handle: SimulatorHandle) -> Router {
    Router::new()
        .route("/", get(page::show))
        .merge(wechat::routes())
        .nest("/__sim", control::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "error": "no such route" }))) })
        .with_state(handle)
}
