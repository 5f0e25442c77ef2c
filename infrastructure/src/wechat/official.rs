//! Messages of a service account: `POST /cgi-bin/message/template/send`, whose body names itself to WeChat, and
//! `POST /cgi-bin/message/subscribe/bizsend`, whose body does not.

use std::sync::Arc;

use application::channels::Verdict;
use application::channels::wechat_official::{Kind, outcome, verdict};
use application::delivery::{Answer, Contract, Outcome};
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;

use super::{TokenStore, WechatSettings};
use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{Authorised, ClientError, action, client};

const TEMPLATE_PATH: &str = "cgi-bin/message/template/send";
const SUBSCRIBE_PATH: &str = "cgi-bin/message/subscribe/bizsend";

/// Sends stored request bodies as messages of a service account.
pub struct WechatOfficial {
    app: String,
    kind: Kind,
    api: Authorised,
}

impl std::fmt::Debug for WechatOfficial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatOfficial").field("app", &self.app).finish_non_exhaustive()
    }
}

impl WechatOfficial {
    /// A sender with connections of its own.
    pub fn new(
        settings: WechatSettings,
        kind: Kind,
        tokens: Arc<TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let path = match kind {
            Kind::Template => TEMPLATE_PATH,
            Kind::Subscribe => SUBSCRIBE_PATH,
        };
        let (client, url) = (client(settings.timeouts)?, settings.endpoint(path));
        Ok(Self { app: settings.app, kind, api: Authorised { client, url, tokens, clock } })
    }
}

fn is_refused_token(answer: &Answer) -> bool {
    matches!(answer, Answer::Code { code, .. } if verdict(*code) == Verdict::Token)
}

#[async_trait]
impl Provider for WechatOfficial {
    fn channel(&self) -> Channel {
        Channel::WechatOfficial
    }

    fn app(&self) -> &str {
        &self.app
    }

    fn contract(&self) -> Contract {
        let contract = Contract::of(Channel::WechatOfficial);
        match self.kind {
            Kind::Template => contract,
            Kind::Subscribe => Contract { dedupe: None, ..contract },
        }
    }

    async fn prepare(&self) -> Result<(), Rest> {
        self.api.prepare().await
    }

    async fn send(&self, body: &str) -> Outcome {
        match self.api.send(body, action, is_refused_token).await {
            Ok(answer) => outcome(answer, self.api.clock.now()),
            Err(without_token) => without_token,
        }
    }
}
