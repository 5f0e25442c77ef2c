//! `POST /cgi-bin/message/send`: one receiver per call, and a body that `WeCom` recognises as a repetition.

use std::sync::Arc;

use application::channels::Verdict;
use application::channels::wecom_app::{Reply, outcome, outcome_for_many, read, speaks_to_many, verdict};
use application::delivery::{Answer, Outcome};
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;

use super::WecomSettings;
use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{Authorised, ClientError, Exchange, answered, client, made_safe};
use crate::provider_tokens::TokenStore;

const PATH: &str = "cgi-bin/message/send";

/// Sends stored request bodies as messages of an application.
pub struct WecomApp {
    app: String,
    api: Authorised,
}

impl std::fmt::Debug for WecomApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WecomApp").field("app", &self.app).finish_non_exhaustive()
    }
}

impl WecomApp {
    /// A sender with connections of its own.
    pub fn new(
        settings: WecomSettings,
        tokens: Arc<TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let (client, url) = (client(settings.timeouts)?, settings.endpoint(PATH));
        Ok(Self { app: settings.app, api: Authorised { client, url, tokens, clock } })
    }
}

fn reply(exchange: Exchange) -> Reply {
    match answered(exchange, read) {
        Ok(Reply { answer, missed }) => Reply { answer: made_safe(answer), missed },
        Err(answer) => answer.into(),
    }
}

/// Some of several receivers were passed over. Who they are stays out of the log.
fn missed_some(reply: Reply) -> Reply {
    if reply.missed.is_some() {
        tracing::warn!("WeCom passed over some of the receivers of a message to several people");
    }
    reply
}

fn is_refused_token(reply: &Reply) -> bool {
    matches!(&reply.answer, Answer::Code { code, .. } if verdict(*code) == Verdict::Token)
}

#[async_trait]
impl Provider for WecomApp {
    fn channel(&self) -> Channel {
        Channel::WecomApp
    }

    fn app(&self) -> &str {
        &self.app
    }

    async fn prepare(&self) -> Result<(), Rest> {
        self.api.prepare().await
    }

    async fn send(&self, body: &str) -> Outcome {
        match self.api.send(body, reply, is_refused_token).await {
            Ok(reply) if speaks_to_many(body) => outcome_for_many(missed_some(reply), self.api.clock.now()),
            Ok(reply) => outcome(reply, self.api.clock.now()),
            Err(without_token) => without_token,
        }
    }
}
