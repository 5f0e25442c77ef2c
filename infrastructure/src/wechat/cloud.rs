//! `POST /tcb/invokecloudfunction?env=…&name=…`: calls a cloud function with a stored body.

use std::sync::Arc;

use application::channels::Verdict;
use application::channels::wechat_cloud::{Inner, Reply, Settings, outcome, read, verdict};
use application::delivery::{Answer, Outcome};
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;

use super::{TokenStore, WechatSettings};
use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{Authorised, ClientError, Exchange, answered, client, made_safe, safe_detail};

const PATH: &str = "tcb/invokecloudfunction";

/// Calls the cloud function with stored request bodies.
pub struct WechatCloud {
    app: String,
    api: Authorised,
}

impl std::fmt::Debug for WechatCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatCloud").field("app", &self.app).finish_non_exhaustive()
    }
}

impl WechatCloud {
    /// A caller with connections of its own. WeChat ends a function after 5 s and says so: the time limit of a call
    /// must be longer, or that answer is never seen.
    pub fn new(
        settings: WechatSettings,
        channel: &Settings,
        tokens: Arc<TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let (client, mut url) = (client(settings.timeouts)?, settings.endpoint(PATH));
        url.query_pairs_mut().append_pair("env", &channel.env).append_pair("name", &channel.function);
        Ok(Self { app: settings.app, api: Authorised { client, url, tokens, clock } })
    }
}

fn reply(exchange: Exchange) -> Reply {
    match answered(exchange, read) {
        Ok(Reply { answer, inner }) => Reply { answer: made_safe(answer), inner: inner_made_safe(inner) },
        Err(answer) => answer.into(),
    }
}

/// What the function says is somebody else's text.
fn inner_made_safe(inner: Inner) -> Inner {
    match inner {
        Inner::Refused { code, message } => {
            Inner::Refused { code: safe_detail(&code), message: safe_detail(&message) }
        }
        Inner::Told { message_id } => Inner::Told { message_id: message_id.map(|id| safe_detail(&id)) },
        Inner::Unclear => Inner::Unclear,
    }
}

fn is_refused_token(reply: &Reply) -> bool {
    matches!(&reply.answer, Answer::Code { code, .. } if verdict(*code) == Verdict::Token)
}

#[async_trait]
impl Provider for WechatCloud {
    fn channel(&self) -> Channel {
        Channel::WechatCloud
    }

    fn app(&self) -> &str {
        &self.app
    }

    async fn prepare(&self) -> Result<(), Rest> {
        self.api.prepare().await
    }

    async fn send(&self, body: &str) -> Outcome {
        match self.api.send(body, reply, is_refused_token).await {
            Ok(reply) => outcome(reply, self.api.clock.now()),
            Err(without_token) => without_token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_function_says_is_made_safe() {
        let openid = "oABCdefGHIjklMNOpqrSTUvwx012";
        let resp_data =
            format!(r#"{{"success":false,"error":{{"code":"{openid}","message":"{openid} no"}}}}"#);
        let body = serde_json::json!({ "errcode": 0, "errmsg": "ok", "resp_data": resp_data }).to_string();
        let reply = reply(Exchange::Answered { status: 200, body: body.into_bytes() });
        let inner = Inner::Refused { code: "***".to_owned(), message: "*** no".to_owned() };
        assert_eq!(reply.inner, inner);
    }
}
