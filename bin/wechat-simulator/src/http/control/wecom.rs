//! `/__sim/wecom`: apps, members, robots.

use axum::{Json, Router, body::Bytes, extract::State, routing::post};
use serde_json::{Value, json};

use super::{Answer, Handle, done, parse};
use crate::{
    handle::{RobotOrder, SimulatorHandle, WecomUserOrder},
    wecom::WecomApp,
};

pub(super) fn routes() -> Router<SimulatorHandle> {
    Router::new()
        .route("/apps", post(add_app).get(apps))
        .route("/users", post(add_user))
        .route("/robots", post(add_robot))
}

async fn apps(State(handle): Handle) -> Json<Value> {
    Json(json!({ "apps": handle.wecom_apps() }))
}

async fn add_app(State(handle): Handle, body: Bytes) -> Answer {
    let app: WecomApp = parse(&body)?;
    let key = handle.wecom_app(&app.corp_id, app.agent_id, &app.secret);
    Ok(Json(json!({ "app": key })))
}

async fn add_user(State(handle): Handle, body: Bytes) -> Answer {
    handle.wecom_user(&parse::<WecomUserOrder>(&body)?)?;
    Ok(done())
}

async fn add_robot(State(handle): Handle, body: Bytes) -> Answer {
    let RobotOrder { key, state } = parse(&body)?;
    handle.set_robot(&key, state);
    Ok(done())
}
