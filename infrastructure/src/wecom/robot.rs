//! `POST /cgi-bin/webhook/send?key=…`: no token; the key is the only secret, so the address is one.

use std::sync::Arc;

use application::channels::wecom_robot::outcome;
use application::delivery::Outcome;
use application::ports::Clock;
use async_trait::async_trait;
use domain::notification::Channel;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::dispatcher::{Provider, Rest};
use crate::provider_http::{ClientError, JSON, Timeouts, action, client, endpoint, exchange};

const PATH: &str = "cgi-bin/webhook/send";

/// A robot and how to reach it. The key does not print itself.
#[derive(Debug, Clone)]
pub struct RobotSettings {
    /// `https://qyapi.weixin.qq.com`, or a simulator.
    pub base_url: Url,
    /// What we call the robot.
    pub name: String,
    /// Whoever has it can write to the group.
    pub key: SecretString,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Sends stored request bodies as messages of a group robot.
pub struct WecomRobot {
    settings: RobotSettings,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WecomRobot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WecomRobot").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl WecomRobot {
    /// A sender with connections of its own.
    pub fn new(settings: RobotSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        Ok(Self { client: client(settings.timeouts)?, settings, clock })
    }
}

#[async_trait]
impl Provider for WecomRobot {
    fn channel(&self) -> Channel {
        Channel::WecomRobot
    }

    fn app(&self) -> &str {
        &self.settings.name
    }

    async fn prepare(&self) -> Result<(), Rest> {
        Ok(())
    }

    async fn send(&self, body: &str) -> Outcome {
        let request = self
            .client
            .post(endpoint(&self.settings.base_url, PATH))
            .query(&[("key", self.settings.key.expose_secret())])
            .header(CONTENT_TYPE, JSON)
            .body(body.to_owned());
        outcome(action(exchange(request).await), self.clock.now())
    }
}
