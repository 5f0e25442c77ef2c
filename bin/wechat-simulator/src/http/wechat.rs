//! The platforms' side: the paths of both hosts, any method, one flow. No path belongs to both.

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
        .route("/cgi-bin/message/template/send", serve(Endpoint::TemplateSend))
        .route("/cgi-bin/message/subscribe/bizsend", serve(Endpoint::BizSend))
        .route("/tcb/invokecloudfunction", serve(Endpoint::CloudFunction))
        .route("/cgi-bin/gettoken", serve(Endpoint::GetToken))
        .route("/cgi-bin/message/send", serve(Endpoint::WecomSend))
        .route("/cgi-bin/message/recall", serve(Endpoint::WecomRecall))
        .route("/cgi-bin/webhook/send", serve(Endpoint::RobotSend))
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
