//! `/__sim/callbacks`: where events go, what happens to them, and the people who cause them.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Handle, done, merged, parse, parse_nothing};
use crate::{
    callback::{CallbackTarget, ReleaseOrder},
    handle::{PopupOrder, SimulatorHandle, TurnOffOrder, WecomWords},
};

pub(super) fn routes() -> Router<SimulatorHandle> {
    Router::new()
        .route("/callbacks", get(settings).post(set))
        .route("/callbacks/verify", post(verify))
        .route("/callbacks/day", get(day).post(set_day))
        .route("/callbacks/release", post(release))
        .route("/callbacks/replay", post(replay))
        .route("/callbacks/log", get(log).delete(clear_log))
        .route("/popup", post(popup))
        .route("/turn-off", post(turn_off))
        .route("/wecom/says", post(says))
}

/// An app; with `target`, its settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    app: String,
    target: Option<CallbackTarget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    app: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    #[serde(default)]
    order: ReleaseOrder,
}

async fn settings(State(handle): Handle) -> Json<Value> {
    let settings = handle.callbacks().into_iter().map(|(app, target)| (app, json!(target)));
    Json(json!({ "callbacks": settings.collect::<Map<_, _>>() }))
}

async fn set(State(handle): Handle, body: Bytes) -> Answer {
    let Setting { app, target } = parse(&body)?;
    match target {
        Some(target) => handle.set_callback(&app, target)?,
        None => handle.remove_callback(&app),
    }
    Ok(settings(State(handle)).await)
}

async fn verify(State(handle): Handle, body: Bytes) -> Answer {
    let Verify { app } = parse(&body)?;
    handle.verify_callback(&app).await?;
    Ok(done())
}

async fn day(State(handle): Handle) -> Json<Value> {
    Json(json!(handle.callback_day()))
}

async fn set_day(State(handle): Handle, body: Bytes) -> Answer {
    handle.set_callback_day(merged(&handle.callback_day(), &body)?);
    Ok(day(State(handle)).await)
}

async fn release(State(handle): Handle, body: Bytes) -> Answer {
    let Release { order } =
        if body.is_empty() { Release { order: ReleaseOrder::Queued } } else { parse(&body)? };
    handle.release_callbacks(order);
    Ok(done())
}

async fn replay(State(handle): Handle, body: Bytes) -> Answer {
    parse_nothing(&body)?;
    handle.replay_callbacks();
    Ok(done())
}

async fn log(State(handle): Handle) -> Json<Value> {
    Json(json!({ "pushed": handle.callback_log(), "held": handle.callbacks_held() }))
}

async fn clear_log(State(handle): Handle) -> Json<Value> {
    handle.clear_callback_log();
    done()
}

async fn popup(State(handle): Handle, body: Bytes) -> Answer {
    handle.answer_popup(&parse::<PopupOrder>(&body)?)?;
    Ok(Json(json!({ "credits": handle.credits() })))
}

async fn turn_off(State(handle): Handle, body: Bytes) -> Answer {
    handle.turn_off(&parse::<TurnOffOrder>(&body)?)?;
    Ok(Json(json!({ "credits": handle.credits() })))
}

async fn says(State(handle): Handle, body: Bytes) -> Answer {
    handle.wecom_says(&parse::<WecomWords>(&body)?)?;
    Ok(done())
}
