//! The control side, `/__sim`. Bodies are strict: an unknown key is refused with a 400 that names it.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    channel::Channel,
    faults::FaultRule,
    handle::{ControlError, CreditGrant, LoginCodeOrder, SimulatorHandle},
    tokens::{TokenEnd, TokenFamily},
};

mod accounts;
mod callbacks;
mod wecom;

type Handle = State<SimulatorHandle>;
type Answer = Result<Json<Value>, ControlError>;

pub(super) fn routes() -> Router<SimulatorHandle> {
    Router::new()
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/wake", post(wake))
        .route("/ledger", get(ledger).delete(clear_ledger))
        .route("/credits", get(credits).post(grant))
        .route("/login-codes", post(issue_login_code))
        .route("/clock", get(clock).post(advance))
        .route("/calls", get(calls).delete(clear_calls))
        .route("/switches", get(switches).post(set_switches))
        .route("/limits", get(limits).post(set_limits))
        .route("/reset", post(reset))
        .route("/dropped", get(dropped))
        .route("/tokens/end", post(end_tokens))
        .merge(accounts::routes())
        .merge(callbacks::routes())
        .nest("/wecom", wecom::routes())
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

/// A body without members, or no body at all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    /// The receiver: an openid, a WeCom userid, a robot's key.
    #[serde(alias = "recipient")]
    openid: Option<String>,
    channel: Option<Channel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndTokens {
    #[serde(default)]
    family: Option<TokenFamily>,
    #[serde(default)]
    how: TokenEnd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| ControlError(error.to_string()))
}

fn parse_nothing(body: &[u8]) -> Result<(), ControlError> {
    if body.is_empty() { Ok(()) } else { parse::<Nothing>(body).map(|Nothing {}| ()) }
}

/// `current` with the members of `body` in place of its own; members that `T` does not have are refused.
fn merged<T: Serialize + DeserializeOwned>(current: &T, body: &[u8]) -> Result<T, ControlError> {
    let wrong = |error: serde_json::Error| ControlError(error.to_string());
    let patch: serde_json::Map<String, Value> = parse(body)?;
    let mut whole: serde_json::Map<String, Value> =
        serde_json::to_value(current).and_then(serde_json::from_value).map_err(wrong)?;
    whole.extend(patch);
    serde_json::from_value(Value::Object(whole)).map_err(wrong)
}

async fn faults(State(handle): Handle) -> Json<Value> {
    Json(json!({ "faults": handle.faults(), "waiting": handle.waiting() }))
}

async fn add_fault(State(handle): Handle, body: Bytes) -> Answer {
    let id = handle.add_fault(parse::<FaultRule>(&body)?)?;
    Ok(Json(json!({ "id": id })))
}

async fn clear_faults(State(handle): Handle) -> Json<Value> {
    handle.clear_faults();
    done()
}

async fn wake(State(handle): Handle, body: Bytes) -> Answer {
    parse_nothing(&body)?;
    handle.wake();
    Ok(done())
}

async fn ledger(State(handle): Handle, query: Result<Query<LedgerQuery>, QueryRejection>) -> Answer {
    let Query(query) = query.map_err(|rejection| ControlError(rejection.body_text()))?;
    let mut received = match query.openid {
        Some(openid) => handle.received_by(&openid),
        None => handle.ledger(),
    };
    received.retain(|received| query.channel.is_none_or(|channel| channel == received.channel));
    Ok(Json(json!({ "received": received })))
}

async fn clear_ledger(State(handle): Handle) -> Json<Value> {
    handle.clear_ledger();
    done()
}

async fn end_tokens(State(handle): Handle, body: Bytes) -> Answer {
    let EndTokens { family, how } = parse(&body)?;
    handle.end_tokens(family, how);
    Ok(done())
}

async fn dropped(State(handle): Handle) -> Json<Value> {
    Json(json!({ "dropped": handle.dropped() }))
}

async fn credits(State(handle): Handle) -> Json<Value> {
    Json(json!({ "credits": handle.credits() }))
}

async fn grant(State(handle): Handle, body: Bytes) -> Answer {
    handle.grant(&parse::<CreditGrant>(&body)?)?;
    Ok(Json(json!({ "credits": handle.credits() })))
}

async fn issue_login_code(State(handle): Handle, body: Bytes) -> Answer {
    let code = handle.issue_login_code(&parse::<LoginCodeOrder>(&body)?)?;
    Ok(Json(json!({ "code": code })))
}

async fn clock(State(handle): Handle) -> Json<Value> {
    Json(json!({ "now": handle.now(), "offset_seconds": handle.clock_offset_seconds() }))
}

async fn advance(State(handle): Handle, body: Bytes) -> Answer {
    let Advance { advance_seconds } = parse(&body)?;
    handle.advance(advance_seconds)?;
    Ok(clock(State(handle)).await)
}

async fn calls(State(handle): Handle) -> Json<Value> {
    Json(json!(handle.calls()))
}

async fn clear_calls(State(handle): Handle) -> Json<Value> {
    handle.clear_calls();
    done()
}

async fn switches(State(handle): Handle) -> Json<Value> {
    Json(json!(handle.switches()))
}

async fn set_switches(State(handle): Handle, body: Bytes) -> Answer {
    handle.set_switches(merged(&handle.switches(), &body)?);
    Ok(switches(State(handle)).await)
}

async fn limits(State(handle): Handle) -> Json<Value> {
    Json(json!(handle.limits()))
}

async fn set_limits(State(handle): Handle, body: Bytes) -> Answer {
    handle.set_limits(merged(&handle.limits(), &body)?);
    Ok(limits(State(handle)).await)
}

async fn reset(State(handle): Handle, body: Bytes) -> Answer {
    parse_nothing(&body)?;
    handle.reset();
    Ok(done())
}

fn done() -> Json<Value> {
    Json(json!({ "ok": true }))
}
