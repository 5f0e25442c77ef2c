//! WeChat's API: subscribe messages and cloud functions of a mini program, messages of a service account.
//!
//! Thin on purpose (architecture.md section 6): this module moves bytes; what an answer means is
//! decided in `application::channels`, and what becomes of a delivery in [`crate::dispatcher`].

mod cloud;
mod login;
mod official;
mod subscribe;
mod token_api;

pub use cloud::WechatCloud;
pub use login::{CodeExchange, CodeProblem};
pub use official::WechatOfficial;
pub use subscribe::WechatSubscribe;

pub use crate::provider_tokens::{AccessToken, TokenProblem, TokenStore};

use secrecy::SecretString;
use url::Url;

use crate::provider_http::{Timeouts, endpoint};

/// Every statement about tokens, for the test that prepares them.
pub const STATEMENTS: &[&str] = crate::provider_tokens::STATEMENTS;

/// The app and how to reach WeChat. The secret does not print itself.
#[derive(Debug, Clone)]
pub struct WechatSettings {
    /// `https://api.weixin.qq.com`, one of its other names, or a simulator.
    pub base_url: Url,
    /// The app id of the mini program or the service account.
    pub app: String,
    /// Its secret.
    pub secret: SecretString,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl WechatSettings {
    /// The address of an API path such as `cgi-bin/stable_token`.
    fn endpoint(&self, path: &str) -> Url {
        endpoint(&self.base_url, path)
    }
}
