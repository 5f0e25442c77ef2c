//! A call as it came, and how it came to its decision.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{calls::Endpoint, errcode::Refusal, ledger::ClientSaw, subscribe::text};

/// A call as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct WireRequest {
    pub(crate) is_get: bool,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl WireRequest {
    /// A query parameter that is there and not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.is_get {
            return Err(Refusal::RequirePost);
        }
        if self.body.is_empty() {
            return Err(Refusal::EmptyBody);
        }
        serde_json::from_slice(&self.body).ok().filter(Value::is_object).ok_or(Refusal::BadJson)
    }

    /// The receivers a call names: fault rules and the one-send-at-a-time rule need them on arrival.
    pub(crate) fn receivers(&self, endpoint: Endpoint) -> Vec<String> {
        if endpoint == Endpoint::RobotSend {
            return self.parameter("key").map(str::to_owned).into_iter().collect();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        match endpoint {
            Endpoint::CloudFunction => {
                let person = body.pointer("/notificationData/assignedToId").and_then(Value::as_str);
                person.map(str::to_owned).into_iter().collect()
            }
            Endpoint::WecomSend => {
                text(&body, "touser").unwrap_or_default().split('|').map(str::to_owned).collect()
            }
            _ => text(&body, "touser").map(str::to_owned).into_iter().collect(),
        }
    }

    /// What may be under way only so often at once: sends to a person, sends with a WeCom token.
    pub(crate) fn lane(&self, endpoint: Endpoint) -> Option<String> {
        match endpoint {
            Endpoint::WecomSend => self.parameter("access_token").map(|token| format!("token {token}")),
            _ if endpoint.one_at_a_time() => self.receivers(endpoint).pop(),
            _ => None,
        }
    }
}

/// How a call reaches its decision: what the caller will see, and how many calls were under way in its lane when
/// it arrived, itself included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstance {
    pub(crate) client_saw: ClientSaw,
    pub(crate) under_way: u32,
}

impl Circumstance {
    pub(crate) fn overlapping(self) -> bool {
        self.under_way > 1
    }
}
