//! How often each endpoint was called and what it said: lets a test assert "one token call".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An endpoint of the WeChat side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /cgi-bin/token`.
    Token,
    /// `POST /cgi-bin/stable_token`.
    StableToken,
    /// `POST /cgi-bin/message/subscribe/send`.
    SubscribeSend,
    /// `GET /sns/jscode2session`.
    CodeToSession,
}

/// The counters of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCalls {
    /// Requests that arrived.
    pub calls: u64,
    /// What was decided, by errcode, injected ones included; 0 is success. A caller may not have seen it: see
    /// `faults`.
    pub errcodes: BTreeMap<i64, u64>,
    /// Faults played, by kind.
    pub faults: BTreeMap<String, u64>,
}

/// The counters of every endpoint that was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// By endpoint.
    pub endpoints: BTreeMap<Endpoint, EndpointCalls>,
}

impl Calls {
    /// The counters of one endpoint, zero if it was never called.
    pub fn of(&self, endpoint: Endpoint) -> EndpointCalls {
        self.endpoints.get(&endpoint).cloned().unwrap_or_default()
    }

    pub(crate) fn arrived(&mut self, endpoint: Endpoint) {
        self.endpoints.entry(endpoint).or_default().calls += 1;
    }

    pub(crate) fn decided(&mut self, endpoint: Endpoint, errcode: i64) {
        *self.endpoints.entry(endpoint).or_default().errcodes.entry(errcode).or_default() += 1;
    }

    pub(crate) fn faulted(&mut self, endpoint: Endpoint, kind: &str) {
        *self.endpoints.entry(endpoint).or_default().faults.entry(kind.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_json() {
        let mut calls = Calls::default();
        calls.arrived(Endpoint::StableToken);
        calls.decided(Endpoint::StableToken, -1);
        calls.faulted(Endpoint::StableToken, "errcode");
        let json = serde_json::to_string(&calls).unwrap();
        let expected =
            r#"{"endpoints":{"stable_token":{"calls":1,"errcodes":{"-1":1},"faults":{"errcode":1}}}}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Calls>(&json).unwrap(), calls);
        assert_eq!(calls.of(Endpoint::Token), EndpointCalls::default());
    }
}
