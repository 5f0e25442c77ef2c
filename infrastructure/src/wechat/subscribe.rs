//! `POST /cgi-bin/message/subscribe/send`: one call, one receiver, no way to tell WeChat that it is a repetition.

use std::sync::Arc;

use application::channels::wechat_subscribe::{Verdict, outcome, verdict};
use application::delivery::{Answer, Outcome};
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;

use super::answer;
use super::{AccessToken, TokenProblem, TokenStore, WechatSettings};
use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{ClientError, client, exchange};

const PATH: &str = "cgi-bin/message/subscribe/send";

/// Sends stored request bodies as subscribe messages.
pub struct WechatSubscribe {
    settings: WechatSettings,
    client: Client,
    tokens: Arc<TokenStore>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WechatSubscribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatSubscribe").field("app", &self.settings.app).finish_non_exhaustive()
    }
}

impl WechatSubscribe {
    /// A sender with connections of its own.
    pub fn new(
        settings: WechatSettings,
        tokens: Arc<TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let client = client(settings.timeouts)?;
        Ok(Self { settings, client, tokens, clock })
    }

    async fn call(&self, token: &AccessToken, body: &str) -> Answer {
        let request = self
            .client
            .post(self.settings.endpoint(PATH))
            .query(&[("access_token", token.secret().expose_secret())])
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body.to_owned());
        answer::action(exchange(request).await)
    }

    fn outcome(&self, answer: Answer) -> Outcome {
        outcome(answer, self.clock.now())
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
        &self.settings.app
    }

    /// Two calls with two looks for a token before them.
    async fn prepare(&self) -> Result<(), Rest> {
        self.tokens.get().await.map(drop).map_err(Rest::from)
    }

    async fn send(&self, body: &str) -> Outcome {
        let token = match self.tokens.get().await {
            Ok(token) => token,
            Err(problem) => return self.without_token(problem),
        };
        let first = self.call(&token, body).await;
        if !is_refused_token(&first) {
            return self.outcome(first);
        }
        // The call was refused before it was carried out, so sending again in the same attempt is safe, once.
        match self.tokens.instead_of(&token).await {
            Ok(fresh) => self.outcome(self.call(&fresh, body).await),
            Err(problem) => self.without_token(problem),
        }
    }
}

impl WechatSubscribe {
    /// Nothing was sent, or what was sent was refused before it was carried out.
    fn without_token(&self, problem: TokenProblem) -> Outcome {
        let wait = (problem.until - self.clock.now()).to_std().unwrap_or_default();
        Outcome::Retry { failure: problem.failure, after: Some(wait), counted: false }
    }
}

impl From<TokenProblem> for Rest {
    fn from(problem: TokenProblem) -> Self {
        Self { failure: problem.failure, until: problem.until }
    }
}
