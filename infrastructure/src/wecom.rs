//! `WeCom` 企业微信: messages of an application, whose token all processes share, and of a group robot.
//!
//! Thin on purpose, like [`crate::wechat`]: what an answer means is decided in `application::channels`.

mod app;
mod robot;
pub mod sealed;
mod token_api;

pub use app::WecomApp;
pub use robot::{RobotSettings, WecomRobot};

use secrecy::SecretString;
use url::Url;

use crate::provider_http::{Timeouts, endpoint};

/// An application and how to reach `WeCom`. The secret does not print itself.
#[derive(Debug, Clone)]
pub struct WecomSettings {
    /// `https://qyapi.weixin.qq.com`, or a simulator.
    pub base_url: Url,
    /// The corporation's id.
    pub corp: String,
    /// The name of the app in the outbox and the token store
    /// ([`application::channels::wecom_app::Settings::app`]).
    pub app: String,
    /// The application's secret.
    pub secret: SecretString,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl WecomSettings {
    /// The address of an API path such as `cgi-bin/gettoken`.
    fn endpoint(&self, path: &str) -> Url {
        endpoint(&self.base_url, path)
    }
}
