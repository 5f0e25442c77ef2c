//! The WeChat side: four paths, any method, one flow. WeCom, cloud functions and callbacks join here.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Query, State},
    http::Method,
    response::Response,
    routing::{MethodRouter, any},
};

use super::{connection::ConnectionReset, flow};
use crate::{calls::Endpoint, handle::SimulatorHandle, world::WireRequest};

pub(super) fn routes() -> Router<SimulatorHandle> {
    Router::new()
        .route("/cgi-bin/token", serve(Endpoint::Token))
        .route("/cgi-bin/stable_token", serve(Endpoint::StableToken))
        .route("/cgi-bin/message/subscribe/send", serve(Endpoint::SubscribeSend))
        .route("/sns/jscode2session", serve(Endpoint::CodeToSession))
}

fn serve(endpoint: Endpoint) -> MethodRouter<SimulatorHandle> {
    any(
        move |State(handle): State<SimulatorHandle>,
              ConnectInfo(connection): ConnectInfo<ConnectionReset>,
              method: Method,
              Query(query): Query<BTreeMap<String, String>>,
              body: Bytes| async move {
            let request = WireRequest { is_get: method == Method::GET, query, body: body.to_vec() };
            let answer: Response = flow::serve(handle, endpoint, request, connection).await;
            answer
        },
    )
}
