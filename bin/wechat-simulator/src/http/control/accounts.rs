//! `/__sim/official` and `/__sim/cloud`: followers, the sample function's users.

use axum::{Json, Router, body::Bytes, extract::State, routing::post};
use serde_json::{Value, json};

use super::{Answer, Handle, done, parse};
use crate::{
    handle::{CloudUser, FollowOrder, SimulatorHandle},
    template::{App, Template},
};

pub(super) fn routes() -> Router<SimulatorHandle> {
    Router::new()
        .route("/official/accounts", post(add_account))
        .route("/official/followers", post(follow))
        .route("/cloud/users", post(add_user))
}

/// An official account; templates as on the command line, `ID=thing1,time2`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    appid: String,
    secret: String,
    templates: Vec<String>,
}

async fn add_account(State(handle): Handle, body: Bytes) -> Answer {
    let Account { appid, secret, templates } = parse(&body)?;
    let templates: Result<Vec<Template>, _> = templates.iter().map(|text| text.parse()).collect();
    let templates = templates.map_err(|error| crate::ControlError(error.to_string()))?;
    let answer: Value = json!({ "appid": appid });
    handle.official_account(App { appid, secret, templates });
    Ok(Json(answer))
}

async fn follow(State(handle): Handle, body: Bytes) -> Answer {
    handle.set_following(&parse::<FollowOrder>(&body)?)?;
    Ok(done())
}

async fn add_user(State(handle): Handle, body: Bytes) -> Answer {
    let CloudUser { staff_id, openid } = parse(&body)?;
    handle.cloud_user(&staff_id, &openid);
    Ok(done())
}
