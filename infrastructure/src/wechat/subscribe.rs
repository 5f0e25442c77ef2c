//! `POST /cgi-bin/message/subscribe/send`: one call, one receiver, no way to tell WeChat that it is a repetition.

use std::sync::Arc;

use application::channels::wechat_subscribe::{Verdict, outcome, verdict};
use application::delivery::{Answer, Outcome};
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;

use super::{TokenStore, WechatSettings};
use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{Authorised, ClientError, action, client};

const PATH: &str = "cgi-bin/message/subscribe/send";

/// Sends stored request bodies as subscribe messages.
pub struct WechatSubscribe {
    app: String,
    api: Authorised,
}

impl std::fmt::Debug for WechatSubscribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatSubscribe").field("app", &self.app).finish_non_exhaustive()
    }
}

impl WechatSubscribe {
    /// A sender with connections of its own.
    pub fn new(
        settings: WechatSettings,
        tokens: Arc<TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let (client, url) = (client(settings.timeouts)?, settings.endpoint(PATH));
        Ok(Self { app: settings.app, api: Authorised { client, url, tokens, clock } })
    }
}

fn is_refused_token(answer: &Answer) -> bool {
    matches!(answer, Answer::Code { code, .. } if verdict(*code) == Verdict::Token)
}

#[async_trait]
impl Provider for WechatSubscribe {
    fn channel(&self) -> Channel {
        Channel::WechatSubscribe
    }

    fn app(&self) -> &str {
        &self.app
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
