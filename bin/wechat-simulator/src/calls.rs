//! How often each endpoint was called and what it said: lets a test assert "one token call".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An endpoint of the WeChat or the WeCom side.
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
    /// `GET /cgi-bin/gettoken` (WeCom).
    GetToken,
    /// `POST /cgi-bin/message/send` (WeCom).
    WecomSend,
    /// `POST /cgi-bin/message/recall` (WeCom).
    WecomRecall,
    /// `POST /cgi-bin/webhook/send` (WeCom group robot).
    RobotSend,
    /// `POST /cgi-bin/message/template/send` (official account).
    TemplateSend,
    /// `POST /cgi-bin/message/subscribe/bizsend` (official account).
    BizSend,
    /// `POST /tcb/invokecloudfunction`.
    CloudFunction,
}

/// Whose host an endpoint belongs to; the two word their errors differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `api.weixin.qq.com`.
    Wechat,
    /// `qyapi.weixin.qq.com`.
    Wecom,
}

impl Endpoint {
    pub(crate) fn host(self) -> Host {
        match self {
            Self::GetToken | Self::WecomSend | Self::WecomRecall | Self::RobotSend => Host::Wecom,
            Self::Token
            | Self::StableToken
            | Self::SubscribeSend
            | Self::CodeToSession
            | Self::TemplateSend
            | Self::BizSend
            | Self::CloudFunction => Host::Wechat,
        }
    }

    /// Whether it puts messages on phones.
    pub(crate) fn sends(self) -> bool {
        match self {
            Self::SubscribeSend
            | Self::WecomSend
            | Self::RobotSend
            | Self::TemplateSend
            | Self::BizSend
            | Self::CloudFunction => true,
            Self::Token | Self::StableToken | Self::CodeToSession | Self::GetToken | Self::WecomRecall => {
                false
            }
        }
    }

    /// Whether the platform refuses a second send to a person while one is under way (43108).
    pub(crate) fn one_at_a_time(self) -> bool {
        matches!(self, Self::SubscribeSend | Self::BizSend)
    }
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
